//! A program that is its own command line: three workflows, and no line of code
//! about arguments, progress, exit codes or operators.
//!
//! ```text
//! cargo run --example shop -- --help
//! cargo run --example shop -- run takings file=examples/data/takings.txt
//! cargo run --example shop -- run payment amount=1200 to=Ada     # waits for a signal: ctrl-c
//! cargo run --example shop -- signal @last review '"approved"'
//! cargo run --example shop -- show @last
//! cargo run --example shop -- logs @last
//! ```
//!
//! Runs are kept in `target/shop.db`; `--store` names another file.

use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use workflow_runtime::{App, task, workflow};

/// What a person says about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is paid.
    Approved,
    /// It is not.
    Refused,
}

#[task(blocking)]
fn read_lines(file: &str) -> io::Result<Vec<String>> {
    Ok(fs::read_to_string(file)?.lines().map(str::to_owned).collect())
}

/// Takes its time, so that there is something to see.
#[task]
async fn parse_amount(line: &str, millis: u64) -> Result<u64, std::num::ParseIntError> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    tracing::info!(line, "an amount");
    line.trim().parse()
}

#[task]
async fn add_up(amounts: &[u64]) -> u64 {
    amounts.iter().sum()
}

#[derive(Debug, thiserror::Error)]
#[error("the payment to {0} was refused")]
struct Refused(String);

#[task]
async fn pay(amount: u64, to: String, verdict: Verdict) -> Result<String, Refused> {
    match verdict {
        Verdict::Approved => Ok(format!("{to} gets {amount} €")),
        Verdict::Refused => Err(Refused(to)),
    }
}

workflow! {
    /// Adds up the amounts in a file, each line a step of its own.
    pub fn takings(file: String, pace: Option<u64>) -> Result<u64> {
        let lines = read_lines(&file)?;
        #[limit(2)]
        let amounts = for line in lines {
            let amount = parse_amount(&line, pace.unwrap_or(200))?;
            amount
        };
        let sum = add_up(&amounts);
        Ok(sum)
    }
}

workflow! {
    /// Pays somebody, once a person has looked at it.
    pub fn payment(amount: u64, to: String) -> Result<String> {
        let verdict = signal::<Verdict>("review").within("3d")?;
        let receipt = pay(amount, to, verdict)?;
        Ok(receipt)
    }
}

#[task]
async fn take_stock(day: String) -> String {
    format!("the shelves of {day} are counted")
}

workflow! {
    /// Counts the shelves, every night at two.
    #[schedule("0 2 * * *", timezone = "Europe/Berlin", day = tick.date().to_string())]
    pub fn stocktaking(day: String) -> Result<String> {
        let report = take_stock(day);
        Ok(report)
    }
}

fn main() -> ExitCode {
    let shop = App::new().store("target/shop.db");
    shop.register::<takings>().register::<payment>().register::<stocktaking>().main()
}
