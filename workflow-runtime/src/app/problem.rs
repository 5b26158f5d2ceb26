//! What went wrong with a command: its exit code, what it says, and what to
//! do about it.

use std::fmt;

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
    help: Vec<String>,
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: Vec::new() }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
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
        serde_json::json!({ "error": self.message, "help": self.help, "code": self.code as u8 })
    }
}

/// As rustc writes it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "\n help: {help}"))
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
}
