//! A run's row, which stands beside its journal and has to agree with it.

use serde_json::value::RawValue;

use super::finding::Problem;
use super::life::{ReplayedLife, Wrong};
use super::values::unreadable;
use crate::run::RunState;
use crate::store::StoredRun;
use crate::task::definition::Graph;

/// What the row alone shows to be wrong.
pub(super) fn alone(stored: &StoredRun, in_clear: bool) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut find = |problem, what: String| wrong.push((None, problem, what));
    match &stored.end {
        None if stored.state.is_ended() => {
            find(Problem::Row, format!("it is said to be {}, and not when it ended", stored.state));
        }
        Some(end) if end.state != stored.state || !end.state.is_ended() => {
            find(Problem::Row, format!("it ended {}, and is said to be {}", end.state, stored.state));
        }
        Some(end) if end.state == RunState::Failed && end.error.is_none() => {
            find(Problem::Row, "it failed, and why is not said".to_owned());
        }
        _ => {}
    }
    let end = stored.end.as_ref();
    match end.and_then(|end| end.result.as_ref()) {
        None if end.is_some_and(|end| end.state == RunState::Succeeded) => {
            find(Problem::Value, "it succeeded, and its result is missing".to_owned());
        }
        Some(result) => {
            if let Some(why) = unreadable(result, in_clear) {
                let what = format!("its result, a `{}`, cannot be read: {why}", result.type_name);
                find(Problem::Value, what);
            }
        }
        None => {}
    }
    wrong
}

/// What is wrong with the parameters.
pub(super) fn params(stored: &StoredRun, graph: &Graph, in_clear: bool) -> Option<Wrong> {
    if !in_clear {
        return None;
    }
    let what = match serde_json::from_slice::<Vec<Box<RawValue>>>(&stored.params) {
        Ok(params) if params.len() == graph.params.len() => return None,
        Ok(params) => {
            format!("it has {} parameters, and its workflow takes {}", params.len(), graph.params.len())
        }
        Err(error) => format!("its parameters cannot be read: {error}"),
    };
    Some((None, Problem::Value, what))
}

/// Where the row and the whole journal differ.
pub(super) fn beside(stored: &StoredRun, life: &ReplayedLife) -> Option<Wrong> {
    let told = life.state();
    let agree = match &stored.end {
        Some(end) => {
            // A result that cannot be saved is no success.
            end.state == told || (told == RunState::Succeeded && end.state == RunState::Failed)
        }
        // An engine that could not go on with it has said so; and the end of a
        // run may be decided and not written yet.
        None => stored.state == told || stored.state == RunState::Blocked || told.is_ended(),
    };
    let what = || format!("it is said to be {}, and its journal says that it is {told}", stored.state);
    if !agree {
        return Some((None, Problem::Row, what()));
    }
    let (said, suspected) = (stored.suspected, life.suspected());
    let what = format!("it is said to have {said} suspected steps, and its journal says {suspected}");
    let is_open = stored.end.is_none() && stored.state != RunState::Blocked && !told.is_ended();
    (is_open && said != suspected).then_some((None, Problem::Row, what))
}
