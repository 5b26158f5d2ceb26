//! A store that fails when told to, over one in memory.

use std::sync::{Arc, Mutex, mpsc};

use workflow_runtime::run::Timestamp;
use workflow_runtime::store::{
    Answer, Batch, Created, Done, Layer, LogLine, Memory, NewRun, RunFilter, RunRef, Store, StoreError,
    StoredEntry, StoredRequest, StoredRun, Unfinished,
};

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused.
    Fail,
    /// It is written, and the caller is told that it failed.
    WriteAndFail,
    /// It is written, and the caller hears nothing until [`FailingStore::release`].
    Hold,
    /// It is not written, and whoever would answer is gone.
    Vanish,
}

/// A clone is another opening of the same store, without its faults.
#[derive(Default)]
pub struct FailingStore {
    pub memory: Memory,
    plan: Mutex<Plan>,
    gate: Mutex<Option<Gate>>,
}

/// Where the next reader of a journal stands, having read it.
struct Gate {
    reached: mpsc::Sender<()>,
    open: mpsc::Receiver<()>,
}

#[derive(Default)]
struct Plan {
    /// For the next writes, in order; `None` is no fault.
    writes: Vec<Option<Fault>>,
    /// For all others.
    others: Option<Fault>,
    /// What a write that fails is told; [`broken`] where nothing is said.
    error: Option<StoreError>,
    /// How many writes were asked for.
    asked: usize,
    held: Vec<Box<dyn FnOnce() + Send>>,
    unfinished_fails: bool,
    answers_fail: bool,
    reads_fail: usize,
    journals_fail: usize,
    journal_fails: Vec<RunRef>,
    rewrite: Option<Rewrite<Vec<StoredEntry>>>,
    rewrite_run: Option<Rewrite<StoredRun>>,
    rewrite_found: Option<Rewrite<StoredRun>>,
}

type Rewrite<T> = Box<dyn Fn(&mut T) + Send>;

pub fn broken() -> StoreError {
    StoreError::Other { message: "the disk is on fire".to_owned() }
}

pub fn damaged() -> StoreError {
    StoreError::Damaged { path: "runs.db".into(), what: "a page is torn".to_owned() }
}

impl Clone for FailingStore {
    fn clone(&self) -> Self {
        Self { memory: self.memory.clone(), ..Self::default() }
    }
}

impl FailingStore {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Another process opens the store, and nothing is wrong with it.
    pub fn reopen(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }

    /// The write after `good` more of them meets a fault.
    pub fn after(&self, good: usize, fault: Fault) {
        let mut plan = self.plan.lock().unwrap();
        plan.writes = vec![None; good];
        plan.writes.push(Some(fault));
    }

    /// Every write meets this.
    pub fn always(&self, fault: Option<Fault>) {
        self.plan.lock().unwrap().others = fault;
    }

    /// What a write that fails is told from now on.
    pub fn fail_with(&self, error: StoreError) {
        self.plan.lock().unwrap().error = Some(error);
    }

    /// How many writes were asked for.
    pub fn asked(&self) -> usize {
        self.plan.lock().unwrap().asked
    }

    /// Answers what was held back, and returns how much that was.
    pub fn release(&self) -> usize {
        let held = std::mem::take(&mut self.plan.lock().unwrap().held);
        let count = held.len();
        held.into_iter().for_each(|answer| answer());
        count
    }

    /// How many answers are held back.
    pub fn held(&self) -> usize {
        self.plan.lock().unwrap().held.len()
    }

    /// Answers the first that was held back.
    pub fn release_first(&self) {
        let first = self.plan.lock().unwrap().held.remove(0);
        first();
    }

    /// Answers what was held back, the last first.
    pub fn release_backwards(&self) {
        let held = std::mem::take(&mut self.plan.lock().unwrap().held);
        held.into_iter().rev().for_each(|answer| answer());
    }

    pub fn fail_unfinished(&self) {
        self.plan.lock().unwrap().unfinished_fails = true;
    }

    /// Whoever answers a request dies just before.
    pub fn fail_answers(&self) {
        self.plan.lock().unwrap().answers_fail = true;
    }

    /// So many of the next looks for requests and for sleepers fail.
    pub fn fail_looks(&self, count: usize) {
        self.plan.lock().unwrap().reads_fail = count;
    }

