//! Stores that fail, and stores that hold nonsense: clear words, nothing acted
//! upon that is not committed, and no run pays for another's trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::says;
use workflow_runtime::run::RunState;
use workflow_runtime::store::{Payload, Store, StoredEntry};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Cause, Engine, Error, Operation, Resources, Result, task, workflow};

use crate::failing_store::{FailingStore, Fault, broken};

#[derive(Default)]
struct Calls {
    firsts: AtomicUsize,
    seconds: AtomicUsize,
}

#[derive(Resources)]
struct App {
    calls: Arc<Calls>,
}

#[task]
async fn first(n: u64, #[resource] calls: &Arc<Calls>) -> Vec<u64> {
    calls.firsts.fetch_add(1, Ordering::SeqCst);
    vec![n; 3]
}

#[task]
async fn second(list: Vec<u64>, more: u64, #[resource] calls: &Arc<Calls>) -> String {
    calls.seconds.fetch_add(1, Ordering::SeqCst);
    format!("{list:?} {more}")
}

workflow! {
    fn two(n: u64) -> Result<String> {
        let list = first(n);
        let more = signal::<u64>("more");
        let words = second(list, more);
        Ok(words)
    }
}

async fn start(store: &Arc<FailingStore>, calls: &Arc<Calls>) -> Result<Engine<App>> {
    let builder = Engine::with_store(store.clone()).resources(App { calls: calls.clone() });
    builder.register::<two>().start().await
}

