//! The events of a run, as they come.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use crate::engine::instance::host::RunHost;
use crate::observe::{RunEvent, RunEventKind};
use crate::run::Timestamp;

/// The events of one run, from its first on; made by
/// [`Run::events`](crate::AnyRun::events). It does not keep the run from ending,
/// and ends with it.
///
/// ```no_run
/// # async fn watch(run: workflow_runtime::Run<u64>) {
/// let mut events = run.events();
/// while let Some(event) = events.next().await {
///     println!("{event}");
/// }
/// # }
/// ```
pub struct Events {
    host: Arc<RunHost>,
    /// The number of the next event.
    next: u64,
    lagged_at: Timestamp,
}

impl Events {
    pub(crate) fn of(host: Arc<RunHost>) -> Self {
        Self { host, next: 0, lagged_at: Timestamp::default() }
    }

    /// The next event, or `None` once the run has ended and all were told.
    pub async fn next(&mut self) -> Option<RunEvent> {
        loop {
            // It tells the same from its beginning, and goes on.
            let host = self.host.current().0.clone();
            self.host = host.clone();
            let mut changed = pin!(host.changed.notified());
            host.watch(changed.as_mut());
            match self.try_next() {
                Ok(event) => return Some(event),
                Err(true) => return None,
                Err(false) => changed.await,
            }
        }
    }

    /// The next event, if there is one; otherwise whether the run has ended.
    pub(crate) fn try_next(&mut self) -> Result<RunEvent, bool> {
        let inner = self.host.lock();
        match inner.run.log.get(self.next) {
            None => Err(self.host.is_over(&inner)),
            Some(Err(missing)) => {
                self.next += missing;
                Ok(RunEvent { at: self.lagged_at, kind: RunEventKind::Lagged(missing) })
            }
            Some(Ok(entry)) => {
                drop(inner);
                self.next += 1;
                self.lagged_at = entry.at;
                Ok(RunEvent::from(entry))
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("run", &self.host.id).field("next", &self.next).finish()
    }
}
