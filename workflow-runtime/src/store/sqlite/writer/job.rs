//! One write on its way, and the caller that waits for it.

use std::panic::AssertUnwindSafe;

use crate::store::sqlite::apply::{Tables, Work, WriteFailure};
use crate::store::sqlite::values::Values;
use crate::store::{Done, RunRef, StoreError};

/// A write and the caller that waits for it.
pub(super) trait Job: Send {
    /// Writes what it keeps beside the database. An error is one that may
    /// pass; any other is kept for the answer.
    fn keep(&mut self, values: &mut Values) -> Result<(), StoreError>;

    /// Only an error that may have left something half written is one here; a
    /// refusal is kept for the answer.
    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError>;

    fn answer(self: Box<Self>, committed: Result<(), StoreError>);

    fn size(&self) -> usize;

    /// The run whose writes have to keep their order.
    fn run(&self) -> Option<RunRef>;

    /// Whether it waits for as long as it takes until a fault has passed.
    fn is_patient(&self) -> bool;
}

pub(super) struct Pending<W: Work> {
    work: W,
    kept: Result<(), StoreError>,
    outcome: Option<Result<W::Outcome, StoreError>>,
    /// `None` once called.
    done: Option<Done<Result<W::Outcome, StoreError>>>,
}

impl<W: Work> Pending<W> {
    pub(super) fn new(work: W, done: Done<Result<W::Outcome, StoreError>>) -> Self {
        Self { work, kept: Ok(()), outcome: None, done: Some(done) }
    }

    fn finish(&mut self, result: Result<W::Outcome, StoreError>) {
        let Some(done) = self.done.take() else { return };
        // A caller's panic must not take the store with it.
        if std::panic::catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("what heard the outcome of a write panicked");
        }
    }
}

impl<W: Work> Job for Pending<W> {
    fn keep(&mut self, values: &mut Values) -> Result<(), StoreError> {
        self.kept = self.work.keep(values);
        match &self.kept {
            Err(error) if error.is_passing() => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        let applied = match &self.kept {
            Ok(()) => self.work.apply(tables),
            Err(error) => Err(WriteFailure::Refused(error.clone())),
        };
        self.outcome = Some(match applied {
            Ok(outcome) => Ok(outcome),
            Err(WriteFailure::Refused(error)) => Err(error),
            Err(WriteFailure::Failed(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(mut self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = self.outcome.take().unwrap_or(Err(StoreError::Closed));
        self.finish(committed.and(outcome));
    }

    fn size(&self) -> usize {
        self.work.size()
    }

    fn run(&self) -> Option<RunRef> {
        self.work.run()
    }

    fn is_patient(&self) -> bool {
        self.work.is_patient()
    }
}

/// Everyone who asked is answered, also when the store is closed meanwhile.
impl<W: Work> Drop for Pending<W> {
    fn drop(&mut self) {
        self.finish(Err(StoreError::Closed));
    }
}
