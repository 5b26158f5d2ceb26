//! Runs that are cancelled in the middle of something.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::tasks::{Oops, oops};
use workflow_runtime::doctor::examine;
use workflow_runtime::run::{RunState, StepState};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Context, Engine, Error, Operation, Resources, task, workflow};

use super::kit::{self, *};
use crate::failing_store::{FailingStore, Fault};

/// The attempt is decided and its commit is on the way: the cancel comes next,
/// and nothing begins.
#[test]
fn an_attempt_that_is_decided_and_not_committed_does_not_begin_once_it_is_cancelled() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        let run = engine.start(waits(1)).await.unwrap();
        settle().await;
        store.always(Some(Fault::Hold));
        let signal = tokio::spawn({
            let run = run.clone();
            async move { run.signal(waits::number, 2).await }
        });
        turns(5).await;
        let cancel = tokio::spawn({
            let (engine, id) = (engine.clone(), run.id().to_owned());
            async move { engine.operate(Some(&id), Operation::Cancel, by("ann")).await }
        });
        settle().await;
        assert_eq!(store.held(), 2);
        store.always(None);
        store.release();
        signal.await.unwrap().unwrap();
        cancel.await.unwrap().unwrap();
        assert!(matches!(run.clone().await, Err(Error::Cancelled { .. })));
        assert_eq!(run.snapshot().step("waits/sum").unwrap().state, StepState::Cancelled);
    });
    assert_eq!(world.starts("waits/sum"), 0);
    healthy(&store);
}

#[test]
fn a_backoff_does_not_hold_a_cancel_up_and_what_was_booked_is_undone() {
    for asleep in [false, true] {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        world.break_it(true);
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            let run = engine.start(pays(1)).await.unwrap();
            let id = run.id().to_owned();
            let held = Some(run).filter(|_| !asleep);
            settle().await;
            let begun = tokio::time::Instant::now();
            engine.operate(Some(&id), Operation::Cancel, by("ann")).await.unwrap();
            engine.run(&id).await.unwrap().wait().await;
            assert!(begun.elapsed() < Duration::from_secs(1));
            assert_eq!(state(&store, &id), RunState::Cancelled);
            drop(held);
        });
        // `booked` itself, and its undo under the same path.
        assert_eq!((world.starts("pays/booked"), world.starts("pays/paid")), (2, 1));
        healthy(&store);
    }
}

#[derive(Default)]
struct Seats {
    booked: AtomicUsize,
    given_back: AtomicUsize,
}

#[derive(Resources)]
struct Hall {
    seats: Arc<Seats>,
}

#[task(undo = give_back)]
async fn take(n: u64, #[context] cx: &Context, #[resource] seats: &Arc<Seats>) -> Result<u64, Oops> {
    if n % 2 == 1 {
        // An odd one takes its time, and gives up when it is told to.
        cx.cancelled().await;
        return Err(oops("given up"));
    }
    seats.booked.fetch_add(1, Ordering::SeqCst);
    Ok(n)
}

#[task(retry(attempts = 5, backoff = fixed("1s")))]
async fn give_back(_taken: &u64, #[resource] seats: &Arc<Seats>) {
    seats.given_back.fetch_add(1, Ordering::SeqCst);
}

workflow! {
    fn seat(n: u64) -> Result<u64> {
        let first = take(n * 2)?;
        let second = take(first + 1)?;
        Ok(second)
    }
}

workflow! {
    fn seats_of_all(items: Vec<u64>) -> Result<Vec<u64>> {
        #[limit(2)]
        let all = for item in items {
            let taken = seat(item)?;
            taken
        };
        Ok(all)
    }
}

async fn hall(store: &Arc<FailingStore>, seats: &Arc<Seats>) -> Engine<Hall> {
    let builder = Engine::with_store(store.clone()).resources(Hall { seats: seats.clone() });
    builder.grace(Duration::from_secs(5)).register::<seats_of_all>().start().await.unwrap()
}

/// Two of five children of a `for` are open, each in its second step.
#[test]
fn a_for_that_is_partly_open_is_cancelled_as_a_whole() {
    let (store, seats) = (FailingStore::new(), Arc::new(Seats::default()));
    block_on(async {
        let engine = hall(&store, &seats).await;
        let run = engine.start(seats_of_all((0..5).collect())).await.unwrap();
        settle().await;
        assert_eq!(seats.booked.load(Ordering::SeqCst), 2);
        run.cancel().await.unwrap();
        assert!(matches!(run.await, Err(Error::Cancelled { .. })));
    });
    assert_eq!((seats.booked.load(Ordering::SeqCst), seats.given_back.load(Ordering::SeqCst)), (2, 2));
    let report = examine(&store.memory, &[seats_of_all::GRAPH]).unwrap();
    assert!(report.is_healthy(), "{report}");
}

/// The engine shuts down, or dies, at every commit of the cancel and of what
/// is undone; the next one ends it, and every seat is given back.
#[test]
fn an_undo_that_is_interrupted_goes_on_with_the_next_engine() {
    for shuts_down in [true, false] {
        for commit in 0..8 {
            let (store, seats) = (FailingStore::new(), Arc::new(Seats::default()));
            let id = block_on(async {
                let engine = hall(&store, &seats).await;
                let run = engine.start(seats_of_all((0..5).collect())).await.unwrap();
                settle().await;
                store.after(commit, Fault::Hold);
                let cancel = tokio::spawn({
                    let run = run.clone();
                    async move { run.cancel().await }
                });
                settle().await;
                let id = run.id().to_owned();
                if shuts_down {
                    let down = tokio::spawn(async move { engine.shutdown().await });
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    store.release();
                    down.await.unwrap();
                }
                cancel.abort();
                id
            });
            let store = store.reopen();
            block_on(async {
                let engine = hall(&store, &seats).await;
                settle().await;
                let run = engine.run(&id).await.unwrap();
                let ended = tokio::time::timeout(Duration::from_secs(600), run.wait()).await;
                assert!(ended.is_ok(), "{shuts_down} {commit}: {:?}", run.snapshot());
                assert_eq!(run.state(), RunState::Cancelled);
            });
            let (booked, back) =
                (seats.booked.load(Ordering::SeqCst), seats.given_back.load(Ordering::SeqCst));
            // Attempts whose end was not committed are made again.
            assert!(booked == 2 && back >= 2, "{shuts_down} {commit}: {booked} booked, {back} given back");
            let report = examine(&store.memory, &[seats_of_all::GRAPH]).unwrap();
            assert!(report.is_healthy(), "{shuts_down} {commit}: {report}");
        }
    }
}
