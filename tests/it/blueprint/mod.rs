//! Blueprints of workflows, and what changes of their code mean to a run in
//! flight.

mod days;

mod comparing;
mod judging;
mod locking;

use workflow_runtime::blueprint::{Blueprint, Comparison, compare};
use workflow_runtime::definition::Graph;

use days::monday;

fn between(old: &'static Graph, new: &'static Graph) -> Comparison {
    compare(&Blueprint::of(old), &Blueprint::of(new))
}

fn since_monday(new: &'static Graph) -> Comparison {
    between(monday::nightly::GRAPH, new)
}
