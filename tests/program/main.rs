//! A program for the tests of the command line: what it is depends on its
//! environment, as if it had been built on different days.
//!
//! `PROGRAM_DAY` chooses the workflows, `PROGRAM_STRICT` what some values are
//! read as, `PROGRAM_KEY` encrypts the store.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow_runtime::store::{Key, KeyRing};
use workflow_runtime::{App, Context, Secret, sqlite, task, workflow};

/// A page, which may not be read as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Page(String);

impl TryFrom<String> for Page {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if std::env::var_os("PROGRAM_STRICT").is_some() {
            return Err("pages are written otherwise now");
        }
        Ok(Self(text))
    }
}

impl From<Page> for String {
    fn from(page: Page) -> Self {
        page.0
    }
}

#[task]
async fn fetch(day: u32) -> Page {
    Page(format!("page {day}"))
}

#[task]
async fn parse(page: Page) -> String {
    format!("{} parsed", page.0)
}

#[task]
async fn count(text: &str) -> usize {
    text.len()
}

#[task]
async fn publish(text: String, verdict: String) -> String {
    tracing::info!(verdict, "publishing");
    format!("{text}: {verdict}")
}

mod monday {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<String> {
            let page = fetch(day);
            let text = parse(page);
            let verdict = signal::<String>("verdict");
            let published = publish(text, verdict);
            Ok(published)
        }
    }
}

/// With one more step.
mod tuesday {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<String> {
            let page = fetch(day);
            let text = parse(page);
            let length = count(&text);
            let verdict = signal::<String>("verdict");
            let published = publish(format!("{text} ({length})"), verdict);
            Ok(published)
        }
    }
}

/// With another meaning of a step that has finished.
mod wednesday {
    use super::*;

    #[task(version = 2)]
    async fn parse(page: Page) -> String {
        format!("{} parsed better", page.0)
    }

    workflow! {
        pub fn nightly(day: u32) -> Result<String> {
            let page = fetch(day);
            let text = parse(page);
            let verdict = signal::<String>("verdict");
            let published = publish(text, verdict);
            Ok(published)
        }
    }
}

/// With a step before one that has finished.
mod thursday {
    use super::*;
    workflow! {
        pub fn nightly(day: u32) -> Result<String> {
            let page = fetch(day);
            let size = count("a page");
            #[after(size)]
            let text = parse(page);
            let verdict = signal::<String>("verdict");
            let published = publish(format!("{text} ({size})"), verdict);
            Ok(published)
        }
    }
}

#[task]
async fn log_in(user: &str, password: &Secret<String>, code: &Secret<String>) -> Secret<String> {
    Secret::new(format!("{user}:{}:{}", password.expose(), code.expose()))
}

workflow! {
    /// Has a person's secrets.
    pub fn login(user: String, password: Secret<String>) -> Result<Secret<String>> {
        let code = signal::<Secret<String>>("code");
        let session = log_in(&user, &password, &code);
        Ok(session)
    }
}

/// Leaves a line in a file each time it runs.
#[task(at_most_once)]
async fn wire(file: String, verdict: String) -> std::io::Result<usize> {
    let mut file = std::fs::File::options().create(true).append(true).open(file)?;
    writeln!(file, "{verdict}")?;
    Ok(verdict.len())
}

workflow! {
    /// Does something once, after a signal.
    pub fn transfer(file: String) -> Result<usize> {
        let verdict = signal::<String>("verdict");
        let wired = wire(file, verdict)?;
        Ok(wired)
    }
}

/// Says something on the thread of the store.
#[task(transaction)]
fn enter(text: String, #[context] cx: &Context) -> sqlite::Result<usize> {
    tracing::info!(text, "entering");
    let tx = cx.transaction();
    tx.execute_batch("CREATE TABLE IF NOT EXISTS program_diary (text TEXT)")?;
    tx.execute("INSERT INTO program_diary VALUES (?1)", [text])
}

workflow! {
    /// Writes into a table of its own.
    pub fn diary(text: String) -> Result<usize> {
        let entered = enter(text)?;
        Ok(entered)
    }
}

/// The first time, it takes for ever.
#[task]
async fn nap(file: String) -> std::io::Result<String> {
    if !std::fs::exists(&file)? {
        std::fs::write(&file, "")?;
        eprintln!("napping");
        std::future::pending::<()>().await;
    }
    Ok("awake".to_owned())
}

workflow! {
    /// Is under way for long.
    pub fn siesta(file: String) -> Result<String> {
        let word = nap(file)?;
        Ok(word)
    }
}

/// Numbers as they were given, and as they were passed on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Numbers {
    double: f64,
    large: u128,
    least: i128,
    text: String,
    secret: Secret<u128>,
}

#[task]
async fn pass(numbers: &Numbers) -> Numbers {
    numbers.clone()
}

workflow! {
    /// Passes numbers on.
    pub fn numbers(numbers: Numbers) -> Result<(Numbers, u128)> {
        let heard = signal::<u128>("heard");
        let passed = pass(&numbers);
        Ok((passed, heard))
    }
}

#[task(undo = release)]
async fn reserve(seat: u32) -> String {
    format!("seat {seat}")
}

/// Fails, and is tried again in an hour.
#[task(retry(attempts = 5, backoff = fixed("1h")))]
async fn release(_held: &str, #[context] cx: &Context) -> std::io::Result<()> {
    eprintln!("releasing, attempt {}", cx.attempt());
    Err(std::io::Error::other("the desk is closed"))
}

#[task]
async fn board(held: &str) -> std::io::Result<String> {
    Err(std::io::Error::other(format!("{held} is taken")))
}

