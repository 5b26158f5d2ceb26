//! A run that outlives its process: kill it in the middle, start it again, and
//! it goes on where it was.
//!
//! ```text
//! cargo run --example resume                 # stop it: ctrl-c, or kill -9
//! cargo run --example resume                 # goes on; nothing finished runs again
//! sqlite3 target/resume.db "SELECT path, state, since FROM steps LIMIT 5"
//! ```
//!
//! Look at `main`: all that makes the run durable is `Engine::open`, and the
//! key, which names one run for ever. The first argument is the file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, io};

use workflow_runtime::run::StepState;
use workflow_runtime::{Engine, Error, Run, RunEventKind, StepKind, task, workflow};

#[task(blocking)]
fn list_months(path: &str) -> io::Result<Vec<String>> {
    let csv = fs::read_to_string(path)?;
    let mut months: Vec<String> =
        csv.lines().skip(1).filter_map(|day| day.get(..7)).map(str::to_owned).collect();
    months.dedup();
    Ok(months)
}

#[task(blocking)]
fn sum_rain(path: &str, month: &str) -> io::Result<f64> {
    let csv = fs::read_to_string(path)?;
    let days = csv.lines().filter(|day| day.starts_with(month));
    Ok(days.filter_map(|day| day.split(',').nth(1)?.parse::<f64>().ok()).sum())
}

#[task]
async fn find_wettest(months: &[String], rain: &[f64]) -> String {
    let wettest = months.iter().zip(rain).max_by(|a, b| a.1.total_cmp(b.1));
    wettest.map_or_else(|| "no rain at all".to_owned(), |(month, rain)| format!("{month} with {rain:.1} mm"))
}

workflow! {
    /// Which was the wettest month? One durable step a month, with time to
    /// pull the plug.
    pub fn survey(path: String) -> Result<String> {
        let months = list_months(&path)?;
        #[limit(2)]
        let rain = for month in months {
            sleep("150ms");
            #[after(sleep)]
            let rain = sum_rain(&path, &month)?;
            rain
        };
        let wettest = find_wettest(&months, &rain);
        Ok(wettest)
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let file = env::args_os().nth(1).map_or_else(|| PathBuf::from("target/resume.db"), PathBuf::from);
    let engine = Engine::open(&file).register::<survey>().start().await?;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/seattle-weather.csv");
    let run = engine.start(survey(path.to_owned())).key("the wettest month").await?;
    eprintln!("{} months are known; stop me whenever you like", known(&run));
    tokio::select! {
        () = tell(&run) => {
            println!("The wettest month was {}.", run.await?);
            Ok(ExitCode::SUCCESS)
        }
        Ok(()) = tokio::signal::ctrl_c() => {
            engine.shutdown().await;
            eprintln!("stopped; the next start goes on from here");
            Ok(ExitCode::from(130))
        }
    }
}

/// How many months the run has finished so far, in this process or an earlier
/// one.
fn known(run: &Run<String>) -> usize {
    let snapshot = run.snapshot();
    let finished = snapshot.steps.iter().filter(|step| step.state == StepState::Succeeded { cached: false });
    finished.filter(|step| step.task == "sum_rain").count()
}

/// Tells what is finished from now on, until the run has ended.
async fn tell(run: &Run<String>) {
    let before = known(run);
    let mut events = run.events();
    let mut seen = 0;
    while let Some(event) = events.next().await {
        if let RunEventKind::Step {
            path,
            kind: StepKind::Task,
            task,
            state: StepState::Succeeded { .. },
            ..
        } = event.kind
        {
            // The first events are those of earlier processes.
            seen += usize::from(task == "sum_rain");
            if seen > before {
                eprintln!("{path}");
            }
        }
    }
}
