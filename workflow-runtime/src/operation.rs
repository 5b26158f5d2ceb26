//! What an operator can do to a run, as data: the command line writes it, a
//! store keeps it with its answer, an engine does it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Something an operator wants of an engine. Everything but `Start` is about
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
pub enum Operation {
    /// Start a run.
    Start {
        /// The workflow's name.
        workflow: String,
        /// The parameters, by name.
        params: BTreeMap<String, Json>,
        /// The run's key.
        key: Option<String>,
    },
    /// Send the run a signal.
    Signal {
        /// The signal's name.
        name: String,
        /// The value.
        value: Json,
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
    /// that has ended without success goes on with it.
    Set {
        /// The step's path.
        step: String,
        /// Its value.
        value: Json,
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

/// Who wants something, and why: it is recorded with what is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Who.
    pub actor: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
