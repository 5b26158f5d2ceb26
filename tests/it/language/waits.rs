//! Rule 9: `sleep`, `sleep_until` and `signal`.

use std::time::{Duration, SystemTime};

use support::tasks::*;
use support::{drive, run, seconds, settle};
use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::testing::Script;
use workflow_runtime::{Cause, Error, Run, RunEventKind, StepError, task, workflow};

workflow! {
    fn literal() -> Result<()> {
        sleep("1h30m");
        Ok(())
    }
}

workflow! {
    fn computed(base: u64) -> Result<()> {
        let doubled = double(base);
        sleep(Duration::from_secs(doubled) + Duration::from_millis(500));
        Ok(())
    }
}

workflow! {
    fn until(time: SystemTime) -> Result<()> {
        sleep_until(time);
        Ok(())
    }
}

#[test]
fn a_sleep_takes_its_time_on_the_virtual_clock() {
    let begun = std::time::Instant::now();
    assert_eq!(run(literal()).took(), seconds(5400));
    assert_eq!(run(computed(100)).took(), seconds(200) + Duration::from_millis(500));
    assert!(begun.elapsed() < seconds(60), "and not on the real one");
}

#[test]
fn sleep_until_a_time_of_the_wall_clock() {
    let ran = run(until(SystemTime::now() + seconds(86_400)));
    // The clock of the test and that of the engine were read one after the
    // other.
    let late = seconds(86_400).abs_diff(ran.took());
    assert!(late < seconds(60), "{late:?}");
    assert_eq!(run(until(SystemTime::UNIX_EPOCH)).took(), seconds(0), "the past is now");
}

#[test]
fn a_wait_says_for_what_and_until_when() {
    let ran = drive(literal(), async |run: Run<()>| {
        let snapshot = run.snapshot();
        assert_eq!(snapshot.state, RunState::Waiting);
        let StepState::Waiting(Wait::Timer { until }) = snapshot.step("literal/sleep").unwrap().state else {
            panic!("{:?}", snapshot.steps)
        };
        assert_eq!(until.since(snapshot.started_at).as_secs(), 5400);
    });
    assert_eq!(ran.took(), seconds(5400));
}

workflow! {
    fn asks() -> Result<String> {
        let _before = slow(1, 10);
        #[after(_before)]
        let first = signal::<String>("word");
        #[after(first)]
        let second = signal::<String>("word");
        Ok(format!("{first} {second}"))
    }
}

#[test]
fn signals_that_come_early_are_kept_in_order() {
    let ran = drive(asks(), async |run: Run<String>| {
        run.signal(asks::word, "one".to_owned()).await.unwrap();
        run.signal(asks::word, "two".to_owned()).await.unwrap();
    });
    assert_eq!(ran.value(), "one two");
    assert_eq!(ran.took(), seconds(10));
}

#[test]
fn signals_that_come_late_are_waited_for() {
    let ran = drive(asks(), async |run: Run<String>| {
        tokio::time::sleep(seconds(60)).await;
        assert_eq!(run.state(), RunState::Waiting);
        run.signal(asks::word, "one".to_owned()).await.unwrap();
        settle().await;
        assert_eq!(run.state(), RunState::Waiting);
        tokio::time::sleep(seconds(60)).await;
        run.signal(asks::word, "two".to_owned()).await.unwrap();
    });
    assert_eq!(ran.value(), "one two");
    assert_eq!(ran.took(), seconds(120));
}

#[test]
fn a_script_sends_a_signal_when_the_run_waits_for_it() {
    let ran = drive(asks(), async |run: Run<String>| {
        Script::new()
            .signal_after(seconds(5), asks::word, "one".to_owned())
            .signal_after(seconds(7), asks::word, "two".to_owned())
            .play(&run);
    });
    assert_eq!(ran.value(), "one two");
    assert_eq!(ran.took(), seconds(10 + 5 + 7));
}

#[test]
fn a_signal_after_the_end_is_refused() {
    workflow_runtime::testing::block_on(async {
        let engine = workflow_runtime::Engine::in_memory().start().await.unwrap();
        let run = engine.start(asks()).await.unwrap();
        run.cancel().await.unwrap();
        run.wait().await;
        let sent = run.signal(asks::word, "late".to_owned()).await;
        assert!(matches!(sent, Err(Error::Ended { .. })), "{sent:?}");
    });
}

