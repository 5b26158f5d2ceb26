//! Whether a run goes on here, has ended, or has stopped because of its store, and
//! what a caller that asks for it is told.

use tokio::time::Instant;

use crate::engine::instance::host::{Inner, RunHost};
use crate::error::Error;
use crate::failure::StepError;
use crate::run::RunState;
use crate::store::StoreError;

/// What becomes of a run that has stopped because its store failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The next engine goes on with it.
    #[default]
    ForGood,
    /// It is read back here some time later.
    ForNow,
    /// It is being read back, and a caller that asks for it reads it, too.
    Over,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) enum RunEnd {
    Succeeded,
    Failed(StepError),
    Cancelled,
    /// The engine shut down first.
    Interrupted,
    /// What it decided could not be stored; it is unfinished in its store.
    Unstored(StoreError),
}

impl RunEnd {
    pub(crate) fn state(&self) -> RunState {
        match self {
            RunEnd::Succeeded => RunState::Succeeded,
            RunEnd::Failed(_) => RunState::Failed,
            RunEnd::Cancelled | RunEnd::Interrupted => RunState::Cancelled,
            RunEnd::Unstored(_) => RunState::Blocked,
        }
    }
}

impl RunHost {
    /// Whether the run hears anything more.
    pub(crate) fn check_open(&self, inner: &Inner) -> Result<(), Error> {
        match &inner.end {
            // The machine is ahead of the store by what is not committed yet.
            None if inner.run.machine.run_state().is_ended() => {
                Err(Error::Ended { workflow: self.graph.name.to_owned() })
            }
            None => Ok(()),
            Some(RunEnd::Interrupted) => Err(Error::ShutDown),
            Some(RunEnd::Unstored(error)) => Err(self.stopped(error)),
            Some(_) => Err(Error::Ended { workflow: self.graph.name.to_owned() }),
        }
    }

    /// Whether the run has come to its end, and not only to that of this
    /// engine.
    pub(crate) fn has_ended(&self) -> bool {
        let inner = self.lock();
        matches!(inner.end, Some(RunEnd::Succeeded | RunEnd::Failed(_) | RunEnd::Cancelled))
            || inner.stop == Stop::Over
    }

    /// Whether the run has stopped because its store failed.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.lock().end, Some(RunEnd::Unstored(_)))
    }

    /// Why the run does not go on for now, if it does not: what it has decided
    /// is not stored.
    pub(crate) fn why_stopped(&self) -> Option<String> {
        let inner = self.lock();
        match &inner.end {
            Some(RunEnd::Unstored(error)) => return Some(error.to_string()),
            None if inner.uncommitted.is_pending() => {}
            _ => return None,
        }
        drop(inner);
        let run = *self.journal.as_ref()?.run.get()?;
        let trouble = self.core.store.as_ref()?.trouble().filter(|trouble| trouble.concerns(run))?;
        let again =
            (!trouble.again_in.is_zero()).then(|| format!("; tried again in {:.0?}", trouble.again_in));
        Some(format!("{}{}", trouble.error, again.unwrap_or_default()))
    }

    /// Whether it has, and is to be read back here.
    pub(crate) fn is_stopped_for_now(&self) -> bool {
        let inner = self.lock();
        matches!(inner.end, Some(RunEnd::Unstored(_))) && inner.stop != Stop::ForGood
    }

    /// Whether it is being read back.
    pub(crate) fn is_replaceable(&self) -> bool {
        self.lock().stop == Stop::Over && self.successor.get().is_none()
    }

    /// Whether callers that wait for the run are to wait no more: it has ended, or
    /// so has the engine. What is known to pass is waited for; what may
    /// not pass is told, though the run may go on.
    pub(crate) fn is_over(&self, inner: &Inner) -> bool {
        match &inner.end {
            None => false,
            Some(RunEnd::Unstored(error)) => {
                inner.stop == Stop::ForGood || !error.is_passing() || self.core.registry.strong_count() == 0
            }
            Some(_) => true,
        }
    }

    /// Whether the run may still end by itself until then: something is under
    /// way or will be.
    pub(crate) fn is_busy_until(&self, until: Instant) -> bool {
        let inner = self.lock();
        if !self.core.mode.works() {
            return inner.end.is_none() && inner.uncommitted.is_pending();
        }
        let due = || inner.timers.iter().any(|timer| timer.instant(&self.core.clock) <= until);
        inner.end.is_none() && (inner.uncommitted.is_pending() || inner.work.goes_on() || due())
    }

    /// The run's state, as far as it is committed.
    pub(crate) fn state(&self) -> RunState {
        let inner = self.lock();
        match &inner.end {
            Some(end) => end.state(),
            None if self.journal.is_some() => inner.uncommitted.committed.unwrap_or(RunState::Queued),
            None => inner.run.machine.run_state(),
        }
    }
}
