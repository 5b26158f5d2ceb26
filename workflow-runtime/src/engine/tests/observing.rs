//! Events, snapshots and signals.

use super::support::{self, *};
use crate::contract::Codec;
use crate::error::Error;
use crate::run::{RunState, StepState, Wait};
use crate::task::definition::{Kind, Yield};
use crate::testing::{Script, block_on};
use crate::{Run, RunEvent, RunEventKind, Signal};

static NUMBER: Codec = Codec::of::<u64>();

const REVIEW: Signal<u64> = Signal::new("review");

workflow!(
    reviewed,
    body(
        4,
        steps![
            step(
                "draft",
                &[],
                &[1, 2],
                1,
                use_of(&PLAIN, &[0], |env, _| {
                    let shared = env.lend::<Shared>(0).clone();
                    Box::pin(async move {
                        env.context().progress(1, 3);
                        shared.gate().await;
                        env.context().progress(3, 3);
                        ok(1)
                    })
                })
            ),
            step(
                "verdict",
                &[0],
                &[],
                2,
                Kind::Signal {
                    name: "review",
                    codec: &NUMBER,
                    key: None,
                    within: Some(expr(&[], |_| seconds(60)))
                }
            ),
            step(
                "second",
                &[0],
                &[],
                3,
                Kind::Signal { name: "review", codec: &NUMBER, key: None, within: None }
            ),
        ],
        Yield::Compute(expr(&[3, 2], |env| crate::contract::Value::new(
            env.lend::<u64>(0) * 10 + env.lend::<u64>(1)
        ))),
    )
);

async fn all_events(run: &Run<u64>) -> Vec<RunEvent> {
    let mut events = run.events();
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

#[test]
fn every_observer_sees_the_same_from_the_first_event_on() {
    block_on(async {
        let shared = Shared::default();
        let run = engine().await.start(reviewed::with(shared.clone())).await.unwrap();
        let early = {
            let run = run.clone();
            tokio::spawn(async move { all_events(&run).await })
        };
        settle().await;
        shared.open_gate();
        run.signal(REVIEW, 4).await.unwrap();
        run.signal(REVIEW, 2).await.unwrap();
        let handle = run.clone();
        assert_eq!(run.await.unwrap(), 42);

        let late = all_events(&handle).await;
        assert_eq!(early.await.unwrap(), late);
        assert_eq!(handle.trace().events(), late);
        let lines: Vec<String> = late.iter().map(ToString::to_string).collect();
        assert_eq!(lines.first().map(String::as_str), Some("reviewed/draft running"));
        assert_eq!(lines.last().map(String::as_str), Some("run succeeded"));
        assert!(lines.contains(&"reviewed/draft 3/3".to_owned()), "{lines:?}");
    });
}

#[test]
fn a_snapshot_shows_every_step_as_it_is() {
    block_on(async {
        let shared = Shared::default();
        let run = engine().await.start(reviewed::with(shared.clone())).await.unwrap();
        settle().await;
        let snapshot = run.snapshot();
        assert_eq!((snapshot.workflow.as_str(), snapshot.key.as_deref()), ("reviewed", None));
        assert_eq!((snapshot.state, snapshot.ended_at), (RunState::Running, None));
        let draft = snapshot.step("reviewed/draft").unwrap();
        assert_eq!((draft.state, draft.attempt, draft.task.as_str()), (StepState::Running, 1, "plain"));
        let progress = draft.progress.unwrap();
        assert_eq!((progress.done, progress.total), (1, 3));
        let verdict = snapshot.step("reviewed/verdict").unwrap();
        assert_eq!(verdict.state, StepState::Waiting(Wait::Dependencies));
        assert_eq!(verdict.started_at, None);

        shared.open_gate();
        settle().await;
        let snapshot = run.snapshot();
        assert_eq!(snapshot.state, RunState::Waiting);
        let waits = StepState::Waiting(Wait::Signal { until: Some(snapshot.started_at.after(seconds(60))) });
        assert_eq!(snapshot.step("reviewed/verdict").unwrap().state, waits);
        let json = serde_json::to_value(&snapshot).unwrap();
        assert_eq!(json["steps"][0]["path"], "reviewed/draft");

        run.wait().await;
        let snapshot = run.snapshot();
        assert_eq!(snapshot.state, RunState::Failed);
        let failure = snapshot.step("reviewed/verdict").unwrap().failure.clone().unwrap();
        assert_eq!(failure.to_string(), "signal `review` did not come within its time");
    });
}

#[test]
fn a_script_sends_signals_when_they_are_waited_for() {
    block_on(async {
        let shared = Shared::default();
        shared.open_gate();
        let run = engine().await.start(reviewed::with(shared)).await.unwrap();
        Script::new().signal_after(seconds(30), REVIEW, 1).signal(REVIEW, 2).play(&run);
        let begun = tokio::time::Instant::now();
        // The second came first, and is for the step that waited second.
        assert_eq!(run.await.unwrap(), 12);
        assert_eq!(begun.elapsed(), seconds(30));
    });
}

#[test]
fn a_signal_that_nothing_waits_for_is_refused() {
    block_on(async {
        let run = engine().await.start(reviewed::with(Shared::default())).await.unwrap();
        let unknown = run.signal(Signal::<u64>::new("revue"), 1).await;
        assert_eq!(unknown.unwrap_err().to_string(), "workflow `reviewed` has no signal `revue`");
        run.cancel().await.unwrap();
        run.wait().await;
        assert!(matches!(run.signal(REVIEW, 1).await, Err(Error::Ended { .. })));
    });
}

workflow!(
    chatty,
    body(
        2,
        steps![step(
            "chat",
            &[],
            &[],
            1,
            use_of(&PLAIN, &[], |env, _| {
                Box::pin(async move {
                    for done in 0..20_000 {
                        // Told in full steps, each of them is an event.
                        env.context().progress(done, 0);
                    }
                    ok(0)
                })
            })
        )],
        Yield::Slot(1),
    )
);

#[test]
fn a_slow_observer_is_told_what_it_missed() {
    block_on(async {
        let run = engine().await.start(chatty::with(0_u64)).await.unwrap();
        run.wait().await;
        let events = all_events(&run).await;
        let RunEventKind::Lagged(missing) = events[0].kind else { panic!("{}", events[0]) };
        assert!(missing > 9_000, "{missing}");
        assert_eq!(events.len(), 10_001);
        assert_eq!(events.last().unwrap().kind, RunEventKind::Run(RunState::Succeeded));
    });
}
