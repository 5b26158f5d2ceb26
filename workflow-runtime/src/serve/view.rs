//! What pages show and the API answers with, beside what `inspect` has: one set
//! of types, two renderings.

use serde::Serialize;

use crate::exact::Exact;
use crate::inspect::view::{LineView, RegionPicture, RunRow, RunView, StepView};

/// A page of the runs of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunList {
    pub(crate) runs: Vec<ListedRun>,
    /// The `before` of the next page, where there may be one.
    pub(crate) next: Option<i64>,
    /// What needs a person, over all runs.
    pub(crate) needs: Needs,
}

/// A run of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ListedRun {
    #[serde(flatten)]
    pub(crate) run: RunRow,
    /// What it does, waits for, or came to.
    pub(crate) standing: Option<String>,
}

/// How many runs need a person, each counted up to a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Needs {
    pub(crate) failed: usize,
    pub(crate) blocked: usize,
    /// With steps that may be what ends the process.
    pub(crate) suspected: usize,
    pub(crate) paused: usize,
    pub(crate) waiting: usize,
    pub(crate) running: usize,
    /// Where counting ends.
    pub(crate) counted_up_to: usize,
}

/// A run, with what is said and drawn of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunPage {
    pub(crate) run: RunView,
    /// How it stands, in a sentence.
    pub(crate) standing: String,
    /// Its picture, where its graph is known.
    pub(crate) picture: Option<RegionPicture>,
    /// Why its steps cannot be told.
    pub(crate) untold: Option<String>,
    /// The process that works on the store; none if nobody does.
    pub(crate) owner: Option<Option<u32>>,
}

/// A step, with its values and what it said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StepPage {
    /// The run's id.
    pub(crate) run: String,
    pub(crate) workflow: String,
    pub(crate) step: StepView,
    /// What it was called with, where that is kept.
    pub(crate) arguments: Option<Exact>,
    /// What it came to.
    pub(crate) output: Option<Exact>,
    /// The newest lines, the oldest of them first.
    pub(crate) lines: Vec<LineView>,
    /// Whether there are more lines.
    pub(crate) more_lines: bool,
}
