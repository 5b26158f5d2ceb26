//! What attempts say: captured, bounded, kept with the run, and shown.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tracing::Instrument;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Identity;
use tracing_subscriber::prelude::*;
use workflow_runtime::logs::Capture;
use workflow_runtime::store::{
    Key, KeyRing, LogFilter, LogLevel, Memory, Sqlite, Store, StoredLine, Visitor,
};
use workflow_runtime::{Engine, Resources, Result, Secret, task, workflow};

use crate::failing_store::{FailingStore, Fault};

/// While there is but one subscriber, `tracing` asks the thread that first meets
/// an event whether anybody wants it, and remembers that for all threads: a test
/// without a subscriber would silence the engine's spans for the tests here.
/// With others about it asks all.
static OTHERS: LazyLock<[tracing::Dispatch; 2]> =
    LazyLock::new(|| std::array::from_fn(|_| tracing::Dispatch::new(tracing_subscriber::registry())));

/// Runs something where every thread has the subscriber: one that is set for a
/// scope is its thread's alone.
fn captured<T>(
    subscriber: impl tracing::Subscriber + Send + Sync,
    mut runtime: tokio::runtime::Builder,
    act: impl Future<Output = T>,
) -> T {
    LazyLock::force(&OTHERS);
    let dispatch = tracing::Dispatch::new(subscriber);
    let on_thread = dispatch.clone();
    let start = move || std::mem::forget(tracing::dispatcher::set_default(&on_thread));
    let runtime = runtime.enable_all().on_thread_start(start).build().unwrap();
    tracing::dispatcher::with_default(&dispatch, || runtime.block_on(act))
}

/// A runtime whose time is steered.
fn steered() -> tokio::runtime::Builder {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.start_paused(true);
    runtime
}

/// One whose time is real.
fn on_thread() -> tokio::runtime::Builder {
    tokio::runtime::Builder::new_current_thread()
}

fn capture() -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::registry().with(Capture::new())
}

fn lines(store: &dyn Store, id: &str) -> Vec<StoredLine> {
    let run = store.find(id).unwrap().remove(0).run;
    store.logs(run, &LogFilter { at_most: usize::MAX, ..LogFilter::default() }).unwrap()
}

/// Runs something on a store in memory, and says what its attempts said.
fn said<T: workflow_runtime::Durable>(
    subscriber: impl tracing::Subscriber + Send + Sync,
    start: impl AsyncFnOnce(&Engine) -> workflow_runtime::Run<T>,
) -> Vec<StoredLine> {
    let store = Memory::new();
    captured(subscriber, steered(), async {
        let engine = Engine::with_store(Arc::new(store.clone())).start().await.unwrap();
        let run = start(&engine).await;
        let id = run.id().to_owned();
        let _ = run.await;
        lines(&store, &id)
    })
}

/// `path#attempt level line`
fn text(stored: &StoredLine) -> String {
    let line = &stored.line;
    let text = String::from_utf8_lossy(&line.text);
    let undo = if line.undo { " undo" } else { "" };
    format!("{}#{}{undo} {} {text}", line.path, line.attempt, line.level)
}

macro_rules! say {
    ($level:ident, $($event:tt)*) => { tracing::$level!(target: "shop", $($event)*) };
}

#[derive(Debug, thiserror::Error)]
#[error("no route")]
struct NoRoute;

#[task(retry(attempts = 2, backoff = fixed("1s")))]
async fn deep(name: String, #[context] cx: &workflow_runtime::Context) -> std::result::Result<u64, NoRoute> {
    say!(info, "before");
    async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        say!(debug, name, "inside");
    }
    .instrument(tracing::info_span!("inner", password = "hunter2"))
    .await;
    let there = tokio::spawn(async { say!(warn, "spawned, with the span") }.in_current_span());
    there.await.unwrap();
    tokio::spawn(async { say!(warn, "spawned, without") }).await.unwrap();
    say!(error, error = &NoRoute as &dyn std::error::Error, token = 7);
    if cx.attempt() == 1 { Err(NoRoute) } else { Ok(1) }
}

