//! What each command does.

mod check;
mod completions;
mod doctor;
mod ending;
mod graph;
mod lock;
mod logs;
mod ls;
mod next;
mod operate;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod watch;
mod work;

use clap::ArgMatches;

use super::output::Output;
use super::problem::{Code, Problem};
use super::program::Program;

/// Does what the command line says.
pub(super) async fn run(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Problem::usage("no command was given").help("`--help` lists them"));
    };
    match name {
        "run" => run::run(program, matches, output).await,
        "start" => run::start(program, matches, output).await,
        "work" => work::work(program, matches, output).await,
        #[cfg(feature = "serve")]
        "serve" => serve::serve(program, matches, output).await,
        "ls" => ls::ls(program, matches, output),
        "show" => show::show(program, matches, output).await,
        "logs" => logs::logs(program, matches, output).await,
        "graph" => graph::graph(program, matches, output),
        "next" => next::next(program, matches, output),
        "backfill" => next::backfill(program, matches, output).await,
        "watch" => watch::watch(program, matches, output).await,
        "cancel" | "pause" | "resume" | "retry" | "rerun" | "fork" | "signal" | "set" | "give-up"
        | "adopt" => operate::operate(program, name, matches, output).await,
        "check" => check::check(program, output).await,
        "lock" => lock::lock(program, matches, output),
        "doctor" => doctor::doctor(program, output),
        "completions" => completions::completions(program, matches, output),
        _ => Err(Problem::new(Code::Refused, format!("`{name}` is not there yet"))),
    }
}

/// A text argument; empty where there is none.
fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}
