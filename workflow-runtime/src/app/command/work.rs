//! `work`: the process that goes on with everything.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::sync::mpsc;

use super::run::stop;
use crate::app::interrupt::Interrupts;
use crate::app::line::Line;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::{Duty, Program};
use crate::app::reader::StoreReader;
use crate::app::short::{count, now, short, utc};
use crate::app::style::Style;
use crate::engine::{AnyRun, Engine, Passing};
use crate::error::Error;
use crate::run::RunState;
use crate::store::Owner;

/// How often `--drain` looks whether something is left to do: other processes
/// may have asked for something.
const LOOK: Duration = Duration::from_millis(200);

/// How often it tries to own a store that another process does.
const TRY: Duration = Duration::from_millis(50);

/// Goes on with unfinished runs, fires schedules and sees to what operators
/// ask, until it is stopped.
pub(super) async fn work(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let mut interrupts = Interrupts::new();
    let (listener, mut passing) = mpsc::unbounded_channel();
    let mut interrupted = false;
    let mut said = false;
    let engine = loop {
        let started = {
            let mut starting = pin!(program.engine_heard_by(Duty::Everything, Some(listener.clone())));
            loop {
                tokio::select! {
                    engine = &mut starting => break engine?,
                    // The program's resources may take their time. Runs that
                    // go on already are given theirs, below.
                    () = interrupts.next() => match interrupted || passing.is_empty() {
                        true => return Ok(Code::Interrupted),
                        false => interrupted = true,
                    },
                }
            }
        };
        if let Some(engine) = started {
            break engine;
        }
        // It does not matter who owns the store: this process does next.
        if !std::mem::replace(&mut said, true) {
            output.say(format!("waiting until {} is done with the store", owner(program)?));
        }
        tokio::select! {
            () = tokio::time::sleep(TRY) => {}
            // What a service manager asked for is no failure.
            () = interrupts.next() => return Ok(Code::Fine),
        }
    };
    drop(listener);
    let reader = program.reader()?;
    let drain = matches.get_flag("drain");
    output.say(format!("working on {}; ctrl-c stops", count(engine.live().len(), "run")));
    let mut told = Announced::default();
    let mut looks = tokio::time::interval(LOOK);
    while !interrupted {
        tokio::select! {
            Some(passing) = passing.recv() => told.tell(passing, output),
            () = interrupts.next() => interrupted = true,
            _ = looks.tick() => {
                if let Some(error) = engine.lost() {
                    return Err(error.into());
                }
                if drain && is_idle(&engine, &reader)? {
                    tell_rest(&engine, output)?;
                    break;
                }
            }
        }
    }
    if interrupted {
        output.say("stopping: what runs is given time to end; ctrl-c again stops at once");
    }
    stop(&engine, &mut interrupts).await;
    while let Ok(passing) = passing.try_recv() {
        told.tell(passing, output);
    }
    // What a service manager asked for is no failure.
    Ok(Code::Fine)
}

fn owner(program: &Program) -> Result<String, Problem> {
    Ok(match program.reader()?.owner()? {
        Some(Owner { pid: Some(pid) }) => format!("process {pid}"),
        _ => "another process".to_owned(),
    })
}

/// What is due by then is waited for by `--drain`: a retry, a sleep, the end of
/// a wait for a signal.
const SOON: Duration = Duration::from_secs(60);

/// Whether nothing goes on by itself soon, unless another process asks.
fn is_idle(engine: &Engine, reader: &StoreReader) -> Result<bool, Problem> {
    Ok(reader.store.open_requests()?.is_empty()
        && engine.live().is_empty()
        && !engine.has_backfills_waiting()
        && engine.wakes_at()?.is_none_or(|at| at.since(now()) > SOON))
}

/// Says what is left to others after `--drain`.
fn tell_rest(engine: &Engine, output: &mut Output<'_>) -> Result<(), Problem> {
    if let Some(at) = engine.wakes_at()? {
        output.say(format!("a run goes on by itself at {}, where `work` is there", utc(at)));
    }
    Ok(())
}

/// What was told of the runs under way.
#[derive(Default)]
struct Announced {
    /// The ids of runs of which it was told that they began, and not that they
    /// ended. They may have slept since, and come again.
    begun: HashSet<String>,
}

impl Announced {
    fn tell(&mut self, passing: Passing, output: &mut Output<'_>) {
        match passing {
            Passing::Came { id, workflow } => {
                if self.begun.insert(id.clone()) {
                    line(&id, workflow, "began", Style::Dim, "", output);
                }
            }
            Passing::Ended(run) => {
                // What is interrupted has not ended.
                if !matches!(run.result(), Some(Err(Error::ShutDown))) {
                    ended(&run, output);
                }
                self.begun.remove(run.id());
            }
            Passing::Trouble { error } => {
                let why = error.to_string();
                store(
                    "store_in_trouble",
                    "the store cannot be used just now, and what needs it waits",
                    Some(&why),
                    output,
                );
            }
            Passing::Well => {
                store("store_well", "the store is well again, and what waited goes on", None, output)
            }
            Passing::Stuck { id, workflow, why } => {
                let why = format!(": {why}");
                line(&id, &workflow, "does not go on", Style::Bad, &why, output);
            }
        }
    }
}

/// What is told of the store itself.
fn store(event: &str, what: &str, why: Option<&str>, output: &mut Output<'_>) {
    if output.json {
        return output.json(&json!({ "at": utc(now()), "event": event, "error": why }));
    }
    let style = if why.is_some() { Style::Bad } else { Style::Good };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    output.line(Line::new().styled(style, what).text(why));
}

fn ended(run: &AnyRun, output: &mut Output<'_>) {
    let snapshot = run.snapshot();
    let took = snapshot.ended_at.map(|ended| format!(" in {}", short(ended.since(snapshot.started_at))));
    let style = if run.state() == RunState::Succeeded { Style::Good } else { Style::Bad };
    let why = match run.result() {
        Some(Err(error)) if run.state() != RunState::Cancelled => format!(": {error}"),
        _ => String::new(),
    };
    let more = took.unwrap_or_default() + &why;
    line(run.id(), run.workflow(), &run.state().to_string(), style, &more, output);
}

fn line(id: &str, workflow: &str, what: &str, style: Style, more: &str, output: &mut Output<'_>) {
    if output.json {
        let (at, event) = (utc(now()), what.replace(' ', "_"));
        output.json(&json!({ "at": at, "id": id, "workflow": workflow, "event": event }));
        return;
    }
    output.line(Line::new().text(id).text(" ").text(workflow).text(" ").styled(style, what).text(more));
}
