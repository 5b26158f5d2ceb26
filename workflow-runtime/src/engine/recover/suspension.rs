//! Runs that sleep: they wait, no handle here holds them, and all that is left of
//! them is their rows. A time wakes them, or a caller that asks for them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::engine::commit::Suspension;
use crate::engine::instance::{Inner, RunHost};
use crate::engine::recover::recovery;
use crate::engine::registry::Registry;
use crate::engine::shared::Core;
use crate::engine::time::{TimerId, When};
use crate::run::{Action, RunState, StepState, StepView, Timestamp, Wait};
use crate::store::{Sleep, Store, StoreError, Unfinished};
use crate::task::definition::Kind;

/// A wait that is shorter than this is not worth falling asleep for.
const NAP: Duration = Duration::from_secs(1);

/// How long to wait, again and again, for a holder of a run that has
/// fallen asleep: another thread that is about to return, or an operator who
/// has just done something to it.
const PATIENCE: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
];

/// How long until the store is asked again after it could not be read: twice
/// as long each time.
const AGAIN: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How many runs are woken at a time.
const PAGE: usize = 256;

/// When the next sleeping run is to be woken.
#[derive(Default)]
pub(crate) struct Sleepers {
    next: Mutex<Option<(Timestamp, TimerId)>>,
    /// How often the store could not be asked since it last could.
    failed: AtomicU32,
}

