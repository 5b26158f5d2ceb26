//! Code that does not return: on threads of its own, and in polls. What it has
//! room for stays taken, and everything else goes on.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::{
    By, Cause, Engine, Error, Operation, Resources, Result, Run, RunSnapshot, task, workflow,
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Where code waits until the test lets it go on.
#[derive(Clone, Default)]
struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    /// How many may pass, and how many have.
    passes: Mutex<usize>,
    changed: Condvar,
    begun: AtomicUsize,
    inside: AtomicUsize,
    most: AtomicUsize,
    open: AtomicBool,
}

impl Gate {
    /// Blocks the thread.
    fn pass(&self) {
        self.enter();
        let mut passes = self.0.passes.lock().unwrap();
        while *passes == 0 && !self.0.open.load(Ordering::SeqCst) {
            passes = self.0.changed.wait_timeout(passes, LONG).unwrap().0;
        }
        *passes = passes.saturating_sub(1);
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn enter(&self) {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        let inside = self.0.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(inside, Ordering::SeqCst);
    }

    fn let_one_pass(&self) {
        *self.0.passes.lock().unwrap() += 1;
        self.0.changed.notify_one();
    }

    fn open(&self) {
        self.0.open.store(true, Ordering::SeqCst);
        self.0.changed.notify_all();
    }

    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    /// Spins in a poll until the gate opens.
    async fn spin(&self) {
        poll_fn(|_| {
            self.enter();
            while !self.0.open.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            self.0.inside.fetch_sub(1, Ordering::SeqCst);
            Poll::Ready(())
        })
        .await;
    }
}

/// Opens the gate however the test ends: no thread is left behind.
struct Opens(Gate);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[derive(Clone, Resources)]
struct World {
    gate: Gate,
}

fn world() -> (World, Gate, Opens) {
    let gate = Gate::default();
    (World { gate: gate.clone() }, gate.clone(), Opens(gate))
}

/// What only other threads bring about.
async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < LONG, "{what}");
        tokio::task::yield_now().await;
    }
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).max_blocking_threads(1).enable_all().build().unwrap()
}

/// Runs a test that has to end in its time, whatever holds the runtime.
fn in_time<F>(threads: usize, test: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (ended, ends) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = runtime(threads);
        runtime.block_on(test);
        runtime.shutdown_background();
        let _ = ended.send(());
    });
    match ends.recv_timeout(LONG) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
        _ => thread.join().unwrap(),
    }
}

fn state(snapshot: &RunSnapshot, step: &str) -> StepState {
    snapshot.step(step).unwrap_or_else(|| panic!("{step} of {:?}", snapshot.steps)).state
}

#[task(blocking, concurrency = 1, timeout = "20ms", retry(attempts = 3, backoff = fixed("1ms")))]
fn narrow(#[resource] gate: &Gate, number: u64) -> u64 {
    gate.pass();
    number
}

workflow! {
    fn one_at_a_time(number: u64) -> Result<u64> {
        let done = narrow(number);
        Ok(done)
    }
}

#[test]
fn blocking_code_past_its_time_keeps_its_place() {
    in_time(2, async {
        let (world, gate, _opens) = world();
        let engine = Engine::in_memory().resources(world).start().await.unwrap();
        let run = engine.start(one_at_a_time(1)).await.unwrap();
        let waits =
            |run: &Run<u64>| state(&run.snapshot(), "one_at_a_time/done") == StepState::Waiting(Wait::Slot);
        for attempt in 1..3 {
            until("its time is over", || waits(&run)).await;
            assert_eq!(gate.begun(), attempt, "the next attempt waits for the code of the one before");
            let snapshot = run.snapshot();
            let [stuck] = &*snapshot.stuck else { panic!("{:?}", snapshot.stuck) };
            assert_eq!((&*stuck.step, stuck.attempt), ("one_at_a_time/done", attempt as u32));
            assert!(stuck.blocking && stuck.given_up && stuck.since >= snapshot.started_at);
            assert_eq!(engine.left_behind(), 1);
            gate.let_one_pass();
            until("the next one begins", || gate.begun() > attempt).await;
        }
        let error = run.await.unwrap_err().to_string();
        assert!(error.contains("timeout of 20ms: its code cannot be stopped and goes on"), "{error}");
        assert_eq!((gate.begun(), gate.most()), (3, 1), "never two at once");
        gate.open();
        until("it has returned", || engine.left_behind() == 0).await;
    });
}

