//! The one loop of a run: hear an event, decide, commit, then act.
//!
//! The machine decides; here its actions are performed. What an action has to
//! look up or evaluate is in `execution`, and the commit is in `commit`: without
//! a store there is none, and every action is performed at once.

use std::sync::Arc;

use tokio::time::Instant;

use crate::engine::attempts::{Goal, Ready, Room, result_to_keep};
use crate::engine::commit::{journal_change, journal_computed, journal_entry, journal_given};
use crate::engine::instance::deferred::After;
use crate::engine::instance::host::{Inner, RunHost};
use crate::engine::instance::spares::Parts;
use crate::engine::instance::standing::RunEnd;
use crate::engine::time::{FAR, Request, Turn, When};
use crate::execution::{Execution, find, is_visible};
use crate::failure::Failure;
use crate::run::{Action, AttemptEnd, Change, Event, Key, RunState, StepState, Timestamp, Wait};
use crate::task::Retryability;
use crate::task::definition::Kind;
use crate::value::{Payload, Value};

impl RunHost {
    /// Hears an event, and then every event that acting on it gives rise to.
    /// `value` is what the event brings: an attempt's output, a signal's value.
    #[inline]
    pub(crate) fn handle(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        event: Event,
        value: Option<Value>,
    ) {
        inner.run.now = self.core.clock.now();
        if inner.end.is_none() {
            self.step(inner, after, event, value);
        }
        self.drain(inner, after);
    }

    /// Has a fresh machine begin. It hears that it is paused before it hears
    /// what it asks first, so that nothing starts in between.
    pub(crate) fn hear_first(self: &Arc<Self>, inner: &mut Inner, after: &mut After, paused: bool) {
        inner.run.now = self.core.clock.now();
        self.step(inner, after, Event::Begun, None);
        if paused {
            self.step(inner, after, Event::Paused, None);
        }
        self.drain(inner, after);
    }

    /// Hears every answer that acting has given rise to.
    #[inline]
    fn drain(self: &Arc<Self>, inner: &mut Inner, after: &mut After) {
        loop {
            while let Some((event, value)) = inner.run.answers.pop_front() {
                if inner.end.is_some() {
                    inner.run.answers.clear();
                    break;
                }
                self.step(inner, after, event, value);
            }
            let Some(key) = self.next_with_more(inner) else { break };
            self.step(inner, after, Event::MoreWanted { key }, None);
        }
        after.changed = true;
    }

    /// Has more items opened where what is ready would leave workers idle.
    #[inline]
    pub(crate) fn open_more(self: &Arc<Self>, inner: &mut Inner, after: &mut After) {
        if let Some(key) = self.next_with_more(inner) {
            self.handle(inner, after, Event::MoreWanted { key }, None);
        }
    }

    /// A step that should open more of its items.
    #[inline]
    fn next_with_more(&self, inner: &mut Inner) -> Option<Key> {
        let is_idle = self.core.mode.works() && inner.work.ready.len() < self.core.parallelism;
        if is_idle { inner.work.has_more.pop() } else { None }
    }

    /// One turn of the loop.
    #[inline]
    fn step(self: &Arc<Self>, inner: &mut Inner, after: &mut After, event: Event, value: Option<Value>) {
        if self.journal.is_some() || inner.cache_key.is_some() {
            self.step_kept(inner, after, event, value);
        } else if self.is_heard(inner, event, value) {
            self.act(inner, after);
        }
    }

    /// The same where something of it is kept: in the run's journal, or for
    /// later runs.
    fn step_kept(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        mut event: Event,
        mut value: Option<Value>,
    ) {
        // Written before it is heard, while the step it is about still says
        // what kind of value it brings.
        let largest = self.core.largest_value;
        let entry = self.journal.as_ref().map(|_| journal_entry(inner, &mut event, &mut value, largest));
        let result = result_to_keep(inner, &event, entry.as_ref(), value.as_ref());
        if !self.is_heard(inner, event, value) {
            return;
        }
        if let Some(result) = result {
            self.remember(inner, after, result);
        }
        if let Some(entry) = entry {
            inner.uncommitted.entries.push(entry);
        }
        self.act(inner, after);
    }

    #[inline]
    fn is_heard(&self, inner: &mut Inner, event: Event, value: Option<Value>) -> bool {
        let heard = inner.run.hear(event, value);
        if let Err(refused) = &heard {
            tracing::debug!(parent: &self.span, %refused, "an event came too late");
        }
        heard.is_ok()
    }

