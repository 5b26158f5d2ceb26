//! What a run has under way: attempts that may start, workers, those that were asked
//! to stop, and what was asked for before they begin.

use std::collections::{HashMap, VecDeque};

use crate::engine::attempts::attempt::Attempt;
use crate::engine::attempts::cancellation::Controls;
use crate::engine::attempts::left_behind::LeftBehind;
use crate::engine::attempts::worker::Ready;
use crate::engine::time::{TimerId, Turn};
use crate::run::Key;

/// What a run has under way. Part of what its lock is for.
#[derive(Default)]
pub(crate) struct Work {
    /// Attempts that may start, in order.
    pub(crate) ready: VecDeque<Ready>,
    /// Steps that have more items to open, once few attempts are ready.
    pub(crate) has_more: Vec<Key>,
    /// Workers that poll or are about to, without those whose attempt waits.
    pub(crate) working: usize,
    /// Those of them that are probably back before another one could help.
    pub(crate) back_soon: usize,
    /// Attempts that have begun and not ended.
    pub(crate) attempts: usize,
    pub(crate) controls: Controls,
    /// Code that does not return.
    pub(crate) left_behind: LeftBehind,
    /// Requests for room, granted or not.
    pub(crate) room: HashMap<(Key, u32), Room>,
}

/// A request for what an attempt needs before it begins: room under its task's
/// limits, and its turn where it follows a loss.
pub(crate) struct Room {
    /// The task whose limits there are.
    pub(crate) task: Option<&'static str>,
    /// Whether its attempt has begun, and will give the room back itself.
    pub(crate) taken: bool,
    pub(crate) turn: Turn,
    /// How many attempts were lost in a row before this one.
    pub(crate) losses: u16,
    /// The end of its turn.
    pub(crate) timer: Option<TimerId>,
}

impl Work {
    /// A worker polls an attempt no more: it has ended, or waits.
    #[inline]
    pub(crate) fn leave(&mut self, attempt: &Attempt) {
        self.working -= 1;
        self.back_soon -= usize::from(attempt.is_quick);
    }

    /// Whether an attempt runs or is about to.
    pub(crate) fn goes_on(&self) -> bool {
        self.attempts > 0 || !self.ready.is_empty() || self.working > 0
    }

    /// Whether nothing is under way at all, and nothing asked for.
    pub(crate) fn is_done(&self) -> bool {
        !self.goes_on() && !self.left_behind.holds() && self.room.is_empty()
    }
}
