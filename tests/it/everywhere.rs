//! Workflows of every shape, killed at each of their commits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use workflow_runtime::testing::{CrashReport, Script, crash_everywhere};
use workflow_runtime::{Context, Engine, EngineBuilder, Error, Resources, Result, StepError, task, workflow};

/// What lies outside of all processes.
#[derive(Default)]
struct World {
    calls: AtomicU64,
    notes: Mutex<Vec<String>>,
}

#[derive(Resources)]
struct App {
    world: Arc<World>,
}

/// An engine on a world that is as new for every run.
fn world() -> (Arc<World>, impl Fn() -> EngineBuilder<App> + 'static, impl Fn() + 'static) {
    let world = Arc::new(World::default());
    let (here, there) = (world.clone(), world.clone());
    let engine = move || Engine::in_memory().resources(App { world: here.clone() });
    let reset = move || {
        there.calls.store(0, Ordering::SeqCst);
        there.notes.lock().unwrap().clear();
    };
    (world, engine, reset)
}

fn thorough(report: CrashReport, commits: usize) {
    assert!(report.commits() >= commits, "{report:?}");
    assert!(report.deaths() >= 5 * commits, "{report:?}");
}

#[task]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[task]
async fn slowly(n: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(n)).await;
    n
}

#[task]
async fn upto(n: u64) -> Vec<u64> {
    (0..n).collect()
}

#[task]
async fn total(list: &[u64]) -> u64 {
    list.iter().sum()
}

workflow! {
    fn chain(n: u64) -> Result<u64> {
        let a = add(n, 1);
        let b = add(a, 2);
        let beside = slowly(3);
        let c = add(b, beside);
        Ok(c)
    }
}

#[test]
fn a_chain() {
    let report = crash_everywhere(Engine::in_memory, || chain(1)).run();
    thorough(report, 4);
}

#[task(concurrency = 2)]
async fn limited(n: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(n * 10)).await;
    n * n
}

workflow! {
    fn squares(n: u64) -> Result<u64> {
        let list = upto(n);
        #[limit(3)]
        let squares = for one in list {
            let once = limited(one);
            add(once, 1)
        };
        let all = total(&squares);
        Ok(all)
    }
}

#[test]
fn a_for_with_limits() {
    let report = crash_everywhere(Engine::in_memory, || squares(6)).run();
    thorough(report, 12);
}

workflow! {
    fn nested(n: u64) -> Result<u64> {
        let list = upto(n);
        let sums = for one in list {
            let value = if one % 2 == 0 {
                let mut x = add(one, 0);
                #[limit(10)]
                while x < 5 {
                    x = add(x, 2);
                }
                add(x, 0)
            } else {
                let inner = upto(one);
                let doubled = for each in inner { add(each, each) };
                total(&doubled)
            };
            add(value, 100)
        };
        let all = total(&sums);
        Ok(all)
    }
}

#[test]
fn regions_within_regions() {
    let report = crash_everywhere(Engine::in_memory, || nested(4)).run();
    thorough(report, 15);
}

workflow! {
    fn decided(days: u64) -> Result<u64> {
        let first = select! {
            v = signal::<u64>("verdict") => add(v, 1),
            _ = sleep("3d") => add(0, 7),
        };
        let second = select! {
            x = slowly(days) => add(x, 2),
            _ = sleep("1h") => add(0, 9),
        };
        let nap = sleep("2h");
        #[after(nap)]
        let sum = add(first, second);
        Ok(sum)
    }
}

#[test]
fn a_select_that_a_signal_wins() {
    let report = crash_everywhere(Engine::in_memory, || decided(5))
        .script(|| Script::new().signal_after(Duration::from_secs(86_400), decided::verdict, 30))
        .check(|result| assert_eq!(*result.as_ref().unwrap(), 38))
        .run();
    thorough(report, 7);
}

#[test]
fn a_select_that_time_wins() {
    let report = crash_everywhere(Engine::in_memory, || decided(1_000_000))
        .check(|result| assert_eq!(*result.as_ref().unwrap(), 16))
        .run();
    thorough(report, 6);
}

workflow! {
    fn two_signals(n: u64) -> Result<u64> {
        let first = signal::<u64>("number");
        #[after(first)]
        let second = signal::<u64>("number");
        let sum = add(first, second);
        let all = add(sum, n);
        Ok(all)
    }
}

#[test]
fn signals_are_heard_once() {
    let report = crash_everywhere(Engine::in_memory, || two_signals(1))
        .script(|| Script::new().signal(two_signals::number, 10).signal(two_signals::number, 200))
        .check(|result| assert_eq!(*result.as_ref().unwrap(), 211))
        .run();
    thorough(report, 5);
}

workflow! {
    fn parent(n: u64) -> Result<u64> {
        let before = add(n, 1);
        let child = squares(before)?;
        let again = chain(child)?;
        let sum = add(child, again);
        Ok(sum)
    }
}

#[test]
fn workflows_within_workflows() {
    let report = crash_everywhere(Engine::in_memory, || parent(2)).run();
    thorough(report, 12);
}

#[derive(Debug)]
struct Refused(u64);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is refused", self.0)
    }
}

impl std::error::Error for Refused {}

#[task]
async fn picky(n: u64) -> std::result::Result<u64, Refused> {
    if n % 2 == 1 { Err(Refused(n)) } else { Ok(n) }
}

#[task]
async fn count_failures(results: &[std::result::Result<u64, StepError>]) -> u64 {
    results.iter().filter(|result| result.is_err()).count() as u64
}

