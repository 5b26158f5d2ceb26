//! The layer as a store: what goes down is sealed, what comes up is opened.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Encrypted, Place};
use crate::run::Timestamp;
use crate::store::{
    Answer, Batch, Created, Done, EachJournal, LogFilter, LogLine, NewRun, Payload, Request, RunFilter,
    RunRef, SealedKey, Store, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRule, StoredRun,
    StoredSchedule, Tick, Transact, Transacted, Trouble, Unfinished,
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Store + ?Sized> Store for Encrypted<S> {
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        let new = match self.seal_new(run) {
            Ok(new) => new,
            Err(error) => return done(Err(error)),
        };
        let (cipher, ids, id) = (self.cipher.clone(), self.ids.clone(), new.id.clone());
        let created = move |created: Result<Created, StoreError>| {
            done(created.and_then(|created| match created {
                Created::New(run) => {
                    ids.put(run, &id);
                    Ok(Created::New(run))
                }
                Created::Existing(run) => {
                    ids.put(run.run, &run.id);
                    Ok(Created::Existing(Box::new(cipher.open_run(*run)?)))
                }
            }));
        };
        self.store.create(new, Box::new(created));
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        match self.seal_batch(batch) {
            Ok(batch) => self.store.append(batch, done),
            Err(error) => done(Err(error)),
        }
    }

    fn unfinished_where(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.open_runs(|from| self.store.unfinished_where(which, from.or(after), at_most))
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        let entries = self.store.journal(run)?;
        self.cipher.open_journal(&self.id(run)?, entries)
    }

    fn journals(&self, runs: &[RunRef], each: &mut EachJournal<'_>) {
        self.store.journals(runs, &mut |run, entries| {
            let opened = entries.and_then(|entries| self.cipher.open_journal(&self.id(run)?, entries));
            each(run, opened);
        });
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.open_runs(|from| {
            self.store.list(&RunFilter { before: from.or(filter.before), ..filter.clone() })
        })
    }

    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        self.store.remove_ended_before(time, at_most)
    }

    fn close(&self) {
        self.store.close();
    }

    fn next_wake(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_wake(now)
    }

    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        self.store.blueprint(hash)
    }

    fn remembered(&self, key: &[u8], now: Timestamp) -> Result<Option<Payload>, StoreError> {
        // Remembered by another program before there were runs.
        let value = self.store.remembered(key, now)?.filter(|value| !self.cipher.is_foreign(&value.bytes));
        value.map(|value| self.cipher.open_remembered(key, value)).transpose()
    }

    fn forget(&self, now: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        self.store.forget(now, at_most)
    }

    fn request(&self, request: Request) -> Result<i64, StoreError> {
        self.store.request(self.cipher.seal_request(request)?)
    }

    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        let requests = self.store.open_requests()?.into_iter();
        Ok(requests.map(|request| self.cipher.open_request(request)).collect())
    }

    fn requests(&self, run: Option<&str>, at_most: usize) -> Result<Vec<StoredRequest>, StoreError> {
        let requests = self.store.requests(run, at_most)?.into_iter();
        Ok(requests.map(|request| self.cipher.open_request(request)).collect())
    }

    fn answer(&self, number: i64, answer: Answer) -> Result<(), StoreError> {
        self.store.answer(number, answer)
    }

    fn foreign_writes(&self) -> Result<i64, StoreError> {
        self.store.foreign_writes()
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        self.store.schedules()
    }

    fn mark(&self, tick: Tick) -> Result<(), StoreError> {
        self.store.mark(tick)
    }

    fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        self.store.rules()
    }

    fn put_schedule(&self, schedule: StoredSchedule, rule: &str) -> Result<(), StoreError> {
        self.store.put_schedule(schedule, rule)
    }

    /// None: a caller of this layer needs no key.
    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.store.keys().map(|_| Vec::new())
    }

    fn was_encrypted(&self) -> Result<bool, StoreError> {
        self.store.was_encrypted().map(|_| false)
    }

    /// Refused: the keys of the store below are this layer's.
    fn put_keys(&self, _keys: Vec<SealedKey>) -> Result<(), StoreError> {
        self.store.keys()?;
        Err(StoreError::Key { what: "the store is encrypted already; once is enough".to_owned() })
    }

    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>) {
        match self.seal_lines(lines) {
            Ok(lines) => self.store.log(lines, done),
            Err(error) => done(Err(error)),
        }
    }

    fn logs(&self, run: RunRef, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        let lines = self.store.logs(run, filter)?;
        if lines.is_empty() { Ok(lines) } else { self.cipher.open_lines(&self.id(run)?, lines) }
    }

    fn trouble(&self) -> Option<Trouble> {
        self.store.trouble()
    }

    fn answers_later(&self) -> bool {
        self.store.answers_later()
    }

    fn has_transactions(&self) -> bool {
        self.store.has_transactions()
    }

    /// What it gives back is sealed on the way; what it writes itself is not.
    fn transact(&self, work: Transact, done: Done<Result<Transacted, StoreError>>) {
        let id = match self.id(work.run) {
            Ok(id) => id,
            Err(error) => return done(Err(error)),
        };
        let Transact { run, key, work } = work;
        let refused = Arc::new(Mutex::new(None));
        let sealed = {
            let (cipher, id, key, refused) = (self.cipher.clone(), id.clone(), key.clone(), refused.clone());
            move || {
                let mut given = work()?;
                let sealed = cipher.seal_payload(Place::Effect { run: &id, key: &key }, &mut given);
                // Kept for the answer, since nothing that is in clear is written.
                sealed.map_err(|error| *lock(&refused) = Some(error)).is_ok().then_some(given)
            }
        };
        let (cipher, place) = (self.cipher.clone(), key.clone());
        let opened = move |outcome: Result<Transacted, StoreError>| {
            if let Some(error) = lock(&refused).take() {
                return done(Err(error));
            }
            done(outcome.and_then(|outcome| match outcome {
                Transacted::Before(mut given) => {
                    cipher.open_payload(Place::Effect { run: &id, key: &place }, &mut given)?;
                    Ok(Transacted::Before(given))
                }
                other => Ok(other),
            }));
        };
        self.store.transact(Transact { run, key, work: Box::new(sealed) }, Box::new(opened));
    }

    fn effect(&self, run: RunRef, key: &str) -> Result<Option<Payload>, StoreError> {
        let Some(mut given) = self.store.effect(run, key)? else { return Ok(None) };
        self.cipher.open_payload(Place::Effect { run: &self.id(run)?, key }, &mut given)?;
        Ok(Some(given))
    }

    fn find(&self, id_or_prefix: &str) -> Result<Vec<StoredRun>, StoreError> {
        match self.readable(self.store.find(id_or_prefix)?) {
            (runs, Some(problem)) if runs.is_empty() => Err(problem),
            (runs, _) => Ok(runs),
        }
    }

    fn by_key(&self, key: &str) -> Result<Option<StoredRun>, StoreError> {
        self.store.by_key(key)?.map(|run| self.open_run(run)).transpose()
    }
}
