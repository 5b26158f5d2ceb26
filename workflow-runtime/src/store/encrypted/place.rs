//! Where a value stands.

use std::fmt;

use crate::store::{LogLine, Request};

/// The place of a value in a store. A value is encrypted for its place: moved
/// to another one it does not open.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Place<'a> {
    /// The arguments of a run.
    Params {
        /// The run's id.
        run: &'a str,
    },
    // Not `Result`: rustc would then write `std::result::Result` in its messages
    // to everyone who uses this crate.
    /// What a run returned.
    Returned {
        /// The run's id.
        run: &'a str,
    },
    /// The value of an entry of a run's journal.
    Entry {
        /// The run's id.
        run: &'a str,
        /// The entry's number, from 0.
        seq: u64,
    },
    /// A result that later runs may use.
    Remembered {
        /// What it is the result of.
        key: &'a [u8],
    },
    /// What a task gave back that was a transaction.
    Effect {
        /// The run's id.
        run: &'a str,
        /// What it was done under.
        key: &'a str,
    },
    /// The operation that a request asks for. It belongs to who asked for it,
    /// when, why, and about which run: the number of a request is not known
    /// when it is made.
    Operation {
        /// The request. Its operation says nothing here.
        of: &'a Request,
    },
    /// A line that an attempt said. It belongs to the attempt, its time and
    /// its level: the number of a line is not known when it is said.
    Line {
        /// The run's id.
        run: &'a str,
        /// The line. Its text and the number of its run say nothing here.
        of: &'a LogLine,
    },
}

impl Place<'_> {
    /// The place as bytes: no two places have the same. They are part of what
    /// is stored, so they never change.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut bytes = Bytes(b"workflow value".to_vec());
        match self {
            Place::Params { run } => bytes.kind(b'p').part(run.as_bytes()),
            Place::Returned { run } => bytes.kind(b'r').part(run.as_bytes()),
            Place::Entry { run, seq } => bytes.kind(b'e').part(run.as_bytes()).number(seq),
            Place::Remembered { key } => bytes.kind(b'm').part(key),
            Place::Effect { run, key } => bytes.kind(b't').part(run.as_bytes()).part(key.as_bytes()),
            Place::Operation { of: Request { run, operation: _, actor, reason, at } } => bytes
                .kind(b'o')
                .maybe(run.as_deref())
                .part(actor.as_bytes())
                .maybe(reason.as_deref())
                .number(at.0),
            Place::Line { run, of: LogLine { run: _, path, attempt, undo, seq, at, level, text: _ } } => {
                bytes
                    .kind(b'l')
                    .part(run.as_bytes())
                    .part(path.as_bytes())
                    .number(u64::from(*attempt))
                    .number(u64::from(*undo))
                    .number(*seq)
                    .number(at.0)
                    .part(level.name().as_bytes())
            }
        };
        bytes.0
    }
}

/// The beginning of a sentence about the value.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Params { run } => write!(f, "run {run}: its parameters"),
            Place::Returned { run } => write!(f, "run {run}: its result"),
            Place::Entry { run, seq } => write!(f, "run {run}: the value of entry {seq} of its journal"),
            Place::Remembered { .. } => f.write_str("a remembered result"),
            Place::Line { run, of } => write!(f, "run {run}: a line of step `{}`", of.path),
            Place::Effect { run, key } => write!(f, "run {run}: the result of the transaction `{key}`"),
            Place::Operation { of } => write!(f, "what `{}` asked for", of.actor),
        }
    }
}

/// Parts one after the other, each with its length, so that where one ends and
/// the next begins is never a question.
struct Bytes(Vec<u8>);

impl Bytes {
    fn kind(&mut self, kind: u8) -> &mut Self {
        self.0.push(kind);
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn part(&mut self, part: &[u8]) -> &mut Self {
        self.number(part.len() as u64);
        self.0.extend(part);
        self
    }

    fn maybe(&mut self, part: Option<&str>) -> &mut Self {
        self.0.push(u8::from(part.is_some()));
        self.part(part.unwrap_or_default().as_bytes())
    }
}
