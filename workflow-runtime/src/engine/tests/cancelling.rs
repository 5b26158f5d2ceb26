//! Cancel, losers of a `select!`, and shutdown.

use super::support::{self, *};
use crate::error::Error;
use crate::run::{RunState, StepState};
use crate::task::definition::{Kind, Region, Until, Yield};
use crate::testing::block_on;

workflow!(
    stubborn_and_not,
    body(
        4,
        steps![
            step(
                "polite",
                &[],
                &[],
                1,
                use_of(&PLAIN, &[0], |env, _| {
                    let shared = env.lend::<Shared>(0).clone();
                    Box::pin(async move {
                        env.context().cancelled().await;
                        assert!(env.context().is_cancelled());
                        tokio::time::sleep(seconds(3)).await;
                        shared.say("polite stops by itself");
                        failed("stopped")
                    })
                })
            ),
            step(
                "stubborn",
                &[],
                &[2],
                2,
                use_of(&PLAIN, &[0], |env, _| {
                    let shared = env.lend::<Shared>(0).clone();
                    Box::pin(async move {
                        let _dropped = shared.on_drop("stubborn is dropped");
                        std::future::pending().await
                    })
                })
            ),
            step("never", &[1], &[], 3, use_of(&PLAIN, &[], |_, _| Box::pin(async { ok(0) }))),
        ],
        Yield::Slot(3),
    )
);

#[test]
fn a_cancelled_run_gives_its_attempts_the_grace() {
    block_on(async {
        let shared = Shared::default();
        let engine = builder().grace(seconds(20)).start().await.unwrap();
        let run = engine.start(stubborn_and_not::with(shared.clone())).await.unwrap();
        settle().await;
        let begun = tokio::time::Instant::now();
        run.cancel().await.unwrap();
        assert_eq!(run.state(), RunState::Cancelling);
        let handle = run.clone();
        assert!(matches!(run.await, Err(Error::Cancelled { .. })));
        assert_eq!(begun.elapsed(), seconds(20));
        assert_eq!(shared.said(), ["polite stops by itself", "stubborn is dropped"]);
        handle.trace().assert_never_started("stubborn_and_not/never");
        handle.trace().assert_state("stubborn_and_not/stubborn", StepState::Cancelled);
        assert!(matches!(handle.cancel().await, Err(Error::Ended { .. })));
    });
}

workflow!(
    blocked,
    body(
        2,
        steps![step(
            "thread",
            &[],
            &[],
            1,
            use_of(&BLOCKING, &[0], |env, _| {
                let shared = env.lend::<Shared>(0).clone();
                shared.say("begun");
                while shared.count() < 1_000_000 && !shared.said().contains(&"go on".to_owned()) {
                    std::thread::yield_now();
                }
                shared.say("ended unheard");
                Box::pin(async { ok(0) })
            })
        )],
        Yield::Slot(1),
    )
);

#[tokio::test]
async fn a_run_ends_without_the_thread_that_cannot_be_stopped() {
    let shared = Shared::default();
    let engine = builder().grace(std::time::Duration::ZERO).start().await.unwrap();
    let run = engine.start(blocked::with(shared.clone())).await.unwrap();
    while shared.said().is_empty() {
        tokio::task::yield_now().await;
    }
    run.cancel().await.unwrap();
    assert!(matches!(run.await, Err(Error::Cancelled { .. })));
    assert_eq!(shared.said(), ["begun"]);
    shared.say("go on");
}

const RACE: Region = body(
    2,
    steps![
        step(
            "slow",
            &[],
            &[],
            0,
            use_of(&PLAIN, &[], |env, _| {
                Box::pin(async move {
                    env.context().cancelled().await;
                    std::future::pending().await
                })
            })
        ),
        step("pause", &[], &[], 1, Kind::Sleep(expr(&[], |_| Until::After(seconds(5))))),
    ],
    Yield::Nothing,
);

workflow!(
    racing,
    body(2, steps![step("first", &[], &[], 1, Kind::Select { race: 1, arms: &[2, 3] })], Yield::Slot(1)),
    RACE,
    nested("0", &[], body(1, &[], Yield::Slot(0))),
    nested(
        "1",
        &[0],
        body(
            3,
            steps![step(
                "after",
                &[],
                &[],
                2,
                use_of(&PLAIN, &[0, 1], |env, _| {
                    let () = env.lend::<()>(0);
                    let arm = *env.lend::<u64>(1);
                    Box::pin(async move { ok(arm) })
                })
            )],
            Yield::Slot(2)
        )
    ),
);

#[test]
fn the_losers_of_a_select_are_stopped() {
    block_on(async {
        let begun = tokio::time::Instant::now();
        let run = engine().await.start(racing::with(9_u64)).await.unwrap();
        let handle = run.clone();
        assert_eq!(run.await.unwrap(), 9);
        assert_eq!(begun.elapsed(), seconds(5));
        handle.trace().assert_state("racing/first/slow", StepState::Cancelled);
        // The loser does not end by itself; it is dropped after the grace.
        tokio::time::sleep(seconds(31)).await;
    });
}

#[test]
fn a_shutdown_waits_for_what_can_end_and_interrupts_the_rest() {
    block_on(async {
        let shared = Shared::default();
        let engine = builder().grace(seconds(20)).start().await.unwrap();
        let stuck = engine.start(stubborn_and_not::with(shared.clone())).await.unwrap();
        let soon = engine.start(racing::with(9_u64)).await.unwrap();
        settle().await;
        let begun = tokio::time::Instant::now();
        engine.shutdown().await;
        assert_eq!(begun.elapsed(), seconds(20));
        assert_eq!(shared.said(), ["stubborn is dropped"]);
        assert!(matches!(stuck.clone().await, Err(Error::ShutDown)));
        assert!(matches!(stuck.cancel().await, Err(Error::ShutDown)));
        assert_eq!(soon.await.unwrap(), 9);
        assert!(matches!(engine.start(racing::with(9_u64)).await, Err(Error::ShutDown)));
    });
}
