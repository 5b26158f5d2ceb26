//! Runs for ticks that have passed.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, Zoned};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::engine::handle::Engine;
use crate::engine::schedules::{Cause, Outcome, World};
use crate::error::{Error, Result};
use crate::resources::Resources;
use crate::run::RunState;
use crate::schedule::{self, Ticks, to_jiff};
use crate::task::definition::{Graph, Schedule};

/// How many ticks a backfill may have: more are a slip of the pen.
const MOST_TICKS: usize = 100_000;

/// Runs for the ticks of a span; made by [`Engine::backfill`].
///
/// The key of a run is that of its tick, so what has run at its time, or by
/// an earlier backfill, does not run again.
#[must_use = "a backfill starts nothing until it is run"]
pub struct Backfill {
    world: World,
    graph: &'static Graph,
    schedule: &'static Schedule,
    ticks: Vec<Zoned>,
    to_come: Option<Zoned>,
    at_a_time: NonZeroUsize,
}

/// The ticks of a span.
pub(crate) struct Span {
    /// Those that have passed.
    pub(crate) ticks: Vec<Zoned>,
    /// The first that is still to come: the schedule starts its run itself.
    pub(crate) to_come: Option<Zoned>,
}

/// The ticks from `from` on and before `to`, as it is now; `None` where more
/// than `most` of them have passed.
pub(crate) fn span(
    ticks: &Ticks,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
    most: usize,
) -> Option<Span> {
    let before = |instant: Timestamp| instant.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(instant);
    let past: Vec<Zoned> = ticks.within(before(from), before(to).min(now)).take(most + 1).collect();
    let to_come = ticks.within(before(from).max(now), before(to)).next();
    (past.len() <= most).then_some(Span { ticks: past, to_come })
}

/// A tick of a backfill, as [`Backfill::plan`] lists it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BackfillTick {
    /// When it was due.
    pub tick: Zoned,
    /// The key of its run.
    pub key: String,
    /// The id of the run that it has already.
    pub run: Option<String>,
}

/// What a backfill did for one tick.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Backfilled {
    /// When it was due.
    pub tick: Zoned,
    /// The key of its run.
    pub key: String,
    /// What became of it.
    pub result: BackfillResult,
}

/// What became of a tick in a backfill.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackfillResult {
    /// Its run was started, and ended like this.
    Ended {
        /// The run's id.
        run: String,
        /// Its state at the end.
        state: RunState,
    },
    /// There was a run already. It may not have ended.
    Existed {
        /// The run's id.
        run: String,
    },
    /// It starts no run: why not.
    Refused {
        /// In words.
        reason: String,
    },
}

impl<R: Resources> Engine<R> {
    /// Prepares runs for the ticks of a workflow's schedule from `from` on and
    /// before `to`, the oldest first. Ticks that are still to come are left
    /// out ([`Backfill::to_come`]). How far the schedule is does not change, and
    /// what is due meanwhile takes these runs for none of its own: it neither
    /// waits for them, nor cancels them, nor is passed over for them.
    ///
    /// ```
    /// use workflow_runtime::{Engine, Result, workflow};
    ///
    /// workflow! {
    ///     #[schedule("0 2 * * *", hour = tick.hour())]
    ///     fn nightly(hour: i8) -> Result<i8> {
    ///         Ok(hour)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let engine = Engine::in_memory().register::<nightly>().start().await?;
    /// let (from, to) = ("2026-02-01T00:00:00Z".parse().unwrap(), "2026-02-08T00:00:00Z".parse().unwrap());
    /// let backfill = engine.backfill("nightly", from, to)?.at_a_time(3);
    /// assert!(backfill.plan().await?.iter().all(|tick| tick.run.is_none()));
    /// assert_eq!(backfill.run().await?.len(), backfill.plan().await?.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Schedule`] when no registered workflow of this name has a
    /// schedule, and when the span has more than 100 000 ticks.
    pub fn backfill(&self, workflow: &str, from: Timestamp, to: Timestamp) -> Result<Backfill> {
        let refused = |reason: String| Error::Schedule { workflow: workflow.to_owned(), reason };
        let graph = self.workflows().iter().find(|graph| graph.name == workflow);
        let graph = *graph.ok_or_else(|| refused("it is not registered with this engine".to_owned()))?;
        let (Some(schedule), Some(ticks)) = (&graph.schedule, Ticks::of(graph)?) else {
            return Err(refused("it has no schedule".to_owned()));
        };
        let world = self.world();
        let now = to_jiff(world.core.clock.now());
        let Some(Span { ticks, to_come }) = span(&ticks, from, to, now, MOST_TICKS) else {
            return Err(refused(format!("it is due more than {MOST_TICKS} times in this span; narrow it")));
        };
        Ok(Backfill { world, graph, schedule, ticks, to_come, at_a_time: NonZeroUsize::MIN })
    }
}