    /// Acts on what the machine decided. What stays inside the run is done at
    /// once; what the world can see waits for the commit, if there is a store.
    #[inline]
    fn act(self: &Arc<Self>, inner: &mut Inner, after: &mut After) {
        // Frames that close here still take part in the changes below.
        let closed_before = after.garbage.len();
        let mut actions = std::mem::take(&mut inner.run.effects.actions);
        for action in actions.drain(..) {
            if let Action::Start { key, .. } = action {
                inner.run.keep_arguments(self, key);
            }
            if self.journal.is_some() && is_visible(&action) {
                inner.uncommitted.actions.push(action);
            } else {
                self.perform(inner, after, action);
            }
        }
        // Given back for its room.
        inner.run.effects.actions = actions;
        self.note_changes(inner, after, closed_before);
        // After the entry that the changes belong to.
        if !inner.run.given.is_empty() {
            let at = inner.run.now;
            let given = inner.run.given.drain(..).map(|given| journal_given(at, given));
            inner.uncommitted.entries.extend(given);
        }
        if inner.run.computed.is_some() {
            let at = inner.run.now;
            for (path, bytes) in inner.run.take_computed() {
                let value = Payload { type_name: "computed".into(), bytes };
                inner.uncommitted.entries.push(journal_computed(at, path, value));
            }
        }
        if let Some(end) = inner.ending.take() {
            self.finish(inner, after, end);
        }
    }

    /// Tells observers. After the actions, because those open the frames that
    /// changes are about. No handle can look in between: the lock is held.
    #[inline]
    pub(crate) fn note_changes(&self, inner: &mut Inner, after: &mut After, closed_before: usize) {
        if self.journal.is_some() {
            self.journal_changes(inner, after, closed_before);
        }
        let holds = inner.run.log.holds;
        inner.run.note_changes(&mut after.garbage[closed_before..], |frame, step| {
            // Not once more where the run is read back.
            if holds {
                let step = frame.scope.path(step);
                tracing::error!(
                    parent: &self.span,
                    step,
                    "a step was lost too often in a row: it may be what ends the process, and waits for an \
                     operator"
                );
            }
        });
    }

    /// Has the journal tell the changes that its latest entry has made.
    fn journal_changes(&self, inner: &mut Inner, after: &mut After, closed_before: usize) {
        let Inner { run: Execution { effects, frames, .. }, uncommitted, .. } = inner;
        let Some(entry) = uncommitted.entries.last_mut() else { return };
        let told = effects.changes.iter().filter_map(|change| {
            let Change::Step { key, .. } = change else { return None };
            let frame = find(frames, &mut after.garbage[closed_before..], key.frame)?;
            journal_change(frame, change, self.core.mode.works())
        });
        entry.changes = told.collect();
    }

    /// Performs what waited for a commit.
    pub(crate) fn act_committed(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        actions: Vec<Action>,
    ) {
        for action in actions {
            if inner.end.is_some() {
                return;
            }
            self.perform(inner, after, action);
            if let Some(end) = inner.ending.take() {
                self.finish(inner, after, end);
            }
        }
        after.changed = true;
    }

    pub(crate) fn perform(self: &Arc<Self>, inner: &mut Inner, after: &mut After, action: Action) {
        match action {
            Action::Start { key, epoch, attempt, last, deadline } => {
                inner.work.ready.push_back(Ready { key, epoch, attempt, last, deadline, goal: Goal::Do });
            }
            Action::Undo { key, epoch, attempt } => {
                if let Err(failure) = inner.run.give_for_undo(key) {
                    let end = AttemptEnd::Failed(failure, Retryability::Fatal);
                    let ended = Event::AttemptEnded { key, epoch, end, roll: 0.5 };
                    return self.deliver_at(inner, When::Passed(Instant::now()), ended);
                }
                inner.work.ready.push_back(Ready {
                    key,
                    epoch,
                    attempt,
                    last: false,
                    deadline: None,
                    goal: Goal::Undo,
                });
            }
            Action::Reconcile { key, epoch, attempt } => {
                let goal = Goal::Reconcile;
                inner.work.ready.push_back(Ready { key, epoch, attempt, last: false, deadline: None, goal });
            }
            // Left to the engine that begins the attempt.
            Action::Acquire { .. } if !self.core.mode.works() => {}
            Action::Acquire { key, epoch, limited, losses } => {
                self.acquire(inner, after, (key, epoch), limited, losses);
            }
            Action::Release { key, epoch } => self.release(inner, after, key, epoch),
            Action::Timer { key, epoch, at } => self.await_time(inner, key, epoch, at, inner.run.now),
            Action::OpenMore { key } => inner.work.has_more.push(key),
            Action::Stop { key, epoch } => self.stop(inner, after, key, epoch, None),
            Action::Abort { key, epoch, graceful } => {
                let grace = if graceful { self.core.grace } else { std::time::Duration::ZERO };
                self.stop(inner, after, key, epoch, Some(Instant::now() + grace));
            }
            Action::AwaitGrace => {
                self.deliver_at(inner, When::Passed(Instant::now() + self.core.grace), Event::GraceOver);
            }
            Action::Finish { state, cause } => {
                for step in inner.run.not_come_to() {
                    tracing::warn!(
                        parent: &self.span,
                        step,
                        "what a step did stands: the run has ended without coming to it, and `show` tells why"
                    );
                }
                inner.ending = Some(self.run_end(inner, state, cause));
            }
            inside => drop(inner.run.settle(self, inside, &mut after.garbage)),
        }
    }

