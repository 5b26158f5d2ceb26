//! The keys of a program whose store is encrypted, and what they open.
//!
//! Without the feature `encryption`, a program has no keys, and a store that
//! needs some is refused.

#[cfg(feature = "encryption")]
use crate::store::{Cipher, KeyRing};
use crate::store::{
    Request, SealedKey, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRun, check_clear,
};

/// The keys that a program was given, if any.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    #[cfg(feature = "encryption")]
    ring: Option<KeyRing>,
}

impl Keys {
    #[cfg(feature = "encryption")]
    pub(super) fn new(ring: KeyRing) -> Self {
        Self { ring: Some(ring) }
    }

    /// What opens the values of a store, given the sealed keys that it keeps.
    ///
    /// # Errors
    /// When it needs a key that the program does not have.
    pub(super) fn values(&self, sealed: &[SealedKey]) -> Result<Values, StoreError> {
        #[cfg(feature = "encryption")]
        if let Some(ring) = &self.ring {
            // One that was never opened with keys is in clear.
            let cipher = if sealed.is_empty() { None } else { Some(Cipher::open(sealed, ring)?) };
            return Ok(Values { cipher });
        }
        check_clear(sealed)?;
        Ok(Values::default())
    }
}

/// Opens the values of a store; those in clear stay as they are.
#[derive(Debug, Default)]
pub(super) struct Values {
    #[cfg(feature = "encryption")]
    cipher: Option<Cipher>,
}

#[cfg(feature = "encryption")]
impl Values {
    pub(super) fn is_clear(&self) -> bool {
        self.cipher.is_none()
    }

    pub(super) fn open_run(&self, run: StoredRun) -> Result<StoredRun, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_run(run),
            None => Ok(run),
        }
    }

    pub(super) fn open_journal(
        &self,
        run: &str,
        entries: Vec<StoredEntry>,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_journal(run, entries),
            None => Ok(entries),
        }
    }

    pub(super) fn open_lines(
        &self,
        run: &str,
        lines: Vec<StoredLine>,
    ) -> Result<Vec<StoredLine>, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open_lines(run, lines),
            None => Ok(lines),
        }
    }

    pub(super) fn open_request(&self, request: StoredRequest) -> StoredRequest {
        match &self.cipher {
            Some(cipher) => cipher.open_request(request),
            None => request,
        }
    }

    pub(super) fn seal_request(&self, request: Request) -> Result<Request, StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.seal_request(request),
            None => Ok(request),
        }
    }
}

#[cfg(not(feature = "encryption"))]
impl Values {
    pub(super) fn is_clear(&self) -> bool {
        true
    }

    pub(super) fn open_run(&self, run: StoredRun) -> Result<StoredRun, StoreError> {
        Ok(run)
    }

    pub(super) fn open_journal(
        &self,
        _: &str,
        entries: Vec<StoredEntry>,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        Ok(entries)
    }

    pub(super) fn open_lines(&self, _: &str, lines: Vec<StoredLine>) -> Result<Vec<StoredLine>, StoreError> {
        Ok(lines)
    }

    pub(super) fn open_request(&self, request: StoredRequest) -> StoredRequest {
        request
    }

    pub(super) fn seal_request(&self, request: Request) -> Result<Request, StoreError> {
        Ok(request)
    }
}