#[test]
fn a_signal_of_another_workflow_is_refused() {
    let ran = drive(literal(), async |run: Run<()>| {
        let sent = run.signal(asks::word, "hello".to_owned()).await;
        assert!(matches!(sent, Err(Error::UnknownSignal { .. })), "{sent:?}");
        let words = sent.unwrap_err().to_string();
        assert_eq!(words, "workflow `literal` has no signal `word`");
    });
    ran.value();
}

workflow! {
    fn within() -> Result<u64> {
        let number = signal::<u64>("number").within("3d")?;
        Ok(number)
    }
}

workflow! {
    fn within_as_value(limit: u64) -> Result<String> {
        let number = signal::<u64>("number").within(Duration::from_secs(limit));
        let told = tell(&number);
        Ok(told)
    }
}

#[task]
async fn tell(number: &Result<u64, StepError>) -> String {
    match number {
        Ok(number) => format!("{number}"),
        Err(error) => format!("{:?}: {error}", error.failure().cause),
    }
}

#[test]
fn within_ends_the_wait() {
    let in_time = drive(within(), async |run: Run<u64>| {
        tokio::time::sleep(seconds(3 * 86_400 - 1)).await;
        run.signal(within::number, 7).await.unwrap();
    });
    assert_eq!(*in_time.value(), 7);
    let late = run(within());
    late.assert_failed("within/number", Cause::Timeout);
    assert_eq!(late.took(), seconds(3 * 86_400));

    let in_time = drive(within_as_value(9), async |run: Run<String>| {
        run.signal(within_as_value::number, 7).await.unwrap()
    });
    assert_eq!(in_time.value(), "7");
    let late = run(within_as_value(9));
    assert_eq!(
        late.value(),
        "Timeout: step `within_as_value/number` failed: signal `number` did not come within its time"
    );
    late.assert_state("within_as_value/number", StepState::Failed);
}

workflow! {
    fn both_wait() -> Result<(u64, String)> {
        let number = signal::<u64>("number");
        let word = signal::<String>("word");
        let again = signal::<u64>("number");
        Ok((number + again, word.clone()))
    }
}

#[test]
fn a_signal_wakes_one_wait_and_the_one_of_its_name() {
    let ran = drive(both_wait(), async |run: Run<(u64, String)>| {
        run.signal(both_wait::number.at("both_wait/number"), 5).await.unwrap();
        settle().await;
        let waiting = |path| matches!(run.snapshot().step(path).unwrap().state, StepState::Waiting(_));
        assert!(!waiting("both_wait/number") && waiting("both_wait/word") && waiting("both_wait/again"));
        run.signal(both_wait::word, "x".to_owned()).await.unwrap();
        run.signal(both_wait::number, 6).await.unwrap();
    });
    assert_eq!(*ran.value(), (11, "x".to_owned()));
}

workflow! {
    fn in_items(items: Vec<u64>) -> Result<Vec<u64>> {
        let answers = for item in items {
            let more = signal::<u64>("more");
            add(&item, &more)
        };
        Ok(answers)
    }
}

#[test]
fn each_wait_of_one_name_has_the_value_that_was_sent_to_it() {
    let ran = drive(in_items(vec![10, 20, 30]), async |run: Run<Vec<u64>>| {
        for item in [2, 0, 1] {
            let step = format!("in_items/answers[{item}]/more");
            run.signal(in_items::more.at(step), item + 1).await.unwrap();
        }
    });
    assert_eq!(*ran.value(), [11, 22, 33]);
}

#[test]
fn a_waiting_run_does_nothing() {
    let ran = drive(asks(), async |run: Run<String>| {
        tokio::time::sleep(seconds(11)).await;
        let before = run.trace().events().len();
        tokio::time::sleep(seconds(1_000_000)).await;
        assert_eq!(run.trace().events().len(), before);
        run.cancel().await.unwrap();
    });
    ran.assert_cancelled();
    let waited = ran.trace.events().iter().any(|event| event.kind == RunEventKind::Run(RunState::Waiting));
    assert!(waited, "{}", ran.trace);
}