#[task(blocking)]
fn block(n: u64) -> u64 {
    say!(trace, n, "on its own thread");
    n
}

workflow! {
    fn nested(name: String) -> Result<u64> {
        let n = deep(name)?;
        let m = block(n);
        Ok(m)
    }
}

#[test]
fn what_is_said_in_nested_futures_and_on_threads_is_kept() {
    let said = said(capture(), async |engine| engine.start(nested("Ada".to_owned())).await.unwrap());
    let attempt = |number| {
        [
            format!("nested/n#{number} info shop: before"),
            format!("nested/n#{number} debug shop: inside name=\"Ada\""),
            format!("nested/n#{number} warn shop: spawned, with the span"),
            format!("nested/n#{number} error shop: error=no route token=***"),
        ]
    };
    let mut wanted = [attempt(1), attempt(2)].concat();
    wanted.push("nested/m#1 trace shop: on its own thread n=1".to_owned());
    assert_eq!(said.iter().map(text).collect::<Vec<_>>(), wanted);
    // The engine's clock, which is the attempts'.
    let at = |number: usize| said[number].line.at;
    assert_eq!(at(1).since(at(0)), Duration::from_secs(1));
    assert_eq!(at(4).since(at(3)), Duration::from_secs(1), "the backoff");
    assert_eq!(said.iter().map(|stored| stored.line.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 0, 1, 2, 3, 0]);
}

#[test]
fn a_filter_of_the_layer_is_obeyed() {
    let start = async |engine: &Engine| engine.start(nested("Ada".to_owned())).await.unwrap();
    let levels = |said: Vec<StoredLine>| said.iter().map(|stored| stored.line.level).collect::<Vec<_>>();
    let once = [LogLevel::Info, LogLevel::Warn, LogLevel::Error];
    let subscriber = tracing_subscriber::registry().with(Capture::new().with_filter(LevelFilter::INFO));
    assert_eq!(levels(said(subscriber, start)), [once, once].concat());
    // Beside another one, which lets other things through.
    let deaf = Identity::new().with_filter(LevelFilter::OFF);
    let layer = Capture::new().with_filter(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry().with(deaf).with(layer).with(LevelFilter::TRACE);
    assert_eq!(levels(said(subscriber, start)), [once, once].concat());
    // Without a capture, and without a place to keep it.
    assert!(said(tracing_subscriber::registry(), start).is_empty());
    captured(capture(), steered(), async {
        let engine = Engine::in_memory().start().await.unwrap();
        assert_eq!(engine.start(nested("Ada".to_owned())).await.unwrap().await.unwrap(), 1);
    });
}

#[task]
async fn unpay(n: &u64) {
    say!(info, n, "undone");
}

#[task(undo = unpay)]
async fn pay(n: u64) -> u64 {
    say!(info, n, "paid");
    n
}

#[task]
async fn fail(n: u64) -> std::result::Result<u64, NoRoute> {
    say!(info, n, "failing");
    Err(NoRoute)
}

workflow! {
    fn undone(n: u64) -> Result<u64> {
        let paid = pay(n);
        let failed = fail(paid)?;
        Ok(failed)
    }
}

#[test]
fn an_undo_is_told_from_what_it_undoes() {
    let said = said(capture(), async |engine| engine.start(undone(3)).await.unwrap());
    let wanted = [
        "undone/paid#1 info shop: paid n=3",
        "undone/failed#1 info shop: failing n=3",
        "undone/paid#1 undo info shop: undone n=3",
    ];
    assert_eq!(said.iter().map(text).collect::<Vec<_>>(), wanted);
}

const LINES: u64 = 20;

#[task]
async fn chat(item: u64) -> u64 {
    for turn in 0..LINES {
        say!(info, item, turn);
        tokio::task::yield_now().await;
    }
    item
}

workflow! {
    fn chats(items: Vec<u64>) -> Result<u64> {
        let all = for item in items { chat(item) };
        Ok(all.len() as u64)
    }
}

/// Threads of their own, so that attempts really are side by side.
#[test]
fn attempts_side_by_side_do_not_mix() {
    let store = Memory::new();
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.worker_threads(4);
    let ids = captured(capture(), threads, async {
        let engine = Engine::with_store(Arc::new(store.clone())).start().await.unwrap();
        let first = engine.start(chats((0..30).collect())).await.unwrap();
        let second = engine.start(chats((100..130).collect())).await.unwrap();
        let ids = [first.id().to_owned(), second.id().to_owned()];
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (30, 30));
        ids
    });
    for (id, first) in ids.iter().zip([0, 100]) {
        let said = lines(&store, id);
        assert_eq!(said.len() as u64, 30 * LINES);
        for item in 0..30 {
            let path = format!("chats/all[{item}]/chat");
            let own: Vec<_> = said.iter().filter(|stored| *stored.line.path == *path).collect();
            for (turn, stored) in own.iter().enumerate() {
                let wanted = format!("shop: item={} turn={turn}", first + item);
                assert_eq!(String::from_utf8_lossy(&stored.line.text), wanted, "{path}");
            }
            assert_eq!(own.len() as u64, LINES, "{path}");
        }
    }
}