#[task]
async fn told(result: std::result::Result<u64, StepError>) -> String {
    match result {
        Ok(n) => n.to_string(),
        Err(error) => error.to_string(),
    }
}

workflow! {
    fn failures(n: u64) -> Result<String> {
        let list = upto(n);
        let results = for one in list { picky(one) };
        let failed = count_failures(&results);
        let last = picky(failed * 2 + 1);
        let words = told(last);
        Ok(words)
    }
}

#[test]
fn failures_as_values() {
    let report = crash_everywhere(Engine::in_memory, || failures(3))
        .check(|result| assert_eq!(result.as_ref().unwrap(), "step `failures/last` failed: 3 is refused"))
        .run();
    thorough(report, 7);
}

#[task(undo = unbook)]
async fn book(name: &str, #[resource] world: &Arc<World>) -> String {
    world.notes.lock().unwrap().push(format!("book {name}"));
    name.to_owned()
}

#[task(retry(attempts = 3, backoff = fixed("1m")))]
async fn unbook(
    booked: &str,
    #[context] cx: &Context,
    #[resource] world: &Arc<World>,
) -> std::result::Result<(), Refused> {
    if cx.attempt() == 1 && booked == "car" {
        return Err(Refused(1));
    }
    world.notes.lock().unwrap().push(format!("unbook {booked}"));
    Ok(())
}

#[task]
async fn sweep(name: &str, #[resource] world: &Arc<World>) -> u64 {
    world.notes.lock().unwrap().push(format!("sweep {name}"));
    1
}

workflow! {
    fn trip(name: String) -> Result<u64> {
        let hotel = book(&name);
        #[after(hotel)]
        let car = book("car");
        #[after(car)]
        let paid = picky(7)?;
        #[always]
        sweep(&hotel);
        let sum = add(paid, 1);
        Ok(sum)
    }
}

#[test]
fn undo_after_a_failure_and_always() {
    let (world, engine, reset) = world();
    let report = crash_everywhere(engine, || trip("hotel".to_owned()))
        .before_each(reset)
        .check(move |result| {
            let Err(Error::Failed { error, .. }) = result else { panic!("{result:?}") };
            assert_eq!(error.step(), "trip/paid");
            let mut notes = world.notes.lock().unwrap().clone();
            notes.dedup();
            assert_eq!(notes, ["book hotel", "book car", "unbook car", "unbook hotel", "sweep hotel"]);
        })
        .run();
    thorough(report, 7);
}

workflow! {
    fn stopped(name: String) -> Result<u64> {
        let hotel = book(&name);
        #[after(hotel)]
        let car = book("car");
        #[after(car)]
        let slow = slowly(100_000);
        #[always]
        sweep(&hotel);
        let sum = add(slow, 1);
        Ok(sum)
    }
}

#[test]
fn cancelled_and_undone() {
    let (world, engine, reset) = world();
    let report = crash_everywhere(engine, || stopped("hotel".to_owned()))
        .before_each(reset)
        .drive(async |run: workflow_runtime::Run<u64>| {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            // The process may be gone by then, or the run.
            let _ = run.cancel().await;
        })
        .check(move |result| {
            assert!(matches!(result, Err(Error::Cancelled { .. })), "{result:?}");
            let mut notes = world.notes.lock().unwrap().clone();
            notes.dedup();
            assert_eq!(notes, ["book hotel", "book car", "unbook car", "unbook hotel", "sweep hotel"]);
        })
        .run();
    thorough(report, 7);
}

#[task(retry(attempts = 4, backoff = exponential("10s", factor = 3, max = "1h"), jitter = 0.5))]
async fn flaky(until: u64, #[context] cx: &Context) -> std::result::Result<u64, Refused> {
    if u64::from(cx.attempt()) < until { Err(Refused(until)) } else { Ok(u64::from(cx.attempt())) }
}

workflow! {
    fn tried(n: u64) -> Result<u64> {
        let a = flaky(n)?;
        let b = flaky(a - 1)?;
        let sum = add(a, b);
        Ok(sum)
    }
}

#[test]
fn retries_with_backoff() {
    let report = crash_everywhere(Engine::in_memory, || tried(4)).run();
    thorough(report, 12);
}

#[test]
fn retries_that_are_used_up() {
    let report = crash_everywhere(Engine::in_memory, || tried(5)).run();
    thorough(report, 8);
}

#[task(blocking)]
fn compute(n: u64, #[resource] world: &Arc<World>) -> u64 {
    world.calls.fetch_add(1, Ordering::SeqCst);
    n * 3
}

workflow! {
    fn blocking(n: u64) -> Result<u64> {
        let list = upto(n);
        let tripled = for one in list { compute(one) };
        let all = total(&tripled);
        Ok(all)
    }
}

#[test]
fn blocking_tasks() {
    let (_, engine, reset) = world();
    let report = crash_everywhere(engine, || blocking(3)).before_each(reset).run();
    thorough(report, 5);
}

workflow! {
    fn at_once(n: u64) -> Result<u64> {
        let nap = sleep("1ms");
        #[after(nap)]
        let sum = add(n, 1);
        Ok(sum)
    }
}

#[test]
fn mocks_stand_in() {
    let engine = || Engine::in_memory().mock::<add>(|(a, b)| a * 10 + b);
    let report = crash_everywhere(engine, || at_once(4))
        .check(|result: &Result<u64>| assert_eq!(*result.as_ref().unwrap(), 41))
        .run();
    thorough(report, 3);
}
