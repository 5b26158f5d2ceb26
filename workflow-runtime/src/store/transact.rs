//! A task's attempt that is a transaction of the store's own database.

use std::fmt;

use super::{Payload, RunRef, StoreError};

/// What a task does to the store's own database, at most once under its key.
pub struct Transact {
    /// The run that it is done for.
    pub run: RunRef,
    /// Names what is done: the idempotency key of the step.
    pub key: String,
    /// Does it, on the thread that writes and with its connection lent to
    /// [`Context::transaction`](crate::Context::transaction). What it gives
    /// back is kept with what it has written; `None` keeps nothing.
    pub work: Box<dyn FnOnce() -> Option<Payload> + Send>,
}

/// What became of a [`Transact`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transacted {
    /// It is done, and durable.
    Done,
    /// It had been done before, and this is what it gave back. It was not
    /// called again.
    Before(Payload),
    /// It gave nothing back, so nothing of it was kept.
    Nothing,
    /// The transaction was ended before it returned, so nothing of it was
    /// kept.
    Ended,
}

impl fmt::Debug for Transact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transact").field("run", &self.run).field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a store says whose database tasks cannot write to.
pub(super) fn refused() -> StoreError {
    StoreError::Other { message: "tasks cannot write into this store; use a SQLite store".to_owned() }
}
