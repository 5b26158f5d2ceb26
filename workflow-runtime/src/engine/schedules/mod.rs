//! Schedules that fire: one task for all of an engine's.
//!
//! How far a schedule is, its *mark*, is in the store, beside the rule that it
//! belongs to, and a tick's run is created by the commit that moves it: no tick
//! has two runs, and none is forgotten between the two. Another rule begins
//! where it is first seen. Everything else follows from the mark, the
//! clock and the unfinished runs, so it survives a restart without being
//! stored. In memory the mark is that of this task alone.

mod backfill;
mod earlier;
mod tick;
mod waiting_backfills;

pub use self::backfill::{Backfill, BackfillResult, BackfillTick, Backfilled};
#[cfg(feature = "app")]
pub(crate) use self::backfill::{Span, span};
pub(crate) use self::waiting_backfills::{
    Backfills, advance as advance_backfills, advance_soon as advance_backfills_soon, load as load_backfills,
    parent as backfill_parent,
};

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};
use tokio::sync::Notify;

#[cfg(feature = "app")]
pub(crate) use tick::fill;
pub(crate) use tick::{Cause, Outcome, World};

use crate::engine::registry::Registry;
use crate::engine::shared::Core;
use crate::error::Result;
use crate::schedule::{self, News, REMOVED, Rule, Start, Ticks, from_jiff, is_ahead, to_jiff};
use crate::store::Tick;
use crate::task::definition::{Graph, Missed, Overlap, Schedule};

/// The clock on the wall may be set, and a machine may sleep: neither wakes
/// anybody, so it is looked at that often.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Who has not looked for longer was away, and has missed what came since.
const AWAY: SignedDuration = SignedDuration::from_secs(120);

/// How many ended runs of a schedule an engine in memory keeps, for callers
/// that ask for them by their keys.
const KEPT_IN_MEMORY: usize = 100;

