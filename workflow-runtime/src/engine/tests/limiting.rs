//! `concurrency` and `rate`, over all runs of an engine.

use super::support::{self, *};
use crate::policy::Rate;
use crate::task::definition::{TaskDef, Yield};
use crate::testing::block_on;

static NARROW: TaskDef = TaskDef { concurrency: Some(2), ..task("narrow") };

workflow!(
    narrow,
    body(
        2,
        steps![step(
            "narrow",
            &[],
            &[],
            1,
            use_of(&NARROW, &[0], |env, _| {
                let shared = env.lend::<Shared>(0).clone();
                Box::pin(async move {
                    shared.enter();
                    tokio::time::sleep(seconds(10)).await;
                    shared.leave();
                    ok(0)
                })
            })
        )],
        Yield::Slot(1),
    )
);

#[test]
fn concurrency_holds_over_all_runs() {
    block_on(async {
        let (engine, shared) = (engine().await, Shared::default());
        let begun = tokio::time::Instant::now();
        let mut runs = Vec::new();
        for _ in 0..6 {
            runs.push(engine.start(narrow::with(shared.clone())).await.unwrap());
        }
        for run in runs {
            run.await.unwrap();
        }
        assert_eq!(shared.most(), 2);
        assert_eq!(begun.elapsed(), seconds(30));
    });
}

#[test]
fn what_is_cancelled_gives_its_place_back() {
    block_on(async {
        let shared = Shared::default();
        let engine = builder().grace(seconds(1)).start().await.unwrap();
        let mut runs = Vec::new();
        for _ in 0..4 {
            runs.push(engine.start(narrow::with(shared.clone())).await.unwrap());
        }
        settle().await;
        // Two run, two wait for a place: one of each goes.
        runs[0].cancel().await.unwrap();
        runs[2].cancel().await.unwrap();
        let begun = tokio::time::Instant::now();
        runs.pop().unwrap().await.unwrap();
        assert_eq!(begun.elapsed(), seconds(11));
    });
}

static STEADY: TaskDef = TaskDef { rate: Some(Rate { count: 2, per: seconds(10) }), ..task("steady") };

workflow!(
    steady,
    body(
        2,
        steps![step("steady", &[], &[], 1, use_of(&STEADY, &[], |_, _| Box::pin(async { ok(0) })))],
        Yield::Slot(1)
    )
);

#[test]
fn a_rate_holds_over_all_runs() {
    block_on(async {
        let engine = engine().await;
        let begun = tokio::time::Instant::now();
        for _ in 0..5 {
            engine.start(steady::with(0_u64)).await.unwrap().await.unwrap();
        }
        assert_eq!(begun.elapsed(), seconds(20));
    });
}