#[test]
fn a_cancelled_run_leaves_the_place_of_its_code_taken() {
    in_time(2, async {
        let (world, gate, _opens) = world();
        let engine = Engine::in_memory().resources(world).grace(Duration::ZERO).start().await.unwrap();
        let first = engine.start(alone(1)).await.unwrap();
        until("it begins", || gate.begun() == 1).await;
        first.cancel().await.unwrap();
        let handle = first.clone();
        assert!(matches!(first.await, Err(Error::Cancelled { .. })));
        assert_eq!(handle.snapshot().stuck.len(), 1, "also where the run has ended");
        let second = engine.start(alone(2)).await.unwrap();
        let waits = |run: &Run<u64>| state(&run.snapshot(), "alone/done") == StepState::Waiting(Wait::Slot);
        until("it waits", || waits(&second)).await;
        assert_eq!(gate.begun(), 1);
        gate.let_one_pass();
        until("the place is free", || gate.begun() == 2).await;
        assert_eq!(handle.snapshot().stuck.len(), 0);
        gate.open();
        assert_eq!(second.await.unwrap(), 2);
        assert_eq!(gate.most(), 1);
    });
}

#[task(blocking, concurrency = 1)]
fn one(#[resource] gate: &Gate, number: u64) -> u64 {
    gate.pass();
    number
}

workflow! {
    fn alone(number: u64) -> Result<u64> {
        let done = one(number);
        Ok(done)
    }
}

#[task(blocking, timeout = "20ms")]
fn slow(#[resource] gate: &Gate, number: u64) -> std::io::Result<u64> {
    gate.pass();
    Ok(number)
}

#[task]
async fn failures(results: &[Result<u64, workflow_runtime::StepError>]) -> u64 {
    results.iter().filter(|result| result.is_err()).count() as u64
}

workflow! {
    fn two_items_at_a_time(numbers: Vec<u64>) -> Result<u64> {
        #[limit(2)]
        let results = for number in numbers {
            let result = slow(number);
            result
        };
        let failed = failures(&results);
        Ok(failed)
    }
}

#[test]
fn the_limit_of_a_for_counts_code_that_goes_on() {
    in_time(2, async {
        let (world, gate, _opens) = world();
        let engine = Engine::in_memory().resources(world).start().await.unwrap();
        let run = engine.start(two_items_at_a_time((0..6).collect())).await.unwrap();
        for left in [2, 3, 4, 5, 6] {
            until("those that began are over their time", || run.snapshot().stuck.len() == 2).await;
            assert_eq!(gate.begun(), left, "{:?}", run.snapshot().stuck);
            gate.let_one_pass();
            until("the next one begins", || gate.begun() == left + 1 || left == 6).await;
        }
        gate.open();
        assert_eq!(run.await.unwrap(), 6);
        assert_eq!((gate.begun(), gate.most()), (6, 2));
    });
}

#[test]
fn a_cancelled_run_ends_though_items_wait_for_code_to_return() {
    in_time(2, async {
        let (world, gate, _opens) = world();
        let engine = Engine::in_memory().resources(world).start().await.unwrap();
        let run = engine.start(two_items_at_a_time((0..6).collect())).await.unwrap();
        until("the first are over their time", || run.snapshot().stuck.len() == 2).await;
        run.cancel().await.unwrap();
        assert!(matches!(run.await, Err(Error::Cancelled { .. })));
        assert_eq!(gate.begun(), 2);
    });
}

#[task(blocking)]
fn long(#[resource] gate: &Gate, number: u64) -> u64 {
    gate.pass();
    number
}

workflow! {
    fn many(numbers: Vec<u64>) -> Result<u64> {
        let done = for number in numbers { long(number) };
        Ok(done.iter().sum())
    }
}

