//! What is not to be seen: encrypted runs, and secrets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use workflow_runtime::store::{Key, KeyRing, Sqlite, Store, StoreError};
use workflow_runtime::{Engine, Error, Resources, Secret, redacted, task, workflow};

const WORD: &str = "Mitzi-the-cat";

#[derive(Resources)]
struct App {
    calls: Arc<AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Login {
    user: String,
    password: Secret<String>,
}

#[task]
async fn log_in(login: &Login, #[resource] calls: &Arc<AtomicU64>) -> Secret<String> {
    calls.fetch_add(1, Ordering::SeqCst);
    Secret::new(format!("token of {} for {}", login.user, login.password.expose()))
}

#[task]
async fn enter(token: Secret<String>, door: Secret<String>) -> Login {
    Login { user: token.into_inner(), password: door }
}

workflow! {
    /// Enters a door, once somebody says which.
    fn visit(login: Login) -> Result<Login> {
        let token = log_in(&login);
        let door = signal::<Secret<String>>("door");
        let inside = enter(token, door);
        Ok(inside)
    }
}

fn login() -> Login {
    Login { user: "ann".to_owned(), password: Secret::new(WORD.to_owned()) }
}

/// What `visit` returns when it is sent through the door of this name.
fn inside(door: &str) -> Login {
    Login { user: format!("token of ann for {WORD}"), password: Secret::new(door.to_owned()) }
}

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("workflow-secrets-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.join("runs.db")
    }

    /// Whether a word stands in any of the files.
    fn shows(&self, word: &str) -> bool {
        fn shows(directory: &Path, word: &[u8]) -> bool {
            std::fs::read_dir(directory).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return shows(&path, word);
                }
                std::fs::read(path).unwrap().windows(word.len()).any(|window| window == word)
            })
        }
        shows(&self.0, word.as_bytes())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn ring(byte: u8) -> KeyRing {
    KeyRing::new(format!("key {byte}"), Key::from_bytes([byte; 32]))
}

async fn engine(
    scratch: &Scratch,
    keys: Option<KeyRing>,
    calls: &Arc<AtomicU64>,
) -> Result<Engine<App>, Error> {
    let engine = Engine::open(scratch.path()).resources(App { calls: calls.clone() }).register::<visit>();
    match keys {
        Some(keys) => engine.encrypt(keys).start().await,
        None => engine.start().await,
    }
}

