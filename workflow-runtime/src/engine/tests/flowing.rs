//! Values on their way through every kind of step, and work on all threads.

use std::sync::{Arc, Barrier};

use super::support::{self, *};
use crate::error::Error;
use crate::task::definition::{Kind, Numbers, TaskStep, UndoDef, Until, Yield};
use crate::testing::block_on;
use crate::value::Value;
use crate::{Ended, Task};

workflow!(
    diamond,
    body(
        5,
        steps![
            step("top", &[], &[1, 2], 1, use_of(&PLAIN, &[], |_, _| Box::pin(async { ok(2) }))),
            step(
                "left",
                &[0],
                &[3],
                2,
                use_of(&PLAIN, &[1], |env, _| {
                    let top = *env.lend::<u64>(0);
                    Box::pin(async move { ok(top + 1) })
                })
            ),
            step(
                "right",
                &[0],
                &[3],
                3,
                use_of(&PLAIN, &[1], |env, _| {
                    let top = *env.lend::<u64>(0);
                    Box::pin(async move {
                        tokio::task::yield_now().await;
                        ok(top * 10)
                    })
                })
            ),
            step(
                "bottom",
                &[1, 2],
                &[],
                4,
                use_of(&PLAIN, &[2, 3], |env, _| {
                    let sum = env.lend::<u64>(0) + env.lend::<u64>(1);
                    Box::pin(async move { ok(sum) })
                })
            ),
        ],
        Yield::Slot(4),
    )
);

#[test]
fn a_step_gets_the_values_of_the_steps_it_uses() {
    block_on(async {
        let run = engine().await.start(diamond::with(0_u64)).await.unwrap();
        let handle = run.clone();
        assert_eq!(run.await.unwrap(), 23);
        handle.trace().assert_order(["diamond/top", "diamond/left", "diamond/bottom"]);
        handle.trace().assert_order(["diamond/right", "diamond/bottom"]);
    });
}

workflow!(
    regions,
    body(
        6,
        &[
            // for item in 0..4 { item * 2 }
            step(
                "doubled",
                &[],
                &[1],
                1,
                Kind::Map {
                    items: expr(&[], |_| (0..4_u64).map(Value::new).collect()),
                    region: 1,
                    limit: Some(2),
                    collect: |values| Value::new(
                        values.iter().map(|v| *v.get::<u64>().unwrap()).collect::<Vec<u64>>()
                    ),
                }
            ),
            // while n < 100 { n = n + first(doubled) + 30 }
            step(
                "grown",
                &[0],
                &[2],
                2,
                Kind::Loop {
                    initial: expr(&[1], |env| vec![Value::new(env.lend::<Vec<u64>>(0)[3])]),
                    test: expr(&[0], |env| *env.lend::<u64>(0) < 100),
                    region: 2,
                    limit: 10,
                }
            ),
            // if grown > 100 { big } else { small }
            step(
                "chosen",
                &[1],
                &[],
                3,
                Kind::Branch {
                    choose: expr(&[2], |env| usize::from(*env.lend::<u64>(0) <= 100)),
                    arms: &[3, 4],
                }
            ),
        ],
        Yield::Slot(3),
    ),
    body(
        2,
        steps![step(
            "twice",
            &[],
            &[],
            1,
            use_of(&PLAIN, &[0], |env, _| {
                let item = *env.lend::<u64>(0);
                Box::pin(async move { ok(item * 2) })
            })
        )],
        Yield::Slot(1)
    ),
    crate::task::definition::Region {
        carried: &[2],
        ..nested(
            "",
            &[1],
            body(
                3,
                steps![step(
                    "more",
                    &[],
                    &[],
                    2,
                    use_of(&PLAIN, &[0, 1], |env, _| {
                        let sum = env.lend::<u64>(0) + env.lend::<Vec<u64>>(1)[0] + 30;
                        Box::pin(async move { ok(sum) })
                    })
                )],
                Yield::Nothing
            )
        )
    },
    nested(
        "then",
        &[2],
        body(
            2,
            steps![step(
                "big",
                &[],
                &[],
                1,
                use_of(&PLAIN, &[0], |env, _| {
                    let grown = *env.lend::<u64>(0);
                    Box::pin(async move { ok(grown + 1000) })
                })
            )],
            Yield::Slot(1)
        )
    ),
    nested(
        "else",
        &[],
        body(
            1,
            steps![step("small", &[], &[], 0, use_of(&PLAIN, &[], |_, _| { Box::pin(async { ok(0) }) }))],
            Yield::Slot(0)
        )
    ),
);