#[task(cache = "1h")]
async fn remembered(number: u64) -> u64 {
    number + 1
}

#[task]
async fn plain(number: u64) -> u64 {
    number
}

workflow! {
    fn asks(number: u64) -> Result<u64> {
        let again = remembered(number);
        let same = plain(again);
        Ok(same)
    }
}

workflow! {
    fn sleeps(number: u64) -> Result<u64> {
        let _said = signal::<bool>("go");
        Ok(number)
    }
}

/// A folder for a store, which goes with the test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("workflow-blocking-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> std::path::PathBuf {
        self.0.join("runs.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_engine_never_waits_behind_threads_of_its_users() {
    in_time(2, async {
        let (world, gate, opens) = world();
        let folder = Folder::new("busy");
        // The runtime's own thread for what blocks is taken as well.
        let others = gate.clone();
        let taken = tokio::task::spawn_blocking(move || others.pass());
        until("it is taken", || gate.begun() == 1).await;

        let engine = Engine::open(folder.store()).resources(world).grace(Duration::from_millis(10));
        let engine = engine.register::<sleeps>().start().await.unwrap();
        let asleep = engine.start(sleeps(3)).await.unwrap();
        let id = asleep.id().to_owned();
        drop(asleep);
        let run = engine.start(many((0..600).collect())).await.unwrap();
        until("all of them begin", || gate.begun() == 601).await;

        assert_eq!(engine.start(asks(1)).await.unwrap().await.unwrap(), 2);
        assert_eq!(engine.start(asks(1)).await.unwrap().await.unwrap(), 2, "from memory");
        let awake = engine.run(&id).await.unwrap();
        awake.signal(sleeps::go, true).await.unwrap();
        awake.wait().await;
        assert_eq!(awake.state(), RunState::Succeeded);
        let other = engine.start(many(vec![1])).await.unwrap();
        other.cancel().await.unwrap();
        assert!(matches!(other.await, Err(Error::Cancelled { .. })));

        let begun = Instant::now();
        engine.shutdown().await;
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not wait for what blocks");
        assert!(matches!(run.await, Err(Error::ShutDown)));
        drop(opens);
        taken.await.unwrap();
    });
}

#[test]
fn the_time_of_an_attempt_begins_when_its_code_does() {
    // One thread for what blocks, under a clock that the test steers.
    let runtime =
        Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        let (world, gate, _opens) = world();
        let engine = Engine::in_memory().resources(world).start().await.unwrap();
        let first = engine.start(many(vec![1])).await.unwrap();
        until("the thread is taken", || gate.begun() == 1).await;
        let second = engine.start(timed(2)).await.unwrap();
        until("it is under way", || state(&second.snapshot(), "timed/done") == StepState::Running).await;
        tokio::time::advance(Duration::from_secs(3600)).await;
        gate.open();
        assert_eq!(first.await.unwrap(), 1);
        assert_eq!(second.await.unwrap(), 2, "it has waited for a thread, and not run");
    });
}

#[task(blocking, timeout = "10s")]
fn quick(number: u64) -> u64 {
    number
}

workflow! {
    fn timed(number: u64) -> Result<u64> {
        let done = quick(number);
        Ok(done)
    }
}

#[task]
async fn spins(#[resource] gate: &Gate, number: u64) -> u64 {
    gate.spin().await;
    number
}

/// Is dropped, and that takes for ever.
struct Sticky(Gate);

impl Drop for Sticky {
    fn drop(&mut self) {
        self.0.pass();
    }
}

#[task]
async fn sticks(#[resource] gate: &Gate, number: u64) -> u64 {
    let _sticky = Sticky(gate.clone());
    std::future::pending::<()>().await;
    number
}

workflow! {
    fn sticking(number: u64) -> Result<u64> {
        let done = sticks(number);
        Ok(done)
    }
}

#[task]
async fn spins_later(#[resource] gate: &Gate, number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    gate.spin().await;
    number
}

#[task(timeout = "20ms")]
async fn spins_past_its_time(#[resource] gate: &Gate, number: u64) -> u64 {
    gate.spin().await;
    number
}

