//! The test kit: workflows under test, in no time and without the world.
//!
//! - [`block_on`] runs a test on a virtual clock: sleeps, backoffs and time
//!   limits of days take milliseconds, and always the same ones.
//! - [`EngineBuilder::mock`](crate::EngineBuilder::mock) replaces a task.
//! - [`Script`] sends signals when the run waits for them.
//! - [`Trace`], from [`Run::trace`](crate::Run::trace), is what happened, to
//!   assert on.

mod script;
mod trace;

pub use script::Script;
pub use trace::Trace;

/// Runs a test to its end, on a runtime of its own with one thread and a
/// virtual clock: whenever nothing is left to do, time jumps to the next
/// moment that something waits for.
///
/// ```
/// use std::time::Duration;
/// use workflow_runtime::testing;
///
/// let begun = std::time::Instant::now();
/// testing::block_on(async {
///     tokio::time::sleep(Duration::from_secs(60 * 60 * 24)).await;
/// });
/// assert!(begun.elapsed() < Duration::from_secs(1));
/// ```
///
/// # Panics
/// When called within another runtime, and when `future` panics.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime with one thread needs nothing that can be missing").block_on(future)
}
