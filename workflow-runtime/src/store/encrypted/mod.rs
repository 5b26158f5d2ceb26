//! Encryption at rest: a layer over any store, which sees no value in clear.
//!
//! Values are encrypted with a *data key*, 32 random bytes, by
//! XChaCha20-Poly1305. The data keys stand in the store, sealed with the
//! *user's key*, which does not. See [`Encrypted`] for what is encrypted, and
//! [`KeyRing`] for how keys are changed.
//!
//! Never here: what a value means, or where it is kept.

mod cipher;
mod data_key;
mod envelope;
mod ids;
mod key;
mod operation;
mod place;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::cipher::Cipher;
use self::ids::Ids;
pub use self::key::{Key, KeyRing};
pub use self::place::Place;
use super::check_keys;
use super::{
    Answer, Batch, Created, Done, EachJournal, LogFilter, LogLine, NewRun, Payload, Request, RunFilter,
    RunRef, SealedKey, Store, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRule, StoredRun,
    StoredSchedule, Tick, Transact, Transacted, Trouble,
};
use crate::run::Timestamp;

/// How many runs are looked at at a time.
const PAGE: usize = 200;

/// A store whose values are encrypted before they reach the store below.
///
/// An engine does this by itself when it is given
/// [keys](crate::EngineBuilder::encrypt).
///
/// # What is encrypted
///
/// Every value: arguments, results, what steps returned, what signals and
/// operators brought, remembered results, what operators ask for, and what
/// attempts say. A value
/// is tied to its place, so one that was changed, or moved to another run or
/// entry, is refused with [`StoreError::Unreadable`].
///
/// Not encrypted are what tasks write with
/// [`Context::transaction`](crate::Context::transaction), ids, names of
/// workflows, steps and types, run keys, times, states, the words of errors,
/// who asked for something and why, and the hashes under which results are
/// remembered: those who have the file can tell from one whether a guess of the
/// arguments is right. How long a value is can be seen. An older copy of the
/// whole file passes for the file.
///
/// # A store that was in clear
///
/// To encrypt one is to open it with keys: what it holds stays in clear and
/// readable; what is written from now on is encrypted. So in such a store, a
/// value in clear that was put there later passes for an old one. In a store
/// that was encrypted before its first run, a value in clear is refused.
///
/// There is no way back: a store that was encrypted once says so for ever, and
/// is refused when the keys that it keeps are gone.
///
/// ```
/// use std::sync::Arc;
/// use workflow_runtime::store::{Encrypted, Key, KeyRing, Memory};
///
/// let keys = KeyRing::new("2026-11", Key::from_bytes([7; 32]));
/// let store = Encrypted::open(Arc::new(Memory::new()), &keys)?;
/// # drop(store);
/// # Ok::<(), workflow_runtime::store::StoreError>(())
/// ```
pub struct Encrypted<S: Store + ?Sized> {
    // Shared with answers that are on their way.
    cipher: Arc<Cipher>,
    ids: Arc<Ids>,
    store: Arc<S>,
}

impl<S: Store + ?Sized> Encrypted<S> {
    /// Opens a store with the user's keys. One that has never been encrypted
    /// gets its first data key. If the ring's first key is not the one that
    /// the store's data keys are sealed with, they are sealed with it, all in
    /// one transaction, and what is written from now on gets a fresh data key.
    ///
    /// # Errors
    /// When the ring does not have the key that the store needs, which the
    /// message names, and when the store cannot be read or written. Nothing
    /// is changed then.
    pub fn open(store: Arc<S>, keys: &KeyRing) -> Result<Self, StoreError> {
        let sealed = store.keys()?;
        check_keys(&sealed, store.was_encrypted()?)?;
        let (unlocked, mut reseal) = if sealed.is_empty() {
            check_keys(&sealed, holds_sealed(&*store)?)?;
            data_key::begin(keys, is_empty(&*store)?)?
        } else {
            data_key::rotate(data_key::unlock(&sealed, keys)?, keys)?
        };
        // One of an earlier version does not say so yet.
        if reseal.is_empty() && !store.was_encrypted()? {
            reseal.clone_from(&sealed);
        }
        if !reseal.is_empty() {
            store.put_keys(reseal)?;
        }
        let cipher = Arc::new(Cipher::of(unlocked));
        Ok(Self { cipher, ids: Arc::default(), store })
    }

    /// The id of a run, which is what its values are tied to: its number says
    /// nothing once the store was opened again elsewhere.
    fn id(&self, run: RunRef) -> Result<Arc<str>, StoreError> {
        if let Some(id) = self.ids.get(run) {
            return Ok(id);
        }
        // The newest run up to this one is this one, if it is there.
        let before = run.0.checked_add(1).map(RunRef);
        let found = self.store.list(&RunFilter { before, at_most: 1, ..RunFilter::default() })?;
        let found = found.into_iter().find(|found| found.run == run).ok_or(StoreError::UnknownRun { run })?;
        self.ids.put(run, &found.id);
        Ok(found.id.into())
    }

    /// Opens a run that was asked for by its name.
    fn open_run(&self, run: StoredRun) -> Result<StoredRun, StoreError> {
        self.ids.put(run.run, &run.id);
        self.cipher.open_run(run)
    }