workflow! {
    fn spinning(number: u64) -> Result<u64> {
        let before = plain(number);
        let done = spins(before);
        Ok(done)
    }
}

workflow! {
    fn spinning_later(number: u64) -> Result<u64> {
        let done = spins_later(number);
        Ok(done)
    }
}

workflow! {
    fn spinning_past_its_time(number: u64) -> Result<u64> {
        let done = spins_past_its_time(number);
        Ok(done)
    }
}

workflow! {
    fn beside(number: u64) -> Result<u64> {
        let before = plain(number);
        let done = spins(before);
        let other = plain(before);
        let gone = plain(other);
        Ok(done + gone)
    }
}

async fn spinning_engine(world: World) -> Engine<World> {
    Engine::in_memory().resources(world).grace(Duration::from_millis(10)).start().await.unwrap()
}

#[test]
fn a_run_is_cancelled_though_a_poll_does_not_return() {
    for threads in [1, 2] {
        in_time(threads, async {
            let (world, gate, _opens) = world();
            let engine = spinning_engine(world).await;
            let run = engine.start(spinning(1)).await.unwrap();
            until("it spins", || gate.begun() == 1).await;
            run.cancel().await.unwrap();
            let handle = run.clone();
            assert!(matches!(run.await, Err(Error::Cancelled { .. })));
            let stuck = handle.snapshot().stuck;
            assert_eq!(
                (&*stuck[0].step, stuck[0].given_up, stuck[0].blocking),
                ("spinning/done", true, false)
            );
            assert_eq!(engine.left_behind(), 1);
            gate.open();
            until("it has returned", || engine.left_behind() == 0).await;
            assert!(handle.snapshot().stuck.is_empty());
        });
    }
}

#[test]
fn a_run_is_cancelled_though_a_later_poll_does_not_return() {
    for threads in [1, 2] {
        in_time(threads, async {
            let (world, gate, _opens) = world();
            let engine = spinning_engine(world).await;
            let run = engine.start(spinning_later(1)).await.unwrap();
            until("it spins", || gate.begun() == 1).await;
            run.cancel().await.unwrap();
            assert!(matches!(run.await, Err(Error::Cancelled { .. })));
            gate.open();
            until("it has returned", || engine.left_behind() == 0).await;
        });
    }
}

#[test]
fn a_run_is_cancelled_though_its_attempt_cannot_be_dropped() {
    in_time(2, async {
        let (world, gate, _opens) = world();
        let engine = spinning_engine(world).await;
        let run = engine.start(sticking(1)).await.unwrap();
        until("it waits", || state(&run.snapshot(), "sticking/done") == StepState::Running).await;
        run.cancel().await.unwrap();
        assert!(matches!(run.await, Err(Error::Cancelled { .. })));
        assert_eq!((gate.begun(), engine.left_behind()), (1, 1));
        gate.open();
        until("it has returned", || engine.left_behind() == 0).await;
    });
}

#[test]
fn a_poll_past_its_time_is_given_up() {
    for threads in [1, 2] {
        in_time(threads, async {
            let (world, gate, _opens) = world();
            let engine = spinning_engine(world).await;
            let run = engine.start(spinning_past_its_time(1)).await.unwrap();
            let Err(Error::Failed { error, .. }) = run.await else { panic!("it cannot succeed") };
            assert_eq!((error.failure().cause, gate.begun()), (Cause::Timeout, 1));
            assert!(error.to_string().contains("does not return from its poll"), "{error}");
        });
    }
}

#[test]
fn the_engine_shuts_down_though_polls_do_not_return() {
    for threads in [1, 2] {
        in_time(threads, async move {
            let (world, gate, _opens) = world();
            let folder = Folder::new(&format!("spinning-{threads}"));
            let engine = Engine::open(folder.store()).resources(world).grace(Duration::from_millis(10));
            let engine = engine.start().await.unwrap();
            let run = engine.start(spinning(1)).await.unwrap();
            until("it spins", || gate.begun() == 1).await;
            let begun = Instant::now();
            engine.shutdown().await;
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
            assert!(matches!(run.await, Err(Error::ShutDown)));
        });
    }
}

