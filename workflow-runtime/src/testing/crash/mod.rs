//! A workflow that dies at every commit, and gets to its end nevertheless.

mod evidence;
mod mortal;
#[cfg(test)]
mod ticks;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

use evidence::Evidence;
use mortal::{Death, Mortal};

#[cfg(test)]
pub(crate) use ticks::ticks_everywhere;

use super::Script;
use crate::codec::Durable;
use crate::engine::{EngineBuilder, Run};
use crate::error::Result;
use crate::resources::Resources;
use crate::run::Timestamp;
use crate::store::{Memory, Store};
use crate::task::RunsOn;
use crate::workflow::{Invocation, Workflow};

/// Runs a workflow once for every commit it makes, has its process die there,
/// and goes on with a new engine until the run ends; then checks what the
/// engine promises, and that the result is that of a run nothing happened to.
///
/// A process dies in two ways: before a commit is written, when all that the
/// earlier ones allowed has happened; and after it is written but before the
/// engine hears of it. Each of them is also tried with a second process that
/// dies as soon as it has written something. Time is virtual and goes on from
/// one process to the next. What each process leaves is
/// [examined](crate::doctor::examine).
///
/// `engine` sets an engine up, once for every process, with the workflow's
/// resources and mocks; where it keeps its runs is seen to. `invocation` is
/// the run, which gets a key.
///
/// ```
/// use workflow_runtime::testing::{self, Script};
/// use workflow_runtime::{Engine, task, workflow};
///
/// #[task]
/// async fn fetch(url: String) -> String {
///     unreachable!("a test does not go to {url}")
/// }
///
/// #[task]
/// async fn publish(page: String, verdict: bool) -> String {
///     if verdict { page } else { "nothing".to_owned() }
/// }
///
/// workflow! {
///     fn reviewed(url: String) -> Result<String> {
///         let page = fetch(url);
///         let verdict = signal::<bool>("review");
///         let published = publish(page, verdict);
///         Ok(published)
///     }
/// }
///
/// let engine = || Engine::in_memory().mock::<fetch>(|url| format!("page of {url}"));
/// let report = testing::crash_everywhere(engine, || reviewed("x.org".to_owned()))
///     .script(|| Script::new().signal(reviewed::review, true))
///     .check(|result| assert_eq!(result.as_deref().unwrap(), "page of x.org"))
///     .run();
/// assert!(report.commits() >= 3);
/// ```
pub fn crash_everywhere<W, R>(
    engine: impl Fn() -> EngineBuilder<R> + 'static,
    invocation: impl Fn() -> Invocation<W> + 'static,
) -> CrashTest<W, R>
where
    W: Workflow + RunsOn<R>,
    R: Resources,
{
    CrashTest {
        engine: Box::new(engine),
        invocation: Box::new(invocation),
        script: Box::new(Script::new),
        drive: Box::new(|_| Box::pin(std::future::ready(()))),
        before_each: Box::new(|| ()),
        check: None,
    }
}

/// A test about to run; made by [`crash_everywhere`].
#[must_use = "a test does nothing until it is run"]
pub struct CrashTest<W: Workflow, R> {
    engine: Box<dyn Fn() -> EngineBuilder<R>>,
    invocation: Box<dyn Fn() -> Invocation<W>>,
    script: Box<dyn Fn() -> Script>,
    drive: Box<dyn Fn(Run<W::Ok>) -> Driving>,
    before_each: Box<dyn Fn()>,
    check: Option<Check<W::Ok>>,
}

type Driving = Pin<Box<dyn Future<Output = ()> + Send>>;
type Check<T> = Box<dyn Fn(&Result<T>)>;

/// What a test has gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashReport {
    commits: usize,
    deaths: usize,
}

impl CrashReport {
    /// How many commits the run makes when nothing happens to it.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.commits
    }

    /// How many processes died.
    #[must_use]
    pub fn deaths(&self) -> usize {
        self.deaths
    }
}

/// The name of the run.
const KEY: &str = "crash_everywhere";

/// When each run begins: 2026-01-01.
const BEGIN: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// What waits longer than this waits for ever.
const EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 10);

