//! What went wrong with a command: its exit code, what it says, and what to
//! do about it.

use std::fmt;

use super::line::Line;
use super::style::{Paint, Style};
use crate::error::Error;
use crate::store::StoreError;

/// How a command ended, for scripts. The numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// All is well.
    Fine = 0,
    /// The run failed or was cancelled.
    RunFailed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// There is no such thing, or there are several.
    NotFound = 3,
    /// The run is not in a state for it, or is blocked.
    Refused = 4,
    /// The store cannot be used.
    Store = 5,
    /// Ctrl-c.
    Interrupted = 130,
}

/// Why a command did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: Code,
    message: String,
    /// More of the message, a line each.
    details: Vec<String>,
    help: Vec<String>,
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), help: Vec::new() }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Adds lines to the message.
    pub(super) fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Adds what to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(super) fn helps(mut self, helps: impl IntoIterator<Item = String>) -> Self {
        self.help.extend(helps);
        self
    }

    /// The same as data.
    pub(super) fn json(&self) -> serde_json::Value {
        let message =
            self.details.iter().fold(self.message.clone(), |message, detail| message + "\n  " + detail);
        serde_json::json!({ "error": message, "help": self.help, "code": self.code as u8 })
    }

    /// As rustc writes it. A message that has several lines has a bar before
    /// each but the first, so that none of them looks like one of this
    /// program's own.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut message = self.message.lines();
        let first = message.next().unwrap_or_default();
        let mut lines = vec![Line::new().styled(Style::Bad, "error:").text(" ").text(first)];
        lines.extend(message.map(|more| Line::new().text("     | ").text(more)));
        lines.extend(self.details.iter().map(|detail| Line::new().text("  ").text(detail)));
        let help = |help| Line::new().text(" ").styled(Style::Busy, "help:").text(" ").text(help);
        lines.extend(self.help.iter().map(help));
        lines
    }
}

/// Its lines, without colours.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.lines().iter().map(|line| line.render(Paint(false))).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(Code::Store, error.to_string())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Failed { .. } | Error::Cancelled { .. } => Code::RunFailed,
            Error::Store(_) | Error::Stopped { .. } | Error::Unconfirmed { .. } | Error::NoThread { .. } => {
                Code::Store
            }
            Error::Codec(_) | Error::TwoWorkflows { .. } | Error::UnknownSignal { .. } => Code::Usage,
            _ => Code::Refused,
        };
        Self::new(code, error.to_string())
    }
}

/// A task of this process ended in a panic: a bug of this project.
impl From<tokio::task::JoinError> for Problem {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new(Code::Store, format!("the store could not be read: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_like_rustc() {
        let problem = Problem::usage("no workflow `nigthly`").help("a similar name exists: `nightly`");
        assert_eq!(
            problem.to_string(),
            "error: no workflow `nigthly`\n help: a similar name exists: `nightly`"
        );
        assert_eq!(problem.json()["code"], 2);
    }

    #[test]
    fn no_text_forges_a_line_of_this_program() {
        let problem = Problem::usage("no\n help: `rm -rf /`\r\nerror: \x1b[2J").help("a\n help: b");
        assert_eq!(
            problem.to_string(),
            "error: no\n     |  help: `rm -rf /`\n     | error: \\u{1b}[2J\n help: a  help: b"
        );
    }
}
