//! What is asked of runs: always by way of the store, so that it is recorded
//! with who and why, whichever process sees to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::console::Inner;
use super::problem::Trouble;
use super::safety::Role;
use crate::engine::step_codec;
use crate::inspect::outlook::Looker;
use crate::inspect::problem::Problem;
use crate::inspect::time::now;
use crate::inspect::view::PreviewView;
use crate::inspect::wishes::path;
use crate::lookup::find_signal;
use crate::operation::{By, ExactOperation, OperationOf};
use crate::store::{Answer, Request, StoredRun};

/// How long the process that works on the store may take to see to something.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// Something that can be done to a run, as it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Act {
    /// The name of the command.
    pub(super) name: &'static str,
    /// What a button says.
    pub(super) label: &'static str,
    /// What it does, in a sentence.
    pub(super) about: &'static str,
    pub(super) role: Role,
    /// Whether it is about one step.
    pub(super) of_step: bool,
    /// Whether a value is given with it.
    pub(super) has_value: bool,
}

/// Everything that can be done to a run.
pub(super) const ACTS: &[Act] = &[
    of_run("retry", "Retry", "Goes on with the run from the steps that did not succeed.", Role::Operator),
    of_run("rerun", "Run again", "Starts a new run with the same parameters.", Role::Operator),
    of_run(
        "pause",
        "Pause",
        "Starts nothing more of the run until it is resumed. What runs ends.",
        Role::Operator,
    ),
    of_run("resume", "Resume", "Goes on with the run.", Role::Operator),
    of_run(
        "cancel",
        "Cancel",
        "Stops the run. What is finished is undone where its task says how.",
        Role::Operator,
    ),
    of_run("adopt", "Adopt", "Goes on under this program's code, and keeps what has finished.", Role::Admin),
    Act { has_value: true, ..of_run("signal", "Send the signal", "Sends the run a signal.", Role::Operator) },
    of_step(
        "fork",
        "Fork from here",
        "Starts a new run that keeps the results of all steps before this one.",
        Role::Operator,
    ),
    Act {
        has_value: true,
        ..of_step(
            "set",
            "Settle with a value",
            "The step has this value, whatever became of it.",
            Role::Admin,
        )
    },
    of_step(
        "undone",
        "Settle as undone",
        "The step counts as undone: somebody has done it by hand.",
        Role::Admin,
    ),
    of_step(
        "give-up",
        "Give up its undo",
        "What the step did stands, and the run goes on to undo what came before it.",
        Role::Admin,
    ),
];

const fn of_run(name: &'static str, label: &'static str, about: &'static str, role: Role) -> Act {
    Act { name, label, about, role, of_step: false, has_value: false }
}

const fn of_step(name: &'static str, label: &'static str, about: &'static str, role: Role) -> Act {
    Act { name, label, about, role, of_step: true, has_value: false }
}

impl Act {
    pub(super) fn named(name: &str) -> Result<&'static Self, Trouble> {
        let found = ACTS.iter().find(|act| act.name == name);
        found.ok_or_else(|| {
            let names: Vec<_> = ACTS.iter().map(|act| act.name).collect();
            Trouble::usage(format!("there is no operation `{name}`"))
                .help(format!("there are {}", names.join(", ")))
        })
    }

    pub(super) fn allow(&self, role: Role) -> Result<(), Trouble> {
        allow(role, self.role)
    }
}

/// Whether a role may do what another one has to be there for.
pub(super) fn allow(own: Role, needed: Role) -> Result<(), Trouble> {
    if own >= needed {
        return Ok(());
    }
    let (own, needed) = (own.name(), needed.name());
    Err(Trouble::forbidden(format!("this token is that of a {own}, and this is for the {needed}")))
}

/// Who has to be there for an operation.
pub(super) fn role_for<V>(operation: &OperationOf<V>) -> Role {
    match operation {
        OperationOf::Set { .. }
        | OperationOf::Undone { .. }
        | OperationOf::GiveUp { .. }
        | OperationOf::Adopt
        | OperationOf::AdoptAgain { .. } => Role::Admin,
        _ => Role::Operator,
    }
}

impl Inner {
    /// The run of an id, or of a beginning of one.
    pub(super) fn found(&self, id: &str) -> Result<StoredRun, Trouble> {
        let reader = self.reader()?.ok_or_else(|| Trouble::not_found("there is no store yet"))?;
        Ok(reader.find(id)?)
    }

    /// The type of the value that is given with an act, as it is written.
    pub(super) fn value_type(
        &self,
        run: &StoredRun,
        act: &Act,
        step: Option<&str>,
        signal: &str,
    ) -> Option<String> {
        let graph = self.workflows.iter().find(|graph| graph.name == run.workflow)?;
        let codec = match act.name {
            "signal" => find_signal(graph, signal)?.codec,
            "set" => step_codec(graph, &path(run, step?))?,
            _ => return None,
        };
        Some((codec.type_name)().to_owned())
    }

    /// What an operation would make of the steps of a run.
    pub(super) async fn preview(
        &self,
        run: &StoredRun,
        operation: &ExactOperation,
    ) -> Result<PreviewView, Trouble> {
        let open = || self.reader()?.ok_or_else(|| Problem::usage("there is no store yet"));
        let looker = Looker::of(&self.workflows, open).await?;
        let preview = looker.preview(run, operation).await;
        looker.end().await;
        Ok(PreviewView::of(&run.id, &preview?))
    }

    /// Has the process that works on the store do something, and returns the id
    /// of the run that it was done to, or that it made.
    pub(super) async fn ask(
        self: &Arc<Self>,
        run: Option<String>,
        operation: &ExactOperation,
        by: By,
    ) -> Result<String, Trouble> {
        let By { actor, reason } = by.bounded();
        let operation = serde_json::to_string(operation)
            .map_err(|error| Trouble::usage(format!("the request cannot be written: {error}")))?;
        let number = self
            .blocking(move |inner| {
                let reader = inner.reader()?.ok_or_else(nobody)?;
                if !reader.is_owned()? {
                    return Err(nobody());
                }
                Ok(reader.request(Request { run, operation, actor, reason, at: now() })?)
            })
            .await?;
        let late = Instant::now() + PATIENCE;
        loop {
            let is_late = Instant::now() > late;
            let answer = self
                .blocking(move |inner| {
                    let reader = inner.reader()?.ok_or_else(nobody)?;
                    Ok(match reader.answer_to(number)? {
                        None if is_late => reader.withdraw(number)?,
                        answer => answer,
                    })
                })
                .await?;
            match answer {
                Some(Answer { result: Ok(id), .. }) => return Ok(id),
                Some(Answer { result: Err(refused), .. }) => return Err(Trouble::refused(refused)),
                None if is_late => {
                    let seconds = PATIENCE.as_secs();
                    let detail =
                        format!("the process that works on the store has not seen to it in {seconds} s");
                    return Err(Trouble::refused(detail)
                        .help("it is withdrawn: nothing was done, and it can be asked for again"));
                }
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Reads from the store, on a thread for that.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let inner = self.clone();
        let read = tokio::task::spawn_blocking(move || read(&inner)).await;
        let failed = |error| Trouble::unavailable(format!("the store could not be read: {error}"));
        read.unwrap_or_else(|error| Err(failed(error)))
    }
}

fn nobody() -> Trouble {
    Trouble::refused("no process works on the store, so nobody would see to it")
        .help("`work` or `serve` of the program does")
}
