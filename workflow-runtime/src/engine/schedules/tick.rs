//! The run of a tick, and the mark of its schedule.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{Timestamp, Zoned};

use crate::engine::commit::{Beginning, create_run};
use crate::engine::instance::Run;
use crate::engine::registry::Registry;
use crate::engine::schedules::waiting_backfills;
use crate::engine::shared::Core;
use crate::error::{Error, Result};
use crate::panics::contained;
use crate::schedule::{self, from_jiff};
use crate::store::{Store, StoreError, StoredSchedule, Tick};
use crate::task::definition::{Graph, Schedule};
use crate::value::Value;

/// The engine, as far as schedules need it.
pub(crate) struct World {
    pub(crate) core: Arc<Core>,
    pub(crate) registry: Arc<Registry>,
}

/// Why the run of a tick is started.
#[derive(Clone, Copy)]
pub(crate) enum Cause {
    /// It is due: the mark of the schedule moves with it.
    Schedule,
    /// It is made up for.
    Backfill {
        /// How many of the backfill's runs may be unfinished at a time.
        at_a_time: usize,
    },
}

/// The parameters of a tick's run, or why there are none. What fills them is
/// the user's code.
pub(crate) fn fill(schedule: &Schedule, tick: &Zoned) -> std::result::Result<Vec<Value>, String> {
    contained(|| (schedule.fill)(tick)).map_err(|panic| format!("its parameters cannot be filled: {panic}"))
}

/// What became of a tick.
pub(crate) enum Outcome {
    Started(Run<()>),
    /// There is a run for it already.
    Existing(String),
    /// It can have no run, and never will: why not.
    Refused(String),
}

impl World {
    /// Starts the run of a tick.
    ///
    /// # Errors
    /// When it could be tried again.
    pub(crate) async fn start(
        &self,
        graph: &'static Graph,
        schedule: &Schedule,
        tick: &Zoned,
        cause: Cause,
    ) -> Result<Outcome> {
        let key = schedule::key(graph.name, tick);
        // Whatever it was started with: it is this tick's.
        if let Some(existing) = self.run_of(key.clone()).await? {
            return Ok(Outcome::Existing(existing));
        }
        let params = match fill(schedule, tick) {
            Ok(params) => params,
            Err(reason) => return Ok(Outcome::Refused(reason)),
        };
        let at = from_jiff(tick.timestamp());
        let (tick, parent) = match cause {
            Cause::Schedule => (Some(Tick { schedule: graph.name.to_owned(), at }), None),
            Cause::Backfill { at_a_time } => (None, Some(waiting_backfills::parent(at_a_time))),
        };
        let beginning = Beginning { key: Some(key), params, tick, parent, ..Beginning::default() };
        match self.start_run(graph, beginning).await {
            Ok(run) => Ok(Outcome::Started(run)),
            Err(error) if may_pass(&error) => Err(error),
            Err(error) => Ok(Outcome::Refused(error.to_string())),
        }
    }

    async fn start_run(&self, graph: &'static Graph, beginning: Beginning) -> Result<Run<()>> {
        let Some(store) = &self.core.store else {
            let Beginning { key, params, .. } = beginning;
            return self.registry.start(self.core.clone(), graph, key, params).map(Run::new);
        };
        create_run(&self.core, &self.registry, store, graph, beginning).await.map(Run::new)
    }

    /// How far the schedules are, and by which rules; none in memory, where
    /// each begins anew.
    pub(crate) async fn schedules(&self) -> Result<Vec<(StoredSchedule, Option<String>)>> {
        let Some(store) = self.core.store.clone() else { return Ok(Vec::new()) };
        let read = move || {
            let mut rules: HashMap<_, _> =
                store.rules()?.into_iter().map(|stored| (stored.schedule, stored.rule)).collect();
            let marks = store.schedules()?.into_iter();
            Ok(marks.map(|stored| (stored.clone(), rules.remove(&stored.schedule))).collect())
        };
        self.core.blocking(read).await
    }

    /// Says anew how far a schedule is, and by which rule.
    pub(crate) async fn put(&self, graph: &Graph, mark: Timestamp, rule: String) -> Result<()> {
        let Some(store) = self.core.store.clone() else { return Ok(()) };
        let stored = StoredSchedule { schedule: graph.name.to_owned(), mark: from_jiff(mark) };
        self.core.blocking(move || store.put_schedule(stored, &rule)).await
    }

    /// Moves a mark without a run.
    pub(crate) async fn mark(&self, tick: Tick) -> Result<()> {
        let Some(store) = self.core.store.clone() else { return Ok(()) };
        self.core.blocking(move || store.mark(tick)).await
    }

    /// The id of the run of a tick, if it has one.
    pub(crate) async fn run_of(&self, key: String) -> Result<Option<String>> {
        let Some(store) = self.core.store.clone() else {
            return Ok(self.registry.by_key(&key).map(|host| host.id.clone()));
        };
        let found = self.core.blocking(move || store.by_key(&key)).await?;
        Ok(found.map(|stored| stored.id))
    }

    pub(crate) fn store(&self) -> Option<Arc<dyn Store>> {
        self.core.store.clone()
    }
}

/// Whether what cannot be done now could be done later.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::ShutDown => true,
        Error::Store(error) => !matches!(error, StoreError::TooLarge { .. } | StoreError::StaleTick { .. }),
        _ => false,
    }
}
