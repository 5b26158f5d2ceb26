//! What goes into a store and what comes out of it.

use std::borrow::Cow;
use std::sync::Arc;

use super::StoreError;
use crate::failure::{Failure, StepError};
use crate::run::{RunState, StepState, Timestamp};
use crate::value::Payload;

/// A store's own number for a run, larger for later runs. It is valid while
/// the store is open; what names a run for ever is its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunRef(pub i64);

/// A run that begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRun {
    /// A UUID, version 7, so that ids sort by time.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// Names one run, whatever its workflow.
    pub key: Option<String>,
    /// The hash of the workflow's blueprint, or the fingerprint of its graph
    /// where there is none.
    pub fingerprint: u64,
    /// The blueprint that `fingerprint` is the hash of. Kept once, however
    /// many runs follow it.
    pub blueprint: Option<Arc<str>>,
    /// The arguments: a JSON array.
    pub params: Vec<u8>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The state after `entries`; not an ended one.
    pub state: RunState,
    /// The beginning of the journal, so that a run that is created has begun
    /// with the same commit.
    pub entries: Vec<Entry>,
    /// The run that this one was made of.
    pub parent: Option<Parent>,
    /// The tick of a schedule that starts it: the schedule's mark moves with
    /// the same commit.
    pub tick: Option<Tick>,
    /// The request that wants it, and its answer: given with the same commit,
    /// so that no request starts two runs.
    pub answer: Option<(i64, Answer)>,
}

/// The run that another one was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its id.
    pub id: String,
    /// What made the new one of it: `rerun` or `fork`.
    pub how: Cow<'static, str>,
}

/// A time at which a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The schedule: its workflow's name.
    pub schedule: String,
    /// The time. A schedule's mark only moves forward: a tick that is not
    /// later than the mark creates nothing. A schedule without a mark takes
    /// any tick.
    pub at: Timestamp,
}

/// How far a schedule is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSchedule {
    /// The schedule: its workflow's name.
    pub schedule: String,
    /// Its last tick that was dealt with, or when its rule was first seen.
    pub mark: Timestamp,
}

/// The rule that the mark of a schedule belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRule {
    /// The schedule: its workflow's name.
    pub schedule: String,
    /// When it is due, and in which time zone.
    pub rule: String,
}

/// What [`Store::create`](super::Store::create) did.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    /// The run is new.
    New(RunRef),
    /// There is a run with this key, or with this id, already.
    Existing(Box<StoredRun>),
}

/// What one commit adds to a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The run.
    pub run: RunRef,
    /// The number of the first of `entries`, which is how many entries the
    /// run has had before.
    pub first_seq: u64,
    /// The entries, in order. May be empty.
    pub entries: Vec<Entry>,
    /// The run's new state, where it is one that operators look for; not an
    /// ended one. It takes a run that has ended up again, as when an operator
    /// retries what failed: its end is forgotten.
    pub state: Option<RunState>,
    /// How the run ended.
    pub end: Option<RunEnd>,
    /// The blueprint that the run follows from now on, and its hash.
    pub blueprint: Option<(u64, Arc<str>)>,
    /// Whether the run has fallen asleep. An ended run does not sleep, and one
    /// that is taken up again is awake.
    pub sleep: Sleep,
    /// How many steps of the run are suspected from now on, where that has
    /// changed. None is of a run that has ended.
    pub suspected: Option<u32>,
    /// Results that later runs may use.
    pub remember: Vec<Remembered>,
    /// The request that wants this, and its answer: given with the same
    /// commit, so that nothing is done twice for one request.
    pub answer: Option<(i64, Answer)>,
}

/// Whether a run has fallen asleep: nothing of it is under way, and it needs
/// no memory until it is woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sleep {
    /// It is as it was.
    #[default]
    Unchanged,
    /// It is awake.
    Awake,
    /// It sleeps until a time, or until an engine wakes it.
    Until(Option<Timestamp>),
    /// It sleeps until a time, and waits for another attempt of a step of its:
    /// a wait of a certain length, which is over in time also where the wall
    /// clock is set back meanwhile.
    Backoff {
        /// When it wakes.
        until: Timestamp,
        /// When it fell asleep.
        since: Timestamp,
    },
}

/// Which of the runs that have not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// All of them.
    All,
    /// Those that do not sleep, or whose sleep is over at this time.
    Awake(Timestamp),
    /// Those that sleep, and whose sleep is over at this time.
    Due(Timestamp),
    /// Those that sleep until another attempt of one of their steps
    /// ([`Sleep::Backoff`]), and have done so since a time later than this one.
    BackingOff(Timestamp),
}

/// A result that later runs may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What it is the result of: task, version and arguments, hashed.
    pub key: Vec<u8>,
    /// The name of its task, for people.
    pub task: Cow<'static, str>,
    /// The result.
    pub value: Payload,
    /// Until when it may be used: at this time not any more.
    pub until: Timestamp,
}

/// Something an operator wants, from this process or from another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The run it is about, by its id; none where it starts one.
    pub run: Option<String>,
    /// What is wanted: an [`Operation`](crate::Operation) as JSON.
    pub operation: String,
    /// Who wants it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was asked for.
    pub at: Timestamp,
}

