//! The graph as a picture for the workflow's rustdoc page: one SVG without
//! scripts, drawn in the page's own text colour, so that it suits light and
//! dark themes.
//!
//! Steps stand in rows, each below all it needs; a step that opens regions is
//! a box around them.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::workflow::graph::{Graph, Kind, RegionId, StepId};
use crate::workflow::tokens::plain;

/// More steps than this make a picture that a reader cannot follow and a page that
/// is slow to load.
const MOST_STEPS: usize = 200;

const ROW_GAP: f64 = 26.0;
const COLUMN_GAP: f64 = 18.0;
const PADDING: f64 = 12.0;
const LINE: f64 = 18.0;
/// The width of an average letter at the font size below.
const LETTER: f64 = 6.7;

/// The picture, or nothing for a graph that is empty or too large for one.
pub(crate) fn svg(name: &str, graph: &Graph) -> Option<String> {
    let steps: usize = graph.regions.iter().map(|region| region.steps.len()).sum();
    if steps == 0 || steps > MOST_STEPS {
        return None;
    }
    let body = layout_region(graph, 0);
    let (width, height) = (body.width + 2.0, body.height + 2.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"graph of {}\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"-1 -1 {width:.0} {height:.0}\" style=\"max-width:100%;height:auto\" font-family=\"sans-serif\" font-size=\"12\" fill=\"none\" stroke=\"currentColor\">",
        escape(name),
    );
    draw(&body, 0.0, 0.0, &mut svg);
    svg.push_str("</svg>");
    Some(svg)
}

/// A region laid out: its boxes, relative to its own corner.
struct Layout {
    width: f64,
    height: f64,
    boxes: Vec<StepBox>,
    arrows: Vec<(StepId, StepId)>,
}

struct StepBox {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    name: String,
    what: String,
    rounded: bool,
    /// The regions inside, each with its title and its place in the box.
    inner: Vec<(f64, String, Layout)>,
}

fn layout_region(graph: &Graph, id: RegionId) -> Layout {
    let region = &graph.regions[id];
    let mut boxes: Vec<StepBox> = region
        .steps
        .iter()
        .zip(graph.regions[id].step_names())
        .map(|(step, name)| layout_step(graph, &step.kind, name))
        .collect();
    let needs: Vec<Vec<StepId>> =
        region.steps.iter().map(|step| step.needs.iter().copied().collect()).collect();
    let rows = rows(&needs);
    let mut width: f64 = 0.0;
    for row in &rows {
        let row_width = row.iter().map(|step| boxes[*step].width + COLUMN_GAP).sum::<f64>() - COLUMN_GAP;
        width = width.max(row_width);
    }
    let mut y = 0.0;
    for row in &rows {
        let row_width = row.iter().map(|step| boxes[*step].width + COLUMN_GAP).sum::<f64>() - COLUMN_GAP;
        let mut x = (width - row_width) / 2.0;
        let mut tallest: f64 = 0.0;
        for step in row {
            let this = &mut boxes[*step];
            (this.x, this.y) = (x, y);
            x += this.width + COLUMN_GAP;
            tallest = tallest.max(this.height);
        }
        y += tallest + ROW_GAP;
    }
    let arrows = arrows(&rows, &needs);
    Layout { width, height: (y - ROW_GAP).max(0.0), boxes, arrows }
}

