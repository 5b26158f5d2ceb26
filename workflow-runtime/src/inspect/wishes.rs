//! What an operator wants, as it is typed: on a command line, or in a form.

use crate::engine::step_codec;
use crate::error::Error;
use crate::inspect::params;
use crate::inspect::problem::Problem;
use crate::lookup::find_signal;
use crate::operation::ExactOperation;
use crate::store::StoredRun;
use crate::task::definition::Graph;

/// What is wanted of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish<'a> {
    /// What: the name of a command.
    pub(crate) name: &'a str,
    /// The path of a step, with or without the workflow's name.
    pub(crate) step: Option<&'a str>,
    /// The name of a signal.
    pub(crate) signal: &'a str,
    /// The key of the wait that the signal is for.
    pub(crate) key: Option<&'a str>,
    /// A value, as JSON or as a text.
    pub(crate) value: &'a str,
    /// Steps that run again though they have finished.
    pub(crate) again: Vec<&'a str>,
    /// Also what is not done twice otherwise.
    pub(crate) even_if_done: bool,
}

impl Wish<'_> {
    /// The same as data, its values of the types that the workflow has.
    ///
    /// # Errors
    /// When a value is not of its type, or there is no such operation.
    pub(crate) fn operation(
        &self,
        workflows: &[&'static Graph],
        run: &StoredRun,
    ) -> Result<ExactOperation, Problem> {
        let graph = workflows.iter().find(|graph| graph.name == run.workflow);
        let step = || path(run, self.step.unwrap_or_default());
        Ok(match self.name {
            "cancel" => ExactOperation::Cancel,
            "pause" => ExactOperation::Pause,
            "resume" => ExactOperation::Resume,
            "retry" => ExactOperation::Retry { step: self.step.map(|step| path(run, step)) },
            "rerun" => ExactOperation::Rerun,
            "fork" => ExactOperation::Fork { from: step() },
            "signal" => {
                let name = self.signal;
                let value = match graph.and_then(|graph| find_signal(graph, name)) {
                    Some(known) => params::typed(&format!("signal `{name}`"), known.codec, self.value)?,
                    // Said here, so that it is the same whichever process is asked.
                    None if graph.is_some() => {
                        let (workflow, signal) = (run.workflow.clone(), name.to_owned());
                        return Err(Error::UnknownSignal { workflow, signal }.into());
                    }
                    None => params::json(self.value),
                };
                let key = self.key.map(str::to_owned);
                let step = self.step.map(|step| path(run, step));
                match (key, step) {
                    (None, None) => ExactOperation::Signal { name: name.to_owned(), value },
                    (key, step) => ExactOperation::SignalTo { name: name.to_owned(), value, key, step },
                }
            }
            "give-up" => ExactOperation::GiveUp { step: step() },
            "undone" => ExactOperation::Undone { step: step() },
            "set" => {
                let step = step();
                let value = match graph.and_then(|graph| step_codec(graph, &step)) {
                    Some(codec) => params::typed(&format!("step `{step}`"), codec, self.value)?,
                    None => params::json(self.value),
                };
                ExactOperation::Set { step, value }
            }
            "adopt" if self.again.is_empty() => ExactOperation::Adopt,
            "adopt" => {
                let again = self.again.iter().map(|step| path(run, step)).collect();
                ExactOperation::AdoptAgain { again, even_if_done: self.even_if_done }
            }
            other => return Err(Problem::usage(format!("there is no operation `{other}`"))),
        })
    }
}

/// The path of a step, which may be given without the workflow's name.
pub(crate) fn path(run: &StoredRun, step: &str) -> String {
    let (workflow, step) = (&run.workflow, step.trim_matches('/'));
    match step.strip_prefix(workflow.as_str()) {
        Some(rest) if rest.starts_with('/') => step.to_owned(),
        _ => format!("{workflow}/{step}"),
    }
}
