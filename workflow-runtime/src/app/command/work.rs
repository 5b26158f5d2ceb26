//! `work`: the process that goes on with everything.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;

use super::super::interrupt::Interrupts;
use super::super::output::Output;
use super::super::problem::{Code, Problem};
use super::super::program::{Duty, Program};
use super::super::short::{count, now, short, utc};
use super::super::style::{Style, plain};
use super::run::stop;
use crate::engine::{AnyRun, Engine};
use crate::error::Error;
use crate::run::RunState;

/// How often this looks for runs that began or ended.
const LOOK: Duration = Duration::from_millis(200);

/// Goes on with unfinished runs, fires schedules and sees to what operators
/// ask, until it is stopped.
pub(super) async fn work(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let mut interrupts = Interrupts::new();
    let engine = program.engine(Duty::Everything).await?;
    let reader = program.reader()?;
    let drain = matches.get_flag("drain");
    let mut known = Known::default();
    let here = known.look(&engine, output);
    output.say(&format!("working on {}; ctrl-c stops", count(here, "run")));
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {
                let here = known.look(&engine, output);
                if drain && here == 0 && known.busy.is_empty() && reader.store.open_requests()?.is_empty() {
                    stop(&engine, &mut interrupts).await;
                    return Ok(Code::Fine);
                }
            }
            () = interrupts.next() => break,
        }
    }
    output.say("stopping: what runs is given time to end; ctrl-c again stops at once");
    stop(&engine, &mut interrupts).await;
    known.look(&engine, output);
    // What a service manager asked for is no failure.
    Ok(Code::Fine)
}

/// What was told of the runs under way.
#[derive(Default)]
struct Known {
    /// The ids of runs of which it was told that they began, and not that they
    /// ended.
    begun: HashSet<String>,
    /// Those that are at work. One that waits is not held, so that it may fall
    /// asleep.
    busy: HashMap<String, AnyRun>,
}

impl Known {
    /// Tells of runs that began or ended. Says how many are here.
    fn look(&mut self, engine: &Engine, output: &mut Output<'_>) -> usize {
        let live = engine.live();
        let here = live.len();
        for run in live {
            if self.begun.insert(run.id().to_owned()) {
                tell(&run, "began", output);
            }
            if matches!(run.state(), RunState::Waiting | RunState::Paused) {
                self.busy.remove(run.id());
            } else {
                self.busy.insert(run.id().to_owned(), run);
            }
        }
        self.busy.retain(|id, run| {
            let state = run.state();
            if !state.is_ended() {
                return true;
            }
            // What is interrupted has not ended.
            if !matches!(run.result(), Some(Err(Error::ShutDown))) {
                tell(run, &state.to_string(), output);
            }
            self.begun.remove(id);
            false
        });
        here
    }
}

fn tell(run: &AnyRun, what: &str, output: &mut Output<'_>) {
    if output.json {
        let line = json!({ "at": utc(now()), "id": run.id(), "workflow": run.workflow(), "event": what });
        output.json(&line);
        return;
    }
    let snapshot = run.snapshot();
    let took = snapshot.ended_at.map(|ended| format!(" in {}", short(ended.since(snapshot.started_at))));
    let style = match run.state() {
        RunState::Succeeded => Style::Good,
        RunState::Failed | RunState::Cancelled => Style::Bad,
        _ => Style::Dim,
    };
    let failed = snapshot
        .steps
        .iter()
        .find_map(|step| step.failure.as_ref())
        .filter(|_| run.state() == RunState::Failed);
    let why = failed.map(|failure| format!(": {}", plain(&failure.to_string()))).unwrap_or_default();
    let what = output.paint.text(style, what);
    output.line(&format!("{} {} {what}{}{why}", run.id(), run.workflow(), took.unwrap_or_default()));
}
