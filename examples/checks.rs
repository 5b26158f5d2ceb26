//! A pipeline of real processes: the checks of a cargo project, side by side,
//! on a copy of it.
//!
//! ```text
//! cargo run --example checks                # a small project that comes along
//! cargo run --example checks -- PROJECT     # one of yours that stands alone
//! ```
//!
//! Look at the steps without `?`: a check that fails is a value, a `Result`,
//! so that the others go on and the summary hears of all of them. The `while`
//! formats until there is nothing left to format, three times at most.
//! `#[always]` removes the copies, also after ctrl-c.

use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Output, Stdio};
use std::time::Duration;
use std::{env, fs, io};

use examples::exit;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use workflow_runtime::app::{short, watch};
use workflow_runtime::{Context, Engine, RunSnapshot, StepError, task, workflow};

/// What `cargo fmt --check` ends with when there is something to format.
const UNFORMATTED: i32 = 1;

#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("{0} is no cargo project: it has no Cargo.toml")]
    NoProject(PathBuf),
    #[error("cannot copy {path}")]
    Copy { path: PathBuf, source: io::Error },
    #[error("cannot remove {path}")]
    Remove { path: PathBuf, source: io::Error },
    #[error("cannot run `{command}`")]
    Start { command: String, source: io::Error },
    #[error("`{command}` ended with exit code {code}\n{output}")]
    Exit { command: String, code: i32, output: String },
    #[error("`{command}` was killed")]
    Killed { command: String },
}

impl CheckError {
    /// A process that somebody killed, such as the system when it was short of
    /// memory, may do better next time. One that ended by itself will say the
    /// same again.
    fn is_temporary(&self) -> bool {
        matches!(self, CheckError::Killed { .. })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Style {
    clean: bool,
    /// How often it has been formatted.
    turns: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Report {
    style: Style,
    lints: Result<(), StepError>,
    /// How many tests passed.
    tests: Result<u32, StepError>,
}

#[task]
async fn create_scratch(#[context] cx: &Context) -> PathBuf {
    env::temp_dir().join(format!("checks-{}", cx.run_id()))
}

#[task(blocking)]
fn copy(project: &Path, to: PathBuf) -> Result<PathBuf, CheckError> {
    if !project.join("Cargo.toml").is_file() {
        return Err(CheckError::NoProject(project.to_owned()));
    }
    match copy_folder(project, &to) {
        Ok(()) => Ok(to),
        Err(source) => Err(CheckError::Copy { path: project.to_owned(), source }),
    }
}

/// Tried again, since a compiler that was stopped may still be writing.
#[task(blocking, retry(attempts = 5, backoff = fixed("200ms")))]
fn remove(scratch: &Path) -> Result<(), CheckError> {
    match fs::remove_dir_all(scratch) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CheckError::Remove { path: scratch.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[task(retry(attempts = 3, backoff = fixed("500ms"), when = CheckError::is_temporary))]
async fn check_style(project: &Path, turns: u32) -> Result<Style, CheckError> {
    match cargo(project, &["fmt", "--all", "--check"]).await {
        Ok(_) => Ok(Style { clean: true, turns }),
        Err(CheckError::Exit { code: UNFORMATTED, .. }) => Ok(Style { clean: false, turns }),
        Err(error) => Err(error),
    }
}

#[task(retry(attempts = 3, backoff = fixed("500ms"), when = CheckError::is_temporary))]
async fn format(project: &Path) -> Result<(), CheckError> {
    cargo(project, &["fmt", "--all"]).await.map(drop)
}

#[task(
    timeout = "10m",
    retry(attempts = 3, backoff = fixed("500ms"), when = CheckError::is_temporary),
)]
async fn lint(project: &Path) -> Result<(), CheckError> {
    cargo(project, &["clippy", "--all-targets", "--target-dir", "target/clippy", "--", "-D", "warnings"])
        .await
        .map(drop)
}

#[task(
    timeout = "10m",
    retry(attempts = 3, backoff = fixed("500ms"), when = CheckError::is_temporary),
)]
async fn test(project: &Path) -> Result<u32, CheckError> {
    let printed = cargo(project, &["test", "--target-dir", "target/test"]).await?;
    // "test result: ok. 3 passed; 0 failed; …", once for each test binary.
    let passed = printed.lines().filter_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next());
    Ok(passed.filter_map(|count| count.parse::<u32>().ok()).sum())
}

