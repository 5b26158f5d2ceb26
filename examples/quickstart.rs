//! The smallest complete workflow: read a file, ask it two questions at the
//! same time, join the answers.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! Look at the body of `weather`: there is no `.await`, no `spawn` and no
//! channel. A step starts as soon as the steps whose names it uses are done,
//! so `wet` and `hottest` run in parallel, and rustc checks that the types
//! fit.

use std::{fs, io};

use workflow_runtime::{Engine, task, workflow};

#[task(blocking)]
fn read(path: String) -> io::Result<String> {
    fs::read_to_string(path)
}

#[task]
async fn count_wet_days(csv: &str) -> usize {
    csv.lines().skip(1).filter(|day| day.split(',').nth(1) != Some("0.0")).count()
}

#[task]
async fn find_hottest_day(csv: &str) -> io::Result<String> {
    let days = csv.lines().filter_map(|day| {
        let mut columns = day.split(',');
        let date = columns.next()?;
        let celsius: f64 = columns.nth(1)?.parse().ok()?;
        Some((celsius, date))
    });
    let hottest = days.max_by(|a, b| a.0.total_cmp(&b.0));
    let (celsius, date) = hottest.ok_or(io::ErrorKind::InvalidData)?;
    Ok(format!("{date} ({celsius} °C)"))
}

#[task]
async fn describe(wet: usize, hottest: &str) -> String {
    format!("Seattle had {wet} wet days in four years, and its hottest day was {hottest}.")
}

workflow! {
    /// What was the weather like?
    pub fn weather(path: String) -> Result<String> {
        let csv = read(path)?;
        let wet = count_wet_days(&csv);         // these two run side by side:
        let hottest = find_hottest_day(&csv)?;  // nothing ties them together
        let answer = describe(wet, &hottest);
        Ok(answer)
    }
}

#[tokio::main]
async fn main() -> Result<(), workflow_runtime::Error> {
    let engine = Engine::in_memory().start().await?;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/seattle-weather.csv");
    let run = engine.start(weather(path.to_owned())).await?;
    println!("{}", run.await?);
    Ok(())
}
