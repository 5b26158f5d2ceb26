//! `graph`: a workflow as a picture, or as text that others draw.

use clap::ArgMatches;

use super::text;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::blueprint::Blueprint;

/// Prints a workflow's graph.
pub(super) fn graph(
    program: &Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let graph = program.graph(text(matches, "workflow"))?;
    let format = if output.json { "json" } else { text(matches, "format") };
    let text = match format {
        "dot" => graph.dot(),
        "svg" => program.picture(graph).map(str::to_owned).ok_or_else(|| {
            Problem::new(Code::Refused, format!("the graph of `{}` is too large to be drawn", graph.name))
                .help("`--format dot` gives it to Graphviz")
        })?,
        "json" => Blueprint::of(graph).to_json(),
        _ => graph.mermaid(),
    };
    output.lines(text.trim_end());
    Ok(Code::Fine)
}
