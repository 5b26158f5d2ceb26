//! The test kit: workflows under test, in no time and without the world.
//!
//! - [`block_on`] runs a test on a virtual clock: sleeps, backoffs and time
//!   limits of days take milliseconds, and always the same ones.
//! - [`set_wall_clock`] sets the clock on the wall, as a time server does, or
//!   a machine that slept.
//! - [`EngineBuilder::mock`](crate::EngineBuilder::mock) replaces a task.
//! - [`Script`] sends signals when the run waits for them.
//! - [`Trace`], from [`Run::trace`](crate::AnyRun::trace), is what happened, to
//!   assert on.
//! - [`crash_everywhere`] has the process die at every commit.
//! - [`assert_locked`] tells when a change of a workflow would touch runs in
//!   flight.
//! - [`resume_fixture`] lets the runs of a stored database go on.
//!
//! ```
//! use workflow_runtime::run::StepState;
//! use workflow_runtime::testing::{self, Script};
//! use workflow_runtime::{Engine, Result, task, workflow};
//!
//! #[task]
//! async fn fetch(url: String) -> String {
//!     unreachable!("a test does not go to {url}")
//! }
//!
//! #[task]
//! async fn join(page: String, verdict: String) -> String {
//!     format!("{page}: {verdict}")
//! }
//!
//! workflow! {
//!     fn reviewed(url: String) -> Result<String> {
//!         let page = fetch(url);
//!         let verdict = signal::<String>("review").within("3d")?;
//!         let joined = join(page, verdict);
//!         Ok(joined)
//!     }
//! }
//!
//! testing::block_on(async {
//!     let engine = Engine::in_memory().mock::<fetch>(|url| format!("page of {url}")).start().await?;
//!     let run = engine.start(reviewed("x.org".to_owned())).await?;
//!     // Two days later; the test waits no longer than any other.
//!     let two_days = std::time::Duration::from_secs(2 * 24 * 60 * 60);
//!     Script::new().signal_after(two_days, reviewed::review, "good".to_owned()).play(&run);
//!
//!     assert_eq!(run.clone().await?, "page of x.org: good");
//!     run.trace().assert_order(["reviewed/page", "reviewed/joined"]);
//!     run.trace().assert_state("reviewed/verdict", StepState::Succeeded { cached: false });
//!     Result::<()>::Ok(())
//! }).unwrap();
//! ```

mod crash;
mod fixture;
mod locked;
mod script;

pub use crate::observe::Trace;
#[cfg(test)]
pub(crate) use crash::ticks_everywhere;
pub use crash::{CrashReport, CrashTest, crash_everywhere};
pub use fixture::{FixtureReport, FixtureRun, FixtureTest, resume_fixture};
pub use locked::assert_locked;
pub use script::Script;

use jiff::SignedDuration;

use crate::engine::SharedWall;

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
    let _wall = SharedWall::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime with one thread needs nothing that can be missing").block_on(future)
}

/// Sets the clock on the wall, within [`block_on`]: forward, or back where `by`
/// is less than nothing. The time that passes is another thing, and goes on as
/// before. All engines of the test have this one clock, also those that start
/// later; what waits for a time of day follows at once.
///
/// ```
/// use jiff::SignedDuration;
/// use std::time::Duration;
/// use workflow_runtime::{Engine, Result, testing, workflow};
///
/// workflow! {
///     fn rest() -> Result<()> {
///         sleep("8h");
///         Ok(())
///     }
/// }
///
/// testing::block_on(async {
///     let engine = Engine::in_memory().start().await?;
///     let run = engine.start(rest()).await?;
///     tokio::time::sleep(Duration::from_secs(60)).await;
///     // The machine slept as well.
///     testing::set_wall_clock(SignedDuration::from_hours(9));
///     let woken = tokio::time::Instant::now();
///     run.await?;
///     assert!(woken.elapsed() < Duration::from_secs(1));
///     Result::<()>::Ok(())
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside of [`block_on`]: no other clock can be set.
pub fn set_wall_clock(by: SignedDuration) {
    let nanos = i64::try_from(by.as_nanos()).unwrap_or(if by.is_negative() { i64::MIN } else { i64::MAX });
    assert!(SharedWall::set(nanos).is_some(), "the wall clock can only be set within `testing::block_on`");
}
