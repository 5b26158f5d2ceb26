//! The story of a run, read from its journal without any code of the user's:
//! what became of each step and of every attempt, what operators did, and what
//! is left for another life of the run.
//!
//! The journal is the list of the events that a machine heard. A fresh machine
//! hears them again, over the graph of the program or one made from a stored
//! [`Blueprint`](crate::blueprint::Blueprint), and is asked on the way.

mod left;
mod life;
mod not_undone;
mod place;
mod reader;
mod story;

#[cfg(test)]
mod tests;

pub(crate) use left::{KeptSignal, Left};
pub use not_undone::{NotUndone, WhyNotUndone};
#[cfg(any(test, feature = "app"))]
pub(crate) use reader::Reading;
pub use story::{AttemptKind, AttemptStory, Life, Operated, OperatorAct, Outcome, StepStory};

pub use crate::journal::Why;

use crate::blueprint::Progress;
use crate::failure::StepError;
use crate::run::{RunState, Timestamp};
use crate::store::StoredEntry;
use crate::task::definition::Graph;

/// The story of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct History {
    /// The state of the run, as far as the journal tells: that it is blocked
    /// is not in there.
    pub state: RunState,
    /// When its latest life ended.
    pub ended_at: Option<Timestamp>,
    /// Which step failed it, and why.
    pub error: Option<StepError>,
    /// Its steps in the order they are written, each followed by the steps of
    /// the regions it opened. After them those of earlier lives that the
    /// latest has not come to.
    pub steps: Vec<StepStory>,
    /// What it has done, was not undone, and nothing uses any more. Empty while it
    /// goes on.
    pub not_undone: Vec<NotUndone>,
    /// What operators did, in order.
    pub acts: Vec<OperatorAct>,
    /// The lives of the run: more than one where it was taken up again.
    pub lives: Vec<Life>,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// Whether it was asked to stop.
    pub cancelled: bool,
    /// What is left of each step for another life.
    pub(crate) left: Left,
}

/// Why the story of a run cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry} of the run's journal {reason}")]
#[non_exhaustive]
pub struct Unreadable {
    /// The number of the journal's entry.
    pub entry: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl History {
    /// Reads the story of a run.
    ///
    /// `graph` is the one that the run began with: made from the blueprint
    /// that is stored with the run, or the program's own where there is none.
    /// `blueprint_of` gives the graph of the blueprint with a hash, for runs
    /// that were taken up again under another one.
    ///
    /// # Errors
    /// When the journal is damaged, or was not written by a run of `graph`.
    pub fn read(
        graph: &'static Graph,
        entries: &[StoredEntry],
        blueprint_of: &dyn Fn(u64) -> Option<&'static Graph>,
    ) -> Result<Self, Unreadable> {
        reader::read(graph, entries, blueprint_of)
    }

    /// The step of a path.
    #[must_use]
    pub fn step(&self, path: &str) -> Option<&StepStory> {
        self.steps.iter().find(|step| step.path == path)
    }

    /// What the run has made of the step of a static path: what
    /// [`Verdict::of`](crate::blueprint::Verdict::of) asks for.
    #[must_use]
    pub fn progress(&self, static_path: &str) -> Progress {
        let mut heard = self.steps.iter().filter(|step| step.static_path == static_path).peekable();
        // Of what was not heard of yet, all is open.
        let open = heard.peek().is_none() || heard.any(StepStory::is_open);
        Progress { kept: self.left.is_kept(static_path), open }
    }
}
