//! Is a store as it should be? Every run's journal is followed once more, and
//! everything that has to hold for every run, whatever it does, is looked at.
//!
//! What is found wrong is damage, or a mistake of the engine's: no task and no
//! operator can bring it about. The crash tests end with it.
//!
//! Never here: mending anything.

mod finding;
mod graphs;
mod life;
mod row;
mod run;
mod schedules;
mod sleep;
mod source;
mod under_way;
mod values;

use std::collections::HashMap;

pub use finding::{Finding, NotFollowed, Problem, Report, Stands, Suspected};
pub use source::Source;

use crate::run::Timestamp;
use crate::store::{RunFilter, StoreError, StoredRun};
use crate::task::definition::Graph;
use graphs::Graphs;

/// How many runs are read at a time.
const PAGE: usize = 100;

/// Examines every run of a store, and its schedules.
///
/// `graphs` are the workflows of the program: a run that was started before
/// stores kept blueprints can only be followed by one of them. Nothing is
/// written, and a store that is in use may be examined; what is committed
/// meanwhile may be seen half, so look again before you believe it.
///
/// ```
/// use std::sync::Arc;
/// use workflow_runtime::{Engine, doctor, store::{Memory, Store}, task, workflow};
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> workflow_runtime::Result<()> {
/// let store: Arc<dyn Store> = Arc::new(Memory::new());
/// let engine = Engine::with_store(store.clone()).start().await?;
/// engine.start(doubled(4)).await?.await?;
///
/// let report = doctor::examine(&*store, &[doubled::GRAPH])?;
/// assert!(report.is_healthy(), "{report}");
/// assert_eq!(report.runs, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the store cannot be read at all. A run that cannot be read is a
/// finding.
pub fn examine<S: Source + ?Sized>(store: &S, graphs: &[&'static Graph]) -> Result<Report, StoreError> {
    examine_by(store, graphs, Clock::Any)
}

fn is_there<S: Source + ?Sized>(store: &S, run: &StoredRun) -> Result<bool, StoreError> {
    let id_prefix = Some(run.id.clone());
    let found = store.list(&RunFilter { id_prefix, at_most: 1, ..RunFilter::default() })?;
    Ok(found.iter().any(|found| found.run == run.run))
}

/// Whose clock a store's times were told by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The system's.
    #[cfg(feature = "app")]
    System,
    /// The system's, or one that a test has steered.
    Any,
}

/// As [`examine`].
pub(crate) fn examine_by<S: Source + ?Sized>(
    store: &S,
    graphs: &[&'static Graph],
    clock: Clock,
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut graphs = Graphs::new(graphs);
    // Values of a store that encrypts them say nothing to whoever has no key.
    let in_clear = store.keys()?.is_empty();
    let mut holders = HashMap::new();
    let mut latest = Timestamp::default();
    let mut before = None;
    loop {
        let page = store.list(&RunFilter { before, at_most: PAGE, ..RunFilter::default() })?;
        let Some(last) = page.last() else { break };
        before = Some(last.run);
        for stored in page {
            let before = (report.findings.len(), report.not_followed.len(), report.entries);
            let last = run::examine(store, &mut graphs, &stored, in_clear, &mut report)?;
            // What is being removed is no damage: it may be gone by now, with
            // all that belongs to it.
            if report.findings.len() > before.0 && !is_there(store, &stored)? {
                report.findings.truncate(before.0);
                report.not_followed.truncate(before.1);
                report.entries = before.2;
                continue;
            }
            report.runs += 1;
            latest = latest.max(last);
            if let Some(key) = &stored.key
                && let Some(other) = holders.insert(key.clone(), stored.id.clone())
            {
                report.find(&stored, None, None, Problem::Key, format!("run {other} has the same key"));
            }
        }
    }
    schedules::examine(store, (clock == Clock::Any).then_some(latest), &mut report)?;
    Ok(report)
}
