//! What encrypts and decrypts the values of one store.

use std::fmt;

use super::data_key::{self, DataKey, Unlocked};
use super::envelope::{self, Found};
use super::key::KeyRing;
use super::operation;
use super::place::Place;
use crate::store::{
    LogLine, Payload, Remembered, Request, SealedKey, StoreError, StoredEntry, StoredLine, StoredRequest,
    StoredRun,
};

/// Opens the values of a store, for code that reads it without an
/// [`Encrypted`](super::Encrypted) around it, such as another process.
///
/// Values that were stored before the store was encrypted are in clear, and
/// come out as they are where the ring
/// [takes them](crate::store::KeyRing::and_values_in_clear).
///
/// ```
/// use std::sync::Arc;
/// use workflow_runtime::store::{Cipher, Encrypted, Key, KeyRing, Memory, Store};
///
/// let store = Arc::new(Memory::new());
/// let keys = KeyRing::new("2026-11", Key::from_bytes([7; 32]));
/// let encrypted = Encrypted::open(store.clone(), &keys)?;
/// // Runs are created, and elsewhere:
/// let cipher = Cipher::open(&store.keys()?, &keys)?;
/// for run in store.unfinished(None, 10)? {
///     let journal = cipher.open_journal(&run.id, store.journal(run.run)?)?;
///     let run = cipher.open_run(run)?;
///     println!("{}: {} entries", String::from_utf8_lossy(&run.params), journal.len());
/// }
/// # Ok::<(), workflow_runtime::store::StoreError>(())
/// ```
pub struct Cipher {
    /// By id; never empty, unless nothing of the store is encrypted.
    keys: Vec<DataKey>,
    /// Whether values may be in clear, where the store has ever held such.
    takes_clear: bool,
}

impl Cipher {
    /// The cipher of a store, from the keys that it [keeps](crate::store::Store::keys).
    /// The ring may hold any keys, in any order, as long as it holds those
    /// that these are sealed with. Nothing is changed.
    ///
    /// # Errors
    /// When the ring does not have the key: the message names it.
    pub fn open(sealed: &[SealedKey], ring: &KeyRing) -> Result<Self, StoreError> {
        Ok(Self::of(data_key::unlock(sealed, ring)?, ring.takes_clear()))
    }

    pub(super) fn of(unlocked: Unlocked, takes_clear: bool) -> Self {
        Self { keys: unlocked.keys, takes_clear }
    }