#[task]
async fn shout(lines: u64) -> u64 {
    for line in 0..lines {
        say!(info, line, "{}", "x".repeat(1_000));
    }
    lines
}

workflow! {
    fn shouts(lines: u64) -> Result<u64> {
        let loud = shout(lines);
        let quiet = shout(2);
        Ok(loud + quiet)
    }
}

#[test]
fn an_attempt_is_bounded_and_says_what_it_dropped() {
    let said = said(capture(), async |engine| engine.start(shouts(1_000)).await.unwrap());
    let of = |path: &str| said.iter().filter(|stored| *stored.line.path == *path).collect::<Vec<_>>();
    let loud = of("shouts/loud");
    let (last, kept) = loud.split_last().unwrap();
    let bytes: usize = kept.iter().map(|stored| stored.line.text.len()).sum();
    assert!((64_000..=65_536).contains(&bytes), "{bytes}");
    let dropped = 1_000 - kept.len();
    let wanted =
        format!("workflow_runtime: {dropped} lines were dropped: an attempt keeps 65536 bytes of lines");
    assert_eq!(String::from_utf8_lossy(&last.line.text), wanted);
    assert_eq!((last.line.level, last.line.seq), (LogLevel::Warn, kept.len() as u64));
    assert_eq!(of("shouts/quiet").len(), 2, "each attempt has its own");
}

#[derive(Resources)]
struct App {
    store: Arc<FailingStore>,
    fault: Fault,
}

#[task]
async fn mumble(lines: u64, #[resource] store: &Arc<FailingStore>, #[resource] fault: &Fault) -> u64 {
    store.always(Some(*fault));
    for line in 0..lines {
        say!(info, line);
    }
    store.always(None);
    lines
}

workflow! {
    fn mumbles(lines: u64) -> Result<u64> {
        let n = mumble(lines);
        Ok(n)
    }
}

/// Says so many lines into a store that does this with each, and gives those
/// that are kept.
fn mumbled(store: &Arc<FailingStore>, fault: Fault, count: u64) -> Vec<StoredLine> {
    let id = captured(capture(), steered(), async {
        let engine = Engine::with_store(store.clone()).resources(App { store: store.clone(), fault });
        let engine = engine.start().await.unwrap();
        let run = engine.start(mumbles(count)).await.unwrap();
        let id = run.id().to_owned();
        assert_eq!(run.await.unwrap(), count, "nobody waits for them");
        id
    });
    lines(&store.memory, &id)
}

#[test]
fn a_store_that_cannot_keep_up_holds_nobody_up() {
    let store = FailingStore::new();
    let said = mumbled(&store, Fault::Hold, 4_200);
    let (last, kept) = said.split_last().unwrap();
    // What the store says while it keeps a line is none.
    assert!(kept.iter().all(|stored| text(stored).contains(" info shop: line=")));
    assert_eq!(
        text(last),
        "mumbles/n#1 warn workflow_runtime: 104 lines were dropped: the store could not keep up"
    );
    assert_eq!((kept.len(), store.release()), (4_096, 4_096), "what is on its way is bounded");
}