impl Sleepers {
    /// Has runs woken at a time, unless that comes anyway.
    pub(crate) fn expect(&self, core: &Arc<Core>, registry: &Arc<Registry>, at: Timestamp) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.as_ref().is_some_and(|(planned, _)| *planned <= at) {
            return;
        }
        let (core_there, registry_there) = (Arc::downgrade(core), Arc::downgrade(registry));
        let due = Box::new(move |_| ring(&core_there, &registry_there));
        let timer = core.timers.add(When::Wall(at), due);
        if let Some((_, earlier)) = next.replace((at, timer)) {
            core.timers.remove(earlier);
        }
    }

    fn rung(&self) {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The time has come.
fn ring(core: &Weak<Core>, registry: &Weak<Registry>) {
    let (Some(core), Some(registry)) = (core.upgrade(), registry.upgrade()) else { return };
    core.sleepers.rung();
    let there = core.clone();
    // Reads the store, so not on a thread of the runtime's.
    drop(core.pools.run_ours(move || wake(&there, &registry)));
}

/// The wall clock was set back by so much: a run that waits for an attempt
/// waits no longer for that. What it waits for is known once it is read back.
pub(crate) fn set_back(core: &Arc<Core>, registry: &Arc<Registry>, by: Duration) {
    let Some(store) = core.store.clone() else { return };
    if let Err(error) = wake_backing_off(core, registry, &store, Timestamp(0), by) {
        tracing::error!(%error, "runs that sleep until another attempt could not be read; they wait longer");
    }
}

/// Reads back those that have slept until another attempt since after `since`.
fn wake_backing_off(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    since: Timestamp,
    set_back: Duration,
) -> Result<(), StoreError> {
    let mut last = None;
    loop {
        let page = store.unfinished_where(Unfinished::BackingOff(since), last, PAGE)?;
        let Some(end) = page.last() else { return Ok(()) };
        last = Some(end.run);
        for stored in page {
            if let Some(known) = registry.known(&stored.workflow) {
                recovery::recover_one(core, registry, store, &known, &stored.id, set_back);
            }
        }
    }
}

/// Wakes the runs whose time has come, and looks when the next one's does.
pub(crate) fn wake(core: &Arc<Core>, registry: &Arc<Registry>) {
    let Some(store) = core.store.clone() else { return };
    let now = core.clock.now();
    // Asleep since a time to come: the clock was set back while no engine ran.
    let woken = wake_backing_off(core, registry, &store, now, Duration::ZERO);
    let woken = woken.and_then(|()| wake_due(core, registry, &store, now));
    let failed = match &woken {
        Ok(_) => core.sleepers.failed.swap(0, Ordering::Relaxed),
        Err(_) => core.sleepers.failed.fetch_add(1, Ordering::Relaxed),
    };
    match woken {
        Err(_) if registry.is_closed() => {}
        // Nothing else would ask again.
        Err(error) => {
            if failed == 0 {
                tracing::error!(%error, "sleeping runs cannot be woken; trying again soon");
            }
            let doubled = AGAIN.saturating_mul(2_u32.saturating_pow(failed));
            core.sleepers.expect(core, registry, now.after(doubled.min(LONGEST)));
        }
        Ok(next) => {
            if failed > 0 {
                tracing::info!("sleeping runs are woken again");
            }
            if let Some(next) = next {
                core.sleepers.expect(core, registry, next);
            }
        }
    }
}

/// Wakes those that are due, and says when the next one is.
fn wake_due(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut last = None;
    loop {
        let page = store.unfinished_where(Unfinished::Due(now), last, PAGE)?;
        let Some(end) = page.last() else { break };
        last = Some(end.run);
        for stored in page {
            if let Some(known) = registry.known(&stored.workflow) {
                recovery::recover_one(core, registry, store, &known, &stored.id, Duration::ZERO);
            }
        }
    }
    store.next_wake(now)
}

impl RunHost {
    /// Whether the store is to take the run for asleep from the commit on that
    /// is about to be made.
    pub(crate) fn fall_asleep(&self, inner: &mut Inner, actions: &[Action]) -> Sleep {
        let machine = &inner.run.machine;
        // Its timer is not set yet.
        let keeps_awake = |action: &Action| match action {
            Action::Acquire { .. } => true,
            Action::Timer { key, .. } => machine.state(*key) == Some(StepState::OutcomeUnknown),
            _ => false,
        };
        if self.may_sleep(inner) && !actions.iter().any(keeps_awake) {
            let until = inner.next_cause();
            let now = self.core.clock.now();
            if until.is_none_or(|until| until.since(now) > NAP) {
                inner.uncommitted.suspension = Suspension::Asleep;
                return match until {
                    Some(until) if inner.backs_off() => Sleep::Backoff { until, since: now },
                    until => Sleep::Until(until),
                };
            }
        }
        match std::mem::take(&mut inner.uncommitted.suspension) {
            Suspension::Awake => Sleep::Unchanged,
            Suspension::Asleep | Suspension::Unknown => Sleep::Awake,
        }
    }

    /// Whether no handle holds the run and nothing of it is under way.
    pub(crate) fn may_sleep(&self, inner: &Inner) -> bool {
        self.handles.load(Ordering::Acquire) == 0
            && inner.end.is_none()
            && matches!(inner.run.machine.run_state(), RunState::Waiting | RunState::Paused)
            && inner.run.machine.is_idle()
            && inner.work.is_done()
            // An undo between two attempts waits for a time that no step's
            // state tells, also where the rest of the run only waits.
            && inner.run.machine.steps().all(|view| view.state != StepState::Undoing)
            && !inner.reconciles_later()
            // Its row would wake it too late.
            && !inner.timers.iter().any(|timer| timer.is_ahead_of_its_time(&self.core.clock))
    }

    /// No handle holds the run any more.
    pub(crate) fn consider_sleep(self: &Arc<Self>) {
        if self.journal.is_none() {
            return;
        }
        self.with(|inner, after| {
            if self.may_sleep(inner) {
                inner.uncommitted.wants_sleep = inner.uncommitted.suspension != Suspension::Asleep;
                after.asleep = self.is_asleep(inner);
            }
        });
    }

    /// Whether the store knows that the run sleeps, and all else of it.
    pub(crate) fn is_asleep(&self, inner: &Inner) -> bool {
        inner.uncommitted.suspension == Suspension::Asleep
            && !inner.uncommitted.is_pending()
            && self.may_sleep(inner)
    }

    /// Leaves a sleeping run to its rows, unless a caller has got a handle of it
    /// meanwhile.
    pub(crate) fn leave(self: &Arc<Self>) {
        let (Some(registry), core) = (self.registry(), self.core.clone()) else { return };
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        let host = self.clone();
        // Not here: the caller of this holds the run as well.
        drop(core.runtime.clone().spawn(async move {
            let mut host = host;
            for patience in PATIENCE {
                match registry.leave(host) {
                    Ok(until) => {
                        if let Some(until) = until {
                            core.sleepers.expect(&core, &registry, until);
                        }
                        return;
                    }
                    Err(held) => host = held,
                }
                // It will fall asleep again, and this is done again.
                if !host.is_asleep(&host.lock()) {
                    host.leaving.store(false, Ordering::Release);
                    // Unless it has since, and we were in the way.
                    if host.is_asleep(&host.lock()) {
                        host.leave();
                    }
                    return;
                }
                tokio::time::sleep(patience).await;
            }
            host.leaving.store(false, Ordering::Release);
        }));
    }
}

impl Inner {
    /// Whether a step of the run waits for its next attempt.
    fn backs_off(&self) -> bool {
        self.run.machine.steps().any(|view| matches!(view.state, StepState::Waiting(Wait::Backoff { .. })))
    }

    /// Whether a reconciliation may be between two attempts, which waits for a
    /// time that no step's state tells either: there are more timers than steps
    /// that tell one. A timer that nobody waits for any more counts too, until
    /// it fires.
    fn reconciles_later(&self) -> bool {
        let reconciled = |view: &StepView<'_>| {
            view.unresolved && matches!(view.step.kind, Kind::Task(task) if task.task.reconcile.is_some())
        };
        let told = |view: &StepView<'_>| {
            use Wait::{Backoff, Signal, Timer};
            matches!(
                view.state,
                StepState::Waiting(Timer { .. } | Backoff { .. } | Signal { until: Some(_) })
            )
        };
        let machine = &self.run.machine;
        machine.steps().any(|view| reconciled(&view))
            && self.timers.len() > machine.steps().filter(told).count()
    }

    /// The first time at which the run goes on by itself.
    pub(crate) fn next_cause(&self) -> Option<Timestamp> {
        let causes = self.run.machine.steps().filter_map(|view| match view.state {
            StepState::Waiting(Wait::Timer { until } | Wait::Backoff { until }) => Some(until),
            StepState::Waiting(Wait::Signal { until }) => until,
            _ => None,
        });
        causes.min()
    }
}