#[test]
fn regions_pass_values_in_and_out() {
    block_on(async {
        let run = engine().await.start(regions::with(0_u64)).await.unwrap();
        run.wait().await;
        let snapshot = run.snapshot();
        let paths: Vec<&str> = snapshot.steps.iter().map(|step| step.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "regions/doubled",
                "regions/doubled[0]/twice",
                "regions/doubled[1]/twice",
                "regions/doubled[2]/twice",
                "regions/doubled[3]/twice",
                "regions/grown",
                "regions/grown[0]/more",
                "regions/grown[1]/more",
                "regions/grown[2]/more",
                "regions/grown[3]/more",
                "regions/chosen",
                "regions/chosen[then]/big",
                "regions/chosen[else]/small",
            ]
        );
        let skipped = snapshot.step("regions/chosen[else]/small").unwrap();
        assert_eq!(skipped.state, crate::run::StepState::Skipped);
        // 6, 36, 66, 96, 126.
        assert_eq!(run.await.unwrap(), 1126);
    });
}

static CHILD: crate::task::definition::TaskDef = <diamond as Task>::DEF;

workflow!(
    parent,
    body(
        2,
        steps![step(
            "child",
            &[],
            &[],
            1,
            use_of(&CHILD, &[0], |env, _| {
                let shared = Value::new(*env.lend::<u64>(0));
                env.begin(crate::task::Call::<diamond>::new(vec![shared]))
            })
        )],
        Yield::Compute(expr(&[1], |env| Value::new(env.lend::<u64>(0) + 1))),
    )
);

#[test]
fn a_workflow_can_be_a_step() {
    block_on(async {
        let run = engine().await.start(parent::with(0_u64)).await.unwrap();
        let handle = run.clone();
        assert_eq!(run.await.unwrap(), 24);
        handle.trace().assert_order(["parent/child/top", "parent/child/bottom"]);
    });
}

workflow!(
    pausing,
    body(
        3,
        steps![
            step("pause", &[], &[1], 1, Kind::Sleep(expr(&[], |_| Until::After(seconds(86_400))))),
            step("after", &[0], &[], 2, use_of(&PLAIN, &[], |_, _| Box::pin(async { ok(1) }))),
        ],
        Yield::Slot(2),
    )
);

#[test]
fn a_sleep_takes_its_time_on_the_steered_clock() {
    block_on(async {
        let begun = tokio::time::Instant::now();
        let run = engine().await.start(pausing::with(0_u64)).await.unwrap();
        assert_eq!(run.await.unwrap(), 1);
        assert_eq!(begun.elapsed().as_secs(), 86_400);
    });
}

#[test]
fn a_run_outlives_its_engine_and_its_handles() {
    block_on(async {
        let shared = Shared::default();
        drop(engine().await.start(late_word::with(shared.clone())).await.unwrap());
        tokio::time::sleep(seconds(100)).await;
        assert_eq!(shared.said(), ["late"]);
    });
}

workflow!(
    late_word,
    body(
        3,
        steps![
            step("pause", &[], &[1], 1, Kind::Sleep(expr(&[], |_| Until::After(seconds(60))))),
            step(
                "word",
                &[0],
                &[],
                2,
                use_of(&PLAIN, &[0], |env, _| {
                    env.lend::<Shared>(0).say("late");
                    Box::pin(async { ok(1) })
                })
            ),
        ],
        Yield::Slot(2),
    )
);

workflow!(
    meeting,
    body(
        4,
        steps![
            step(
                "one",
                &[],
                &[2],
                1,
                use_of(&PLAIN, &[0], |env, _| {
                    let both = env.lend::<Arc<Barrier>>(0).clone();
                    Box::pin(async move {
                        // On the CPU, so to say: it never gives its thread up.
                        both.wait();
                        ok(1)
                    })
                })
            ),
            step(
                "two",
                &[],
                &[2],
                2,
                use_of(&PLAIN, &[0], |env, _| {
                    let both = env.lend::<Arc<Barrier>>(0).clone();
                    Box::pin(async move {
                        both.wait();
                        ok(2)
                    })
                })
            ),
            step(
                "sum",
                &[0, 1],
                &[],
                3,
                use_of(&PLAIN, &[1, 2], |env, _| {
                    let sum = env.lend::<u64>(0) + env.lend::<u64>(1);
                    Box::pin(async move { ok(sum) })
                })
            ),
        ],
        Yield::Slot(3),
    )
);

#[test]
fn steps_that_keep_their_threads_run_on_several() {
    // Each of the two waits for the other: one after the other, they would
    // never end.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let sum = runtime.block_on(async {
        let both = Arc::new(Barrier::new(2));
        engine().await.start(meeting::with(both)).await.unwrap().await.unwrap()
    });
    assert_eq!(sum, 3);
}

