//! What a graph is, as data that outlives its program.
//!
//! A store keeps the blueprint of every workflow with the runs that follow it.
//! From a blueprint a [`Graph`] is made again, and a
//! machine over that graph hears an old run's journal as it was heard then,
//! whatever became of the code. Two blueprints can be compared, which tells
//! what a change of the code means to a run in flight.

mod adoption;
mod check;
mod compare;
mod inert;
mod lock;
mod make;
mod outline;
mod plan;
mod policy;
mod preview;
mod read;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use adoption::{Adoption, Again, Fate};
pub(crate) use adoption::{after, renumbered};
pub use compare::{Comparison, Difference, StepComparison, compare};
pub use lock::{LockChanges, LockProblem, check_lock, lock_text};
pub(crate) use preview::{Place, Places};
pub use preview::{Preview, StepPreview};
pub(crate) use verdict::KEEPS;
pub use verdict::{Obstacle, Progress, Verdict};

use crate::task::definition::Graph;
use plan::Workflow;

/// The number of the format that this version writes. It reads this one and
/// every earlier one.
const FORMAT: u32 = 1;

/// A workflow's graph as data.
///
/// ```
/// use workflow_runtime::blueprint::Blueprint;
/// use workflow_runtime::{Result, task, workflow};
///
/// #[task]
/// async fn double(number: u64) -> u64 { number * 2 }
///
/// workflow! {
///     fn doubled(number: u64) -> Result<u64> {
///         let result = double(number);
///         Ok(result)
///     }
/// }
///
/// let blueprint = Blueprint::of(doubled::GRAPH);
/// let again = Blueprint::parse(&blueprint.to_json()).unwrap();
/// assert_eq!(again, blueprint);
/// assert_eq!(again.graph().regions[0].steps[0].name, "result");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    format: u32,
    /// The workflow itself, then those that it uses as steps. Each comes
    /// after every workflow that uses it.
    workflows: Vec<Workflow>,
}

/// Why a text is not a blueprint that this version can read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlueprintError {
    /// It is no JSON, or JSON of something else.
    #[error("this is not a blueprint of a workflow: {0}")]
    Foreign(serde_json::Error),
    /// It was written by a later version.
    #[error(
        "the blueprint has format {found}, and this version reads formats up to {known}; \
         use a newer version of workflow-runtime"
    )]
    Newer {
        /// The number of its format.
        found: u64,
        /// The latest that is known.
        known: u32,
    },
    /// It contradicts itself.
    #[error("the blueprint is damaged: {0}")]
    Damaged(String),
}

impl Blueprint {
    /// The blueprint of a graph.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        Self { format: FORMAT, workflows: read::workflows(graph) }
    }

    /// The name of the workflow.
    #[must_use]
    pub fn workflow(&self) -> &str {
        self.workflows.first().map_or("", |workflow| &workflow.name)
    }

    /// A hash of everything that decides how a run goes. Where the workflow is
    /// written, its documentation and its schedule do not, so they leave the
    /// hash as it is. Two builds of the same source agree.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut deciding = self.clone();
        deciding.workflows.iter_mut().for_each(Workflow::forget_remarks);
        fnv(SEED, deciding.to_json().as_bytes())
    }

    /// The blueprint as JSON, which is always the same for the same blueprint.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts, numbers and lists, which JSON can write.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`to_json`](Self::to_json) wrote. What comes out is sound: a
    /// machine can follow the graph that is made of it.
    ///
    /// # Errors
    /// When the text is something else, was written by a later version, or is
    /// damaged.
    pub fn parse(text: &str) -> Result<Self, BlueprintError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        // First, as a later format may look different in all else.
        let head: Head = serde_json::from_str(text).map_err(BlueprintError::Foreign)?;
        if head.format > u64::from(FORMAT) {
            return Err(BlueprintError::Newer { found: head.format, known: FORMAT });
        }
        let blueprint: Self = serde_json::from_str(text).map_err(BlueprintError::Foreign)?;
        check::check(&blueprint).map_err(BlueprintError::Damaged)?;
        Ok(blueprint)
    }

    /// A graph made of it, with everything that a run's journal is followed
    /// by. Its functions are stand-ins, as the program that had them is gone:
    /// none of them is ever called by a machine, and they say so when they are
    /// called nevertheless.
    ///
    /// The graph is made once for each distinct blueprint and stays for as
    /// long as the process.
    #[must_use]
    pub fn graph(&self) -> &'static Graph {
        make::interned(self)
    }
}

/// Where FNV-1a begins.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// What FNV-1a multiplies with.
const PRIME: u64 = 0x0100_0000_01b3;

/// FNV-1a: stable across builds and machines, which `Hash` does not promise.
fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}