/// A request, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRequest {
    /// The store's own number for it.
    pub number: i64,
    /// What was asked.
    pub request: Request,
    /// What became of it; `None` as long as no engine has seen to it.
    pub answer: Option<Answer>,
}

impl StoredRequest {
    /// The id of the run it is about: of a start, the run that it made.
    #[must_use]
    pub fn about(&self) -> Option<&str> {
        let made = || self.answer.as_ref()?.result.as_deref().ok();
        self.request.run.as_deref().or_else(made)
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When.
    pub at: Timestamp,
    /// The id of the run that it was done to or that it made, or why it was
    /// not done.
    pub result: Result<String, String>,
}

/// A key that values are encrypted with, itself encrypted with a key that the
/// store does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// Names it in the values.
    pub id: u32,
    /// The name of the key that it is encrypted with.
    pub with: String,
    /// The key, encrypted.
    pub sealed: Vec<u8>,
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// The event, as JSON.
    pub event: String,
    /// The value that it brought.
    pub value: Option<Payload>,
    /// What it changed, for people. Nothing is ever restored from it.
    pub changes: Vec<StepChange>,
}

/// A step that has a new state.
#[derive(Clone, Debug, PartialEq)]
pub struct StepChange {
    /// The step's path.
    pub path: String,
    /// The name of its task, if it is one.
    pub task: Option<Cow<'static, str>>,
    /// The new state.
    pub state: StepState,
    /// The attempt that the state is about, from 1; 0 before the first.
    pub attempt: u32,
    /// Why the last attempt failed, where this is about that.
    pub failure: Option<Failure>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// An ended state.
    pub state: RunState,
    /// When.
    pub at: Timestamp,
    /// What it returned.
    pub result: Option<Payload>,
    /// Which step failed it, and why.
    pub error: Option<StepError>,
}

/// A run, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// The store's own number for it.
    pub run: RunRef,
    /// The run's id.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The run's key.
    pub key: Option<String>,
    /// The hash of the blueprint that it follows, or the fingerprint of the
    /// graph that it was started with.
    pub fingerprint: u64,
    /// The arguments: a JSON array.
    pub params: Vec<u8>,
    /// The run that it was made of.
    pub parent: Option<Parent>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The last state that was stored.
    pub state: RunState,
    /// Whether it has fallen asleep and was not said to be awake since,
    /// whatever the time.
    pub asleep: bool,
    /// How many of its steps are suspected to end the process.
    pub suspected: u32,
    /// How it ended, if it has.
    pub end: Option<RunEnd>,
}

/// One entry of a journal, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEntry {
    /// Its number in the run, from 0.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The event, as JSON.
    pub event: String,
    /// The value that it brought.
    pub value: Option<Payload>,
}

/// Which runs to list. The default lets the newest 100 through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFilter {
    /// Runs whose id begins like this.
    pub id_prefix: Option<String>,
    /// Runs of this workflow.
    pub workflow: Option<String>,
    /// The run with this key.
    pub key: Option<String>,
    /// Runs that have a key which begins like this.
    pub key_prefix: Option<String>,
    /// Runs in one of these states; in any when empty.
    pub states: Vec<RunState>,
    /// Only runs with steps that are suspected to end the process.
    pub suspected: bool,
    /// Runs that were created before this one: for the next page.
    pub before: Option<RunRef>,
    /// How many.
    pub at_most: usize,
}

impl Default for RunFilter {
    fn default() -> Self {
        Self {
            id_prefix: None,
            workflow: None,
            key: None,
            key_prefix: None,
            states: Vec::new(),
            suspected: false,
            before: None,
            at_most: 100,
        }
    }
}

impl NewRun {
    /// Whether a store may take it.
    ///
    /// # Errors
    /// When its state is an ended one.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.state.is_ended() {
            return Err(StoreError::Other { message: format!("a new run cannot be {}", self.state) });
        }
        Ok(())
    }
}

impl Batch {
    /// Whether a store may take it for a run that has `next_seq` entries and
    /// has `ended` or not. Every store asks this inside the transaction.
    ///
    /// # Errors
    /// When it would leave a gap or write an entry twice, when the run has
    /// ended, or when the batch contradicts itself.
    pub fn check(&self, next_seq: u64, ended: bool) -> Result<(), StoreError> {
        let contradiction = match (&self.state, &self.end) {
            (Some(state), _) if state.is_ended() => Some(*state),
            (_, Some(end)) if !end.state.is_ended() => Some(end.state),
            _ => None,
        };
        if let Some(state) = contradiction {
            let message = format!("`{state}` stands in the wrong field of a batch of run {}", self.run.0);
            return Err(StoreError::Other { message });
        }
        if ended && self.state.is_none() {
            return Err(StoreError::Ended { run: self.run });
        }
        if self.first_seq != next_seq {
            return Err(StoreError::OutOfOrder { run: self.run, expected: next_seq, got: self.first_seq });
        }
        Ok(())
    }
}
