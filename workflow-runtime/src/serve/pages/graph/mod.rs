//! A workflow's picture with the states of a run, as SVG: steps are boxes in
//! rows, what a step waits for stands above it, regions stand inside the step
//! that opens them.

mod layers;
mod place;

use maud::{Markup, html};

use self::place::{Placed, PlacedNode, PlacedRegion, place};
use super::words::{class, shape};
use crate::inspect::view::{NodePicture, RegionPicture};
use crate::serve::console::Inner;
use crate::serve::query::encoded;

/// The picture of a workflow.
pub(super) fn graph(inner: &Inner, run: &str, picture: &RegionPicture) -> Markup {
    let placed = place(picture);
    let (width, height) = (placed.width + 2.0, placed.height + 2.0);
    let run = inner.at(&format!("/runs/{}", encoded(run)));
    html! {
        div.graph tabindex="0" role="group" aria-label="The workflow's graph; the table of steps says the same" {
            svg width=(width) height=(height) viewBox=(format!("-1 -1 {width} {height}")) {
                defs {
                    marker #arrow viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse" {
                        path d="M0 0.5 L7 4 L0 7.5 z" {}
                    }
                }
                (layer(&placed, picture, &run))
            }
        }
    }
}

fn layer(placed: &Placed, region: &RegionPicture, run: &str) -> Markup {
    html! {
        @for edge in &placed.edges { path.edge d=(edge) marker-end="url(#arrow)" {} }
        @for (place, node) in placed.nodes.iter().zip(&region.nodes) { (one(place, node, run)) }
    }
}

fn one(place: &PlacedNode, node: &NodePicture, run: &str) -> Markup {
    let PlacedNode { x, y, width, height, .. } = *place;
    let counts = node.counts;
    let all = counts.done + counts.running + counts.waiting + counts.failed + counts.gone + counts.ahead;
    // One occurrence is a page; several are a part of the list of steps.
    let address = match all {
        1 if !node.path.contains('[') => format!("{run}/step?path={}", encoded(&node.path)),
        _ => format!("{run}?under={}#steps", encoded(&node.path)),
    };
    let what = if node.task == node.name { String::new() } else { format!(" ({})", node.task) };
    let label =
        format!("{}{what}: {}", node.name, if node.words.is_empty() { "not begun" } else { &node.words });
    html! {
        g.node.(class(node.standing)) transform=(format!("translate({x} {y})")) {
            a href=[(all > 0).then_some(address)] aria-label=(label) {
                title { (label) }
                rect.box width=(width) height=(height) rx=(if node.kind.is_region() { 4 } else { 8 }) {}
                @if all > 1 { (bar(counts.done, counts.failed, all, width)) }
                text.shape x="10" y="19" { (shape(node.standing)) }
                text.name x="28" y="19" { (place.name) }
                text.words x="28" y="36" { (place.words) }
            }
            @for (inner, picture) in place.regions.iter().zip(&node.regions) { (inside(inner, picture, run)) }
        }
    }
}

/// How many of many are done, and how many have failed.
fn bar(done: usize, failed: usize, all: usize, width: f64) -> Markup {
    let room = width - 20.0;
    #[expect(clippy::cast_precision_loss, reason = "what is drawn is not that exact")]
    let part = |count: usize| room * count as f64 / all as f64;
    html! {
        rect.track x="10" y="42" width=(room) height="3" {}
        rect.part.done x="10" y="42" width=(part(done)) height="3" {}
        rect.part.failed x=(10.0 + part(done)) y="42" width=(part(failed)) height="3" {}
    }
}

fn inside(place: &PlacedRegion, region: &RegionPicture, run: &str) -> Markup {
    html! {
        g.region.skipped[region.is_skipped] transform=(format!("translate({} {})", place.x, place.y)) {
            rect.frame width=(place.width) height=(place.height) rx="4" {}
            text.title x="8" y="15" { (place.title) }
            g transform=(format!("translate({} {})", place.inset.0, place.inset.1)) { (layer(&place.inner, region, run)) }
        }
    }
}