workflow! {
    /// Fails, and has something to undo.
    pub fn trip(seat: u32) -> Result<String> {
        let held = reserve(seat);
        let boarded = board(&held)?;
        Ok(boarded)
    }
}

/// Ends its process.
#[task(losses = 2)]
async fn crash() -> u64 {
    std::process::abort()
}

workflow! {
    /// Is what ends the process.
    pub fn abrupt() -> Result<u64> {
        let crashed = crash();
        Ok(crashed)
    }
}

/// Succeeds at its second attempt.
#[task(retry(attempts = 2, backoff = fixed("2s")))]
async fn second(#[context] cx: &Context) -> std::io::Result<u32> {
    if cx.attempt() == 1 { Err(std::io::Error::other("not yet")) } else { Ok(cx.attempt()) }
}

workflow! {
    /// Is tried again after two seconds.
    pub fn again() -> Result<u32> {
        let n = second()?;
        Ok(n)
    }
}

/// Appends a line when it begins and one when it ends.
#[task]
async fn hour_of(hour: i8) -> std::io::Result<i8> {
    let note = |text: String| {
        let mut file = std::fs::File::options().create(true).append(true).open("hours")?;
        // In one piece: several of these write at a time.
        file.write_all(format!("{text}\n").as_bytes())
    };
    note(format!("{hour} begins"))?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    note(format!("{hour} ends"))?;
    Ok(hour)
}

fn not_nine(hour: i8) -> i8 {
    assert!(hour != 9, "nothing is done at nine");
    hour
}

workflow! {
    /// Once an hour, but not at nine.
    #[schedule(every = "1h", overlap = cancel_old, hour = not_nine(tick.hour()))]
    pub fn hourly(hour: i8) -> Result<i8> {
        let hour = hour_of(hour)?;
        Ok(hour)
    }
}

#[derive(Debug)]
struct Uttered(String);

impl std::fmt::Display for Uttered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Uttered {}

/// Says something, and returns it or fails with it.
#[task]
async fn say(text: String, fails: bool) -> Result<String, Uttered> {
    tracing::info!("{text}");
    if fails { Err(Uttered(text)) } else { Ok(text) }
}

workflow! {
    /// Whatever somebody wants to be said.
    pub fn utter(text: String, fails: bool) -> Result<String> {
        let said = say(text, fails)?;
        Ok(said)
    }
}

/// Leaves a line.
#[task]
async fn set_out(file: String) -> std::io::Result<String> {
    let mut out = std::fs::File::options().create(true).append(true).open("errands")?;
    writeln!(out, "out for {file}")?;
    Ok(file)
}

/// Waits until there is such a file, and returns so much.
#[task]
async fn wait_for(file: String, size: usize) -> std::io::Result<String> {
    eprintln!("waiting for {file}");
    while !std::fs::exists(&file)? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok("x".repeat(size))
}

workflow! {
    /// Does something, waits for a file, and writes that down.
    pub fn errand(file: String, size: usize) -> Result<usize> {
        let out = set_out(file)?;
        let got = wait_for(out.clone(), size)?;
        let entered = enter(format!("{out} {}", got.len()))?;
        Ok(entered)
    }
}

/// Holds the thread of the store until there is such a file.
#[task(transaction)]
fn enter_late(file: String, #[context] cx: &Context) -> sqlite::Result<usize> {
    eprintln!("holding the store");
    while !std::fs::exists(&file).is_ok_and(|exists| exists) {
        std::thread::sleep(Duration::from_millis(5));
    }
    enter(file, cx)
}

workflow! {
    /// Keeps all others waiting.
    pub fn dawdle(file: String) -> Result<usize> {
        let entered = enter_late(file)?;
        Ok(entered)
    }
}

#[task(cache = "1h")]
async fn look_up(word: String) -> usize {
    word.len()
}

workflow! {
    /// Remembers what it has found.
    pub fn lookup(word: String) -> Result<usize> {
        let found = look_up(word);
        Ok(found)
    }
}

/// More than stands in a row of the store.
#[task]
async fn fill(size: usize) -> String {
    "x".repeat(size)
}

workflow! {
    /// Has a large value, and waits.
    pub fn bulky(size: usize) -> Result<usize> {
        let filled = fill(size);
        let verdict = signal::<String>("verdict");
        let length = count(&filled);
        let published = publish(verdict, length.to_string());
        Ok(published.len())
    }
}

workflow! {
    /// Returns a large value.
    pub fn bulk(size: usize) -> Result<String> {
        let filled = fill(size);
        Ok(filled)
    }
}

fn main() -> ExitCode {
    let mut app = App::new().configure(|engine| engine.grace(Duration::from_millis(200)));
    app = app.register::<lookup>().register::<bulky>().register::<bulk>();
    app = app.register::<login>().register::<transfer>().register::<siesta>().register::<diary>();
    app = app.register::<numbers>().register::<trip>().register::<utter>();
    if std::env::var("PROGRAM_ERRANDS").is_ok() {
        app = app.register::<errand>().register::<dawdle>();
    }
    if std::env::var("PROGRAM_ABRUPT").is_ok() {
        app = app.register::<abrupt>();
    }
    app = match std::env::var("PROGRAM_DAY").as_deref() {
        Ok("clocks") => app.register::<again>().register::<hourly>(),
        Ok("tuesday") => app.register::<tuesday::nightly>(),
        Ok("wednesday") => app.register::<wednesday::nightly>(),
        Ok("thursday") => app.register::<thursday::nightly>(),
        _ => app.register::<monday::nightly>(),
    };
    if let Ok(key) = std::env::var("PROGRAM_KEY") {
        match Key::from_text(&key) {
            Ok(key) => app = app.encrypt(KeyRing::new("test", key)),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(5);
            }
        }
    }
    app.main()
}
