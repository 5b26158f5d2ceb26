//! Programs as processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

use serde_json::Value as Json;

/// How long a program may say nothing. Far more than it takes on a busy
/// machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program with a store of its own.
pub struct Program {
    exe: PathBuf,
    pub folder: PathBuf,
    env: Vec<(&'static str, String)>,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Program {
    pub fn new(exe: PathBuf, name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("app").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { exe, folder, env: Vec::new() }
    }

    /// The program of these tests.
    pub fn own(name: &str) -> Self {
        Self::new(PathBuf::from(env!("CARGO_BIN_EXE_program")), name)
    }

    /// The same program and store in another environment.
    pub fn with(&self, variable: &'static str, value: &str) -> Self {
        let mut env = self.env.clone();
        env.push((variable, value.to_owned()));
        Self { exe: self.exe.clone(), folder: self.folder.clone(), env }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.set_up(Command::new(&self.exe), args)
    }

    fn set_up(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).current_dir(&self.folder).env("WORKFLOW_STORE", "runs.db").env("USER", "ada");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs it, and expects that all is well.
    #[track_caller]
    pub fn fine(&self, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    pub fn spawn(&self, args: &[&str]) -> Live {
        self.spawn_set_up(args, |_| {})
    }

    /// The same, with something done to the command first.
    pub fn spawn_set_up(&self, args: &[&str], set_up: impl FnOnce(&mut Command)) -> Live {
        // Where the tests run without a terminal, hang-ups may be ignored, and
        // what is ignored is so in a child too.
        let mut heard = Command::new("env");
        heard.arg("--default-signal=HUP").arg(&self.exe);
        let mut command = self.set_up(heard, args);
        set_up(&mut command);
        let mut child = command.spawn().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        let (line, lines) = mpsc::channel();
        std::thread::spawn(move || {
            err.lines().map_while(Result::ok).try_for_each(|text| line.send(text)).ok();
        });
        Live { child, lines, seen: String::new() }
    }

    /// The runs, the newest first.
    #[track_caller]
    pub fn runs(&self) -> Vec<Json> {
        json_lines(&self.fine(&["ls", "--json"]).out)
    }

    /// The story of the newest run.
    #[track_caller]
    pub fn story(&self) -> Json {
        serde_json::from_str(&self.fine(&["show", "@last", "--json"]).out).unwrap()
    }
}

pub fn json_lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A program under way.
pub struct Live {
    pub child: Child,
    /// What it says on stderr.
    lines: mpsc::Receiver<String>,
    seen: String,
}

impl Live {
    /// Waits until it says something.
    pub fn until(mut self, part: &str) -> Self {
        while !self.seen.contains(part) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen += &(line + "\n"),
                Err(_) => {
                    let _ = self.child.kill();
                    panic!("no `{part}` in:\n{}", self.seen);
                }
            }
        }
        self
    }

    #[cfg(unix)]
    pub fn signal(self, signal: &str) -> Self {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
        self
    }

    pub fn end(mut self) -> Ended {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen += &(line + "\n");
        }
        // It has closed its stderr, or will never do.
        if self.child.try_wait().unwrap().is_none() && self.lines.try_recv() == Err(TryRecvError::Empty) {
            let _ = self.child.kill();
        }
        let output = self.child.wait_with_output().unwrap();
        Ended { code: output.status.code(), out: String::from_utf8(output.stdout).unwrap(), err: self.seen }
    }
}