/// Has the schedules of these workflows fire from now on.
pub(crate) async fn begin(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    workflows: &[&'static Graph],
) -> Result<()> {
    let world = World { core: core.clone(), registry: registry.clone() };
    let now = to_jiff(core.clock.now());
    let stored = world.schedules().await?;
    let stored = |name: &str| {
        let found = stored.iter().find(|(schedule, _)| schedule.schedule == name);
        found.map(|(schedule, rule)| (to_jiff(schedule.mark), rule.as_deref()))
    };
    let mut entries = Vec::new();
    for graph in workflows {
        let stored = stored(graph.name);
        let Some(schedule) = &graph.schedule else {
            // If it comes back, it begins then.
            if stored.is_some_and(|(_, rule)| rule != Some(REMOVED)) {
                world.put(graph, now, REMOVED.to_owned()).await?;
            }
            continue;
        };
        match Ticks::of(graph) {
            Ok(Some(ticks)) => {
                let start = Start::of(schedule, stored, now);
                tell(graph, &start, stored.map(|(mark, _)| mark));
                if start.news.is_some() {
                    world.put(graph, start.mark, start.rule.text()).await?;
                }
                entries.push(Entry::new(graph, schedule, ticks, start));
            }
            Ok(None) => {}
            // It is not the fault of the other workflows.
            Err(error) => tracing::error!(%error, "a schedule does not fire"),
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    let changed = registry.scheduled.clone();
    let (core, registry) = (Arc::downgrade(core), Arc::downgrade(registry));
    let scheduler = Scheduler { core, registry, changed, entries, looked: None };
    drop(world.core.runtime.spawn(scheduler.drive()));
    Ok(())
}

/// Says why a schedule does not go on from its mark.
fn tell(graph: &Graph, start: &Start, mark: Option<Timestamp>) {
    let (workflow, rule) = (graph.name, start.rule.text());
    match (start.news, mark) {
        (Some(News::Changed), Some(mark)) => {
            tracing::info!(workflow, rule, %mark, "a schedule has changed, and begins now; ticks of before are not made up for");
        }
        (Some(News::Ahead), Some(mark)) => {
            tracing::warn!(workflow, %mark, "a schedule was seen to up to a time that is still to come, by a clock that was ahead; it begins anew, and what has run does not run again");
        }
        _ => {}
    }
}

/// Weak: who has let go of the engine wants nothing more to be started.
struct Scheduler {
    core: Weak<Core>,
    registry: Weak<Registry>,
    changed: Arc<Notify>,
    entries: Vec<Entry>,
    /// When the clock was last looked at.
    looked: Option<Timestamp>,
}

impl Scheduler {
    async fn drive(mut self) {
        while let Some(wait) = self.look().await {
            // Either way it is looked at the clock.
            let _ = tokio::time::timeout(wait, self.changed.notified()).await;
        }
    }

    /// Starts what is due, and says for how long nothing will be; `None` when
    /// the engine has ended.
    async fn look(&mut self) -> Option<Duration> {
        let world = World { core: self.core.upgrade()?, registry: self.registry.upgrade()? };
        let now = to_jiff(world.core.clock.now());
        let away = self.looked.is_none_or(|looked| now.duration_since(looked) > AWAY);
        for entry in &mut self.entries {
            if world.registry.is_closed() {
                return None;
            }
            entry.see_to(&world, now, away).await;
        }
        let now = to_jiff(world.core.clock.now());
        self.looked = Some(now);
        let next = self.entries.iter().filter_map(Entry::due).min();
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        Some(match next {
            // Past already.
            Some(next) if next <= now => Duration::ZERO,
            _ => wait.map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT)),
        })
    }
}

/// One schedule.
struct Entry {
    graph: &'static Graph,
    schedule: &'static Schedule,
    ticks: Ticks,
    rule: Rule,
    /// Ticks up to here have been dealt with: the mark, or later.
    from: Timestamp,
    /// No tick is due before this either.
    not_before: Timestamp,
    /// The first tick after `from`.
    next: Option<Zoned>,
    /// Whether a tick waits for something other than its time.
    waits: bool,
    /// Until when it waits after its run could not be started.
    patience: Patience,
    /// The keys of the latest runs, in memory.
    keys: VecDeque<String>,
}

impl Entry {
    fn new(graph: &'static Graph, schedule: &'static Schedule, ticks: Ticks, start: Start) -> Self {
        Self {
            graph,
            schedule,
            not_before: start.not_before(&ticks).unwrap_or(Timestamp::MIN),
            ticks,
            from: start.mark,
            rule: start.rule,
            next: None,
            waits: false,
            patience: Patience::default(),
            keys: VecDeque::new(),
        }
    }

    /// Ticks up to here are not due any more.
    fn past(&self) -> Timestamp {
        self.from.max(self.not_before)
    }

    /// When to look at it again.
    fn due(&self) -> Option<Timestamp> {
        if let Some(until) = self.patience.until {
            return Some(until);
        }
        self.next.as_ref().filter(|_| !self.waits).map(Zoned::timestamp)
    }

    /// Deals with the ticks up to `now`.
    async fn see_to(&mut self, world: &World, now: Timestamp, away: bool) {
        if self.patience.until.is_some_and(|until| until > now && now >= self.patience.since) {
            return;
        }
        let waited = std::mem::take(&mut self.waits);
        let workflow = self.graph.name;
        match self.try_to(world, now, away, waited).await {
            // Once, and not at each try.
            Err(error) => {
                if self.patience.fails(now) {
                    tracing::error!(workflow, %error, "a tick waits: its run could not be started; it is tried again");
                }
                self.waits = true;
            }
            Ok(()) if self.patience.ends() => {
                tracing::info!(workflow, "ticks that could not be seen to were seen to");
            }
            Ok(()) => {}
        }
    }

    async fn try_to(&mut self, world: &World, now: Timestamp, away: bool, waited: bool) -> Result<()> {
        if is_ahead(self.from, now) {
            self.begin_anew(world, now).await?;
        }
        if away {
            self.pass_over_missed(world, now).await?;
        }
        self.next = self.ticks.after(self.past());
        while self.next.as_ref().is_some_and(|next| next.timestamp() <= now) {
            let Some(tick) = self.choose(now) else { return Ok(()) };
            if !self.deal_with(world, &tick, waited).await? {
                self.waits = true;
                return Ok(());
            }
            self.next = self.ticks.after(self.past());
        }
        Ok(())
    }

    /// The clock was set back: what it shows again is not to wait until it
    /// shows the mark. A tick that has a run keeps to that one.
    async fn begin_anew(&mut self, world: &World, now: Timestamp) -> Result<()> {
        let start = Start { mark: now, rule: self.rule.clone(), news: Some(News::Ahead) };
        tell(self.graph, &start, Some(self.from));
        world.put(self.graph, now, self.rule.text()).await?;
        self.from = now;
        Ok(())
    }

    /// Leaves the ticks that came while no engine was looking to the rule for them.
    async fn pass_over_missed(&mut self, world: &World, now: Timestamp) -> Result<()> {
        let kept = match self.schedule.missed {
            Missed::Latest => 1,
            Missed::All(count) => saturated(count),
            // One of them may have waited for an earlier run when the process
            // ended. It cannot be told from those that came later, so it is
            // the latest that goes on waiting.
            Missed::None if self.schedule.overlap == Overlap::Queue => {
                usize::from(!world.earlier(self.graph).await?.is_empty())
            }
            Missed::None => 0,
        };
        let kept_or_last = self.ticks.last(kept.max(1), self.past(), now);
        let Some(first) = kept_or_last.first() else { return Ok(()) };
        match kept {
            0 => self.pass(world, first).await,
            // Just before it. What is passed over is known from the mark and
            // the rule, so it need not be stored.
            _ => {
                self.from = first.timestamp() - SignedDuration::from_nanos(1);
                Ok(())
            }
        }
    }

    /// Which of the ticks that are due comes first, if those before it are
    /// passed over.
    fn choose(&self, now: Timestamp) -> Option<Zoned> {
        let count = match (self.schedule.overlap, self.schedule.missed) {
            (Overlap::Skip | Overlap::Allow, _) => return self.next.clone(),
            // Each of several would cancel the one before.
            (Overlap::CancelOld, _) => 1,
            (Overlap::Queue, Missed::All(count)) => saturated(count),
            (Overlap::Queue, _) => 1,
        };
        self.ticks.last(count, self.past(), now).into_iter().next()
    }

    /// Whether the tick is dealt with; if not, it waits for an earlier run.
    async fn deal_with(&mut self, world: &World, tick: &Zoned, waited: bool) -> Result<bool> {
        // A clock that was set back shows a tick once more: what has been
        // started for it is no earlier run.
        if world.run_of(schedule::key(self.graph.name, tick)).await?.is_some() {
            self.pass(world, tick).await?;
            return Ok(true);
        }
        let earlier = match self.schedule.overlap {
            Overlap::Allow => Vec::new(),
            _ => world.earlier(self.graph).await?,
        };
        let name = self.graph.name;
        match (self.schedule.overlap, earlier.first()) {
            (Overlap::Skip, Some(run)) => {
                tracing::info!(workflow = name, %tick, run = run.id(), "a tick is passed over: an earlier run of the schedule has not ended");
                self.pass(world, tick).await?;
                return Ok(true);
            }
            (Overlap::Queue, Some(run)) => {
                if !waited {
                    tracing::info!(workflow = name, %tick, run = run.id(), state = %run.state(), "a tick waits: an earlier run of the schedule has not ended");
                }
                return Ok(false);
            }
            (Overlap::CancelOld, _) => {
                for run in &earlier {
                    world.cancel(self.graph, run).await?;
                }
            }
            _ => {}
        }
        match world.start(self.graph, self.schedule, tick, Cause::Schedule).await? {
            Outcome::Started(_) => self.advance(world, tick),
            Outcome::Existing(_) => self.pass(world, tick).await?,
            Outcome::Refused(reason) => {
                tracing::error!(workflow = name, %tick, reason, "a tick starts no run");
                self.pass(world, tick).await?;
            }
        }
        Ok(true)
    }

    /// Moves the mark without a run.
    async fn pass(&mut self, world: &World, tick: &Zoned) -> Result<()> {
        let at = from_jiff(tick.timestamp());
        world.mark(Tick { schedule: self.graph.name.to_owned(), at }).await?;
        self.from = tick.timestamp();
        Ok(())
    }

    /// The mark has moved with a run.
    fn advance(&mut self, world: &World, tick: &Zoned) {
        self.from = tick.timestamp();
        if world.core.store.is_none() {
            self.keys.push_back(schedule::key(self.graph.name, tick));
            if self.keys.len() > KEPT_IN_MEMORY
                && let Some(key) = self.keys.pop_front()
            {
                world.registry.free_key(&key);
            }
        }
    }
}

/// How long a schedule waits that could not be seen to: twice as long each
/// time.
#[derive(Default)]
struct Patience {
    failed: u32,
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Patience {
    const FIRST: SignedDuration = SignedDuration::from_secs(1);

    /// Waits longer from now on, and says whether this is the first time.
    fn fails(&mut self, now: Timestamp) -> bool {
        let longest = SignedDuration::try_from(LONGEST_WAIT).unwrap_or(Self::FIRST);
        let doubled = Self::FIRST.checked_mul(1 << self.failed.min(16)).unwrap_or(longest);
        self.failed = self.failed.saturating_add(1);
        (self.since, self.until) = (now, now.checked_add(doubled.min(longest)).ok());
        self.failed == 1
    }

    /// All is well, and was not before.
    fn ends(&mut self) -> bool {
        self.until = None;
        std::mem::take(&mut self.failed) > 0
    }
}

fn saturated(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
