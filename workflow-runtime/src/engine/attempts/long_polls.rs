//! Which attempts are being polled just now, so that the supervisor can see it when
//! a poll does not return.
//!
//! At most as many polls are under way as there are threads, so each thread
//! has one place to say so. To begin a poll costs a few stores into memory that
//! is the thread's own.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::engine::attempts::attempt::Attempt;
use crate::engine::attempts::worker::Goal;
use crate::engine::instance::RunHost;
use crate::run::{FrameId, Key, Timestamp};

/// What a thread polls. Its times are of the clock that only passes and is never set.
#[derive(Default)]
struct Place {
    /// When its poll began; 0 while there is none.
    since: AtomicU64,
    /// The run, by its address.
    run: AtomicUsize,
    /// The step's frame: its place and its generation.
    frame: AtomicU64,
    /// The step's number, what the attempt is for, how it is polled, and its
    /// epoch.
    rest: AtomicU64,
    /// When the attempt began.
    began: AtomicU64,
    /// When the step has to have ended; 0 for never.
    deadline: AtomicU64,
}

static PLACES: Mutex<Vec<Weak<Place>>> = Mutex::new(Vec::new());

thread_local! {
    static PLACE: Arc<Place> = {
        let place = Arc::default();
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| place.strong_count() > 0);
        places.push(Arc::downgrade(&place));
        place
    };
}

/// How an attempt is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// For the first time: its worker counts as one that polls.
    First,
    /// Again, after it had to wait.
    Again,
    /// On the thread of the store, inside a transaction.
    Transaction,
}

/// A poll that is under way until this is dropped.
pub(crate) struct Polling(PhantomData<*const ()>);

impl Polling {
    /// This thread begins to poll. `since` is given by the caller, which has just read
    /// the clock.
    #[inline]
    pub(crate) fn begin(host: &Arc<RunHost>, attempt: &Attempt, how: How, since: Timestamp) -> Self {
        let Attempt { key, epoch, goal, is_quick, steady, deadline, .. } = *attempt;
        let flags = goal as u64 | (how as u64) << 2 | u64::from(is_quick) << 4;
        let clock = &host.core.clock;
        let deadline = deadline.map_or(Timestamp::default(), |deadline| clock.steady_of(deadline));
        Self::note(host, key, epoch, flags, [steady, deadline, clock.steady_of(since)])
    }

    /// The thread of the store begins a transaction.
    pub(crate) fn begin_transaction(host: &Arc<RunHost>, key: Key, epoch: u32, since: Timestamp) -> Self {
        let flags = (How::Transaction as u64) << 2;
        let since = host.core.clock.steady_of(since);
        Self::note(host, key, epoch, flags, [since, Timestamp::default(), since])
    }

    #[inline]
    fn note(host: &Arc<RunHost>, key: Key, epoch: u32, flags: u64, times: [Timestamp; 3]) -> Self {
        let [began, deadline, since] = times;
        let Key { frame, step } = key;
        // Where the thread is about to end, its place is not looked at any more.
        let _ = PLACE.try_with(|place| {
            place.run.store(Arc::as_ptr(host) as usize, Ordering::Relaxed);
            let frame = u64::from(frame.index) << 32 | u64::from(frame.generation);
            place.frame.store(frame, Ordering::Relaxed);
            let rest = flags << 48 | u64::from(step) << 32 | u64::from(epoch);
            place.rest.store(rest, Ordering::Relaxed);
            place.began.store(began.0, Ordering::Relaxed);
            place.deadline.store(deadline.0, Ordering::Relaxed);
            place.since.store(since.0, Ordering::Release);
        });
        Self(PhantomData)
    }
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        let _ = PLACE.try_with(|place| place.since.store(0, Ordering::Release));
    }
}

/// A poll that is under way on another thread.
#[derive(Clone)]
pub(crate) struct Poll {
    place: Arc<Place>,
    pub(crate) since: Timestamp,
    /// The run's address.
    pub(crate) run: usize,
    pub(crate) key: Key,
    pub(crate) epoch: u32,
    pub(crate) goal: Goal,
    pub(crate) how: How,
    pub(crate) is_quick: bool,
    pub(crate) began: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
}

impl Poll {
    /// Whether it is still under way.
    pub(crate) fn goes_on(&self) -> bool {
        self.place.since.load(Ordering::Acquire) == self.since.0
    }

    fn of(place: Arc<Place>) -> Option<Self> {
        let since = Timestamp(place.since.load(Ordering::Acquire));
        let (frame, rest) = (place.frame.load(Ordering::Relaxed), place.rest.load(Ordering::Relaxed));
        let deadline = place.deadline.load(Ordering::Relaxed);
        let frame = FrameId { index: (frame >> 32) as u32, generation: frame as u32 };
        let flags = rest >> 48;
        let poll = Self {
            since,
            run: place.run.load(Ordering::Relaxed),
            key: Key { frame, step: (rest >> 32) as u16 },
            epoch: rest as u32,
            goal: [Goal::Do, Goal::Undo, Goal::Reconcile]
                .into_iter()
                .find(|goal| *goal as u64 == flags & 3)?,
            how: [How::First, How::Again, How::Transaction]
                .into_iter()
                .find(|how| *how as u64 == flags >> 2 & 3)?,
            is_quick: flags >> 4 & 1 == 1,
            began: Timestamp(place.began.load(Ordering::Relaxed)),
            deadline: (deadline > 0).then_some(Timestamp(deadline)),
            place,
        };
        // What was read belongs together only if it is the same poll still.
        (since.0 > 0 && poll.goes_on()).then_some(poll)
    }
}

/// Whether anything is polled in this process.
pub(crate) fn are_under_way() -> bool {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    places.iter().filter_map(Weak::upgrade).any(|place| place.since.load(Ordering::Relaxed) > 0)
}

/// The polls of this process that began before then, of whatever engine.
pub(crate) fn since_before(then: Timestamp) -> Vec<Poll> {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let is_long = |place: &Arc<Place>| (1..then.0).contains(&place.since.load(Ordering::Relaxed));
    places.iter().filter_map(Weak::upgrade).filter(is_long).filter_map(Poll::of).collect()
}
