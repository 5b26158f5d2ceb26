//! Errors, panics, retries and time limits.

use super::support::{self, *};
use crate::error::Error;
use crate::failure::{Cause, StepError};
use crate::policy::Policy;
use crate::run::StepState;
use crate::task::definition::{OnFailure, Step, TaskDef, Yield};
use crate::testing::block_on;

static FLAKY: TaskDef = TaskDef { policy: RETRYING, ..task("flaky") };

workflow!(
    retrying,
    body(
        2,
        steps![step(
            "flaky",
            &[],
            &[],
            1,
            use_of(&FLAKY, &[0], |env, _| {
                let tries = env.lend::<Shared>(0).count();
                let attempt = env.context().attempt();
                assert_eq!(tries, attempt);
                Box::pin(async move { if tries < 3 { failed("not yet") } else { ok(u64::from(tries)) } })
            })
        )],
        Yield::Slot(1),
    )
);

#[test]
fn a_failed_attempt_is_repeated_after_its_backoff() {
    block_on(async {
        let begun = tokio::time::Instant::now();
        let run = engine().await.start(retrying::with(Shared::default())).await.unwrap();
        let handle = run.clone();
        assert_eq!(run.await.unwrap(), 3);
        assert_eq!(begun.elapsed(), seconds(20));
        assert_eq!(handle.trace().attempts("retrying/flaky"), 3);
    });
}

workflow!(
    panicking,
    body(
        3,
        steps![
            step(
                "early",
                &[],
                &[],
                1,
                Step {
                    on_failure: AS_VALUE,
                    ..step("", &[], &[], 1, use_of(&PLAIN, &[], |_, _| panic!("at the start")))
                }
                .kind
            ),
            step(
                "late",
                &[],
                &[],
                2,
                use_of(&PLAIN, &[], |_, _| {
                    Box::pin(async {
                        tokio::task::yield_now().await;
                        panic!("after {}", "a while")
                    })
                })
            ),
        ],
        Yield::Nothing,
    )
);

#[test]
fn a_panic_fails_its_step_and_nothing_else() {
    block_on(async {
        let engine = engine().await;
        let run = engine.start(panicking::with(0_u64)).await.unwrap();
        run.wait().await;
        let failure = |path| run.snapshot().step(path).unwrap().failure.clone().unwrap();
        assert_eq!(failure("panicking/early").cause, Cause::Panic);
        assert_eq!(failure("panicking/early").to_string(), "panicked: at the start");
        assert_eq!(failure("panicking/late").to_string(), "panicked: after a while");
        // The engine is none the worse.
        let next = engine.start(retrying::with(Shared::default())).await.unwrap();
        assert_eq!(next.await.unwrap(), 3);
    });
}

workflow!(panicking_expression, body(1, &[], Yield::Compute(expr(&[0], |_| panic!("in the result")))));

#[test]
fn a_panic_of_an_expression_fails_the_run() {
    block_on(async {
        let run = engine().await.start(panicking_expression::with(0_u64)).await.unwrap();
        let error = run.await.unwrap_err();
        assert!(error.to_string().contains("panicked: in the result"), "{error}");
    });
}

const TEN_SECONDS: Policy = Policy { timeout: Some(seconds(10)), ..RETRYING };
static SLOW: TaskDef = TaskDef { policy: TEN_SECONDS, ..task("slow") };
const BOTH_LIMITS: Policy = Policy { deadline: Some(seconds(25)), ..TEN_SECONDS };
static LATE: TaskDef = TaskDef { policy: BOTH_LIMITS, ..task("late") };

workflow!(
    slow,
    body(
        2,
        steps![step(
            "slow",
            &[],
            &[],
            1,
            use_of(&SLOW, &[0], |env, _| {
                let shared = env.lend::<Shared>(0).clone();
                Box::pin(async move {
                    let _dropped = shared.on_drop("dropped");
                    std::future::pending().await
                })
            })
        )],
        Yield::Slot(1),
    )
);

#[test]
fn an_attempt_that_takes_too_long_is_dropped_and_repeated() {
    block_on(async {
        let shared = Shared::default();
        let begun = tokio::time::Instant::now();
        let run = engine().await.start(slow::with(shared.clone())).await.unwrap();
        let Err(Error::Failed { error, .. }) = run.await else { panic!("it cannot succeed") };
        assert_eq!((error.failure().cause, error.attempts()), (Cause::Timeout, 3));
        assert_eq!(error.failure().to_string(), "took longer than its timeout of 10s");
        assert_eq!(begun.elapsed(), seconds(3 * 10 + 2 * 10));
        assert_eq!(shared.said(), ["dropped"; 3]);
    });
}