    /// Reads runs page by page until there are some. One that cannot be read
    /// is left out, so that it does not hide the others; but a page without
    /// any would be taken for the last one.
    fn open_runs(
        &self,
        mut page: impl FnMut(Option<RunRef>) -> Result<Vec<StoredRun>, StoreError>,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let mut from = None;
        loop {
            let runs = page(from)?;
            let Some(last) = runs.last() else { return Ok(runs) };
            from = Some(last.run);
            let (runs, _) = self.readable(runs);
            if !runs.is_empty() {
                return Ok(runs);
            }
        }
    }

    /// The runs that can be read, and the last problem with one that cannot.
    fn readable(&self, runs: Vec<StoredRun>) -> (Vec<StoredRun>, Option<StoreError>) {
        let mut problem = None;
        let open = |run| match self.open_run(run) {
            Ok(run) => Some(run),
            Err(error) => {
                tracing::error!(%error, "a run is left out: it cannot be read");
                problem = Some(error);
                None
            }
        };
        (runs.into_iter().filter_map(open).collect(), problem)
    }

    fn seal_new(&self, mut new: NewRun) -> Result<NewRun, StoreError> {
        new.params = self.cipher.seal(Place::Params { run: &new.id }, &new.params)?;
        for (seq, entry) in (0..).zip(&mut new.entries) {
            if let Some(value) = &mut entry.value {
                self.cipher.seal_payload(Place::Entry { run: &new.id, seq }, value)?;
            }
        }
        Ok(new)
    }

    fn seal_batch(&self, mut batch: Batch) -> Result<Batch, StoreError> {
        let result = batch.end.as_mut().and_then(|end| end.result.as_mut());
        if result.is_some() || batch.entries.iter().any(|entry| entry.value.is_some()) {
            let run = &*self.id(batch.run)?;
            if let Some(result) = result {
                self.cipher.seal_payload(Place::Returned { run }, result)?;
            }
            // A number too large is refused below.
            for (number, entry) in (0..).zip(&mut batch.entries) {
                let seq = batch.first_seq.saturating_add(number);
                if let Some(value) = &mut entry.value {
                    self.cipher.seal_payload(Place::Entry { run, seq }, value)?;
                }
            }
        }
        batch.remember.iter_mut().try_for_each(|remembered| self.cipher.seal_remembered(remembered))?;
        Ok(batch)
    }
}

impl<S: Store + ?Sized> Encrypted<S> {
    /// Without the lines of runs that are gone.
    fn seal_lines(&self, lines: Vec<LogLine>) -> Result<Vec<LogLine>, StoreError> {
        let mut sealed = Vec::with_capacity(lines.len());
        for mut line in lines {
            match self.id(line.run) {
                Ok(id) => self.cipher.seal_line(&id, &mut line)?,
                Err(StoreError::UnknownRun { .. }) => continue,
                Err(error) => return Err(error),
            }
            sealed.push(line);
        }
        Ok(sealed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a store holds values that are encrypted. All are looked at, once:
/// a store that has been in clear is about to be encrypted.
fn holds_sealed<S: Store + ?Sized>(store: &S) -> Result<bool, StoreError> {
    let is_sealed = |bytes: &[u8]| !matches!(envelope::look(bytes), Ok(envelope::Found::Clear));
    let asked = store.requests(None, usize::MAX)?;
    if asked.iter().any(|asked| operation::sealed(&asked.request.operation).is_some()) {
        return Ok(true);
    }
    let mut before = None;
    loop {
        let page = store.list(&RunFilter { before, at_most: PAGE, ..RunFilter::default() })?;
        let Some(last) = page.last() else { return Ok(false) };
        before = Some(last.run);
        for run in page {
            let result = run.end.as_ref().and_then(|end| end.result.as_ref());
            let entries = store.journal(run.run)?;
            let values = entries.iter().filter_map(|entry| entry.value.as_ref()).chain(result);
            let lines = store.logs(run.run, &LogFilter::default())?;
            if is_sealed(&run.params)
                || values.into_iter().any(|value| is_sealed(&value.bytes))
                || lines.iter().any(|line| is_sealed(&line.line.text))
            {
                return Ok(true);
            }
        }
    }
}

/// Whether there is nothing in a store that may be in clear.
fn is_empty<S: Store + ?Sized>(store: &S) -> Result<bool, StoreError> {
    Ok(store.list(&RunFilter { at_most: 1, ..RunFilter::default() })?.is_empty())
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

    fn unfinished(&self, after: Option<RunRef>, at_most: usize) -> Result<Vec<StoredRun>, StoreError> {
        self.open_runs(|from| self.store.unfinished(from.or(after), at_most))
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

    fn awake(
        &self,
        now: Timestamp,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.open_runs(|from| self.store.awake(now, from.or(after), at_most))
    }

    fn due(
        &self,
        now: Timestamp,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.open_runs(|from| self.store.due(now, from.or(after), at_most))
    }

    fn backing_off(
        &self,
        since: Timestamp,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.open_runs(|from| self.store.backing_off(since, from.or(after), at_most))
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

impl<S: Store + fmt::Debug + ?Sized> fmt::Debug for Encrypted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").field("store", &&*self.store).finish_non_exhaustive()
    }
}
