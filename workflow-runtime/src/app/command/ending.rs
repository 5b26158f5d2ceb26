//! How a run ended, told to people and to programs.

use serde_json::json;

use crate::app::line::Line;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::short::short;
use crate::app::style::Style;
use crate::engine::AnyRun;
use crate::error::Error;
use crate::exact::Exact;
use crate::failure::StepError;
use crate::inspect::view::{readable, value};
use crate::run::{RunState, Timestamp};
use crate::store::StoredRun;

/// How a run ended.
pub(super) struct Ending {
    id: String,
    workflow: String,
    began: Timestamp,
    ended: Option<Timestamp>,
    /// What it returned, as its codec wrote it.
    result: Result<Vec<u8>, Error>,
}

impl Ending {
    /// Of a run of this process.
    pub(super) fn of(run: &AnyRun) -> Self {
        let snapshot = run.snapshot();
        Self {
            id: snapshot.id,
            workflow: snapshot.workflow,
            began: snapshot.started_at,
            ended: snapshot.ended_at,
            result: run.result().unwrap_or(Err(Error::ShutDown)),
        }
    }

    /// Of a run in a store; of one that goes on, that it was left.
    pub(super) fn of_stored(run: &StoredRun) -> Self {
        let workflow = run.workflow.clone();
        let result = match &run.end {
            None => Err(Error::ShutDown),
            Some(end) => match (end.state, &end.error) {
                (RunState::Succeeded, _) => {
                    Ok(end.result.as_ref().map_or_else(|| b"null".to_vec(), |result| result.bytes.clone()))
                }
                (RunState::Failed, Some(error)) => {
                    Err(Error::Failed { workflow: workflow.clone(), error: error.clone() })
                }
                _ => Err(Error::Cancelled { workflow: workflow.clone() }),
            },
        };
        let ended = run.end.as_ref().map(|end| end.at);
        Self { id: run.id.clone(), workflow, began: run.created_at, ended, result }
    }
}

/// Tells it. A run that is cancelled is fine where that is `wanted`.
pub(super) fn tell(
    program: &Program,
    ending: &Ending,
    wanted: RunState,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let (id, workflow) = (&ending.id, &ending.workflow);
    let document = |state: RunState, result: Exact, error: Option<&StepError>| {
        let document = json!({ "id": id, "workflow": workflow, "state": state, "error": error });
        let mut document = Exact::from(&document);
        document.set("result", result);
        document
    };
    match &ending.result {
        Ok(result) => {
            let took = ending.ended.map(|ended| format!(" in {}", short(ended.since(ending.began))));
            let line = Line::new().text(workflow).text(" ").styled(Style::Good, "succeeded");
            output.say(line.text(took.unwrap_or_default()));
            let result = value(result);
            if output.json {
                output.json(&document(RunState::Succeeded, result, None));
            } else if let Some(text) = readable(&result) {
                output.lines(&text);
            }
            Ok(Code::Fine)
        }
        Err(Error::Cancelled { .. }) if wanted == RunState::Cancelled => {
            output.say(format!("{workflow} was cancelled"));
            if output.json {
                output.json(&document(RunState::Cancelled, Exact::null(), None));
            }
            Ok(Code::Fine)
        }
        Err(Error::ShutDown) => Err(Problem::new(Code::Interrupted, format!("run {id} was interrupted"))
            .help(format!("`{}` goes on with it where it is", program.command(&["resume", id])))),
        Err(error) => {
            let state = match error {
                Error::Failed { .. } => RunState::Failed,
                Error::Cancelled { .. } => RunState::Cancelled,
                error => return Err(error.clone().into()),
            };
            if output.json {
                let failed = match error {
                    Error::Failed { error, .. } => Some(error),
                    _ => None,
                };
                output.json(&document(state, Exact::null(), failed));
            }
            let from = if state == RunState::Failed { "what failed" } else { "where it stopped" };
            Err(Problem::from(error.clone())
                .help(format!("`{}` goes on from {from}", program.command(&["retry", id])))
                .help(format!("`{}` tells the whole story", program.command(&["show", id]))))
        }
    }
}