workflow!(
    late,
    body(
        2,
        steps![step("late", &[], &[], 1, use_of(&LATE, &[], |_, _| Box::pin(std::future::pending())))],
        Yield::Slot(1),
    )
);

#[test]
fn a_deadline_ends_all_attempts() {
    block_on(async {
        let begun = tokio::time::Instant::now();
        let run = engine().await.start(late::with(0_u64)).await.unwrap();
        let Err(Error::Failed { error, .. }) = run.await else { panic!("it cannot succeed") };
        assert_eq!((error.failure().cause, error.attempts()), (Cause::Timeout, 2));
        assert_eq!(error.failure().to_string(), "the step's deadline is over");
        assert_eq!(begun.elapsed(), seconds(25));
    });
}

workflow!(
    busy_and_slow,
    body(
        2,
        steps![step(
            "busy",
            &[],
            &[],
            1,
            use_of(&SLOW, &[], |_, _| {
                Box::pin(async {
                    loop {
                        tokio::time::advance(seconds(1)).await;
                    }
                })
            })
        )],
        Yield::Slot(1),
    )
);

#[test]
fn a_task_that_never_rests_is_timed_out_too() {
    block_on(async {
        let run = engine().await.start(busy_and_slow::with(0_u64)).await.unwrap();
        let Err(Error::Failed { error, .. }) = run.await else { panic!("it cannot succeed") };
        assert_eq!(error.failure().cause, Cause::Timeout);
    });
}

const fn as_value(step: Step) -> Step {
    Step { on_failure: AS_VALUE, ..step }
}

workflow!(
    lenient,
    body(
        4,
        steps![
            as_value(step(
                "bad",
                &[],
                &[2],
                1,
                use_of(&FLAKY, &[], |_, _| Box::pin(async { failed("broken") }))
            )),
            as_value(step("good", &[], &[2], 2, use_of(&PLAIN, &[], |_, _| Box::pin(async { ok(5) })))),
            step(
                "both",
                &[0, 1],
                &[],
                3,
                use_of(&PLAIN, &[0, 1, 2], |env, _| {
                    let shared = env.lend::<Shared>(0);
                    for index in [1, 2] {
                        match env.lend::<Result<u64, StepError>>(index) {
                            Ok(value) => shared.say(value.to_string()),
                            Err(error) => shared.say(format!("{error}, {} attempts", error.attempts())),
                        }
                    }
                    Box::pin(async { ok(0) })
                })
            ),
        ],
        Yield::Slot(3),
    )
);

#[test]
fn a_failure_can_be_a_value() {
    block_on(async {
        let shared = Shared::default();
        let run = engine().await.start(lenient::with(shared.clone())).await.unwrap();
        let handle = run.clone();
        run.await.unwrap();
        assert_eq!(shared.said(), ["step `lenient/bad` failed: broken, 3 attempts", "5"]);
        handle.trace().assert_state("lenient/bad", StepState::Failed);
        assert!(matches!(AS_VALUE, OnFailure::Value(_)));
    });
}

workflow!(
    deep,
    body(
        2,
        steps![step(
            "items",
            &[],
            &[],
            1,
            crate::task::definition::Kind::Map {
                items: expr(&[], |_| vec![crate::contract::Value::new(0_u64)]),
                region: 1,
                limit: None,
                collect: |_| crate::contract::Value::new(0_u64),
            }
        )],
        Yield::Slot(1),
    ),
    body(
        2,
        steps![step(
            "choice",
            &[],
            &[],
            1,
            crate::task::definition::Kind::Branch { choose: expr(&[], |_| 0), arms: &[2] }
        )],
        Yield::Slot(1)
    ),
    nested(
        "then",
        &[],
        body(
            1,
            steps![step("fails", &[], &[], 0, use_of(&PLAIN, &[], |_, _| Box::pin(async { failed("no") })))],
            Yield::Slot(0)
        )
    ),
);

#[test]
fn the_machine_and_its_observers_name_a_step_alike() {
    block_on(async {
        let run = engine().await.start(deep::with(0_u64)).await.unwrap();
        let handle = run.clone();
        let Err(Error::Failed { error, .. }) = run.await else { panic!("it cannot succeed") };
        assert_eq!(error.step(), "deep/items[0]/choice[then]/fails");
        handle.trace().assert_state(error.step(), StepState::Failed);
        assert!(handle.snapshot().step(error.step()).is_some());
    });
}
