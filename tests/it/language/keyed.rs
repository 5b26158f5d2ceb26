//! Rule 9: signals with keys, and what is sent to one of several that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use support::{drive, seconds};
use workflow_runtime::run::RunState;
use workflow_runtime::store::{Memory, Store};
use workflow_runtime::testing::{Script, block_on, crash_everywhere};
use workflow_runtime::{By, Engine, Error, Operation, Run, StepError, task, workflow};

#[task]
async fn book(order: u64, verdict: bool) -> String {
    format!("{order} {verdict}")
}

workflow! {
    fn approved(orders: Vec<u64>) -> Result<Vec<String>> {
        let booked = for order in orders {
            let verdict = signal::<bool>("approval").keyed(order).within("3d")?;
            book(order, verdict)
        };
        Ok(booked)
    }
}

#[test]
fn a_keyed_signal_is_for_the_item_that_waits_with_its_key() {
    let ran = drive(approved(vec![17, 18, 19]), async |run: Run<Vec<String>>| {
        run.signal(approved::approval.key(19), true).await.unwrap();
        run.signal(approved::approval.key("17"), true).await.unwrap();
        run.signal(approved::approval.key(18), false).await.unwrap();
    });
    assert_eq!(ran.result.unwrap(), ["17 true", "18 false", "19 true"]);
}

#[test]
fn a_key_that_nothing_waits_for_is_kept_for_who_does() {
    workflow! {
        fn later(first: u64) -> Result<(u64, u64)> {
            let a = signal::<u64>("number").keyed(first);
            let b = signal::<u64>("number").keyed(first + a);
            Ok((a, b))
        }
    }
    let ran = drive(later(1), async |run: Run<(u64, u64)>| {
        run.signal(later::number.key(3), 30).await.unwrap();
        run.signal(later::number.key(1), 2).await.unwrap();
    });
    assert_eq!(ran.result.unwrap(), (2, 30));
}

#[test]
fn a_keyed_signal_that_does_not_come_in_time_fails_its_own_step() {
    workflow! {
        fn timed(orders: Vec<u64>) -> Result<Vec<bool>> {
            let verdicts: Vec<Result<bool, StepError>> = for order in orders {
                let verdict: Result<bool, StepError> = signal::<bool>("approval").within("1h").keyed(order);
                verdict
            };
            Ok(verdicts.iter().map(|verdict| matches!(verdict, Ok(true))).collect())
        }
    }
    let ran = drive(timed(vec![1, 2]), async |run: Run<Vec<bool>>| {
        run.signal(timed::approval.key(2), true).await.unwrap();
    });
    assert_eq!(ran.took(), seconds(3600));
    assert_eq!(ran.result.unwrap(), [false, true]);
}

workflow! {
    fn two() -> Result<(u64, u64)> {
        let a = signal::<u64>("number");
        let b = signal::<u64>("number");
        Ok((a, b))
    }
}

#[test]
fn a_signal_for_several_steps_is_refused_with_the_list_unless_one_is_named() {
    let ran = drive(two(), async |run: Run<(u64, u64)>| {
        let refused = run.signal(two::number, 1).await.unwrap_err().to_string();
        assert!(refused.contains("several steps that wait for signal `number`"), "{refused}");
        assert!(refused.contains("`two/a`") && refused.contains("`two/b`"), "{refused}");
        run.signal(two::number.at("two/b"), 2).await.unwrap();
        let refused = run.signal(two::number.at("two/b"), 2).await.unwrap_err().to_string();
        assert!(refused.contains("no step `two/b` that waits") && refused.contains("`two/a`"), "{refused}");
        // One is left, so it is clear who is meant.
        run.signal(two::number, 1).await.unwrap();
    });
    assert_eq!(ran.result.unwrap(), (1, 2));
}