    /// Waits for a time that was decided upon at `since`.
    pub(crate) fn await_time(
        self: &Arc<Self>,
        inner: &mut Inner,
        key: Key,
        epoch: u32,
        at: Timestamp,
        since: Timestamp,
    ) {
        let when = match inner.run.machine.state(key) {
            Some(StepState::Waiting(Wait::Timer { .. } | Wait::Signal { .. })) => When::Wall(at),
            // Until another attempt: never longer than was decided, also
            // where the clock has been set back since.
            _ => {
                let now = self.core.clock.now();
                let left = at.since(now.after(inner.set_back)).min(at.since(since));
                When::Either(at, Instant::now() + left.min(FAR))
            }
        };
        self.deliver_at(inner, when, Event::TimerFired { key, epoch });
    }

    /// Asks for room first, so that a turn is not spent on waiting for it.
    fn acquire(
        self: &Arc<Self>,
        inner: &mut Inner,
        after: &mut After,
        (key, epoch): (Key, u32),
        limited: bool,
        losses: u16,
    ) {
        let Some(Kind::Task(task)) = inner.run.frames.step(key).map(|(_, step)| step.kind) else { return };
        let turn = if losses > 0 { Turn::Needed } else { Turn::None };
        let task = limited.then_some(task.task);
        let room = Room { task: task.map(|task| task.name), taken: false, turn, losses, timer: None };
        inner.work.room.insert((key, epoch), room);
        if let Some(task) = task {
            let request = Request { host: self.clone(), key, epoch };
            after.rare().granted.extend(self.core.limits.acquire(&self.core, task, request));
        } else {
            self.ask_turn(inner, after, key, epoch);
        }
    }

    pub(crate) fn run_end(
        &self,
        inner: &Inner,
        state: RunState,
        cause: Option<(Key, u32, Failure)>,
    ) -> RunEnd {
        match (state, cause) {
            (RunState::Succeeded, _) => RunEnd::Succeeded,
            (RunState::Failed, cause) => RunEnd::Failed(inner.run.failed_by(cause)),
            _ => RunEnd::Cancelled,
        }
    }

    /// Ends the run and lets go of everything but its result and its story.
    pub(crate) fn finish(self: &Arc<Self>, inner: &mut Inner, after: &mut After, end: RunEnd) {
        inner.end = Some(end);
        inner.ended_at = Some(inner.run.now);
        inner.run.machine.abandon();
        let Execution { machine, frames, log, .. } = &mut inner.run;
        for mut frame in frames.take_all() {
            log.archive(&mut frame, machine);
            after.garbage.push(frame);
        }
        let (run, ready) = (inner.run.take_parts(), std::mem::take(&mut inner.work.ready));
        self.core.spares.give(Parts { run, ready });
        for timer in inner.timers.drain() {
            self.core.timers.remove(timer);
        }
        // Attempts that still run keep their room until they end.
        let idle = inner.work.room.iter().filter(|(_, room)| !room.taken).map(|(request, _)| *request);
        for (key, epoch) in idle.collect::<Vec<_>>() {
            self.release(inner, after, key, epoch);
        }
        inner.work.has_more.clear();
        inner.work.left_behind.release().for_each(drop);
        inner.run.signals.clear();
        inner.run.params.clear();
        after.awaiting = std::mem::take(&mut inner.awaiting);
        (after.changed, after.ended) = (true, true);
    }
}