workflow! {
    /// Check a cargo project, without touching it.
    fn checks(project: PathBuf) -> Result<Report> {
        let scratch = create_scratch();
        let source = copy(&project, scratch.join("source"))?;
        let draft = copy(&project, scratch.join("draft"))?;

        let lints = lint(&source);      // these two run side by side,
        let tests = test(&source);      // and beside all that follows

        let mut style = check_style(&draft, 0)?;
        #[limit(3)]
        while !style.clean {
            let formatted = format(&draft)?;
            #[after(formatted)]
            style = check_style(&draft, style.turns + 1)?;
        }

        #[always]
        remove(&scratch)?;

        Ok(Report { style: style.clone(), lints: lints.clone(), tests: tests.clone() })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(check().await)
}

async fn check() -> Result<(), Box<dyn Error>> {
    let sample = || Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample-project");
    let project = env::args_os().nth(1).map_or_else(sample, PathBuf::from);

    // A step that is stopped is dropped after this time, and a dropped
    // command is killed.
    let engine = Engine::in_memory().grace(Duration::from_millis(100)).start().await?;
    let run = engine.start(checks(project)).await?;
    let report = watch(run.clone()).await?;
    print!("{}", summary(&report, &run.snapshot()));

    let failures: Vec<&StepError> =
        [report.lints.as_ref().err(), report.tests.as_ref().err()].into_iter().flatten().collect();
    for failure in &failures {
        println!("\n{failure}");
    }
    match failures.len() {
        0 => Ok(()),
        1 => Err("a check failed".into()),
        count => Err(format!("{count} checks failed").into()),
    }
}

/// A line for each check: its name, how it ended, and how long it took.
fn summary(report: &Report, run: &RunSnapshot) -> String {
    let style = match report.style.turns {
        0 => "clean".to_owned(),
        turns => format!("clean after {turns} × cargo fmt"),
    };
    let lints = report.lints.as_ref().map_or("failed", |()| "clean").to_owned();
    let tests = report.tests.as_ref().map_or("failed".to_owned(), |count| format!("{count} passed"));
    let rows = [("style", style), ("lints", lints), ("tests", tests)];
    rows.map(|(name, outcome)| format!("{name:<8}{outcome:<28}{:>8}\n", took(run, name))).concat()
}

/// How long a step took, as the run knows it.
fn took(run: &RunSnapshot, name: &str) -> String {
    let step = run.step(&format!("checks/{name}"));
    let times = step.and_then(|step| step.started_at.zip(step.ended_at));
    times.map_or("-".to_owned(), |(started, ended)| short(ended.since(started)))
}

/// Runs cargo and gives what it printed on stdout.
async fn cargo(project: &Path, args: &[&str]) -> Result<String, CheckError> {
    let command = format!("cargo {}", args.first().unwrap_or(&""));
    let ended = output(Command::new("cargo").args(args).current_dir(project)).await;
    let Output { status, stdout, stderr } =
        ended.map_err(|source| CheckError::Start { command: command.clone(), source })?;
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match status.code() {
        Some(0) => Ok(stdout),
        Some(code) => Err(CheckError::Exit { command, code, output: stdout + &stderr }),
        None => Err(CheckError::Killed { command }),
    }
}

/// Runs a command to its end. Dropped before that, it kills the command and
/// whatever that has started: compilers, tests.
async fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // In a group of its own, it does not hear of ctrl-c: the run decides.
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn()?;
    let mut group = Group(child.id());
    let output = child.wait_with_output().await;
    group.0 = None;
    output
}

/// A group of processes, killed when this is dropped with the group's number.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let (true, Some(number)) = (cfg!(unix), self.0) {
            // If this fails, there is nothing left to kill.
            let mut kill = std::process::Command::new("kill");
            let _ = kill.args(["-KILL", "--", &format!("-{number}")]).stderr(Stdio::null()).status();
        }
    }
}

/// Copies a folder, but for what was built and for its history.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if entry.file_type()?.is_dir() {
            if ![OsStr::new("target"), OsStr::new(".git")].contains(&name.as_os_str()) {
                copy_folder(&path, &to.join(name))?;
            }
        } else if path.is_file() {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
