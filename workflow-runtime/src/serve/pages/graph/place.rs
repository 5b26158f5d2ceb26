//! Where everything stands, in pixels.

use std::fmt::Write;

use super::layers::{Item, layers};
use crate::inspect::text::{columns, cut};
use crate::inspect::view::{NodePicture, RegionPicture};

/// How wide a letter is, about.
const LETTER: f64 = 7.2;
/// The height of a step's own two lines.
const HEAD: f64 = 48.0;
/// How wide a step is at least, and how many letters of a name it shows.
const NARROWEST: f64 = 104.0;
const LETTERS: usize = 28;
/// Between steps of a row, and between rows.
const GAP: f64 = 18.0;
const ROW_GAP: f64 = 30.0;
/// What an arrow needs where it passes steps.
const BEND: f64 = 10.0;
/// Around what is in a region, and above it, for its title.
const PAD: f64 = 12.0;
const TITLE: f64 = 24.0;

/// What is in a region, from its upper left corner.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) width: f64,
    pub(super) height: f64,
    /// In the order of the region's steps.
    pub(super) nodes: Vec<PlacedNode>,
    /// The paths of its arrows.
    pub(super) edges: Vec<String>,
}

#[derive(Debug)]
pub(super) struct PlacedNode {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// As much as there is room for.
    pub(super) name: String,
    pub(super) words: String,
    pub(super) regions: Vec<PlacedRegion>,
}

/// A region, from the corner of its step.
#[derive(Debug)]
pub(super) struct PlacedRegion {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) title: String,
    /// Where in it its steps begin.
    pub(super) inset: (f64, f64),
    pub(super) inner: Placed,
}

pub(super) fn place(region: &RegionPicture) -> Placed {
    let mut nodes: Vec<PlacedNode> = region.nodes.iter().map(sized).collect();
    let needs: Vec<Vec<usize>> = region.nodes.iter().map(|node| node.needs.clone()).collect();
    let layers = layers(&needs);
    let width = layers.rows.iter().map(|row| row_width(row, &nodes)).fold(0.0, f64::max);
    // Of each arrow, where it passes the rows between.
    let mut bends: Vec<Vec<(f64, f64, f64)>> = vec![Vec::new(); layers.arrows.len()];
    let mut y = 0.0;
    for row in &layers.rows {
        let mut x = (width - row_width(row, &nodes)) / 2.0;
        let height = row.iter().filter_map(|item| match item {
            Item::Step(step) => Some(nodes[*step].height),
            Item::Bend(_) => None,
        });
        let height = height.fold(HEAD, f64::max);
        for item in row {
            match item {
                Item::Step(step) => (nodes[*step].x, nodes[*step].y) = (x, y),
                Item::Bend(arrow) => bends[*arrow].push((x + BEND / 2.0, y, y + height)),
            }
            x += item_width(item, &nodes) + GAP;
        }
        y += height + ROW_GAP;
    }
    let height = (y - ROW_GAP).max(0.0);
    let edges =
        layers.arrows.iter().zip(&bends).map(|((from, to), bends)| edge(&nodes[*from], &nodes[*to], bends));
    let edges = edges.collect();
    Placed { width, height, nodes, edges }
}

fn item_width(item: &Item, nodes: &[PlacedNode]) -> f64 {
    match item {
        Item::Step(step) => nodes[*step].width,
        Item::Bend(_) => BEND,
    }
}

fn row_width(row: &[Item], nodes: &[PlacedNode]) -> f64 {
    let widths = row.iter().map(|item| item_width(item, nodes));
    let gaps = GAP * f64::from(u32::try_from(row.len().saturating_sub(1)).unwrap_or(u32::MAX));
    widths.sum::<f64>() + gaps
}

/// An arrow from the lower edge of a step, through the rows between, to the
/// upper edge of another.
fn edge(from: &PlacedNode, to: &PlacedNode, bends: &[(f64, f64, f64)]) -> String {
    let (mut x, mut y) = (from.x + from.width / 2.0, from.y + from.height);
    let mut path = format!("M{x:.1} {y:.1}");
    // Writing to a `String` cannot fail.
    let mut curve = |x: &mut f64, y: &mut f64, to_x: f64, to_y: f64| {
        let middle = f64::midpoint(*y, to_y);
        let _ = write!(path, " C{x:.1} {middle:.1} {to_x:.1} {middle:.1} {to_x:.1} {to_y:.1}");
        (*x, *y) = (to_x, to_y);
    };
    for (bend, above, below) in bends {
        curve(&mut x, &mut y, *bend, *above);
        curve(&mut x, &mut y, *bend, *below);
    }
    curve(&mut x, &mut y, to.x + to.width / 2.0, to.y - 1.0);
    path
}

/// A step with its size, and what is in it in its place.
fn sized(node: &NodePicture) -> PlacedNode {
    let name = cut(&node.name, LETTERS).into_owned();
    let words = if node.words.is_empty() { node.task.clone() } else { node.words.clone() };
    let words = cut(&words, LETTERS).into_owned();
    #[expect(clippy::cast_precision_loss, reason = "names are short")]
    let letters = columns(&name).max(columns(&words)) as f64;
    let mut width = (letters * LETTER + 40.0).max(NARROWEST);
    let mut height = HEAD;
    let mut regions = Vec::new();
    if !node.regions.is_empty() {
        let (mut x, mut tallest) = (PAD, 0.0_f64);
        for region in &node.regions {
            let title = cut(&region.title, LETTERS).into_owned();
            #[expect(clippy::cast_precision_loss, reason = "titles are short")]
            let titled = columns(&title) as f64 * LETTER + 16.0;
            let inner = place(region);
            let region_width = (inner.width + 2.0 * PAD).max(titled);
            let region_height = inner.height + TITLE + PAD;
            tallest = tallest.max(region_height);
            let inset = ((region_width - inner.width) / 2.0, TITLE);
            regions.push(PlacedRegion {
                x,
                y: HEAD,
                width: region_width,
                height: region_height,
                title,
                inset,
                inner,
            });
            x += region_width + PAD;
        }
        width = width.max(x);
        height = HEAD + tallest + PAD;
        // One that is wider than what is in it has that in its middle.
        let left = (width - x) / 2.0;
        regions.iter_mut().for_each(|region| region.x += left);
    }
    PlacedNode { x: 0.0, y: 0.0, width, height, name, words, regions }
}