/// Each step one row below the lowest of what it needs.
fn rows(needs: &[Vec<StepId>]) -> Vec<Vec<StepId>> {
    let mut row_of = vec![0; needs.len()];
    // `#[after]` may point forward in the text, so this repeats until nothing
    // moves; the graph has no cycle, so it ends.
    loop {
        let mut moved = false;
        for (step, needed) in needs.iter().enumerate() {
            let row = needed.iter().map(|need| row_of[*need] + 1).max().unwrap_or(0);
            if row > row_of[step] {
                row_of[step] = row;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut rows = vec![Vec::new(); row_of.iter().max().map_or(0, |last| last + 1)];
    for (step, row) in row_of.iter().enumerate() {
        rows[*row].push(step);
    }
    rows
}

/// The dependencies that no longer path implies: the others would only be
/// lines across the picture.
fn arrows(rows: &[Vec<StepId>], needs: &[Vec<StepId>]) -> Vec<(StepId, StepId)> {
    let mut above: Vec<BTreeSet<StepId>> = vec![BTreeSet::new(); needs.len()];
    let mut arrows = Vec::new();
    for step in rows.iter().flatten().copied() {
        for need in &needs[step] {
            if !needs[step].iter().any(|other| above[*other].contains(need)) {
                arrows.push((*need, step));
            }
        }
        let all = needs[step].iter().flat_map(|need| above[*need].iter().copied().chain([*need]));
        above[step] = all.collect();
    }
    arrows
}

fn layout_step(graph: &Graph, kind: &Kind, name: String) -> StepBox {
    let (what, rounded) = match kind {
        Kind::Call { path, .. } => {
            (path.segments.last().map(|segment| plain(&segment.ident)).unwrap_or_default(), false)
        }
        Kind::Signal { name, .. } => (format!("signal {name}"), true),
        Kind::Sleep { .. } => ("sleep".to_owned(), true),
        Kind::Map { limit, .. } => (
            limit.as_ref().map_or("for each".to_owned(), |limit| format!("for each, {limit} at a time")),
            false,
        ),
        Kind::Loop { limit, .. } => (
            limit.as_ref().map_or("while".to_owned(), |limit| format!("while, at most {limit} turns")),
            false,
        ),
        Kind::Branch { word, .. } => ((*word).to_owned(), false),
        Kind::Select { .. } => ("select".to_owned(), false),
        Kind::Compute { .. } => ("value".to_owned(), false),
        Kind::Check { .. } => ("check".to_owned(), false),
    };
    let mut inner = Vec::new();
    let mut x = PADDING;
    let mut tallest: f64 = 0.0;
    for region in kind.regions() {
        let layout = layout_region(graph, region);
        if layout.boxes.is_empty() {
            continue;
        }
        let title = match kind {
            Kind::Select { race, .. } if *race == region => "first of".to_owned(),
            _ => graph.regions[region].label.clone(),
        };
        let width = layout.width.max(text_width(&title));
        tallest = tallest.max(layout.height + LINE);
        inner.push((x, title, layout));
        x += width + PADDING;
    }
    let label = text_width(&label(&name, &what)) + 2.0 * PADDING;
    let width = label.max(if inner.is_empty() { 0.0 } else { x });
    let height = 2.0 * PADDING + LINE * 0.6 + if inner.is_empty() { 0.0 } else { tallest + PADDING };
    StepBox { x: 0.0, y: 0.0, width, height, name, what, rounded, inner }
}

fn label(name: &str, what: &str) -> String {
    // `while · while, at most 9 turns` says it twice.
    if name == what || what.starts_with(name) { what.to_owned() } else { format!("{name} · {what}") }
}

fn text_width(text: &str) -> f64 {
    // Names are short; a count of letters fits a float exactly.
    f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX)) * LETTER
}

fn draw(layout: &Layout, x: f64, y: f64, svg: &mut String) {
    // Writing to a `String` cannot fail.
    for (from, to) in &layout.arrows {
        let (from, to) = (&layout.boxes[*from], &layout.boxes[*to]);
        let (x1, y1) = (x + from.x + from.width / 2.0, y + from.y + from.height);
        let (x2, y2) = (x + to.x + to.width / 2.0, y + to.y - 4.0);
        let bend = ROW_GAP * 0.6;
        let _ = write!(
            svg,
            "<path opacity=\".55\" d=\"M{x1:.1} {y1:.1}C{x1:.1} {:.1} {x2:.1} {:.1} {x2:.1} {y2:.1}m-3 -4l3 4l3 -4\"/>",
            y1 + bend,
            y2 - bend,
        );
    }
    for this in &layout.boxes {
        let (x, y) = (x + this.x, y + this.y);
        let radius = if this.rounded { 14 } else { 4 };
        let dash = if this.inner.is_empty() { "" } else { " stroke-dasharray=\"4 3\"" };
        let _ = write!(
            svg,
            "<g data-step=\"{}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius}\"{dash} style=\"fill:var(--main-background-color,Canvas)\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"currentColor\" stroke=\"none\">{}</text>",
            escape(&this.name),
            this.width,
            this.height,
            x + this.width / 2.0,
            y + PADDING + 9.0,
            escape(&label(&this.name, &this.what)),
        );
        let top = y + PADDING + LINE;
        for (inner_x, title, inner) in &this.inner {
            if !title.is_empty() {
                let _ = write!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10\" opacity=\".7\" fill=\"currentColor\" stroke=\"none\">{}</text>",
                    x + inner_x,
                    top + 9.0,
                    escape(title),
                );
            }
            draw(inner, x + inner_x, top + LINE, svg);
        }
        svg.push_str("</g>");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