async fn engine(store: &Arc<FailingStore>, calls: &Arc<Calls>) -> Engine<App> {
    start(store, calls).await.unwrap()
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A store with a run that waits for its signal.
fn waiting() -> Arc<FailingStore> {
    let store = FailingStore::new();
    block_on(async {
        let _run = engine(&store, &Arc::default()).await.start(two(1)).key("k").await.unwrap();
        settle().await;
    });
    store
}

/// Goes on with the run to its end.
fn ends(store: &FailingStore, calls: &Arc<Calls>) {
    block_on(async {
        let run = engine(&store.reopen(), calls).await.start(two(1)).key("k").await.unwrap();
        if run.state() != RunState::Succeeded {
            run.signal(two::more, 2).await.unwrap();
        }
        assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
    });
}

#[test]
fn a_failed_append_stops_the_run_and_the_next_engine_goes_on() {
    for fault in [Fault::Fail, Fault::WriteAndFail, Fault::Vanish] {
        let (store, calls) = (FailingStore::new(), Arc::new(Calls::default()));
        block_on(async {
            let engine = engine(&store, &calls).await;
            store.after(2, fault);
            let run = engine.start(two(1)).key("k").await.unwrap();
            settle().await;
            // Whoever asks hears of it, as does whoever waits.
            let told = run.signal(two::more, 2).await;
            let Err(Error::Store(error)) = told else { panic!("{fault:?}: {told:?}") };
            if fault != Fault::Vanish {
                assert_eq!(error, broken());
            }
            assert_eq!(run.state(), RunState::Blocked);
            // From now on everybody hears what to do, also who asks by the key.
            let again = engine.start(two(1)).key("k").await.unwrap();
            let by = By { actor: "ann".to_owned(), reason: None };
            let cancel = engine.operate(Some(run.id()), Operation::Cancel, by).await;
            let told = [
                run.clone().await.unwrap_err(),
                again.await.unwrap_err(),
                run.signal(two::more, 2).await.unwrap_err(),
                cancel.unwrap_err(),
            ];
            for told in told {
                assert!(matches!(&told, Error::Stopped { error: why, .. } if *why == error), "{told:?}");
                says(&told.to_string(), &["`two` has stopped", &error.to_string(), "the next engine"]);
            }
            assert_eq!(calls.seconds.load(Ordering::SeqCst), 0, "{fault:?}: nothing was acted upon");
            let other = engine.start(two(1)).key("other").await.unwrap();
            other.signal(two::more, 7).await.unwrap();
            assert_eq!(other.await.unwrap(), "[1, 1, 1] 7");
        });
        // Written is written, whatever the writer was told.
        let heard = store.events("k").iter().any(|event| event.contains("signalled"));
        assert_eq!(heard, fault == Fault::WriteAndFail);
        let calls = Arc::new(Calls::default());
        block_on(async {
            let run = engine(&store.reopen(), &calls).await.start(two(1)).key("k").await.unwrap();
            if !heard {
                run.signal(two::more, 2).await.unwrap();
            }
            assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
        });
        assert_eq!(calls.firsts.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn what_is_sent_after_a_failed_append_is_not_acted_upon() {
    let (store, calls) = (waiting(), Arc::new(Calls::default()));
    block_on(async {
        let engine = engine(&store, &calls).await;
        let run = engine.start(two(1)).key("k").await.unwrap();
        store.always(Some(Fault::Hold));
        let ask = |n| {
            let run = run.clone();
            tokio::spawn(async move { run.signal(two::more, n).await })
        };
        let (one, two) = (ask(2), ask(3));
        settle().await;
        store.always(None);
        store.release();
        assert!(one.await.unwrap().is_ok() && two.await.unwrap().is_ok());
        assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
    });
}

#[test]
fn a_failed_create_is_told_and_leaves_nothing() {
    for fault in [Fault::Fail, Fault::Vanish] {
        let (store, calls) = (FailingStore::new(), Arc::new(Calls::default()));
        block_on(async {
            let engine = engine(&store, &calls).await;
            store.after(0, fault);
            assert!(matches!(engine.start(two(1)).key("k").await, Err(Error::Store(_))));
            settle().await;
            assert_eq!(calls.firsts.load(Ordering::SeqCst), 0);
        });
        ends(&store, &calls);
    }
}

#[test]
fn a_create_that_is_reported_as_failed_and_was_written_goes_on() {
    let (store, calls) = (FailingStore::new(), Arc::new(Calls::default()));
    block_on(async {
        let engine = engine(&store, &calls).await;
        store.after(0, Fault::WriteAndFail);
        assert!(matches!(engine.start(two(1)).key("k").await, Err(Error::Store(_))));
        // Asked for again, it is there.
        let run = engine.start(two(1)).key("k").await.unwrap();
        run.signal(two::more, 2).await.unwrap();
        assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
    });
}

#[test]
fn an_engine_does_not_start_on_a_store_that_cannot_be_read() {
    let store = waiting();
    store.fail_unfinished();
    block_on(async {
        let Err(Error::Store(error)) = start(&store, &Arc::default()).await else { panic!("it started") };
        assert_eq!(error, broken());
    });
}

/// The reason why the run does not go on, while another one does.
fn blocked(store: &FailingStore, change: impl Fn(&FailingStore)) -> String {
    let changed = store.reopen();
    block_on(async {
        let engine = engine(&changed, &Arc::default()).await;
        let _other = engine.start(two(1)).key("another").await.unwrap();
    });
    let changed = store.reopen();
    change(&changed);
    block_on(async {
        let engine = engine(&changed, &Arc::default()).await;
        let Err(error @ Error::Blocked { .. }) = engine.start(two(1)).key("k").await else {
            panic!("it is not blocked")
        };
        assert_eq!(store.stored("k").state, RunState::Blocked, "{error}");
        let new = engine.start(two(1)).key("new").await.unwrap();
        new.signal(two::more, 1).await.unwrap();
        settle().await;
        assert_eq!(new.state(), RunState::Succeeded);
        assert!(error.to_string().contains(&store.stored("k").id));
        error.to_string()
    })
}

/// The reason for a journal that is not as it was.
fn corrupt(change: impl Fn(&mut Vec<StoredEntry>) + Send + Copy + 'static) -> String {
    let store = waiting();
    let run = store.stored("k").run;
    let journal = store.memory.journal(run).unwrap();
    let reason = blocked(&store, |store| {
        let journal = journal.clone();
        store.rewrite(move |entries| {
            // The other runs have journals of the same kind.
            if entries.first().map(|entry| entry.at) == journal.first().map(|entry| entry.at) {
                change(entries);
            }
        });
    });
    // It was not touched: with what was there before, it goes on.
    ends(&store, &Arc::default());
    reason
}

#[test]
fn a_journal_that_is_damaged_blocks_its_run_alone() {
    let store = waiting();
    let run = store.stored("k").run;
    let reason = {
        let changed = store.reopen();
        changed.damage_journal(run);
        block_on(async {
            let engine = engine(&changed, &Arc::default()).await;
            engine.start(two(1)).key("k").await.unwrap_err().to_string()
        })
    };
    says(&reason, &["`two`", "is blocked", "is damaged", "a page is torn"]);
    ends(&store, &Arc::default());
}

#[test]
fn a_row_that_cannot_be_read_stops_no_other_run() {
    let folder = std::env::temp_dir().join(format!("workflow-damaged-row-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("runs.db");
    let open = async || {
        let builder = Engine::open(&file).resources(App { calls: Arc::default() });
        builder.register::<two>().start().await.unwrap()
    };
    block_on(async {
        let engine = open().await;
        for key in ["damaged", "other"] {
            let _run = engine.start(two(1)).key(key).await.unwrap();
        }
        engine.shutdown().await;
    });
    let shell = rusqlite::Connection::open(&file).unwrap();
    shell.execute("UPDATE runs SET state = 'dancing' WHERE key = 'damaged'", []).unwrap();
    drop(shell);
    block_on(async {
        let engine = open().await;
        let Err(Error::Store(error)) = engine.start(two(1)).key("damaged").await else {
            panic!("it was read")
        };
        says(&error.to_string(), &["is damaged", "table `runs`, row 1", "`state` is `dancing`"]);
        let other = engine.start(two(1)).key("other").await.unwrap();
        other.signal(two::more, 2).await.unwrap();
        assert_eq!(other.await.unwrap(), "[1, 1, 1] 2");
        engine.shutdown().await;
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn corrupt_events_block_the_run() {
    let reason = corrupt(|entries| entries[1].event = "{\"event\":".to_owned());
    says(&reason, &["is blocked", "entry 1 of its journal cannot be read", "EOF"]);
    let reason = corrupt(|entries| entries[1].event = r#"{"event":"teleported"}"#.to_owned());
    says(&reason, &["entry 1 of its journal cannot be read", "teleported"]);
    let reason = corrupt(|entries| {
        entries[1].event = r#"{"event":"attempt_succeeded","step":[7,0,0],"epoch":1}"#.to_owned()
    });
    says(&reason, &["entry 1 of its journal does not follow"]);
    let reason = corrupt(|entries| {
        entries[1].event = r#"{"event":"attempt_succeeded","step":[0,0,9999],"epoch":1}"#.to_owned()
    });
    says(&reason, &["entry 1 of its journal does not follow"]);
    let reason = corrupt(|entries| entries[1].event = r#"{"event":"signalled","name":"nobody"}"#.to_owned());
    says(&reason, &["entry 1 of its journal is a signal that the workflow does not have"]);
    let reason = corrupt(|entries| drop(entries.remove(0)));
    says(&reason, &["entry 0 of its journal is missing"]);
    let reason = corrupt(|entries| entries.insert(1, StoredEntry { seq: 1, ..entries[0].clone() }));
    says(&reason, &["entry 1 of its journal does not follow"]);
}

#[test]
fn values_that_do_not_decode_name_run_step_and_type() {
    let value = |entries: &mut Vec<StoredEntry>, bytes: &[u8], of: &'static str| {
        let place = entries.iter().position(|entry| entry.value.is_some()).unwrap();
        entries[place].value = Some(Payload { type_name: of.into(), bytes: bytes.to_vec() });
    };
    let reason = corrupt(move |entries| value(entries, b"\"text\"", "alloc::string::String"));
    says(&reason, &["`two`", "step `two/list`", "stored as `alloc::string::String`", "Vec<u64>"]);
    let reason = corrupt(move |entries| value(entries, b"[1, 2", "alloc::vec::Vec<u64>"));
    says(&reason, &["step `two/list`", "Vec<u64>", "EOF"]);
    let reason = corrupt(move |entries| value(entries, b"[1, -2]", "alloc::vec::Vec<i64>"));
    says(&reason, &["step `two/list`", "-2"]);
    let reason = corrupt(move |entries| {
        entries.iter_mut().for_each(|entry| entry.value = None);
    });
    says(&reason, &["step `two/list`", "Vec<u64>", "is missing"]);
}

#[test]
fn wrong_parameters_block_the_run() {
    for (params, words) in [
        ("[1, 2]", "it was started with 2 parameters, and the workflow has 1 parameter"),
        ("[]", "it was started with 0 parameters"),
        ("[\"one\"]", "parameter `n`"),
        ("{", "its parameters cannot be read"),
        ("[1]x", "its parameters cannot be read"),
    ] {
        let store = waiting();
        let changed = store.reopen();
        changed.rewrite_run(move |run| run.params = params.into());
        block_on(async {
            let engine = engine(&changed, &Arc::default()).await;
            let Err(error) = engine.run(&store.stored("k").id).await else { panic!("it goes on: {params}") };
            says(&error.to_string(), &["is blocked", words]);
            assert_eq!(store.stored("k").state, RunState::Blocked, "{params}");
            let new = engine.start(two(1)).key("new").await.unwrap();
            new.signal(two::more, 1).await.unwrap();
            assert_eq!(new.await.unwrap(), "[1, 1, 1] 1");
        });
        // A run cannot be asked for with other parameters than it has, so its
        // reason shows where those it has do not fit.
        let changed = store.reopen();
        changed.rewrite_found(move |run| run.params = params.into());
        block_on(async {
            let engine = engine(&changed, &Arc::default()).await;
            let Err(error) = engine.start(two(1)).key("k").await else { panic!("it goes on") };
            assert!(matches!(error, Error::KeyInUse { .. }), "{words}: {error}");
        });
        ends(&store, &Arc::default());
    }
}

mod changed {
    use workflow_runtime::{Result, workflow};

    use super::{first, second};

    workflow! {
        pub fn two(n: u64) -> Result<String> {
            let list = first(n * 1);
            let more = signal::<u64>("more");
            let better = second(list, more + 1);
            Ok(better)
        }
    }
}

#[test]
fn changed_code_blocks_the_run_until_the_old_code_is_back() {
    let store = waiting();
    block_on(async {
        let builder = Engine::with_store(store.reopen()).resources(App { calls: Arc::default() });
        let engine = builder.register::<changed::two>().start().await.unwrap();
        let Err(error) = engine.start(changed::two(1)).key("k").await else { panic!("it goes on") };
        says(&error.to_string(), &["is blocked", "its workflow has changed", "`two/list`", "`adopt`"]);
        let new = engine.start(changed::two(1)).key("new").await.unwrap();
        new.signal(changed::two::more, 1).await.unwrap();
        assert_eq!(new.await.unwrap(), "[1, 1, 1] 2");
    });
    assert_eq!(store.stored("k").state, RunState::Blocked);
    block_on(async {
        let _engine = engine(&store.reopen(), &Arc::default()).await;
        settle().await;
    });
    assert_eq!(store.stored("k").state, RunState::Waiting);
    ends(&store, &Arc::default());
    // What has ended keeps its result, whatever became of its code.
    block_on(async {
        let builder = Engine::with_store(store.reopen()).resources(App { calls: Arc::default() });
        let engine = builder.register::<changed::two>().start().await.unwrap();
        let run = engine.start(changed::two(1)).key("k").await.unwrap();
        assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
    });
}

#[test]
fn a_workflow_that_is_not_registered_is_left_alone_and_goes_on_later() {
    for by_key in [false, true] {
        let store = waiting();
        let before = store.events("k");
        block_on(async {
            let builder = Engine::with_store(store.reopen()).resources(App { calls: Arc::default() });
            let engine = builder.start().await.unwrap();
            settle().await;
            assert_eq!(store.events("k"), before);
            if by_key {
                let run = engine.start(two(1)).key("k").await.unwrap();
                run.signal(two::more, 2).await.unwrap();
                assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
            } else {
                // To start a workflow is to register it.
                let _other = engine.start(two(1)).key("other").await.unwrap();
                let run = engine.start(two(1)).key("k").await.unwrap();
                run.signal(two::more, 2).await.unwrap();
                assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
            }
        });
    }
}

#[derive(Debug)]
struct Fragile(u8);

impl serde::Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_u8(0),
            1 => Err(serde::ser::Error::custom("it broke")),
            2 => panic!("it burst"),
            _ => serializer.serialize_u8(3),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Fragile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            3 => panic!("it burst when it was read"),
            n => Ok(Self(n)),
        }
    }
}

#[task]
async fn make(kind: u8) -> Fragile {
    Fragile(kind)
}

#[task]
async fn look(fragile: &Fragile) -> u8 {
    fragile.0
}

workflow! {
    fn fragile(kind: u8) -> Result<u8> {
        let made = make(kind);
        let told = signal::<Fragile>("told");
        let all = look(&made) ;
        let also = look(&told);
        let sum = add(all, also);
        Ok(sum)
    }
}

#[task]
async fn add(a: u8, b: u8) -> u8 {
    a + b
}

#[test]
fn values_that_cannot_be_saved_fail_their_step() {
    let store = FailingStore::new();
    block_on(async {
        let engine = Engine::with_store(store.clone()).start().await.unwrap();
        for (kind, words) in [(1, "it broke"), (2, "it burst")] {
            let run = engine.start(fragile(kind)).await.unwrap();
            let Err(Error::Failed { error, .. }) = run.await else { panic!("it did not fail") };
            assert_eq!(error.step(), "fragile/made");
            says(&error.to_string(), &[words]);
        }
        let run = engine.start(fragile(0)).await.unwrap();
        for (kind, words) in [(1, "it broke"), (2, "it burst")] {
            let Err(error) = run.signal(fragile::told, Fragile(kind)).await else { panic!("it was heard") };
            says(&error.to_string(), &["`fragile`", words]);
        }
        run.signal(fragile::told, Fragile(0)).await.unwrap();
        assert_eq!(run.await.unwrap(), 0);
    });
}

#[test]
fn a_value_that_panics_when_it_is_read_blocks_its_run() {
    let store = FailingStore::new();
    block_on(async {
        let engine = Engine::with_store(store.clone()).start().await.unwrap();
        let _run = engine.start(fragile(0)).key("k").await.unwrap();
        settle().await;
    });
    let changed = store.reopen();
    changed.rewrite(|entries| {
        for value in entries.iter_mut().filter_map(|entry| entry.value.as_mut()) {
            value.bytes = b"3".to_vec();
        }
    });
    block_on(async {
        let engine = Engine::with_store(changed).register::<fragile>().start().await.unwrap();
        let Err(error) = engine.start(fragile(0)).key("k").await else { panic!("it goes on") };
        says(&error.to_string(), &["step `fragile/made`", "it burst when it was read"]);
    });
    assert_eq!(store.stored("k").state, RunState::Blocked);
}

#[task]
async fn large(n: u64) -> String {
    "x".repeat(n as usize)
}

workflow! {
    fn larger(n: u64) -> Result<String> {
        let text = large(n);
        let twice = double(&text);
        let both = text.clone() + &twice;
        Ok(both)
    }
}

#[task]
async fn double(text: &str) -> String {
    text.repeat(2)
}

#[test]
fn a_value_that_is_too_large_fails_its_step() {
    let store = FailingStore::new();
    block_on(async {
        let engine = Engine::with_store(store.clone()).largest_value(1000).start().await.unwrap();
        let failure = async |n, key: &str| {
            let run = engine.start(larger(n)).key(key).await.unwrap();
            let Err(Error::Failed { error, .. }) = run.await else { panic!("it did not fail") };
            error
        };
        let error = failure(2000, "first").await;
        assert_eq!((error.step(), error.failure().cause), ("larger/text", Cause::Fatal));
        says(&error.to_string(), &["String", "2002 bytes", "at most 1000", "keep it in a file"]);
        assert_eq!(failure(600, "second").await.step(), "larger/twice");
        // The result of the run is a value too.
        assert_eq!(failure(400, "third").await.step(), "larger");
        assert_eq!(store.stored("third").state, RunState::Failed);
        assert_eq!(engine.start(larger(10)).await.unwrap().await.unwrap().len(), 30);
    });
}

#[test]
fn a_shutdown_waits_for_the_commit_of_an_end() {
    let (store, calls) = (waiting(), Arc::new(Calls::default()));
    block_on(async {
        let engine = engine(&store, &calls).await;
        let run = engine.start(two(1)).key("k").await.unwrap();
        store.after(1, Fault::Hold);
        run.signal(two::more, 2).await.unwrap();
        settle().await;
        assert_eq!(store.stored("k").state, RunState::Succeeded);
        let (there, engine) = (store.clone(), engine.clone());
        let down = tokio::spawn(async move { engine.shutdown().await });
        tokio::time::sleep(Duration::from_secs(3)).await;
        there.release();
        down.await.unwrap();
        assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
    });
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_a_store_that_does_not_answer() {
    let (store, calls) = (waiting(), Arc::new(Calls::default()));
    block_on(async {
        let engine = engine(&store, &calls).await;
        let run = engine.start(two(1)).key("k").await.unwrap();
        store.after(1, Fault::Hold);
        run.signal(two::more, 2).await.unwrap();
        engine.shutdown().await;
        assert!(matches!(run.await, Err(Error::ShutDown)));
        assert!(matches!(engine.start(two(1)).key("k").await, Err(Error::ShutDown)));
    });
    ends(&store, &calls);
}

#[test]
fn a_run_that_is_created_while_the_engine_shuts_down_begins_with_the_next_one() {
    let (store, calls) = (FailingStore::new(), Arc::new(Calls::default()));
    block_on(async {
        let engine = engine(&store, &calls).await;
        store.after(0, Fault::Hold);
        let start = tokio::spawn(engine.start(two(1)).key("k").into_future());
        settle().await;
        engine.shutdown().await;
        store.release();
        assert!(matches!(start.await.unwrap(), Err(Error::ShutDown)));
        settle().await;
        assert_eq!(calls.firsts.load(Ordering::SeqCst), 0);
    });
    ends(&store, &calls);
    assert_eq!(calls.firsts.load(Ordering::SeqCst), 1);
}

#[test]
fn what_comes_after_the_end_is_refused_also_before_that_is_committed() {
    let store = waiting();
    block_on(async {
        let engine = engine(&store, &Arc::default()).await;
        let run = engine.start(two(1)).key("k").await.unwrap();
        store.after(1, Fault::Hold);
        run.signal(two::more, 2).await.unwrap();
        settle().await;
        assert!(matches!(run.signal(two::more, 3).await, Err(Error::Ended { .. })));
        assert!(matches!(run.cancel().await, Err(Error::Ended { .. })));
        store.release();
        assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
    });
}

#[test]
fn two_who_ask_for_the_same_run_get_the_same_run() {
    let store = waiting();
    block_on(async {
        let builder = Engine::with_store(store.reopen()).resources(App { calls: Arc::default() });
        let engine = builder.start().await.unwrap();
        let ask = || tokio::spawn(engine.start(two(1)).key("k").into_future());
        let asked: Vec<_> = (0..8).map(|_| ask()).collect();
        let mut runs = Vec::new();
        for run in asked {
            runs.push(run.await.unwrap().unwrap());
        }
        runs[0].signal(two::more, 2).await.unwrap();
        for run in runs {
            assert_eq!(run.await.unwrap(), "[1, 1, 1] 2");
        }
    });
    assert_eq!(store.events("k").iter().filter(|event| event.contains("signalled")).count(), 1);
}

#[test]
fn a_restored_run_that_waits_has_no_task() {
    let store = FailingStore::new();
    block_on(async {
        let engine = engine(&store, &Arc::default()).await;
        for key in 0..100 {
            let _run = engine.start(two(1)).key(key.to_string()).await.unwrap();
        }
        settle().await;
    });
    block_on(async {
        let _engine = engine(&store.reopen(), &Arc::default()).await;
        settle().await;
        // The engine's own, for its timers, and nothing for each run.
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 1);
    });
    assert_eq!(store.memory.unfinished(None, 1000).unwrap().len(), 100);
}

#[task(concurrency = 2, retry(attempts = 2, backoff = fixed("1s")), undo = unwork)]
async fn work(n: u64) -> Result<u64, std::io::Error> {
    if n == 1 { Err(std::io::Error::other("odd")) } else { Ok(n) }
}

#[task]
async fn unwork(done: &u64) -> u64 {
    *done
}

workflow! {
    fn inner(n: u64) -> Result<u64> {
        let mut x = work(n * 2)?;
        #[limit(3)]
        while x < 9 {
            x = work(x + 4)?;
        }
        Ok(x)
    }
}

workflow! {
    fn varied(n: u64) -> Result<u64> {
        let list = first(n);
        let all = for one in list {
            let chosen = if one == 1 { inner(one)? } else { work(one)? };
            work(chosen)?
        };
        let won = select! {
            v = signal::<u64>("early") => work(v)?,
            _ = sleep("1m") => work(2)?,
        };
        let last = signal::<u64>("last").within("3d")?;
        let sum = work(all.len() as u64 + won + last)?;
        Ok(sum)
    }
}

/// Whatever stands in a journal: a run goes on or is blocked, and nothing
/// panics, waits for ever or takes the engine along.
#[test]
fn nonsense_in_a_journal_is_survived() {
    let store = FailingStore::new();
    let calls = || App { calls: Arc::default() };
    let engine = async |store: &Arc<FailingStore>| {
        let builder = Engine::with_store(store.clone()).resources(calls()).register::<varied>();
        builder.start().await.unwrap()
    };
    block_on(async {
        let run = engine(&store).await.start(varied(1)).key("k").await.unwrap();
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(run.state(), RunState::Waiting, "{}", run.trace());
    });
    let journal = store.memory.journal(store.stored("k").run).unwrap();
    assert!(journal.len() > 40, "{journal:#?}");
    let mut tried = 0;
    let mut outcomes = [0, 0];
    for entry in 0..journal.len() {
        for change in changes(&journal, entry) {
            tried += 1;
            let store = store.reopen();
            store.always(Some(Fault::Hold));
            let changed = change.clone();
            store.rewrite(move |entries| entries.clone_from(&changed));
            block_on(async {
                let engine = engine(&store).await;
                tokio::time::sleep(Duration::from_secs(60)).await;
                // Nothing was written, so it is as it was.
                store.always(None);
                match engine.start(varied(1)).key("k").await {
                    Ok(run) => {
                        outcomes[0] += 1;
                        drop(run.snapshot());
                    }
                    Err(Error::Blocked { .. }) => outcomes[1] += 1,
                    Err(error) => panic!("{error}\n{change:#?}"),
                }
            });
        }
    }
    assert!(tried > 500 && outcomes[0] > 20 && outcomes[1] > 300, "{tried} {outcomes:?}");
}

/// Journals that differ in one entry.
fn changes(journal: &[StoredEntry], entry: usize) -> Vec<Vec<StoredEntry>> {
    let with = |change: &dyn Fn(&mut Vec<StoredEntry>)| {
        let mut changed = journal.to_vec();
        change(&mut changed);
        for (number, entry) in (0..).zip(&mut changed) {
            entry.seq = number;
        }
        changed
    };
    let mut all = vec![
        with(&|entries| drop(entries.remove(entry))),
        with(&|entries| entries.truncate(entry)),
        with(&|entries| entries.insert(entry, entries[entry].clone())),
        with(&|entries| entries.swap(entry, (entry + 1) % journal.len())),
        with(&|entries| entries[entry].value = None),
        with(&|entries| entries[entry].at.0 = u64::MAX),
        with(&|entries| entries[entry].at.0 = 0),
    ];
    // Every number becomes another.
    let text = &journal[entry].event;
    let mut place = 0;
    while let Some(begin) = text[place..].find(|c: char| c.is_ascii_digit()).map(|found| place + found) {
        let end = text[begin..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |found| begin + found);
        for number in ["0", "1", "7", "65535", "4294967295", "18446744073709551615", "-1"] {
            let changed = format!("{}{number}{}", &text[..begin], &text[end..]);
            all.push(with(&|entries| entries[entry].event.clone_from(&changed)));
        }
        place = end;
    }
    all
}
