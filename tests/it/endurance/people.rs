//! People at the command line, several at once, who do not care who owns the
//! store, and who type a command again when it was killed.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Process;
use super::machine::Machine;
use super::program::crowded;

/// How long a command may take, with all that goes wrong meanwhile.
const PATIENCE: Duration = Duration::from_secs(300);

/// Somebody who wants something of one run.
pub struct Person {
    /// What is still to be typed; `ID` stands for the run's id.
    script: VecDeque<Vec<String>>,
    pub number: u64,
    pub key: String,
    /// How the run ends.
    pub state: &'static str,
    pub result: Option<u64>,
    pub id: Option<String>,
    typed: Option<Typed>,
}

struct Typed {
    args: Vec<String>,
    process: Process,
    since: Instant,
    /// It does not live longer than that.
    killed_at: Option<Instant>,
}

impl Person {
    pub fn new(batch: u64, number: u64) -> Self {
        let key = format!("{batch}/{number}");
        let begin = |how: &str, workflow: &str| {
            let words = [how, workflow, &format!("number={number}"), "--key", &key];
            words.map(str::to_owned).to_vec()
        };
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (script, state, result) = match number % 6 {
            0 => (vec![begin("run", "crowd")], "succeeded", Some(crowded(number))),
            1 => {
                let script = vec![begin("start", "asked"), words("signal ID more 7"), words("watch ID")];
                (script, "succeeded", Some(number + 8))
            }
            2 => (vec![begin("start", "endless"), words("cancel ID")], "cancelled", None),
            3 => {
                let twice = vec![begin("start", "crowd"), words("ls"), begin("start", "crowd")];
                (twice, "succeeded", Some(crowded(number)))
            }
            4 => {
                let script = vec![begin("start", "crowd"), words("pause ID"), words("resume ID")];
                (script, "succeeded", Some(crowded(number)))
            }
            _ => {
                let script = vec![begin("start", "crowd"), words("show ID")];
                (script, "succeeded", Some(crowded(number)))
            }
        };
        Self { script: script.into(), number, key, state, result, id: None, typed: None }
    }

    pub fn is_typing(&self) -> bool {
        self.typed.is_some()
    }

    pub fn is_done(&self) -> bool {
        self.typed.is_none() && self.script.is_empty()
    }

    /// Types the next command. What has a key is sometimes killed, and typed
    /// again.
    pub fn go_on(&mut self, folder: &Path, machine: &Machine, lives: Option<Duration>) {
        if self.typed.is_some() {
            return;
        }
        let Some(args) = self.script.pop_front() else { return };
        let id = self.id.clone().unwrap_or_default();
        let args: Vec<_> =
            args.into_iter().map(|word| if word == "ID" { id.clone() } else { word }).collect();
        let process = Process::spawn(folder, machine, &args);
        let since = Instant::now();
        let is_killed = args.iter().any(|word| word == "--key");
        let killed_at = lives.filter(|_| is_killed).map(|lives| since + lives);
        self.typed = Some(Typed { args, process, since, killed_at });
    }

    /// Looks whether the command has ended, and as it should.
    pub fn look(&mut self) {
        let Some(typed) = &mut self.typed else { return };
        let Some(code) = typed.process.ended() else {
            if typed.killed_at.is_some_and(|at| at < Instant::now()) {
                let mut typed = self.typed.take().unwrap();
                typed.process.kill();
                self.script.push_front(typed.args);
                return;
            }
            let waits = typed.since.elapsed();
            assert!(waits < PATIENCE, "{:?} has not ended: {}", typed.args, typed.process.told());
            return;
        };
        let (args, told) = (typed.args.clone(), typed.process.told());
        // What has ended by then cannot be paused any more.
        let too_late = matches!(args[0].as_str(), "pause" | "resume") && told.contains("has ended");
        assert!(code == Some(0) || code == Some(4) && too_late, "{args:?} ended with {code:?}: {told}");
        let out = fs::read_to_string(typed.process.out()).unwrap();
        match args[0].as_str() {
            "start" => {
                let id = out.trim().to_owned();
                let before = self.id.get_or_insert_with(|| id.clone());
                assert_eq!(*before, id, "{args:?} has begun a second run: {told}");
            }
            "run" => {
                let result = self.result.map(|result| result.to_string());
                assert_eq!(out.lines().last(), result.as_deref(), "{args:?}: {told}");
            }
            _ => {}
        }
        self.typed = None;
    }
}

/// Where a process writes what it prints.
pub fn folder_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("told-{number}"))
}