#[test]
fn a_store_that_fails_loses_lines_and_no_run() {
    for fault in [Fault::Fail, Fault::Vanish] {
        let store = FailingStore::new();
        assert!(mumbled(&store, fault, 4_200).is_empty(), "{fault:?}");
    }
}

#[test]
fn lines_are_encrypted_where_values_are() {
    let path = scratch("encrypted").join("runs.db");
    let keys = || KeyRing::new("one", Key::from_bytes([7; 32]));
    let id = captured(capture(), on_thread(), async {
        let engine = Engine::open(&path).encrypt(keys()).start().await.unwrap();
        let run = engine.start(chats(vec![5])).await.unwrap();
        let id = run.id().to_owned();
        run.await.unwrap();
        engine.shutdown().await;
        id
    });
    let sealed = lines(&Sqlite::open(&path).unwrap(), &id);
    assert_eq!(sealed.len() as u64, LINES);
    let shows = |stored: &StoredLine| stored.line.text.windows(4).any(|part| part == b"item");
    assert!(!sealed.iter().any(shows));
    let visitor = Visitor::open(&path).unwrap();
    let cipher = workflow_runtime::store::Cipher::open(&visitor.keys().unwrap(), &keys()).unwrap();
    assert!(cipher.open_lines(&id, sealed).unwrap().iter().all(shows));
}

fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("logs").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[task]
async fn log_in(user: String, password: Secret<String>) -> u64 {
    say!(info, user, ?password, given = password.expose(), "{password} of {user}");
    let saved = serde_json::to_string(&password).unwrap();
    say!(info, body = saved);
    1
}

workflow! {
    fn logs_in(user: String, password: Secret<String>) -> Result<u64> {
        let n = log_in(user, password);
        Ok(n)
    }
}

#[test]
fn a_secret_is_not_stored() {
    let password = Secret::from("hunter2".to_owned());
    let said =
        said(capture(), async |engine| engine.start(logs_in("Ada".to_owned(), password)).await.unwrap());
    let said: Vec<_> = said.iter().map(text).collect();
    // Neither is what was taken out of it, as it is.
    let first = r#"logs_in/n#1 info shop: *** of Ada user="Ada" password=*** given="***""#;
    assert_eq!(said, [first, "logs_in/n#1 info shop: body=***"]);
}

/// The child of the next test; nothing when it is not that one that asks.
#[test]
fn child() {
    let Some(path) = std::env::var_os("WORKFLOW_LOGS_CHILD") else { return };
    captured(capture(), on_thread(), async {
        let engine = Engine::open(path).register::<waits>().start().await.unwrap();
        engine.start(waits(3)).key("the run").await.unwrap().await.unwrap();
    });
}

#[task]
async fn hang(n: u64) -> u64 {
    for line in 0..n {
        say!(info, line);
    }
    std::future::pending().await
}

workflow! {
    fn waits(n: u64) -> Result<u64> {
        let m = hang(n);
        Ok(m)
    }
}

#[test]
fn what_was_stored_survives_kill_9_and_the_attempt() {
    let path = scratch("killed").join("runs.db");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logs::child"])
        .env("WORKFLOW_LOGS_CHILD", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Another process reads them while the attempt still runs.
    let read = || {
        let visitor = Visitor::open(&path).ok()?;
        let run = visitor.by_key("the run").ok()??;
        visitor.logs(run.run, &LogFilter::default()).ok().filter(|lines| lines.len() == 3)
    };
    let found = (0..3_000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        read()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let found = found.expect("the lines of a running attempt are stored");
    let store = Sqlite::open(&path).unwrap();
    let id = store.by_key("the run").unwrap().unwrap().id;
    assert_eq!(lines(&store, &id), found);
    assert_eq!(text(&found[2]), "waits/m#1 info shop: line=2");
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}