workflow!(
    blocking_meeting,
    body(
        3,
        steps![
            step(
                "one",
                &[],
                &[],
                1,
                use_of(&BLOCKING, &[0], |env, _| {
                    let both = env.lend::<Arc<Barrier>>(0);
                    both.wait();
                    Box::pin(async { ok(1) })
                })
            ),
            step(
                "two",
                &[],
                &[],
                2,
                use_of(&BLOCKING, &[0], |env, _| {
                    let both = env.lend::<Arc<Barrier>>(0);
                    both.wait();
                    Box::pin(async { ok(2) })
                })
            ),
        ],
        Yield::Compute(expr(&[1, 2], |env| Value::new(env.lend::<u64>(0) + env.lend::<u64>(1)))),
    )
);

#[test]
fn blocking_steps_have_threads_of_their_own() {
    block_on(async {
        let both = Arc::new(Barrier::new(2));
        let run = engine().await.start(blocking_meeting::with(both)).await.unwrap();
        assert_eq!(run.await.unwrap(), 3);
    });
}

workflow!(
    consuming,
    body(
        3,
        steps![
            step(
                "make",
                &[],
                &[1],
                1,
                use_of(&PLAIN, &[], |_, _| { Box::pin(async { Ended::Ok(Value::new(Arc::new(()))) }) })
            ),
            step(
                "take",
                &[0],
                &[],
                2,
                Kind::Task(TaskStep {
                    task: &PLAIN,
                    policy: &PLAIN.policy,
                    reads: Numbers::NONE,
                    moves: Numbers::of(&[1]),
                    start: |_, moved| {
                        let taken = crate::task::Take::<Arc<()>>::new(moved, 0).take();
                        // A copy would have left another one behind.
                        let holders = Arc::strong_count(&taken) as u64;
                        Box::pin(async move { ok(holders) })
                    },
                    arm: 0,
                    keeps: false,
                })
            ),
        ],
        Yield::Slot(2),
    )
);

#[test]
fn the_only_user_of_a_value_gets_the_value_itself() {
    block_on(async {
        assert_eq!(engine().await.start(consuming::with(0_u64)).await.unwrap().await.unwrap(), 1);
    });
}

struct Undoable;

impl Task for Undoable {
    type Args<'a> = Shared;
    type Return = ();
    type Ok = u64;
    type Outcome = u64;
    const DEF: crate::task::definition::TaskDef = UNDOABLE_DEF;
    fn start<'a>(_: Shared, _: &'a crate::Context) -> crate::contract::Running<'a> {
        Box::pin(async { ok(7) })
    }
    fn finish((): ()) -> Ended {
        unreachable!("never mocked")
    }
    fn undo<'a>(shared: Shared, output: &'a u64, cx: &'a crate::Context) -> crate::contract::Running<'a> {
        shared.say(format!("undo {} of {}, attempt {}", output, cx.step(), cx.attempt()));
        let ended = if cx.attempt() == 1 { failed("not yet") } else { ok(0) };
        Box::pin(std::future::ready(ended))
    }
}

static UNDO_DEF: crate::task::definition::TaskDef =
    crate::task::definition::TaskDef { policy: RETRYING, ..task("undo") };
const UNDOABLE_DEF: crate::task::definition::TaskDef =
    crate::task::definition::TaskDef { undo: Some(UndoDef { task: &UNDO_DEF }), ..task("undoable") };
static UNDOABLE: crate::task::definition::TaskDef = UNDOABLE_DEF;

workflow!(
    undoing,
    body(
        3,
        steps![
            step(
                "done",
                &[],
                &[1],
                1,
                use_of(&UNDOABLE, &[0], |env, _| {
                    env.begin(crate::task::Call::<Undoable>::new(env.lend::<Shared>(0).clone()))
                })
            ),
            step("fails", &[0], &[], 2, use_of(&PLAIN, &[], |_, _| Box::pin(async { failed("no") }))),
        ],
        Yield::Slot(2),
    )
);

#[test]
fn finished_steps_of_a_failed_run_are_undone() {
    block_on(async {
        let shared = Shared::default();
        let run = engine().await.start(undoing::with(shared.clone())).await.unwrap();
        let handle = run.clone();
        assert!(matches!(run.await, Err(Error::Failed { .. })));
        let undo = |attempt| format!("undo 7 of undoing/done, attempt {attempt}");
        assert_eq!(shared.said(), [undo(1), undo(2)]);
        handle.trace().assert_state("undoing/done", crate::run::StepState::Undone);
    });
}