/// Starts a run and ends the engine while it waits for its signal.
async fn begin(scratch: &Scratch, keys: Option<KeyRing>, calls: &Arc<AtomicU64>) {
    let engine = engine(scratch, keys, calls).await.unwrap();
    let run = engine.start(visit(login())).key("a").await.unwrap();
    let mut events = run.events();
    while calls.load(Ordering::SeqCst) == 0 {
        events.next().await.unwrap();
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_run_goes_on_and_nobody_sees_it() {
    let (scratch, calls) = (Scratch::new("goes-on"), Arc::default());
    begin(&scratch, Some(ring(1)), &calls).await;
    // The key is changed while the run waits.
    let keys = ring(2).and("key 1", Key::from_bytes([1; 32]));
    let engine = engine(&scratch, Some(keys), &calls).await.unwrap();
    let run = engine.start(visit(login())).key("a").await.unwrap();
    run.signal(visit::door, Secret::new("Felix-the-cat".to_owned())).await.unwrap();
    assert_eq!(run.await.unwrap(), inside("Felix-the-cat"));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "what was finished does not run again");
    for word in [WORD, "Felix-the-cat", "token of", "$secret"] {
        assert!(!scratch.shows(word), "`{word}` stands in a file");
    }
    engine.shutdown().await;
    assert!(!scratch.shows(WORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_the_key_does_not_start() {
    let (scratch, calls) = (Scratch::new("no-key"), Arc::default());
    begin(&scratch, Some(ring(1)), &calls).await;
    for keys in [None, Some(ring(2))] {
        let error = engine(&scratch, keys, &calls).await.err().unwrap();
        assert!(matches!(error, Error::Store(StoreError::Key { .. })), "{error}");
        assert!(error.to_string().contains("`key 1`"), "{error}");
    }
    // Nobody has touched it, and nobody holds it.
    let engine = engine(&scratch, Some(ring(1)), &calls).await.unwrap();
    let run = engine.start(visit(login())).key("a").await.unwrap();
    run.signal(visit::door, Secret::new("door".to_owned())).await.unwrap();
    assert_eq!(run.await.unwrap(), inside("door"));
}

/// A run that began in clear ends encrypted, though its parameters and its
/// first step stay as they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_began_in_clear_goes_on_encrypted() {
    let (scratch, calls) = (Scratch::new("clear"), Arc::default());
    begin(&scratch, None, &calls).await;
    assert!(scratch.shows(WORD), "without encryption a secret is in the file");
    let refused = engine(&scratch, Some(ring(1)), &calls).await.err().unwrap();
    assert!(refused.to_string().contains("the store has values in clear"), "{refused}");
    let engine = engine(&scratch, Some(ring(1).and_values_in_clear()), &calls).await.unwrap();
    let run = engine.start(visit(login())).key("a").await.unwrap();
    run.signal(visit::door, Secret::new("Felix-the-cat".to_owned())).await.unwrap();
    assert_eq!(run.await.unwrap(), inside("Felix-the-cat"));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(!scratch.shows("Felix-the-cat"));
}

/// A value that was changed blocks its run, in words that say which.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_value_blocks_its_run() {
    let (scratch, calls) = (Scratch::new("changed"), Arc::default());
    begin(&scratch, Some(ring(1)), &calls).await;
    let database = rusqlite::Connection::open(scratch.path()).unwrap();
    let changed =
        database.execute("UPDATE journal SET value = zeroblob(length(value)) WHERE value IS NOT NULL", []);
    assert_eq!(changed, Ok(1));
    drop(database);
    let engine = engine(&scratch, Some(ring(1)), &calls).await.unwrap();
    let error = engine.start(visit(login())).key("a").await.err().unwrap();
    assert!(matches!(error, Error::Blocked { .. }), "{error}");
    assert!(error.to_string().contains("the value of entry"), "{error}");
}

/// In clear, a secret is shown to nobody who reads through `redacted`.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_shown() {
    let (scratch, calls) = (Scratch::new("shown"), Arc::default());
    let engine = engine(&scratch, None, &calls).await.unwrap();
    let run = engine.start(visit(login())).await.unwrap();
    run.signal(visit::door, Secret::new(WORD.to_owned())).await.unwrap();
    let result = run.await.unwrap();
    assert_eq!(result.password.expose(), WORD);
    assert!(!format!("{:?}", result.password).contains(WORD));
    engine.shutdown().await;

    let store = Sqlite::open(scratch.path()).unwrap();
    let run = store.find("").unwrap().remove(0);
    assert_eq!(redacted(&run.params), r#"[{"password":"***","user":"ann"}]"#);
    let values = store.journal(run.run).unwrap().into_iter().filter_map(|entry| entry.value);
    let shown: Vec<_> = values.map(|value| redacted(&value.bytes)).collect();
    assert!(
        shown.len() >= 3 && shown.iter().all(|shown| !shown.contains(WORD) || shown.contains("token of")),
        "{shown:?}"
    );
    assert_eq!(shown.iter().filter(|shown| *shown == r#""***""#).count(), 2, "the token and the door");
}

#[task]
async fn refuse(password: Secret<String>) -> Result<u64, String> {
    Err(format!("{password} and {password:?} are wrong"))
}

workflow! {
    fn refused(password: Secret<String>) -> Result<u64> {
        let number = refuse(password)?;
        Ok(number)
    }
}

#[tokio::test]
async fn a_failure_that_names_a_secret_does_not_tell_it() {
    let engine = Engine::in_memory().start().await.unwrap();
    let run = engine.start(refused(Secret::new(WORD.to_owned()))).await.unwrap();
    let error = run.await.unwrap_err();
    assert!(error.to_string().contains("*** and *** are wrong"), "{error}");
    assert!(!format!("{error} {error:?}").contains(WORD));
}

type Token = Secret<String>;

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Account {
    name: String,
    tokens: Vec<Option<Token>>,
}

#[task]
async fn call(account: Account) -> Result<u64, String> {
    let token = account.tokens[0].as_ref().unwrap();
    tracing::info!("calling with {}", token.expose());
    Err(format!("https://{}:{}@example.org: no route", account.name, token.expose()))
}

#[task]
async fn burst(account: Account) -> u64 {
    panic!("{:?} is wrong", account.tokens[1].as_ref().unwrap().expose())
}

workflow! {
    fn calls(account: Account, bursts: bool) -> Result<u64> {
        let heard = if bursts { burst(account) } else { call(account)? };
        Ok(heard)
    }
}

/// Whatever the secret is called, and wherever in a value it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_exposed_secret_is_hidden_in_errors_and_panics_and_in_the_file() {
    let scratch = Scratch::new("exposed");
    let engine = Engine::open(scratch.path()).start().await.unwrap();
    for bursts in [false, true] {
        let tokens = ["Tom-the-cat-1", "Tom \"the\" cat 2"].map(|token| Some(Secret::new(token.to_owned())));
        let account = Account { name: "ann".to_owned(), tokens: tokens.into() };
        let run = engine.start(calls(account, bursts)).await.unwrap();
        let error = run.await.unwrap_err().to_string();
        assert!(error.contains("***") && !error.contains("cat"), "{error}");
    }
    engine.shutdown().await;
    let database = rusqlite::Connection::open(scratch.path()).unwrap();
    let told: i64 = database
        .query_row("SELECT count(*) FROM journal WHERE event LIKE '%cat%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(told, 0);
}
