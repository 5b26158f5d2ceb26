//! A nightly report that a person signs off: a program that is its own command
//! line, its own scheduler, and does not mind being killed.
//!
//! Eight shops are asked for the day's takings, three at a time. One of them is
//! busy at first, and asked again. When there is much money, somebody has to
//! look at it before the report goes out.
//!
//! ```text
//! cargo build --example nightly; alias nightly=target/debug/examples/nightly
//!
//! nightly run nightly day=2026-11-20       # watch it; kill -9 it when you like
//! nightly resume @last                     # goes on: what was fetched is not fetched again
//! nightly signal @last review approved     # from another terminal, while it waits
//! nightly show @last                       # the whole story, every attempt
//!
//! nightly next                             # when it runs by itself
//! nightly work                             # ... which it does while this runs; ctrl-c stops
//! nightly backfill nightly --from 2026-11-01 --to 2026-11-04 --dry-run
//! nightly --help
//! ```
//!
//! Runs are kept in `target/nightly.db`; `--store` names another file.

use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use workflow_runtime::{App, Context, task, workflow};

/// What a person says about the report.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes out.
    Approved,
    /// It does not.
    Refused,
}

/// What a shop took on a day, in euros.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Takings {
    shop: String,
    euros: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Report {
    day: Date,
    euros: u64,
    best: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the till of {0} is busy")]
    Busy(String),
    #[error("the report of {0} was refused")]
    Refused(Date),
}

#[task]
async fn list_shops() -> Vec<String> {
    ["Berlin", "Graz", "Lyon", "Malmö", "Porto", "Riga", "Turin", "Vilnius"].map(str::to_owned).to_vec()
}

/// Asks a till, page by page. The pages are made up, and always the same for a
/// day.
#[task(retry(attempts = 5, backoff = exponential("300ms", factor = 2), jitter = 0.2), timeout = "30s")]
async fn fetch_takings(
    shop: String,
    day: Date,
    pace: u64,
    #[context] cx: &Context,
) -> Result<Takings, Problem> {
    const PAGES: u64 = 5;
    if shop == "Lyon" && cx.attempt() == 1 {
        return Err(Problem::Busy(shop));
    }
    let mut euros = 0;
    for page in 1..=PAGES {
        tokio::time::sleep(Duration::from_millis(pace)).await;
        let seed = shop.bytes().map(u64::from).sum::<u64>() * page + u64::from(day.day().unsigned_abs());
        euros += seed * 37 % 500;
        cx.progress(page, PAGES);
    }
    Ok(Takings { shop, euros })
}

#[task]
async fn add_up(day: Date, takings: &[Takings]) -> Report {
    let best = takings.iter().max_by_key(|takings| takings.euros);
    Report {
        day,
        euros: takings.iter().map(|takings| takings.euros).sum(),
        best: best.map(|takings| takings.shop.clone()),
    }
}

#[task]
async fn approve(report: &Report) -> Verdict {
    eprintln!("{} € need nobody's eyes", report.euros);
    Verdict::Approved
}

#[task(blocking)]
fn publish(report: &Report, verdict: Verdict) -> Result<String, Problem> {
    match verdict {
        Verdict::Approved => {
            let best = report.best.as_deref().unwrap_or("nobody");
            Ok(format!("{}: {} €, the most of it in {best}", report.day, report.euros))
        }
        Verdict::Refused => Err(Problem::Refused(report.day)),
    }
}

/// Writing it twice is writing it once.
#[task(blocking)]
pub fn file_away(day: Date, text: &str) -> io::Result<String> {
    let file = format!("target/takings-{day}.txt");
    fs::create_dir_all("target")?;
    fs::write(&file, text)?;
    Ok(file)
}

workflow! {
    /// Reports the takings of a day.
    #[schedule("0 2 * * *", timezone = "Europe/Berlin", day = tick.date(), pace = None)]
    pub fn nightly(day: Date, pace: Option<u64>) -> Result<String> {
        let shops = list_shops();
        #[limit(3)]
        let takings = for shop in shops {
            let taken = fetch_takings(shop, day, pace.unwrap_or(400))?;
            taken
        };
        let report = add_up(day, &takings);
        let verdict = if report.euros > 1_000 {
            signal::<Verdict>("review").within("3d")?
        } else {
            approve(&report)
        };
        let text = publish(&report, verdict)?;
        let file = file_away(day, &text)?;
        Ok(format!("{text} ({file})"))
    }
}

fn main() -> ExitCode {
    App::new().store("target/nightly.db").register::<nightly>().main()
}
