//! A store whose process dies at one of its commits.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::evidence::Evidence;
use crate::store::{
    Batch, Created, Done, Layer, LogLine, Memory, NewRun, Store, StoreError, StoredSchedule, Tick,
};

/// When a process dies, by the number of the commit in that process, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) enum Death {
    Never,
    /// The commit is asked for and not written.
    Before(usize),
    /// The commit is written, and the caller does not hear of it.
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
    /// The same, closed.
    gone: Memory,
    evidence: Arc<Evidence>,
    death: Death,
    life: Mutex<ProcessLife>,
    died: Notify,
}

#[derive(Default)]
struct ProcessLife {
    writes: usize,
    dead: bool,
    /// Kept until the process is gone: an answer that is dropped is heard.
    unanswered: Vec<Box<dyn Send>>,
}

/// What becomes of a write.
enum WriteEnd {
    Answered,
    Unheard,
    Lost,
}

impl Mortal {
    pub(super) fn new(memory: Memory, evidence: Arc<Evidence>, death: Death) -> Self {
        let gone = memory.clone();
        gone.close();
        Self { memory, gone, evidence, death, life: Mutex::default(), died: Notify::new() }
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

    fn life(&self) -> MutexGuard<'_, ProcessLife> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fate(&self) -> WriteEnd {
        let mut life = self.life();
        if life.dead {
            return WriteEnd::Lost;
        }
        let write = life.writes + 1;
        let fate = match self.death {
            Death::Before(last) if write >= last => WriteEnd::Lost,
            Death::Unheard(last) if write >= last => WriteEnd::Unheard,
            _ => WriteEnd::Answered,
        };
        life.writes += usize::from(!matches!(fate, WriteEnd::Lost));
        life.dead = !matches!(fate, WriteEnd::Answered);
        drop(life);
        if !matches!(fate, WriteEnd::Answered) {
            self.died.notify_one();
        }
        fate
    }

    fn keep<T: 'static>(&self, done: Done<T>) {
        self.life().unanswered.push(Box::new(done));
    }
}

impl Layer for Mortal {
    /// A closed store is as good as none, which is what the dead have.
    fn below(&self) -> &dyn Store {
        if self.life().dead { &self.gone } else { &self.memory }
    }

    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        let fate = self.next_fate();
        if matches!(fate, WriteEnd::Lost) {
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
        if matches!(fate, WriteEnd::Lost) {
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

    fn close(&self) {
        self.memory.close();
    }

    fn mark(&self, tick: Tick) -> Result<(), StoreError> {
        match self.next_fate() {
            WriteEnd::Answered => self.memory.mark(tick),
            WriteEnd::Unheard => self.memory.mark(tick).and(Err(StoreError::Closed)),
            WriteEnd::Lost => Err(StoreError::Closed),
        }
    }

    fn put_schedule(&self, schedule: StoredSchedule, rule: &str) -> Result<(), StoreError> {
        match self.next_fate() {
            WriteEnd::Answered => self.memory.put_schedule(schedule, rule),
            WriteEnd::Unheard => self.memory.put_schedule(schedule, rule).and(Err(StoreError::Closed)),
            WriteEnd::Lost => Err(StoreError::Closed),
        }
    }

    /// No commit: nothing depends on it.
    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>) {
        if self.is_dead() { self.keep(done) } else { self.memory.log(lines, done) }
    }
}

impl Mortal {
    fn answer<T: 'static>(&self, fate: WriteEnd, written: &Mutex<Option<T>>, done: Done<T>) {
        let answer = written.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (fate, answer) {
            // The memory answers before it returns.
            (WriteEnd::Answered, Some(answer)) => done(answer),
            _ => self.keep(done),
        }
    }
}
