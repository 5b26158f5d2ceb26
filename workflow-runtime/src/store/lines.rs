//! What attempts say, as it is stored: lines, which nothing is restored from.

use std::fmt;
use std::sync::Arc;

use super::RunRef;
use crate::run::Timestamp;

/// A line that an attempt said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The run.
    pub run: RunRef,
    /// The step's path.
    pub path: Arc<str>,
    /// Which attempt of the step, from 1. Attempts of a step that was done
    /// again, in a later life of the run, may have the same numbers.
    pub attempt: u32,
    /// Whether it was an attempt to undo the step.
    pub undo: bool,
    /// Its number in its attempt, from 0. Where numbers are missing, the store
    /// could not keep up.
    pub seq: u64,
    /// When it was said.
    pub at: Timestamp,
    /// How important it is.
    pub level: LogLevel,
    /// The line: text, unless the store is encrypted and read without its
    /// keys.
    pub text: Vec<u8>,
}

/// A line, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLine {
    /// The store's own number for it, larger for lines of the same run that
    /// were stored later.
    pub number: i64,
    /// The line.
    pub line: LogLine,
}

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something may go wrong.
    Warn,
    /// What people may want to know.
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Every small thing.
    Trace,
}

/// Which lines of a run to read. The default lets the first 1000 through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    /// Those of the step with this path, and of every step in its regions.
    pub path: Option<String>,
    /// Those of the attempts with this number.
    pub attempt: Option<u32>,
    /// Those with a greater number than this one: for the next page.
    pub after: Option<i64>,
    /// How many.
    pub at_most: usize,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self { path: None, attempt: None, after: None, at_most: 1000 }
    }
}

impl LogFilter {
    /// Whether it lets a line of the run through that is asked about.
    pub(super) fn lets_through(&self, line: &LogLine) -> bool {
        let is_within = |path: &String| {
            let rest = line.path.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
        };
        self.path.as_ref().is_none_or(is_within) && self.attempt.is_none_or(|attempt| line.attempt == attempt)
    }
}

impl LogLevel {
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
