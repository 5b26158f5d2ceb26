//! What the processes of the storm run: each workflow needs something else of
//! a run that outlives its process.

use std::path::Path;
use std::time::Duration;

use workflow_runtime::store::KeyRing;
use workflow_runtime::{Context, Engine, Resources, sqlite, task, workflow};

use crate::crash::Effects;

#[derive(Resources)]
pub struct World {
    effects: Effects,
}

impl World {
    /// One whose effects are noted in a folder.
    pub fn new(folder: &Path) -> Self {
        Self { effects: Effects(folder.join("effects")) }
    }
}

impl Effects {
    fn begin(&self, cx: &Context) {
        self.note(&format!("start {}", cx.run_id()), cx);
    }
}

/// More than fits into a row. Some are the same for different runs.
pub fn page(number: u64) -> String {
    format!("page {} ", number % 5).repeat(10_000)
}

#[task]
async fn fetch(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> String {
    effects.begin(cx);
    page(number)
}

#[task(transaction)]
fn book(
    page: &str,
    number: u64,
    #[resource] effects: &Effects,
    #[context] cx: &Context,
) -> sqlite::Result<u64> {
    effects.begin(cx);
    let tx = cx.transaction();
    tx.execute_batch("CREATE TABLE IF NOT EXISTS storm_bookings (run TEXT, step TEXT)")?;
    tx.execute("INSERT INTO storm_bookings VALUES (?1, ?2)", [cx.run_id(), &cx.step()])?;
    Ok(page.len() as u64 + number)
}

/// What others have asked for already need not be asked again.
#[task(cache = "1h")]
async fn quote(of: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    effects.begin(cx);
    100 + of
}

/// Takes long enough to be hit.
#[task(at_most_once)]
async fn wire(booked: &[u64], #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    effects.begin(cx);
    tokio::time::sleep(Duration::from_millis(150)).await;
    booked.iter().sum()
}

#[task]
async fn tell(page: &str, wired: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    effects.begin(cx);
    page.len() as u64 + wired
}

workflow! {
    /// Large values, a nap for each of them, money that is wired once, and a
    /// price that is remembered.
    pub fn errand(number: u64) -> Result<u64> {
        let first = fetch(number);
        let quoted = quote(number % 2);
        let parts: Vec<u64> = vec![number + 1, number + 2, number + 3];
        #[limit(2)]
        let booked = for part in parts {
            let page = fetch(part);
            let nap = sleep("30ms");
            #[after(nap)]
            let booked = book(&page, part)?;
            booked
        };
        #[after(booked)]
        let night = sleep("1100ms");
        #[after(night)]
        let wired = wire(&booked);
        #[after(night)]
        let again = quote(quoted - 100);
        let told = tell(&first, wired + again - quoted);
        Ok(told)
    }
}

workflow! {
    /// Waits for a long word, sleeps on it, and waits for a number.
    pub fn asked(number: u64) -> Result<u64> {
        let word = signal::<String>("word").within("1h")?;
        #[after(word)]
        let night = sleep("1100ms");
        #[after(night)]
        let more = signal::<u64>("more");
        let told = tell(&word, number + more);
        Ok(told)
    }
}

#[task(undo = release)]
async fn reserve(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    effects.begin(cx);
    number
}

#[task]
async fn release(place: &u64, #[resource] effects: &Effects, #[context] cx: &Context) {
    effects.note(&format!("undo{place} {}", cx.run_id()), cx);
}

/// Goes through once somebody has opened the door.
#[task]
async fn pass(place: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> std::io::Result<u64> {
    effects.begin(cx);
    std::fs::metadata(effects.0.with_file_name(format!("door-{place}"))).map(|_| place + 1)
}

workflow! {
    /// Fails at a door that is shut.
    pub fn stuck(number: u64) -> Result<u64> {
        let place = reserve(number);
        let passed = pass(place)?;
        let told = tell("", passed);
        Ok(told)
    }
}

workflow! {
    /// Waits for what never comes.
    pub fn endless(number: u64) -> Result<u64> {
        let place = reserve(number);
        #[after(place)]
        let never = signal::<u64>("never");
        let told = tell("", never);
        Ok(told)
    }
}

#[task(retry(attempts = 2, backoff = fixed("1h")))]
async fn insist(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> std::io::Result<u64> {
    effects.begin(cx);
    if cx.attempt() < 2 { Err(std::io::Error::other("not now")) } else { Ok(number) }
}

workflow! {
    /// Is tried again in an hour, unless somebody cannot wait.
    pub fn patient(number: u64) -> Result<u64> {
        let insisted = insist(number)?;
        Ok(insisted)
    }
}

/// Works on the store in a folder until it is killed.
pub fn work(folder: &Path, keys: Option<KeyRing>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::open(folder.join("runs.db")).resources(World::new(folder));
        let engine = match keys {
            Some(keys) => engine.encrypt(keys),
            None => engine,
        };
        let engine = engine.register::<errand>().register::<asked>().register::<stuck>();
        let _engine = engine.register::<endless>().register::<patient>().start().await.unwrap();
        std::future::pending::<()>().await;
    });
}
