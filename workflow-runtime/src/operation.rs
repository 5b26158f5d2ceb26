//! What an operator can do to a run, as data: the command line writes it, a
//! store keeps it with its answer, an engine does it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::exact::raw;
use crate::words::words;

/// Something an operator wants of an engine, with values as JSON.
///
/// A [`Json`] has no numbers of more than 64 bits; a caller that has such a
/// value starts the run, or sends the signal, by its type.
pub type Operation = OperationOf<Json>;

/// The same with values as they are written, digit for digit: as a store keeps
/// it, and as the command line hands it on.
pub(crate) type ExactOperation = OperationOf<Box<RawValue>>;

/// Something an operator wants of an engine. Everything but `Start` and
/// `Backfill` is about
/// one run.
///
/// ```
/// use workflow_runtime::Operation;
///
/// let wanted = Operation::Fork { from: "nightly/report".to_owned() };
/// assert_eq!(serde_json::to_string(&wanted).unwrap(), r#"{"fork":{"from":"nightly/report"}}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OperationOf<V> {
    /// Start a run.
    Start {
        /// The workflow's name.
        workflow: String,
        /// The parameters, by name.
        params: BTreeMap<String, V>,
        /// The run's key.
        key: Option<String>,
    },
    /// Create a run for a time of a schedule that has passed. It begins when
    /// its turn comes.
    Backfill {
        /// The workflow's name.
        workflow: String,
        /// The parameters, by name.
        params: BTreeMap<String, V>,
        /// The run's key, which is that of its time.
        key: String,
        /// How many such runs of the workflow may be unfinished at a time.
        at_a_time: usize,
    },
    /// Send the run a signal.
    Signal {
        /// The signal's name.
        name: String,
        /// The value.
        value: V,
    },
    /// The same, for one of the steps that may wait for it.
    SignalTo {
        /// The signal's name.
        name: String,
        /// The value.
        value: V,
        /// The signal's key, where it is `keyed`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The path of the step that is meant, where several wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// Ask the run to stop.
    Cancel,
    /// Start nothing more until the run is resumed. What runs ends.
    Pause,
    /// Go on with a paused run.
    Resume,
    /// Go on with a failed or cancelled run from the steps that did not
    /// succeed. Of a run that has not ended: make the next attempt of a step
    /// now.
    Retry {
        /// The path of the one step that is meant, in a run that has not
        /// ended; all that wait for an attempt where there is none.
        step: Option<String>,
    },
    /// Start a new run with the same parameters, and none of its results.
    Rerun,
    /// Start a new run that keeps the results of every step but this one and
    /// those that come after it.
    Fork {
        /// The step's path.
        from: String,
    },
    /// Settle a step by hand: it has this value, whatever became of it. A run
    /// that has ended without success goes on with it. A step that is being
    /// undone counts as undone then, and its value is `null`.
    Set {
        /// The step's path.
        step: String,
        /// Its value.
        value: V,
    },
    /// Settle the undo of a step by hand: it is undone.
    Undone {
        /// The step's path.
        step: String,
    },
    /// Give up the undo of a step: what it did stands, and the run goes on to
    /// undo what came before it.
    GiveUp {
        /// The step's path.
        step: String,
    },
    /// Go on with a blocked run under today's code: results are kept for
    /// steps that still have their path, whatever else has changed.
    Adopt,
    /// The same, and run some of the finished steps again.
    AdoptAgain {
        /// The paths of these steps, or of what they lie in. Without the
        /// numbers of items and turns, a path means all of them.
        again: Vec<String>,
        /// Also tasks that are not done twice otherwise: `at_most_once`,
        /// `transaction`, and those with an `undo`.
        #[serde(default)]
        even_if_done: bool,
    },
}

impl Operation {
    /// The same with its values as they are written.
    pub(crate) fn exact(self) -> ExactOperation {
        use OperationOf as Of;
        match self {
            Of::Start { workflow, params, key } => {
                let params = params.iter().map(|(name, value)| (name.clone(), raw(value))).collect();
                Of::Start { workflow, params, key }
            }
            Of::Backfill { workflow, params, key, at_a_time } => {
                let params = params.iter().map(|(name, value)| (name.clone(), raw(value))).collect();
                Of::Backfill { workflow, params, key, at_a_time }
            }
            Of::Signal { name, value } => Of::Signal { name, value: raw(&value) },
            Of::SignalTo { name, value, key, step } => Of::SignalTo { name, value: raw(&value), key, step },
            Of::Set { step, value } => Of::Set { step, value: raw(&value) },
            Of::Cancel => Of::Cancel,
            Of::Pause => Of::Pause,
            Of::Resume => Of::Resume,
            Of::Retry { step } => Of::Retry { step },
            Of::Rerun => Of::Rerun,
            Of::Fork { from } => Of::Fork { from },
            Of::Undone { step } => Of::Undone { step },
            Of::GiveUp { step } => Of::GiveUp { step },
            Of::Adopt => Of::Adopt,
            Of::AdoptAgain { again, even_if_done } => Of::AdoptAgain { again, even_if_done },
        }
    }
}

/// Who wants something, and by which of the store's requests: that is answered
/// with the commit of what was wanted, so that it is done once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker {
    pub(crate) by: Option<By>,
    pub(crate) request: Option<i64>,
}

impl From<Option<By>> for Asker {
    fn from(by: Option<By>) -> Self {
        Self { by, request: None }
    }
}

/// How long a run's key may be, in bytes: far more than people read, and little
/// enough to be stored with every run.
pub(crate) const LONGEST_KEY: usize = 1 << 20;

/// How long a signal's key may be, in bytes: it is compared, listed and stored
/// with each wait.
const LONGEST_SIGNAL_KEY: usize = 1024;

/// Why this cannot be a signal's key, if it cannot.
pub(crate) fn refused_signal_key(key: &str) -> Option<String> {
    let length = key.len();
    match length {
        0 => Some("is empty".to_owned()),
        _ if length > LONGEST_SIGNAL_KEY => {
            Some(format!("has {length} bytes, and at most {LONGEST_SIGNAL_KEY} are allowed"))
        }
        _ => None,
    }
}

/// Who wants something, and why: it is recorded with what is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Who.
    pub actor: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl By {
    /// The same as it is kept: what is typed may be of any length.
    pub(crate) fn bounded(self) -> Self {
        Self { actor: words(&self.actor), reason: self.reason.as_deref().map(words) }
    }
}