#[test]
fn operators_aim_signals_too() {
    let (store, by): (Arc<dyn Store>, _) =
        (Arc::new(Memory::new()), By { actor: "ada".to_owned(), reason: None });
    block_on(async {
        let engine = Engine::with_store(store.clone()).register::<approved>().register::<two>();
        let engine = engine.start().await.unwrap();
        let run = engine.start(approved(vec![17, 18])).await.unwrap();
        let send = async |operation| engine.operate(Some(run.id()), operation, by.clone()).await;
        let name = || "approval".to_owned();
        let unaimed = Operation::Signal { name: name(), value: json!(true) };
        let refused = send(unaimed).await.unwrap_err().to_string();
        let listed = "`approved/booked[0]/verdict`, key `17`";
        assert!(refused.contains("with a key") && refused.contains(listed), "{refused}");
        let to = |key: Option<&str>, step: Option<&str>, value| Operation::SignalTo {
            name: name(),
            value,
            key: key.map(str::to_owned),
            step: step.map(str::to_owned),
        };
        let path = "approved/booked[1]/verdict";
        let other = send(to(Some("17"), Some(path), json!(true))).await.unwrap_err().to_string();
        assert!(other.contains("key `18`, and not for key `17`"), "{other}");
        let empty = send(to(Some(""), None, json!(true))).await.unwrap_err().to_string();
        assert!(empty.contains("is empty"), "{empty}");
        let long = send(to(Some(&"k".repeat(1025)), None, json!(true))).await.unwrap_err().to_string();
        assert!(long.contains("has 1025 bytes"), "{long}");
        let wrong = send(to(Some("17"), None, json!("yes"))).await.unwrap_err().to_string();
        assert!(wrong.contains("cannot take this value"), "{wrong}");
        send(to(None, Some(path), json!(false))).await.unwrap();
        send(to(Some("17"), None, json!(true))).await.unwrap();
        assert_eq!(run.await.unwrap(), ["17 true", "18 false"]);

        let run = engine.start(two()).await.unwrap();
        let keyed = Operation::SignalTo {
            name: "number".to_owned(),
            value: json!(1),
            key: Some("1".to_owned()),
            step: None,
        };
        let refused = engine.operate(Some(run.id()), keyed, by.clone()).await.unwrap_err().to_string();
        assert!(refused.contains("no keys for signal `number`"), "{refused}");
    });
}

#[test]
fn a_key_that_is_no_key_fails_its_step() {
    workflow! {
        fn named(name: String) -> Result<u64> {
            let n = signal::<u64>("number").keyed(name);
            Ok(n)
        }
    }
    for (name, why) in [(String::new(), "is empty"), ("x".repeat(2000), "has 2000 bytes")] {
        let error = drive(named(name), async |_: Run<u64>| ()).result.unwrap_err();
        let Error::Failed { error, .. } = error else { panic!("{error}") };
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn keyed_signals_come_through_every_death() {
    let script = || {
        let script = Script::new().signal(approved::approval.key(19), true);
        script.signal(approved::approval.key(17), true).signal(approved::approval.key(18), false)
    };
    let report = crash_everywhere(Engine::in_memory, || approved(vec![17, 18, 19])).script(script).run();
    assert!(report.commits() >= 6 && report.deaths() >= 30, "{report:?}");
}

/// What a run waits for is what it waits for after a restart, also where the
/// key would be another by now.
#[test]
fn a_wait_keeps_its_key_over_a_restart() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    fn drawn() -> u64 {
        CALLS.fetch_add(1, Ordering::SeqCst)
    }
    workflow! {
        fn drawing() -> Result<u64> {
            let n = signal::<u64>("number").keyed((drawn)());
            Ok(n)
        }
    }
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let id = block_on(async {
        let engine = Engine::with_store(store.clone()).start().await.unwrap();
        let run = engine.start(drawing()).await.unwrap();
        while run.snapshot().state != RunState::Waiting {
            tokio::task::yield_now().await;
        }
        run.id().to_owned()
    });
    block_on(async {
        let engine = Engine::with_store(store.clone()).register::<drawing>().start().await.unwrap();
        let run = engine.run(&id).await.unwrap();
        let by = By { actor: "ada".to_owned(), reason: None };
        let signal = |key: &str| Operation::SignalTo {
            name: "number".to_owned(),
            value: json!(7),
            key: Some(key.to_owned()),
            step: None,
        };
        engine.operate(Some(&id), signal("0"), by).await.unwrap();
        run.wait().await;
        assert_eq!(run.result().unwrap().unwrap(), b"7");
    });
}

workflow! {
    fn cart(_customer: u64) -> Result<(String, String)> {
        let first = signal::<String>("item");
        #[after(first)]
        let second = signal::<String>("item");
        Ok((first, second))
    }
}

#[test]
fn a_signal_starts_its_run_or_goes_to_the_one_that_is_there() {
    for durable in [false, true] {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        block_on(async {
            let engine = if durable { Engine::with_store(store.clone()) } else { Engine::in_memory() };
            let engine = engine.start().await.unwrap();
            let add = |item: &str| engine.start(cart(7)).key("cart/7").signal(cart::item, item.to_owned());
            let run = add("tea").await.unwrap();
            if durable {
                let stored = store.find(run.id()).unwrap().remove(0);
                let entries = store.journal(stored.run).unwrap();
                assert!(entries[1].event.contains("signalled"), "one commit: {entries:?}");
            }
            let both = add("milk").await.unwrap().await.unwrap();
            assert_eq!(both, ("tea".to_owned(), "milk".to_owned()));
            let late = add("too late").await.unwrap_err();
            assert!(matches!(late, Error::Ended { .. }), "{late}");
            let other = engine.start(cart(8)).signal(two::number, 1).await.unwrap_err();
            assert!(matches!(other, Error::UnknownSignal { .. }), "{other}");
        });
    }
}