impl<W, R> CrashTest<W, R>
where
    W: Workflow + RunsOn<R>,
    W::Ok: Durable,
    R: Resources,
{
    /// Sends signals as the run waits for them. What was accepted by a process
    /// that died is not sent again.
    pub fn script(mut self, script: impl Fn() -> Script + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Does something with the run in every process, such as cancelling it.
    pub fn drive<F>(mut self, drive: impl Fn(Run<W::Ok>) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.drive = Box::new(move |run| Box::pin(drive(run)));
        self
    }

    /// Is called before every run, to set the world of its tasks back.
    pub fn before_each(mut self, reset: impl Fn() + 'static) -> Self {
        self.before_each = Box::new(reset);
        self
    }

    /// Looks at the result of every run, instead of comparing it with that of
    /// the run that nothing happened to.
    pub fn check(mut self, check: impl Fn(&Result<W::Ok>) + 'static) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// Runs the test.
    ///
    /// # Panics
    /// When something is not as promised: the message says what, and where the
    /// process died. Also when called within a runtime.
    pub fn run(self) -> CrashReport {
        let undisturbed = self.scenario(&[], None);
        let mut report = CrashReport { commits: undisturbed.writes, deaths: 0 };
        for again in [None, Some(Death::Unheard(1))] {
            for death in [Death::Before as fn(usize) -> Death, Death::Unheard] {
                // A disturbed run may make more commits than the other one.
                for write in 1..=undisturbed.writes.saturating_mul(2) {
                    let deaths: Vec<Death> = [Some(death(write)), again].into_iter().flatten().collect();
                    let died = self.scenario(&deaths, Some(&undisturbed.result)).deaths;
                    report.deaths += died;
                    if died == 0 {
                        break;
                    }
                }
            }
        }
        report
    }

    /// One run, through all the deaths that come to it.
    fn scenario(&self, deaths: &[Death], expected: Option<&str>) -> Lived {
        (self.before_each)();
        let _told = TellDeaths(deaths);
        let evidence = Arc::new(Evidence::default());
        let memory = Memory::new();
        let mut lived = Lived { result: String::new(), writes: 0, deaths: 0 };
        let mut wall = BEGIN;
        let mut deaths = deaths.iter();
        let result = loop {
            let death = deaths.next().copied().unwrap_or(Death::Never);
            let store = Arc::new(Mortal::new(memory.clone(), evidence.clone(), death));
            let ended = self.process(&store, &evidence, &mut wall);
            lived.writes += store.writes();
            evidence.examine(&memory, W::GRAPH);
            match ended {
                Some(result) => break result,
                None => lived.deaths += 1,
            }
        };
        let stored = memory.by_key(KEY);
        evidence.check_end(&memory, stored, &result);
        // What has ended is not lost either, and nothing of it runs again.
        evidence.expect_no_attempt();
        let store = Arc::new(Mortal::new(memory.clone(), evidence.clone(), Death::Never));
        let again = self.process(&store, &evidence, &mut wall);
        lived.result = words(&result);
        assert_eq!(again.map(|result| words(&result)), Some(lived.result.clone()), "asked for again");
        evidence.examine(&memory, W::GRAPH);
        evidence.assert_sound();
        match (&self.check, expected) {
            (Some(check), _) => check(&result),
            (None, Some(expected)) => assert_eq!(lived.result, *expected, "the result differs\n{evidence}"),
            (None, None) => {}
        }
        lived
    }

    /// One process: a runtime with an engine, until the run ends or all is
    /// dropped.
    fn process(
        &self,
        store: &Arc<Mortal>,
        evidence: &Arc<Evidence>,
        wall: &mut Timestamp,
    ) -> Option<Result<W::Ok>> {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime with one thread needs nothing that can be missing");
        let began = *wall;
        let (result, now) = runtime.block_on(async {
            let anchor = Instant::now();
            let result = tokio::select! {
                biased;
                () = store.died() => None,
                result = self.until_end(store.clone(), evidence, began) => Some(result),
                () = tokio::time::sleep(EVER) => panic!("the run waits, and nothing ends that\n{evidence}"),
            };
            // What a dead process says does not count.
            (result.filter(|_| !store.is_dead()), began.after(anchor.elapsed()))
        });
        *wall = now;
        // Waits for the threads of blocking tasks: one process at a time.
        drop(runtime);
        store.bury();
        result
    }

    async fn until_end(
        &self,
        store: Arc<Mortal>,
        evidence: &Arc<Evidence>,
        wall: Timestamp,
    ) -> Result<W::Ok> {
        let witness = evidence.clone();
        let engine = (self.engine)().under_test(store, wall, Arc::new(move |begun| witness.begun(begun)));
        // One run is looked at: the one that is asked for.
        let engine = engine.register::<W>().schedules(false).start().await?;
        let run = engine.start((self.invocation)()).key(KEY).await?;
        (self.script)().play_on(&run, evidence.signalled());
        drop(tokio::spawn((self.drive)(run.clone())));
        let result = run.await;
        engine.shutdown().await;
        result
    }
}

/// What one run went through.
struct Lived {
    result: String,
    writes: usize,
    deaths: usize,
}

/// A result of any type, to compare: what is saved of it, or its error.
fn words<T: Durable>(result: &Result<T>) -> String {
    match result {
        Ok(value) => match value.encode() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => error.to_string(),
        },
        Err(error) => format!("error: {error}"),
    }
}

/// Says where a process died, when a test fails.
struct TellDeaths<'a>(&'a [Death]);

impl Drop for TellDeaths<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("crash_everywhere: {}", Deaths(self.0));
        }
    }
}

struct Deaths<'a>(&'a [Death]);

impl fmt::Display for Deaths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no process died");
        }
        for (number, death) in (1..).zip(self.0) {
            let and = if number > 1 { ", " } else { "" };
            write!(f, "{and}process {number} died {death}")?;
        }
        Ok(())
    }
}

impl<W: Workflow, R> fmt::Debug for CrashTest<W, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashTest").field("workflow", &W::GRAPH.name).finish_non_exhaustive()
    }
}
