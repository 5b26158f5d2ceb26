//! The program whose processes are killed: its workflows, and its command line.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use workflow_runtime::{App, Context, Resources, sqlite, task, workflow};

use crate::crash::Effects;

/// How long what has ended is kept.
pub const KEEP: Duration = Duration::from_secs(20 * 24 * 60 * 60);

#[derive(Resources)]
struct World {
    effects: Effects,
}

fn begin(effects: &Effects, cx: &Context) {
    effects.note(&format!("start {}", cx.run_id()), cx);
}

#[task]
async fn list(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> Vec<u64> {
    begin(effects, cx);
    (number..number + 5).collect()
}

/// Fails at first, with some.
#[task(retry(attempts = 3, backoff = fixed("20ms")))]
async fn shaky(part: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> std::io::Result<u64> {
    begin(effects, cx);
    if part.is_multiple_of(3) && cx.attempt() == 1 {
        return Err(std::io::Error::other("not yet"));
    }
    Ok(part * 2)
}

#[task(transaction)]
fn book(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> sqlite::Result<u64> {
    begin(effects, cx);
    let tx = cx.transaction();
    tx.execute_batch("CREATE TABLE IF NOT EXISTS bookings (run TEXT, step TEXT)")?;
    tx.execute("INSERT INTO bookings VALUES (?1, ?2)", [cx.run_id(), &cx.step()])?;
    Ok(number)
}

#[task(blocking)]
fn weigh(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    begin(effects, cx);
    number + 1
}

#[task]
async fn add(sum: u64, more: &[u64], #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    begin(effects, cx);
    sum + more.iter().sum::<u64>()
}

#[task(undo = release)]
async fn reserve(number: u64, #[resource] effects: &Effects, #[context] cx: &Context) -> u64 {
    begin(effects, cx);
    number
}

#[task]
async fn release(place: &u64, #[resource] effects: &Effects, #[context] cx: &Context) {
    effects.note(&format!("undo{place} {}", cx.run_id()), cx);
}

workflow! {
    /// A map with naps, retries and a branch in it, and a loop.
    pub fn crowd(number: u64) -> Result<u64> {
        let parts = list(number);
        #[limit(3)]
        let done = for part in parts {
            let once = shaky(part)?;
            let nap = sleep("20ms");
            #[after(nap)]
            let kept: u64 = if once % 4 == 0 { book(once)? } else { weigh(once) };
            kept
        };
        let mut sum = add(0, &done);
        #[limit(50)]
        while sum < 500 {
            sum = add(sum, &done);
        }
        Ok(sum)
    }
}

/// What [`crowd`] gives.
pub fn crowded(number: u64) -> u64 {
    let kept = |part: u64| if (part * 2).is_multiple_of(4) { part * 2 } else { part * 2 + 1 };
    let turn: u64 = (number..number + 5).map(kept).sum();
    turn * 500_u64.div_ceil(turn)
}

workflow! {
    /// Waits for a number.
    pub fn asked(number: u64) -> Result<u64> {
        let more = signal::<u64>("more");
        let weighed = weigh(number + more);
        Ok(weighed)
    }
}

workflow! {
    /// Waits for what never comes.
    pub fn endless(number: u64) -> Result<u64> {
        let place = reserve(number);
        #[after(place)]
        let never = signal::<u64>("never");
        let weighed = weigh(never);
        Ok(weighed)
    }
}

/// Does what the arguments say, and ends the process with the exit code. What
/// it prints is in the files `out` and `err` of a folder of its own.
pub fn main(folder: &Path, told: &Path, args: Vec<String>) -> ! {
    let file = |name: &str| File::create(told.join(name)).unwrap();
    let (mut out, mut err) = (file("out"), file("err"));
    let effects = Effects(PathBuf::from(folder).join("effects"));
    let app = App::new().store(folder.join("runs.db")).resources(World { effects });
    let app = app.configure(|engine| engine.keep(KEEP).grace(Duration::from_secs(5)));
    let app = app.register::<crowd>().register::<asked>().register::<endless>();
    let args = std::iter::once("program".to_owned()).chain(args);
    std::process::exit(app.run(args, &mut out, &mut err).into())
}
