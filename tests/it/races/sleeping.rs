//! Runs that fall asleep or wake up at the very moment they are sent something.

use std::sync::Arc;
use std::time::Duration;

use support::Random;
use workflow_runtime::run::RunState;
use workflow_runtime::testing::block_on;

use super::kit::{self, *};
use crate::failing_store::{FailingStore, Fault};

const ROUNDS: u64 = 60;

/// Every number is added once, whoever sends it and whenever it comes.
#[test]
fn a_signal_at_the_edge_of_sleep_is_neither_lost_nor_heard_twice() {
    for seed in 0..3 {
        let mut random = Random::new(seed);
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            let id = engine.start(counts(ROUNDS)).await.unwrap().id().to_owned();
            let mut sum = 0;
            for round in 0..ROUNDS {
                match random.below(4) {
                    0 => {}
                    1 => turns(random.below(12)).await,
                    2 => tokio::time::sleep(Duration::from_millis(random.below(3))).await,
                    _ => settle().await,
                }
                if random.chance(20) {
                    store.after(random.below(2) as usize, Fault::Hold);
                }
                sum += round;
                let sent = {
                    let (engine, id, by_handle) = (engine.clone(), id.clone(), random.chance(50));
                    tokio::spawn(async move {
                        if by_handle {
                            engine.run(&id).await.unwrap().signal(counts::number, round).await.unwrap();
                        } else {
                            engine.operate(Some(&id), number(round), by("ann")).await.unwrap();
                        }
                    })
                };
                while !sent.is_finished() {
                    turns(random.below(6)).await;
                    store.release();
                    tokio::time::sleep(Duration::from_micros(random.below(2_000))).await;
                }
                sent.await.unwrap();
            }
            let run = engine.run(&id).await.unwrap();
            store.release();
            settle().await;
            store.release();
            tokio::time::timeout(Duration::from_secs(60), run.wait()).await.unwrap();
            assert_eq!(run.result().unwrap().unwrap(), sum.to_string().as_bytes());
            assert_eq!(heard(&store, &id, "signalled"), ROUNDS as usize);
        });
        healthy(&store);
    }
}

/// The same on real threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn signals_of_many_threads_are_each_heard_once() {
    let (store, world) = (FailingStore::new(), Arc::new(World::default()));
    let engine = kit::engine(&store, &world).await;
    let mut runs = Vec::new();
    for _ in 0..8 {
        runs.push(engine.start(counts(40)).await.unwrap().id().to_owned());
    }
    let mut sent = Vec::new();
    for sender in 0..4_u64 {
        let (engine, runs) = (engine.clone(), runs.clone());
        sent.push(tokio::spawn(async move {
            let mut random = Random::new(sender);
            for number in 0..10 {
                for id in &runs {
                    if random.chance(30) {
                        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(2)))
                            .await
                            .unwrap();
                    }
                    engine.run(id).await.unwrap().signal(counts::number, number).await.unwrap();
                }
            }
        }));
    }
    for sent in sent {
        sent.await.unwrap();
    }
    for id in &runs {
        let run = engine.run(id).await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), run.wait()).await.unwrap();
        assert_eq!(run.result().unwrap().unwrap(), b"180");
        assert_eq!(state(&store, id), RunState::Succeeded);
    }
    drop(engine);
    healthy(&store);
}

/// Timers that wake runs while operators come for them.
#[test]
fn a_run_that_wakes_in_time_and_is_asked_for_just_then_is_one_run() {
    for moment in 0..40 {
        let (store, world) = (FailingStore::new(), Arc::new(World::default()));
        block_on(async {
            let engine = kit::engine(&store, &world).await;
            let id = engine.start(waits(1)).await.unwrap().id().to_owned();
            settle().await;
            // Three days, to the moment.
            tokio::time::sleep(Duration::from_secs(3 * 86_400) - Duration::from_millis(30)).await;
            tokio::time::sleep(Duration::from_micros(moment * 500)).await;
            turns(moment % 7).await;
            let sent = engine.operate(Some(&id), number(4), by("ann")).await.is_ok();
            settle().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            let succeeded = state(&store, &id) == RunState::Succeeded;
            assert_eq!((succeeded, heard(&store, &id, "signalled")), (sent, usize::from(sent)), "{moment}");
        });
        assert_eq!(world.starts("waits/m"), 1);
        healthy(&store);
    }
}
