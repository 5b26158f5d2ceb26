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
mod found;
mod ids;
mod key;
mod operation;
mod place;
mod store;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use self::cipher::Cipher;
use self::ids::Ids;
pub use self::key::{Key, KeyRing};
pub use self::place::Place;
use super::{Batch, LogLine, NewRun, RunFilter, RunRef, Store, StoreError, StoredRun};

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
/// # Values in clear
///
/// A store that has runs in clear is refused: a program that encrypts has none
/// of its own. To encrypt one that was in use before, open it with a ring that
/// takes them ([`KeyRing::and_values_in_clear`]): what it holds stays in clear
/// and readable, what is written from now on is encrypted. As long as the ring
/// takes them, a value in clear that somebody puts there passes for an old one.
/// Once the last of those runs has been removed, open it without: from then on
/// no ring takes values in clear from this store.
///
/// There is no way back: a store that was encrypted once says so for ever, and
/// is refused when the keys that it keeps are gone.
///
/// # What those can do who may write the file
///
/// Without a key they cannot make a value, change one, or put one in another's
/// place, and not pass off a store that they have filled in clear for one that
/// was encrypted: all of this is refused. They can take away: runs, the end of
/// a journal, lines, remembered results, requests; put back an older copy of
/// the file, or of one run; or put an empty file in its place. They can change
/// what is not encrypted, such as the events of a journal, times and keys, and
/// ask for operations in the name of anyone, since those who may ask need no
/// key. Of that, what does not fit together is found when a run is read and by
/// `doctor`; what does is not.
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
        let (unlocked, sealed) = found::open_keys(&*store, keys)?;
        if !sealed.is_empty() {
            store.put_keys(sealed)?;
        }
        let cipher = Arc::new(Cipher::of(unlocked, keys.takes_clear()));
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

impl<S: Store + fmt::Debug + ?Sized> fmt::Debug for Encrypted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").field("store", &&*self.store).finish_non_exhaustive()
    }
}
