//! The keys of a program whose store is encrypted, and what they open.
//!
//! Without the feature `encryption`, a program has no keys, and a store that
//! needs some is refused.

#[cfg(feature = "encryption")]
use crate::store::{Cipher, KeyRing, Place};
use crate::store::{
    Payload, Request, SealedKey, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRun, check_clear,
    check_keys,
};

/// The keys that a program was given, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    #[cfg(feature = "encryption")]
    ring: Option<KeyRing>,
}

impl Keys {
    #[cfg(feature = "encryption")]
    pub(crate) fn new(ring: KeyRing) -> Self {
        Self { ring: Some(ring) }
    }

    /// What opens the values of a store, given the sealed keys that it keeps.
    ///
    /// # Errors
    /// When it needs a key that the program does not have, or cannot be what this
    /// program has left. `is_fresh` says whether it has no runs.
    pub(crate) fn values(
        &self,
        sealed: &[SealedKey],
        was_encrypted: bool,
        is_fresh: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<ValueOpener, StoreError> {
        check_keys(sealed, was_encrypted)?;
        #[cfg(feature = "encryption")]
        if let Some(ring) = &self.ring {
            if sealed.is_empty() {
                // No program has opened it with keys yet.
                ring.check_found(is_fresh()?)?;
                return Ok(ValueOpener { cipher: None });
            }
            return Ok(ValueOpener { cipher: Some(Cipher::open(sealed, ring)?) });
        }
        #[cfg(not(feature = "encryption"))]
        drop(is_fresh);
        check_clear(sealed)?;
        Ok(ValueOpener::default())
    }
}

/// Opens the values of a store; those in clear stay as they are.
#[derive(Debug, Default)]
pub(crate) struct ValueOpener {
    #[cfg(feature = "encryption")]
    cipher: Option<Cipher>,
}

#[cfg(feature = "encryption")]
impl ValueOpener {
    pub(crate) fn is_clear(&self) -> bool {
        self.cipher.is_none()
    }

    pub(crate) fn open_run(&self, run: StoredRun) -> Result<StoredRun, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_run(run),
            None => Ok(run),
        }
    }

    pub(crate) fn open_journal(
        &self,
        run: &str,
        entries: Vec<StoredEntry>,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_journal(run, entries),
            None => Ok(entries),
        }
    }

    pub(crate) fn open_lines(
        &self,
        run: &str,
        lines: Vec<StoredLine>,
    ) -> Result<Vec<StoredLine>, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_lines(run, lines),
            None => Ok(lines),
        }
    }

    pub(crate) fn open_request(&self, request: StoredRequest) -> StoredRequest {
        match &self.cipher {
            Some(cipher) => cipher.open_request(request),
            None => request,
        }
    }

    /// What a transaction gave back, if it can be opened.
    pub(crate) fn open_effect(&self, run: &str, key: &str, value: Payload) -> Result<(), StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_value(Place::Effect { run, key }, value.bytes).map(drop),
            None => Ok(()),
        }
    }

    /// A remembered result, if it can be opened.
    pub(crate) fn open_remembered(&self, key: &[u8], value: Payload) -> Result<(), StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_remembered(key, value).map(drop),
            None => Ok(()),
        }
    }

    pub(crate) fn seal_request(&self, request: Request) -> Result<Request, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.seal_request(request),
            None => Ok(request),
        }
    }
}

#[cfg(not(feature = "encryption"))]
impl ValueOpener {
    pub(crate) fn is_clear(&self) -> bool {
        true
    }

    pub(crate) fn open_run(&self, run: StoredRun) -> Result<StoredRun, StoreError> {
        Ok(run)
    }

    pub(crate) fn open_journal(
        &self,
        _: &str,
        entries: Vec<StoredEntry>,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        Ok(entries)
    }

    pub(crate) fn open_lines(&self, _: &str, lines: Vec<StoredLine>) -> Result<Vec<StoredLine>, StoreError> {
        Ok(lines)
    }

    pub(crate) fn open_request(&self, request: StoredRequest) -> StoredRequest {
        request
    }

    pub(crate) fn open_effect(&self, _: &str, _: &str, _: Payload) -> Result<(), StoreError> {
        Ok(())
    }

    pub(crate) fn open_remembered(&self, _: &[u8], _: Payload) -> Result<(), StoreError> {
        Ok(())
    }

    pub(crate) fn seal_request(&self, request: Request) -> Result<Request, StoreError> {
        Ok(request)
    }
}
