//! What went wrong with a command: its exit code, what it says, and what to
//! do about it.

use crate::error::Error;
use crate::store::StoreError;

/// How a command ended, for scripts. The numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
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
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// More of the message, a line each.
    pub(crate) details: Vec<String>,
    pub(crate) help: Vec<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), help: Vec::new() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Adds lines to the message.
    pub(crate) fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Adds what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(crate) fn helps(mut self, helps: impl IntoIterator<Item = String>) -> Self {
        self.help.extend(helps);
        self
    }

    /// The same as data.
    pub(crate) fn json(&self) -> serde_json::Value {
        let message =
            self.details.iter().fold(self.message.clone(), |message, detail| message + "\n  " + detail);
        serde_json::json!({ "error": message, "help": self.help, "code": self.code as u8 })
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
