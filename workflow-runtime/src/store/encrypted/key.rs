//! The keys that the user has.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::text;
use crate::store::StoreError;

/// How to make a key, for messages.
const HOW: &str =
    "a key is 32 random bytes, as 64 hexadecimal digits or in base64; `openssl rand -hex 32` prints one";

/// A key of the user's: 32 bytes that only the user has. It encrypts the keys
/// that values are encrypted with, and is never stored.
///
/// It does not print, and its bytes are overwritten when it is dropped.
///
/// ```
/// use workflow_runtime::store::Key;
///
/// let key = Key::from_text("wtJHLUpUZ3lrFVvNS0q5h9vQzN8vJ0pKQK0T4dQJ1yM=")?;
/// assert_eq!(format!("{key:?}"), "Key(***)");
/// # Ok::<(), workflow_runtime::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// The key of these bytes, which are random: no password, and no text.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key from 64 hexadecimal digits, or from base64. Space around
    /// it is left out, so that the content of a file will do.
    ///
    /// # Errors
    /// When the text is something else. The message does not contain it.
    pub fn from_text(key: &str) -> Result<Self, StoreError> {
        Self::read(key).ok_or_else(|| StoreError::Key { what: format!("the text is no key; {HOW}") })
    }

    /// Reads a key from an environment variable, written as for
    /// [`Self::from_text`].
    ///
    /// # Errors
    /// When the variable is not set, or is no key.
    pub fn from_env(variable: &str) -> Result<Self, StoreError> {
        let wrong = |what: &str| StoreError::Key {
            what: format!("the environment variable `{variable}` {what}; {HOW}"),
        };
        match std::env::var(variable).map(Zeroizing::new) {
            Ok(key) => Self::read(&key).ok_or_else(|| wrong("is no key")),
            Err(std::env::VarError::NotPresent) => Err(wrong("is not set")),
            Err(std::env::VarError::NotUnicode(_)) => Err(wrong("is no text")),
        }
    }

    fn read(key: &str) -> Option<Self> {
        let key = key.trim();
        let bytes = if key.len() == 64 { text::from_hex(key) } else { text::from_base64(key) };
        let bytes = Zeroizing::new(bytes?);
        let mut key = <[u8; 32]>::try_from(&**bytes).ok()?;
        let read = Self::from_bytes(key);
        key.zeroize();
        Some(read)
    }

    /// A new key, from the operating system's random numbers.
    pub(super) fn random() -> Result<Self, StoreError> {
        let mut key = Self::from_bytes([0; 32]);
        random(&mut *key.0)?;
        Ok(key)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// Fills bytes with random numbers of the operating system, fit for secrets.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes).map_err(|error| StoreError::Other {
        message: format!(
            "the operating system gives no random numbers, so nothing can be encrypted: {error}"
        ),
    })
}

/// The user's keys, each with a name that the store remembers: the one in use,
/// and older ones that a store may still need.
///
/// To change the key of a store, open it once with a ring that begins with the
/// new key and still has the old one. From then on the new one is enough.
///
/// ```
/// use workflow_runtime::store::{Key, KeyRing};
///
/// # let (new, old) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
/// let keys = KeyRing::new("2026-11", new).and("2025-01", old);
/// assert_eq!(keys.names().collect::<Vec<_>>(), ["2026-11", "2025-01"]);
/// ```
#[derive(Clone, Debug)]
pub struct KeyRing {
    // In order of preference; never empty.
    first: (String, Key),
    others: Vec<(String, Key)>,
    takes_clear: bool,
}

impl KeyRing {
    /// The key in use.
    #[must_use]
    pub fn new(name: impl Into<String>, key: Key) -> Self {
        Self { first: (name.into(), key), others: Vec::new(), takes_clear: false }
    }

    /// An older key.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, key: Key) -> Self {
        self.others.push((name.into(), key));
        self
    }

    /// Also takes values in clear, of a store that was in use before it was
    /// encrypted. Without it such a store is refused, since its values may be
    /// anyone's who can write the file.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use workflow_runtime::store::{Encrypted, Key, KeyRing, Memory};
    ///
    /// # let key = Key::from_bytes([1; 32]);
    /// let keys = KeyRing::new("2026-11", key).and_values_in_clear();
    /// // A store that has runs already:
    /// let store = Encrypted::open(Arc::new(Memory::new()), &keys)?;
    /// # drop(store);
    /// # Ok::<(), workflow_runtime::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn and_values_in_clear(mut self) -> Self {
        self.takes_clear = true;
        self
    }

    pub(super) fn takes_clear(&self) -> bool {
        self.takes_clear
    }

    /// Says that a store cannot be what this program has left, where values in
    /// clear are found that the ring does not take.
    pub(crate) fn check_found(&self, no_value_in_clear: bool) -> Result<(), StoreError> {
        if no_value_in_clear || self.takes_clear {
            return Ok(());
        }
        let what = "the store has values in clear, and this program encrypts all of its own: if the store was in \
                    use before, say so with `KeyRing::and_values_in_clear`; otherwise others have put them there, \
                    so restore it from a backup";
        Err(StoreError::Key { what: what.to_owned() })
    }

    /// The names of the keys, the one in use first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|(name, _)| name)
    }

    /// The key in use, and its name.
    pub(super) fn first(&self) -> (&str, &Key) {
        (&self.first.0, &self.first.1)
    }

    /// All keys with their names, the one in use first.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &Key)> {
        std::iter::once(&self.first).chain(&self.others).map(|(name, key)| (name.as_str(), key))
    }
}