    /// Decrypts a value.
    ///
    /// # Errors
    /// When it was changed, stood in another place, or is encrypted with a key
    /// that the store did not have when the cipher was made. The message names
    /// the place.
    pub fn open_value(&self, place: Place<'_>, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        match envelope::look(&value) {
            Ok(Found::Clear) if !self.is_only() => Ok(value),
            Ok(Found::Clear) => Err(unreadable(place, "it is in clear, where all values are encrypted")),
            _ => self.open_sealed(place, value),
        }
    }

    /// Decrypts what cannot be in clear.
    fn open_sealed(&self, place: Place<'_>, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let number = match envelope::look(&value) {
            Ok(Found::Sealed(number)) => number,
            Ok(Found::Clear) => return Err(unreadable(place, envelope::CHANGED)),
            Err(why) => return Err(unreadable(place, why)),
        };
        let Some(key) = self.keys.iter().find(|key| key.id == number) else {
            let why = format!("it is encrypted with data key {number}, which the store did not have");
            return Err(unreadable(place, why));
        };
        envelope::open(&key.key, &place.bytes(), value).map_err(|why| unreadable(place, why))
    }

    /// Decrypts what is encrypted of a run's row: its parameters and its result.
    ///
    /// # Errors
    /// As for [`Self::open_value`].
    pub fn open_run(&self, mut run: StoredRun) -> Result<StoredRun, StoreError> {
        run.params = self.open_value(Place::Params { run: &run.id }, run.params)?;
        if let Some(result) = run.end.as_mut().and_then(|end| end.result.as_mut()) {
            self.open_payload(Place::Returned { run: &run.id }, result)?;
        }
        Ok(run)
    }

    /// Decrypts the values of the journal of the run with this id.
    ///
    /// # Errors
    /// As for [`Self::open_value`].
    pub fn open_journal(
        &self,
        run: &str,
        mut entries: Vec<StoredEntry>,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        for entry in &mut entries {
            if let Some(value) = &mut entry.value {
                self.open_payload(Place::Entry { run, seq: entry.seq }, value)?;
            }
        }
        Ok(entries)
    }

    /// Decrypts lines of the run with this id.
    ///
    /// # Errors
    /// As for [`Self::open_value`].
    pub fn open_lines(&self, run: &str, mut lines: Vec<StoredLine>) -> Result<Vec<StoredLine>, StoreError> {
        for StoredLine { line, .. } in &mut lines {
            let text = std::mem::take(&mut line.text);
            line.text = self.open_value(Place::Line { run, of: line }, text)?;
        }
        Ok(lines)
    }

    pub(super) fn seal_line(&self, run: &str, line: &mut LogLine) -> Result<(), StoreError> {
        line.text = self.seal(Place::Line { run, of: line }, &line.text)?;
        Ok(())
    }

    /// Decrypts a remembered result.
    ///
    /// # Errors
    /// As for [`Self::open_value`].
    pub fn open_remembered(&self, key: &[u8], mut value: Payload) -> Result<Payload, StoreError> {
        self.open_payload(Place::Remembered { key }, &mut value)?;
        Ok(value)
    }

    /// Decrypts what a request asks for. A request in clear stays as it is: who
    /// may ask need not have the keys. One that cannot be decrypted asks for
    /// `{"unreadable": ..}`, with the reason, which is no
    /// [`Operation`](crate::Operation): one bad request does not hold up the
    /// others.
    #[must_use]
    pub fn open_request(&self, mut stored: StoredRequest) -> StoredRequest {
        let request = &mut stored.request;
        if let Some(sealed) = operation::sealed(&request.operation) {
            let place = Place::Operation { of: request };
            let clear = self.open_sealed(place, sealed.value).and_then(|clear| {
                // What is shown without a key has to be what is done.
                let clear = String::from_utf8(clear).ok();
                clear
                    .filter(|clear| operation::kind(clear).as_ref() == Some(&sealed.kind))
                    .ok_or_else(|| unreadable(place, envelope::CHANGED))
            });
            request.operation = clear.unwrap_or_else(|error| operation::unreadable(&error));
        }
        stored
    }

    /// Encrypts what a request asks for, for code that writes it into a store
    /// without an [`Encrypted`](super::Encrypted) around it. What kind of
    /// operation it is can still be read.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn seal_request(&self, mut request: Request) -> Result<Request, StoreError> {
        // One that is a mere name holds no value.
        if let Some(kind) = operation::kind(&request.operation) {
            let clear = std::mem::take(&mut request.operation);
            let sealed = self.seal(Place::Operation { of: &request }, clear.as_bytes())?;
            request.operation = operation::wrap(kind, &sealed);
        }
        Ok(request)
    }

    pub(super) fn seal_remembered(&self, remembered: &mut Remembered) -> Result<(), StoreError> {
        self.seal_payload(Place::Remembered { key: &remembered.key }, &mut remembered.value)
    }

    pub(super) fn seal_payload(&self, place: Place<'_>, value: &mut Payload) -> Result<(), StoreError> {
        value.bytes = self.seal(place, &value.bytes)?;
        Ok(())
    }

    pub(super) fn seal(&self, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        match self.keys.last() {
            Some(key) => envelope::seal(key.id, &key.key, &place.bytes(), value),
            None => Err(StoreError::Key { what: "the store has no key to encrypt with".to_owned() }),
        }
    }

    pub(super) fn open_payload(&self, place: Place<'_>, value: &mut Payload) -> Result<(), StoreError> {
        value.bytes = self.open_value(place, std::mem::take(&mut value.bytes))?;
        Ok(())
    }

    /// Whether a value is in clear in a store that has none of its own in clear.
    pub(super) fn is_foreign(&self, value: &[u8]) -> bool {
        self.is_only() && matches!(envelope::look(value), Ok(Found::Clear))
    }

    fn is_only(&self) -> bool {
        !self.takes_clear || self.keys.iter().any(|key| key.only)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").finish_non_exhaustive()
    }
}

fn unreadable(place: Place<'_>, why: impl Into<String>) -> StoreError {
    StoreError::Unreadable { what: place.to_string(), why: why.into() }
}