impl Backfill {
    /// How many of its runs may be unfinished at a time: one unless set, and
    /// never none.
    pub fn at_a_time(mut self, runs: usize) -> Self {
        self.at_a_time = NonZeroUsize::new(runs).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// The first tick of the span that is still to come, and is left out with
    /// all after it: the schedule starts their runs when they are due.
    #[must_use]
    pub fn to_come(&self) -> Option<&Zoned> {
        self.to_come.as_ref()
    }

    /// What [`run`](Self::run) would do, without doing it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn plan(&self) -> Result<Vec<BackfillTick>> {
        let mut plan = Vec::with_capacity(self.ticks.len());
        for tick in &self.ticks {
            let key = schedule::key(self.graph.name, tick);
            let run = self.world.run_of(key.clone()).await?;
            plan.push(BackfillTick { tick: tick.clone(), key, run });
        }
        Ok(plan)
    }

    /// Starts a run for every tick that has none, and waits until they have
    /// ended. A run that fails does not keep the next from starting. When this
    /// is dropped, what was started goes on, and nothing more is started.
    ///
    /// # Errors
    /// When the store fails or the engine shuts down. What was started by
    /// then stays, and the same backfill goes on from there.
    pub async fn run(&self) -> Result<Vec<Backfilled>> {
        let room = Arc::new(Semaphore::new(self.at_a_time.get().min(Semaphore::MAX_PERMITS)));
        let mut results = Vec::new();
        let mut running = JoinSet::new();
        for tick in &self.ticks {
            // The semaphore is never closed.
            let Ok(permit) = room.clone().acquire_owned().await else { return Err(Error::ShutDown) };
            let key = schedule::key(self.graph.name, tick);
            let number = results.len();
            let cause = Cause::Backfill { at_a_time: self.at_a_time.get() };
            let result = match self.world.start(self.graph, self.schedule, tick, cause).await? {
                Outcome::Started(run) => {
                    let id = run.id().to_owned();
                    self.world.core.backfills.began(self.graph.name, &id);
                    if run.state().is_ended() {
                        self.world.core.backfills.ended(self.graph.name, &id);
                    }
                    running.spawn(async move {
                        run.wait().await;
                        drop(permit);
                        (number, run.state())
                    });
                    BackfillResult::Ended { run: id, state: RunState::Running }
                }
                Outcome::Existing(run) => BackfillResult::Existed { run },
                Outcome::Refused(reason) => BackfillResult::Refused { reason },
            };
            results.push(Backfilled { tick: tick.clone(), key, result });
        }
        while let Some(ended) = running.join_next().await {
            let Ok((number, ended)) = ended else { continue };
            if let Some(Backfilled { result: BackfillResult::Ended { state, .. }, .. }) =
                results.get_mut::<usize>(number)
            {
                *state = ended;
            }
        }
        Ok(results)
    }
}

impl fmt::Debug for Backfill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backfill")
            .field("workflow", &self.graph.name)
            .field("ticks", &self.ticks.len())
            .field("at_a_time", &self.at_a_time)
            .finish_non_exhaustive()
    }
}
