//! Two operators at once, whatever they want, on runs in every situation: each
//! is told that it is done or why not, and the run is in order afterwards.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use support::Random;
use workflow_runtime::testing::block_on;
use workflow_runtime::{Engine, Error, Operation, Result};

use super::kit::{self, *};
use crate::failing_store::{FailingStore, Fault};

/// What the run is doing when the two come.
#[derive(Clone, Copy, Debug)]
enum Situation {
    Asleep,
    Held,
    Paused,
    InBackoff,
    AtWork,
    Failed,
    /// Its process has died, and the next one has just started.
    Orphaned,
}

use Situation::{Asleep, AtWork, Failed, Held, InBackoff, Orphaned, Paused};

const SITUATIONS: [Situation; 7] = [Asleep, Held, Paused, InBackoff, AtWork, Failed, Orphaned];

impl Situation {
    fn workflow(self) -> &'static str {
        match self {
            Asleep | Held | Paused => "waits",
            InBackoff => "pays",
            AtWork | Orphaned => "runs",
            Failed => "fails",
        }
    }

    /// What operators may want of it.
    fn operations(self) -> Vec<Operation> {
        let (step, from) = match self {
            Asleep | Held | Paused => ("waits/number", "waits/m"),
            InBackoff => ("pays/paid", "pays/paid"),
            AtWork | Orphaned => ("runs/m", "runs/m"),
            Failed => ("fails/m", "fails/m"),
        };
        vec![
            RETRY,
            Operation::Retry { step: Some(step.to_owned()) },
            set(step, json!(5)),
            Operation::Fork { from: from.to_owned() },
            Operation::Pause,
            Operation::Resume,
            Operation::Cancel,
            number(3),
            Operation::Adopt,
        ]
    }
}

fn start(engine: &Engine<App>, situation: Situation) -> impl Future<Output = Result<String>> {
    let params = [("n".to_owned(), json!(1))].into();
    let start = Operation::Start { workflow: situation.workflow().to_owned(), params, key: None };
    let engine = engine.clone();
    async move { engine.operate(None, start, by("ann")).await }
}

/// One pair, and an interleaving that follows from a seed.
fn pair(situation: Situation, first: &Operation, second: &Operation, seed: u64) {
    let mut random = Random::new(seed);
    let (mut store, world) = (FailingStore::new(), Arc::new(World::default()));
    let words = format!("{situation:?}: {first:?} and {second:?}, seed {seed}");
    world.break_it(true);
    let orphan = matches!(situation, Orphaned).then(|| {
        let id = block_on(async {
            let engine = kit::engine(&store, &world).await;
            let id = start(&engine, situation).await.unwrap();
            settle().await;
            id
        });
        store = store.reopen();
        id
    });
    block_on(async {
        let engine = kit::engine(&store, &world).await;
        let (id, ready) = match orphan {
            Some(id) => (id, false),
            None => (start(&engine, situation).await.unwrap(), true),
        };
        let held = match situation {
            Held => Some(engine.run(&id).await.unwrap()),
            _ => None,
        };
        if ready {
            settle().await;
        }
        if let Paused = situation {
            engine.operate(Some(&id), Operation::Pause, by("ann")).await.unwrap();
        }
        world.break_it(random.chance(50));
        store.always(Some(Fault::Hold));
        let mut asked = Vec::new();
        for operation in [first, second] {
            let (engine, id, operation) = (engine.clone(), id.clone(), operation.clone());
            asked.push(tokio::spawn(async move { engine.operate(Some(&id), operation, by("ann")).await }));
            turns(random.below(4)).await;
        }
        while !asked.iter().all(tokio::task::JoinHandle::is_finished) {
            if store.held() > 0 && random.chance(50) {
                store.release_first();
            }
            // Lets blocking work end, too.
            match random.chance(20) {
                true => tokio::time::sleep(Duration::from_millis(1)).await,
                false => turns(1).await,
            }
        }
        store.always(None);
        store.release();
        let mut signalled = 0;
        for (asked, operation) in asked.into_iter().zip([first, second]) {
            match asked.await.unwrap() {
                Ok(_) => signalled += usize::from(matches!(operation, Operation::Signal { .. })),
                Err(Error::Refused { .. } | Error::Ended { .. } | Error::UnknownSignal { .. }) => {}
                Err(error) => panic!("{words}: {error}"),
            }
        }
        settle().await;
        assert_eq!(heard(&store, &id, "signalled"), signalled, "{words}");
        drop(held);
        // Whatever they have made of it, it can be ended.
        world.break_it(false);
        for run in rows(&store) {
            if run.end.is_none() {
                engine.operate(Some(&run.id), Operation::Cancel, by("bob")).await.unwrap();
            }
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        settle().await;
    });
    for run in rows(&store) {
        assert!(run.end.is_some(), "{words}: {run:?}");
    }
    healthy(&store);
}

#[test]
fn two_operators_at_once_leave_a_run_in_order() {
    let seeds = std::env::var("WORKFLOW_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1);
    for seed in 0..seeds {
        for (number, situation) in (0..).zip(SITUATIONS) {
            let operations = situation.operations();
            for (a, first) in (0..).zip(&operations) {
                for (b, second) in (0..).zip(&operations).skip(a as usize) {
                    let seed = seed * 1_000 + number * 100 + a * 10 + b;
                    let (first, second) = if seed % 2 == 0 { (first, second) } else { (second, first) };
                    pair(situation, first, second, seed);
                }
            }
        }
    }
}
