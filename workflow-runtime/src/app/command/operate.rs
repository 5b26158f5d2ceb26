//! The commands that change a run.

use clap::ArgMatches;
use serde_json::json;

use super::run::show_done;
use super::{path, text};
use crate::app::line::plain;
use crate::app::operator::{self, Done};
use crate::app::outlook::{Looker, json};
use crate::app::output::Output;
use crate::app::params;
use crate::app::problem::{Code, Problem};
use crate::app::program::{Duty, Program};
use crate::engine::{Outlook, step_codec};
use crate::error::Error;
use crate::lookup::find_signal;
use crate::operation::ExactOperation;
use crate::run::RunState;
use crate::store::StoredRun;

/// Does one of them.
pub(super) async fn operate(
    program: &mut Program,
    name: &str,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let run = program.reader()?.find(text(matches, "run"))?;
    let operation = operation(program, name, matches, &run)?;
    if name == "adopt"
        && let Some(code) = foretell(program, &run, &operation, matches.get_flag("dry-run"), output).await?
    {
        return Ok(code);
    }
    // Makes a run go on, so that there is something to see.
    let shows = matches!(name, "cancel" | "resume" | "retry" | "rerun" | "fork" | "adopt");
    let shows = shows && !matches.get_flag("detach");
    // What was interrupted and not paused has only to be taken up.
    let resumes =
        matches!(operation, ExactOperation::Resume) && run.state != RunState::Paused && run.end.is_none();
    let operation = Some(operation).filter(|_| !resumes);
    let wanted = if name == "cancel" { RunState::Cancelled } else { RunState::Succeeded };
    let by = operator::by(matches);
    let duty = if shows { Duty::OneRun } else { Duty::Note };
    let done = operator::operate(program, &run.id, operation, by, duty).await?;
    if shows {
        return show_done(program, done, wanted, output).await;
    }
    match done {
        Done::Here { engine, id, .. } => {
            operator::leave(&engine).await;
            told(name, &id, output);
            // What it needed may have been all that was left to do.
            if name != "pause" && program.reader()?.run(&id)?.end.is_none() {
                output.say(format!("`{}` goes on with it", program.command(&["work"])));
            }
        }
        Done::There { id, .. } => told(name, &id, output),
    }
    Ok(Code::Fine)
}

/// Says what an adoption keeps and runs, before it does; that is all where
/// nothing is to be done.
async fn foretell(
    program: &Program,
    run: &StoredRun,
    operation: &ExactOperation,
    dry_run: bool,
    output: &mut Output<'_>,
) -> Result<Option<Code>, Problem> {
    let (again, even_if_done) = match operation {
        ExactOperation::AdoptAgain { again, even_if_done } => (again.clone(), *even_if_done),
        _ => (Vec::new(), false),
    };
    let looker = Looker::of(&program.workflows, || program.reader()).await?;
    let outlook = looker.outlook(run).await?;
    let adoption = match outlook {
        Outlook::Blocked { .. } if run.end.is_none() => {
            Some(looker.adoption(run, again, even_if_done).await?)
        }
        // What is in no need of it says so itself.
        _ => None,
    };
    looker.end().await;
    let Some(adoption) = adoption else {
        return match dry_run {
            true if run.end.is_some() => {
                Err(Problem::new(Code::Refused, format!("run {} has ended", run.id))
                    .help(format!("`{}` says what can be done", program.command(&["show", &run.id]))))
            }
            true => Err(Problem::new(
                Code::Refused,
                format!("run {} is not blocked: it goes on by itself", run.id),
            )),
            false => Ok(None),
        };
    };
    let reasons = || adoption.refusals.iter().map(|refusal| plain(&refusal.reason).into_owned());
    if dry_run && output.json {
        let mut document = json(&adoption);
        document["id"] = json!(run.id);
        output.json(&document);
    } else if dry_run {
        adoption.to_string().lines().for_each(|line| output.line(line));
    } else if !output.json {
        adoption.to_string().lines().for_each(|line| output.say(line));
    }
    if reasons().next().is_some() {
        let message =
            format!("run {} cannot be adopted: {}", run.id, reasons().collect::<Vec<_>>().join("; "));
        return Err(Problem::new(Code::Refused, message));
    }
    Ok(dry_run.then_some(Code::Fine))
}

fn told(name: &str, id: &str, output: &mut Output<'_>) {
    if output.json {
        output.json(&json!({ "id": id, "operation": name }));
    } else {
        output.line(id);
    }
}

/// What is wanted, as data.
fn operation(
    program: &Program,
    name: &str,
    matches: &ArgMatches,
    run: &StoredRun,
) -> Result<ExactOperation, Problem> {
    let graph = program.workflows.iter().find(|graph| graph.name == run.workflow);
    Ok(match name {
        "cancel" => ExactOperation::Cancel,
        "pause" => ExactOperation::Pause,
        "resume" => ExactOperation::Resume,
        "retry" => {
            let step = matches.get_one::<String>("step");
            ExactOperation::Retry { step: step.map(|step| path(run, step)) }
        }
        "rerun" => ExactOperation::Rerun,
        "fork" => ExactOperation::Fork { from: path(run, text(matches, "from")) },
        "signal" => {
            let (name, value) = (text(matches, "name"), text(matches, "value"));
            let value = match graph.and_then(|graph| find_signal(graph, name)) {
                Some((_, codec)) => params::typed(&format!("signal `{name}`"), codec, value)?,
                // Said here, so that it is the same whichever process is asked.
                None if graph.is_some() => {
                    let (workflow, signal) = (run.workflow.clone(), name.to_owned());
                    return Err(Error::UnknownSignal { workflow, signal }.into());
                }
                None => params::json(value),
            };
            ExactOperation::Signal { name: name.to_owned(), value }
        }
        "give-up" => ExactOperation::GiveUp { step: path(run, text(matches, "step")) },
        "set" if matches.get_flag("undone") => {
            ExactOperation::Undone { step: path(run, text(matches, "step")) }
        }
        "set" => {
            let (step, value) = (path(run, text(matches, "step")), text(matches, "value"));
            let value = match graph.and_then(|graph| step_codec(graph, &step)) {
                Some(codec) => params::typed(&format!("step `{step}`"), codec, value)?,
                None => params::json(value),
            };
            ExactOperation::Set { step, value }
        }
        "adopt" => {
            let again = matches.get_many::<String>("again").unwrap_or_default();
            let again: Vec<String> = again.map(|step| path(run, step)).collect();
            match again.is_empty() {
                true => ExactOperation::Adopt,
                false => ExactOperation::AdoptAgain { again, even_if_done: matches.get_flag("even-if-done") },
            }
        }
        other => return Err(Problem::usage(format!("there is no operation `{other}`"))),
    })
}
