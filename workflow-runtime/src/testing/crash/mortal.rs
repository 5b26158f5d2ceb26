//! A store whose process dies at one of its commits.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::evidence::Evidence;
use crate::run::Timestamp;
use crate::store::{
    Answer, Batch, Created, Done, LogFilter, LogLine, Memory, NewRun, Payload, Request, RunFilter, RunRef,
    SealedKey, Store, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRun, StoredSchedule, Tick,
};

/// When a process dies, by the number of the commit in that process, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) enum Death {
    Never,
    /// The commit is asked for and not written.
    Before(usize),
    /// The commit is written, and nobody hears of it.
    Unheard(usize),
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Never => f.write_str("never"),
            Death::Before(write) => write!(f, "before its commit {write} was written"),
            Death::Unheard(write) => write!(f, "when its commit {write} was written and not heard of"),
        }
    }
}

/// What one process sees of the store. Once it is dead nothing is written and
/// nothing answered any more.
pub(super) struct Mortal {
    memory: Memory,
    evidence: Arc<Evidence>,
    death: Death,
    life: Mutex<Life>,
    died: Notify,
}

#[derive(Default)]
struct Life {
    writes: usize,
    dead: bool,
    /// Kept until the process is gone: an answer that is dropped is heard.
    unanswered: Vec<Box<dyn Send>>,
}

/// What becomes of a write.
enum Fate {
    Answered,
    Unheard,
    Lost,
}

impl Mortal {
    pub(super) fn new(memory: Memory, evidence: Arc<Evidence>, death: Death) -> Self {
        Self { memory, evidence, death, life: Mutex::default(), died: Notify::new() }
    }

    /// How many commits were written.
    pub(super) fn writes(&self) -> usize {
        self.life().writes
    }

    /// Ends when the process dies.
    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.life().dead
    }

    /// Lets go of what the dead process left.
    pub(super) fn bury(&self) {
        let unanswered = std::mem::take(&mut self.life().unanswered);
        drop(unanswered);
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fate(&self) -> Fate {
        let mut life = self.life();
        if life.dead {
            return Fate::Lost;
        }
        let write = life.writes + 1;
        let fate = match self.death {
            Death::Before(last) if write >= last => Fate::Lost,
            Death::Unheard(last) if write >= last => Fate::Unheard,
            _ => Fate::Answered,
        };
        life.writes += usize::from(!matches!(fate, Fate::Lost));
        life.dead = !matches!(fate, Fate::Answered);
        drop(life);
        if !matches!(fate, Fate::Answered) {
            self.died.notify_one();
        }
        fate
    }

    fn keep<T: 'static>(&self, done: Done<T>) {
        self.life().unanswered.push(Box::new(done));
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.life().dead { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl Store for Mortal {
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        let fate = self.next_fate();
        if matches!(fate, Fate::Lost) {
            return self.keep(done);
        }
        let entries = run.entries.clone();
        let evidence = self.evidence.clone();
        let written = Arc::new(Mutex::new(None));
        let written_there = written.clone();
        self.memory.create(
            run,
            Box::new(move |created| {
                if let Ok(Created::New(_)) = created {
                    evidence.committed(&entries, None);
                }
                *written_there.lock().unwrap_or_else(PoisonError::into_inner) = Some(created);
            }),
        );
        self.answer(fate, &written, done);
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        let fate = self.next_fate();
        if matches!(fate, Fate::Lost) {
            return self.keep(done);
        }
        let (entries, end) = (batch.entries.clone(), batch.end.clone());
        let evidence = self.evidence.clone();
        let written = Arc::new(Mutex::new(None));
        let written_there = written.clone();
        self.memory.append(
            batch,
            Box::new(move |appended| {
                match &appended {
                    Ok(()) => evidence.committed(&entries, end.as_ref()),
                    Err(error) => evidence.refused(error),
                }
                *written_there.lock().unwrap_or_else(PoisonError::into_inner) = Some(appended);
            }),
        );
        self.answer(fate, &written, done);
    }

    fn unfinished(&self, after: Option<RunRef>, at_most: usize) -> Result<Vec<StoredRun>, StoreError> {
        self.alive()?;
        self.memory.unfinished(after, at_most)
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        self.alive()?;
        self.memory.journal(run)
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.alive()?;
        self.memory.list(filter)
    }

    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        self.alive()?;
        self.memory.remove_ended_before(time, at_most)
    }

    fn close(&self) {
        self.memory.close();
    }

    fn awake(
        &self,
        now: Timestamp,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.alive()?;
        self.memory.awake(now, after, at_most)
    }

    fn due(
        &self,
        now: Timestamp,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.alive()?;
        self.memory.due(now, after, at_most)
    }

    fn next_wake(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.alive()?;
        self.memory.next_wake(now)
    }

    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        self.alive()?;
        self.memory.blueprint(hash)
    }

    fn remembered(&self, key: &[u8], now: Timestamp) -> Result<Option<Payload>, StoreError> {
        self.alive()?;
        self.memory.remembered(key, now)
    }

    fn forget(&self, now: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        self.alive()?;
        self.memory.forget(now, at_most)
    }

    fn request(&self, request: Request) -> Result<i64, StoreError> {
        self.alive()?;
        self.memory.request(request)
    }

    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        self.alive()?;
        self.memory.open_requests()
    }

    fn requests(&self, run: Option<&str>, at_most: usize) -> Result<Vec<StoredRequest>, StoreError> {
        self.alive()?;
        self.memory.requests(run, at_most)
    }

    fn answer(&self, number: i64, answer: Answer) -> Result<(), StoreError> {
        self.alive()?;
        self.memory.answer(number, answer)
    }

    fn foreign_writes(&self) -> Result<i64, StoreError> {
        self.alive()?;
        self.memory.foreign_writes()
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        self.alive()?;
        self.memory.schedules()
    }

    fn mark(&self, tick: Tick) -> Result<(), StoreError> {
        match self.next_fate() {
            Fate::Answered => self.memory.mark(tick),
            Fate::Unheard => self.memory.mark(tick).and(Err(StoreError::Closed)),
            Fate::Lost => Err(StoreError::Closed),
        }
    }

    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.alive()?;
        self.memory.keys()
    }

    fn put_keys(&self, keys: Vec<SealedKey>) -> Result<(), StoreError> {
        self.alive()?;
        self.memory.put_keys(keys)
    }

    /// No commit: nothing depends on it.
    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>) {
        match self.alive() {
            Ok(()) => self.memory.log(lines, done),
            Err(_) => self.keep(done),
        }
    }

    fn logs(&self, run: RunRef, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        self.alive()?;
        self.memory.logs(run, filter)
    }
}

impl Mortal {
    fn answer<T: 'static>(&self, fate: Fate, written: &Mutex<Option<T>>, done: Done<T>) {
        let answer = written.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (fate, answer) {
            // The memory answers before it returns.
            (Fate::Answered, Some(answer)) => done(answer),
            _ => self.keep(done),
        }
    }
}
