//! What one attempt says, on its way to the store.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::run::Timestamp;
use crate::store::{LogLevel, LogLine, RunRef, Store, StoreError};

/// How many bytes of lines an attempt has.
const LIMIT: usize = 64 << 10;

/// How many lines of an engine are on their way to its store at most, and how
/// many bytes of them.
const LINES: usize = 4096;
const BYTES: usize = 8 << 20;

thread_local! {
    /// Whether this thread hands a line to a store. What the store says then
    /// is no line of the attempt, and would never come to an end.
    static SENDING: Cell<bool> = const { Cell::new(false) };
}

/// Where lines go: to an engine's store, with the time by its clock.
pub(crate) trait Sink: Send + Sync {
    fn now(&self) -> Timestamp;
    /// `None` where there is nowhere to keep them.
    fn store(&self) -> Option<&Arc<dyn Store>>;
    fn outbox(&self) -> &Arc<Outbox>;
}

/// What one attempt says. Dropped with the attempt's span.
pub(crate) struct AttemptLog {
    /// Weak: code that holds on to a span holds on to no store.
    sink: Weak<dyn Sink>,
    run: RunRef,
    path: Arc<str>,
    attempt: u32,
    undo: bool,
    /// Held while a line is handed over, so that they keep their order.
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    /// The number of the next line.
    seq: u64,
    bytes: usize,
    /// How many lines came after the last that fitted.
    over: u64,
    /// How many lines the store had no room for.
    lost: u64,
}

impl AttemptLog {
    pub(crate) fn new(sink: Weak<dyn Sink>, run: RunRef, path: &str, attempt: u32, undo: bool) -> Self {
        Self { sink, run, path: path.into(), attempt, undo, said: Mutex::default() }
    }

    /// Says something. `line` is not asked when there is no room for it.
    pub(super) fn say(&self, level: LogLevel, line: impl FnOnce() -> String) {
        let Some(sink) = self.sink.upgrade().filter(|_| !SENDING.get()) else { return };
        if self.is_full() {
            return;
        }
        // Not under the lock: what is written is the user's, and may say
        // something itself.
        let text = line();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.over > 0 || said.bytes + text.len() > LIMIT {
            said.over += 1;
            return;
        }
        said.bytes += text.len();
        let seq = said.seq;
        said.seq += 1;
        if !sink.outbox().send(&*sink, self.line(&*sink, seq, level, text), false) {
            said.lost += 1;
        }
    }

    /// Counts the line if it is.
    fn is_full(&self) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.over > 0 {
            said.over += 1;
        }
        said.over > 0
    }

    fn line(&self, sink: &dyn Sink, seq: u64, level: LogLevel, text: String) -> LogLine {
        let (path, attempt, undo) = (self.path.clone(), self.attempt, self.undo);
        LogLine { run: self.run, path, attempt, undo, seq, at: sink.now(), level, text: text.into() }
    }
}

/// Says how much was not kept.
impl Drop for AttemptLog {
    fn drop(&mut self) {
        let said = self.said.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Said { seq, over, lost, .. } = *said;
        if over + lost == 0 {
            return;
        }
        let Some(sink) = self.sink.upgrade() else { return };
        let why = match (over, lost) {
            (_, 0) => format!("an attempt keeps {LIMIT} bytes of lines"),
            (0, _) => "the store could not keep up".to_owned(),
            _ => format!(
                "an attempt keeps {LIMIT} bytes of lines, and the store could not keep up with {lost}"
            ),
        };
        let text = format!("{}: {} dropped: {why}", env!("CARGO_CRATE_NAME"), count(over + lost));
        sink.outbox().send(&*sink, self.line(&*sink, seq, LogLevel::Warn, text), true);
    }
}

fn count(lines: u64) -> String {
    if lines == 1 { "1 line was".to_owned() } else { format!("{lines} lines were") }
}

/// The lines of an engine that are on their way to its store.
#[derive(Default)]
pub(crate) struct Outbox {
    lines: AtomicUsize,
    bytes: AtomicUsize,
    /// Whether it was said that lines are not kept.
    told: AtomicBool,
}

impl Outbox {
    /// Hands a line to the store, and says whether there was room for it,
    /// unless it goes `anyway`. Never waits.
    fn send(self: &Arc<Self>, sink: &dyn Sink, line: LogLine, anyway: bool) -> bool {
        let Some(store) = sink.store() else { return false };
        let Some(place) = OutboxRoom::take(self, line.text.len(), anyway) else { return false };
        let done = move |kept: Result<(), StoreError>| place.outbox.hear(kept);
        let before = SENDING.replace(true);
        store.log(vec![line], Box::new(done));
        SENDING.set(before);
        true
    }

    /// Says once that something is wrong, and not for every line.
    fn hear(&self, kept: Result<(), StoreError>) {
        match kept {
            Ok(()) => self.told.store(false, Ordering::Relaxed),
            Err(StoreError::Closed) => {}
            Err(error) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the lines of attempts are not kept");
                }
            }
        }
    }
}

/// A place on the way. Given back however the store answers, or does not.
struct OutboxRoom {
    outbox: Arc<Outbox>,
    bytes: usize,
}

impl OutboxRoom {
    fn take(outbox: &Arc<Outbox>, bytes: usize, anyway: bool) -> Option<Self> {
        let lines = outbox.lines.fetch_add(1, Ordering::Relaxed) + 1;
        let all = outbox.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let place = Self { outbox: outbox.clone(), bytes };
        (anyway || (lines <= LINES && all <= BYTES)).then_some(place)
    }
}

impl Drop for OutboxRoom {
    fn drop(&mut self) {
        self.outbox.lines.fetch_sub(1, Ordering::Relaxed);
        self.outbox.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
