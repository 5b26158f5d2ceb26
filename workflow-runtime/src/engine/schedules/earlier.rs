//! The runs of a schedule that have not ended.

use std::sync::Arc;

use super::tick::World;
use crate::engine::instance::RunHost;
use crate::engine::recover::attach;
use crate::engine::schedules::waiting_backfills::at_a_time;
use crate::error::{Error, Result};
use crate::operation::By;
use crate::run::RunState;
use crate::schedule::key_prefix;
use crate::store::{RunFilter, Store, StoreError, StoredRun};
use crate::task::definition::Graph;

/// A run that has not ended: of this process alone, or of the store, which
/// also has those that sleep or are blocked.
pub(crate) enum Earlier {
    Here(Arc<RunHost>),
    Stored(Box<StoredRun>),
}

impl Earlier {
    pub(crate) fn id(&self) -> &str {
        match self {
            Earlier::Here(host) => &host.id,
            Earlier::Stored(stored) => &stored.id,
        }
    }

    pub(crate) fn state(&self) -> RunState {
        match self {
            Earlier::Here(host) => host.state(),
            Earlier::Stored(stored) => stored.state,
        }
    }
}

/// Who cancels a run for the sake of the next.
fn by() -> By {
    By { actor: "schedule".to_owned(), reason: Some("the next tick has come".to_owned()) }
}

impl World {
    /// The unfinished runs of a workflow's schedule.
    pub(crate) async fn earlier(&self, graph: &'static Graph) -> Result<Vec<Earlier>> {
        let Some(store) = self.store() else {
            let prefix = key_prefix(graph.name);
            let live = self.registry.live().into_iter();
            let ours = live.filter(|host| host.key.as_ref().is_some_and(|key| key.starts_with(&prefix)));
            let backfills = &self.core.backfills;
            let ours = ours.filter(|host| !backfills.is_under_way(graph.name, &host.id));
            return Ok(ours.map(Earlier::Here).collect());
        };
        let stored = self.core.blocking(move || unfinished(&*store, graph.name)).await?;
        Ok(stored.into_iter().map(|stored| Earlier::Stored(Box::new(stored))).collect())
    }

    /// Asks a run to stop, and waits until that is durable.
    pub(crate) async fn cancel(&self, graph: &'static Graph, run: &Earlier) -> Result<()> {
        let host = match (run, self.store()) {
            (Earlier::Here(host), _) => Ok(host.clone()),
            (Earlier::Stored(stored), Some(store)) => {
                let stored = StoredRun::clone(stored);
                let (known, _) = self.registry.introduce(graph);
                attach(&self.core, &self.registry, &store, &known, stored).await
            }
            (Earlier::Stored(_), None) => return Ok(()),
        };
        let cancelled = match host {
            Ok(host) => host.cancel(Some(by())).await,
            Err(error) => Err(error),
        };
        match cancelled {
            // It was faster.
            Ok(()) | Err(Error::Ended { .. }) => Ok(()),
            // Nothing of it is under way, so nothing overlaps.
            Err(error @ Error::Blocked { .. }) => {
                tracing::warn!(%error, "an earlier run of the schedule is not cancelled");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn unfinished(store: &dyn Store, workflow: &str) -> Result<Vec<StoredRun>, StoreError> {
    let key_prefix = Some(key_prefix(workflow));
    let states = RunState::ALL.into_iter().filter(|state| !state.is_ended()).collect();
    let mut filter = RunFilter { key_prefix, states, ..RunFilter::default() };
    let mut found = Vec::new();
    loop {
        let page = store.list(&filter)?;
        let Some(last) = page.last() else { return Ok(found) };
        filter.before = Some(last.run);
        // Those of a backfill are counted apart.
        found.extend(page.into_iter().filter(|run| at_a_time(run).is_none()));
    }
}