/// What an expression of the test below calls.
trait Stubborn {
    fn until_it_may(self) -> Self;
}

static MAY: AtomicBool = AtomicBool::new(false);
static IN_IT: AtomicBool = AtomicBool::new(false);

impl Stubborn for u64 {
    fn until_it_may(self) -> Self {
        IN_IT.store(true, Ordering::SeqCst);
        while !MAY.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        self
    }
}

workflow! {
    fn stubborn(number: u64) -> Result<u64> {
        let done = plain(number);
        Ok(done.until_it_may())
    }
}

#[test]
fn an_expression_that_does_not_return_holds_up_its_run_alone() {
    in_time(2, async {
        let (world, _, _) = world();
        let engine = spinning_engine(world).await;
        let run = engine.start(stubborn(1)).await.unwrap();
        until("it is evaluated", || IN_IT.load(Ordering::SeqCst)).await;
        assert_eq!(engine.start(asks(1)).await.unwrap().await.unwrap(), 2);
        // Whoever wants something of it is told, and waits no longer.
        let told = run.cancel().await.unwrap_err().to_string();
        assert!(told.contains("an expression of `stubborn` has not returned"), "{told}");
        engine.shutdown().await;
        MAY.store(true, Ordering::SeqCst);
        assert_eq!(run.await.unwrap(), 1);
    });
}

#[test]
fn a_poll_that_does_not_return_holds_nothing_else() {
    in_time(2, async {
        let (world, gate, _opens) = world();
        let engine = spinning_engine(world).await;
        let run = engine.start(beside(1)).await.unwrap();
        until("it spins", || gate.begun() == 1).await;
        let is_done = |step: &str| matches!(state(&run.snapshot(), step), StepState::Succeeded { .. });
        until("the rest of its run goes on", || is_done("beside/gone")).await;
        assert_eq!(engine.start(asks(1)).await.unwrap().await.unwrap(), 2, "so do other runs");
        until("it is seen", || run.snapshot().stuck.len() == 1).await;
        let stuck = &run.snapshot().stuck[0];
        assert_eq!(
            (&*stuck.step, stuck.given_up),
            ("beside/done", false),
            "it has all the time that it wants"
        );
        gate.open();
        let handle = run.clone();
        assert_eq!(run.await.unwrap(), 2);
        assert!(handle.snapshot().stuck.is_empty());
    });
}

#[test]
fn a_run_whose_runtime_has_ended_is_not_awaited_for_ever() {
    let (first, second) = (runtime(2), runtime(1));
    let folder = Folder::new("gone");
    let begun = |store: bool| {
        let path = folder.store();
        first.block_on(async move {
            let (world, _, _) = world();
            let engine = if store { Engine::open(path) } else { Engine::in_memory() };
            let engine = engine.resources(world).start().await.unwrap();
            let run = engine.start(sleeps(1)).await.unwrap();
            (engine, run)
        })
    };
    let (engine, run) = begun(false);
    let (stored_engine, stored) = begun(true);
    let (waiting, mut events) = (stored.clone(), stored.events());
    let awaited = second.spawn(async move { waiting.await });
    let told = second.spawn(async move { while events.next().await.is_some() {} });
    drop(first);
    let all = async {
        assert!(matches!(awaited.await.unwrap(), Err(Error::ShutDown)), "awaited before");
        told.await.unwrap();
        for (engine, run) in [(engine, run), (stored_engine, stored)] {
            assert!(matches!(engine.start(sleeps(2)).await, Err(Error::ShutDown)));
            assert!(matches!(run.signal(sleeps::go, true).await, Err(Error::ShutDown)));
            assert!(matches!(run.cancel().await, Err(Error::ShutDown)));
            let by = By { actor: "ada".to_owned(), reason: None };
            assert!(engine.operate(Some(run.id()), Operation::Cancel, by).await.is_err());
            run.wait().await;
            assert!(run.events().next().await.is_some(), "its story can still be read");
            engine.shutdown().await;
            assert!(matches!(run.await, Err(Error::ShutDown)));
        }
    };
    second.block_on(async { tokio::time::timeout(LONG, all).await }).expect("nothing waits for ever");
}