    /// The next reader of a journal says that it has read it, and waits.
    pub fn hold_reader(&self) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((reached, hear), (go, open)) = (mpsc::channel(), mpsc::channel());
        *self.gate.lock().unwrap() = Some(Gate { reached, open });
        (hear, go)
    }

    /// So many of the next readers of a journal are told that it cannot be
    /// read just now.
    pub fn fail_journals(&self, count: usize) {
        self.plan.lock().unwrap().journals_fail = count;
    }

    /// How many of them are still to come.
    pub fn failing_journals(&self) -> usize {
        self.plan.lock().unwrap().journals_fail
    }

    fn look(&self) -> Result<(), StoreError> {
        let mut plan = self.plan.lock().unwrap();
        if plan.reads_fail == 0 {
            return Ok(());
        }
        plan.reads_fail -= 1;
        Err(broken())
    }

    /// The journal of this run is damaged.
    pub fn damage_journal(&self, run: RunRef) {
        self.plan.lock().unwrap().journal_fails.push(run);
    }

    /// What is read of any journal is something else.
    pub fn rewrite(&self, rewrite: impl Fn(&mut Vec<StoredEntry>) + Send + 'static) {
        self.plan.lock().unwrap().rewrite = Some(Box::new(rewrite));
    }

    /// What is read of any unfinished run is something else.
    pub fn rewrite_run(&self, rewrite: impl Fn(&mut StoredRun) + Send + 'static) {
        self.plan.lock().unwrap().rewrite_run = Some(Box::new(rewrite));
    }

    /// What is found under a key is something else.
    pub fn rewrite_found(&self, rewrite: impl Fn(&mut StoredRun) + Send + 'static) {
        self.plan.lock().unwrap().rewrite_found = Some(Box::new(rewrite));
    }

    /// The run that has this key.
    pub fn stored(&self, key: &str) -> StoredRun {
        self.memory.by_key(key).unwrap().unwrap_or_else(|| panic!("no run `{key}`"))
    }

    /// Its journal, as texts.
    pub fn events(&self, key: &str) -> Vec<String> {
        let entries = self.memory.journal(self.stored(key).run).unwrap();
        entries.into_iter().map(|entry| entry.event).collect()
    }

    fn rewritten(&self, mut runs: Vec<StoredRun>) -> Vec<StoredRun> {
        let plan = self.plan.lock().unwrap();
        plan.rewrite_run.iter().for_each(|rewrite| runs.iter_mut().for_each(rewrite));
        runs
    }

    fn next(&self) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        plan.asked += 1;
        if plan.writes.is_empty() { plan.others } else { plan.writes.remove(0) }
    }

    fn write<T: Send + 'static>(
        &self,
        done: Done<Result<T, StoreError>>,
        write: impl FnOnce(Done<Result<T, StoreError>>),
    ) {
        let error = self.plan.lock().unwrap().error.clone().unwrap_or_else(broken);
        match self.next() {
            None => write(done),
            Some(Fault::Fail) => done(Err(error)),
            Some(Fault::WriteAndFail) => write(Box::new(move |_| done(Err(error)))),
            Some(Fault::Vanish) => drop(done),
            Some(Fault::Hold) => {
                let answer = Arc::new(Mutex::new(None));
                let there = answer.clone();
                write(Box::new(move |result| *there.lock().unwrap() = Some(result)));
                let answer = answer.lock().unwrap().take().unwrap();
                self.plan.lock().unwrap().held.push(Box::new(move || done(answer)));
            }
        }
    }
}

impl Layer for FailingStore {
    fn below(&self) -> &dyn Store {
        &self.memory
    }

    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        let rewrite = self.plan.lock().unwrap().rewrite_found.take();
        let found = move |created: Result<Created, StoreError>| match (created, &rewrite) {
            (Ok(Created::Existing(mut stored)), Some(rewrite)) => {
                rewrite(&mut stored);
                Ok(Created::Existing(stored))
            }
            (created, _) => created,
        };
        self.write(done, |done| self.memory.create(run, Box::new(move |created| done(found(created)))));
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        self.write(done, |done| self.memory.append(batch, done));
    }

    fn unfinished_where(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        match which {
            Unfinished::All | Unfinished::Awake(_) if self.plan.lock().unwrap().unfinished_fails => {
                return Err(broken());
            }
            Unfinished::Due(_) => self.look()?,
            _ => {}
        }
        Ok(self.rewritten(self.memory.unfinished_where(which, after, at_most)?))
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        let mut plan = self.plan.lock().unwrap();
        if plan.journals_fail > 0 {
            plan.journals_fail -= 1;
            return Err(broken());
        }
        if plan.journal_fails.contains(&run) {
            return Err(damaged());
        }
        let mut entries = self.memory.journal(run)?;
        plan.rewrite.iter().for_each(|rewrite| rewrite(&mut entries));
        drop(plan);
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.reached.send(()).unwrap();
            let _ = gate.open.recv();
        }
        Ok(entries)
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        Ok(self.rewritten(self.memory.list(filter)?))
    }

    fn next_wake(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.look()?;
        self.memory.next_wake(now)
    }

    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        self.look()?;
        self.memory.open_requests()
    }

    fn answer(&self, number: i64, answer: Answer) -> Result<(), StoreError> {
        if self.plan.lock().unwrap().answers_fail {
            return Err(broken());
        }
        self.memory.answer(number, answer)
    }

    /// Whoever keeps lines says something itself.
    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>) {
        tracing::warn!("a line is kept");
        self.write(done, |done| self.memory.log(lines, done));
    }

    fn find(&self, id_or_prefix: &str) -> Result<Vec<StoredRun>, StoreError> {
        Ok(self.rewritten(self.memory.find(id_or_prefix)?))
    }

    fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError> {
        Ok(self.rewritten(self.memory.by_key(key)?.into_iter().collect()).pop())
    }
}
