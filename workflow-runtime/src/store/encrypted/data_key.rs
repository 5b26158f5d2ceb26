//! The keys that values are encrypted with: made here, and stored encrypted
//! with a key of the user's.
//!
//! So the user's key can be changed without touching a single value: only the
//! data keys are sealed anew, all in one transaction.

use super::envelope::{self, Found};
use super::key::{Key, KeyRing};
use crate::store::{SealedKey, StoreError};

/// A key that values are encrypted with.
#[derive(Clone)]
pub(super) struct DataKey {
    /// Stands in every value that it encrypts.
    pub(super) id: u32,
    /// Whether the store holds no value in clear, and is to hold none.
    pub(super) only: bool,
    pub(super) key: Key,
}

/// The keys of a store, opened.
pub(super) struct Unlocked {
    /// At least one, by id; the last one encrypts new values.
    pub(super) keys: Vec<DataKey>,
    /// Whether one of them is sealed with another key than the ring's first.
    is_old: bool,
    /// Whether one of them is not what the store keeps any more.
    is_changed: bool,
}

impl Unlocked {
    /// Whether the store holds no value in clear.
    pub(super) fn is_only(&self) -> bool {
        self.keys.iter().all(|key| key.only)
    }

    /// The store holds no value in clear any more, and never will.
    pub(super) fn make_only(&mut self) {
        self.keys.iter_mut().for_each(|key| key.only = true);
        self.is_changed = true;
    }
}

/// Opens the keys of a store.
pub(super) fn unlock(sealed: &[SealedKey], ring: &KeyRing) -> Result<Unlocked, StoreError> {
    let mut keys = Vec::with_capacity(sealed.len());
    let (mut missing, mut wrong, mut is_old) = (Vec::new(), Vec::new(), false);
    for sealed in sealed {
        let named = || ring.keys().enumerate().filter(|(_, (name, _))| *name == sealed.with);
        match named().find_map(|(place, (_, key))| Some((place, sealed.open(key)?))) {
            Some((place, key)) => {
                is_old |= place > 0;
                keys.push(key);
            }
            None if named().next().is_some() => wrong.push(sealed.with.as_str()),
            None => missing.push(sealed.with.as_str()),
        }
    }
    refuse(&missing, &wrong, ring)?;
    keys.sort_by_key(|key| key.id);
    Ok(Unlocked { keys, is_old, is_changed: false })
}

/// The first key of a store, and what the store has to keep. `only` where it
/// holds no value yet.
pub(super) fn begin(ring: &KeyRing, only: bool) -> Result<(Unlocked, Vec<SealedKey>), StoreError> {
    let key = DataKey::fresh(0, only)?;
    let sealed = vec![key.seal(ring)?];
    Ok((Unlocked { keys: vec![key], is_old: false, is_changed: false }, sealed))
}

/// Where the ring's first key is new: what the store has to keep from now on,
/// which is every key sealed with that one, and a fresh one for whatever is
/// written from now on. Where they have changed, every key. Nothing otherwise.
pub(super) fn rotate(
    mut unlocked: Unlocked,
    ring: &KeyRing,
) -> Result<(Unlocked, Vec<SealedKey>), StoreError> {
    if unlocked.is_old {
        let last = unlocked.keys.last().map_or(0, |key| key.id);
        unlocked.keys.push(DataKey::fresh(last, unlocked.is_only())?);
    } else if !unlocked.is_changed {
        return Ok((unlocked, Vec::new()));
    }
    let sealed = unlocked.keys.iter().map(|key| key.seal(ring)).collect::<Result<_, _>>()?;
    Ok((Unlocked { is_old: false, is_changed: false, ..unlocked }, sealed))
}

fn refuse(missing: &[&str], wrong: &[&str], ring: &KeyRing) -> Result<(), StoreError> {
    let list = |names: &[&str]| {
        let mut names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let what = if !missing.is_empty() {
        let given: Vec<_> = ring.names().collect();
        format!(
            "the store is encrypted with the key {}, which is not among those that were given ({}); give it too",
            list(missing),
            list(&given)
        )
    } else if !wrong.is_empty() {
        format!(
            "the key {} does not open the store: it is another key of that name, or what the store keeps of it \
             is damaged; give the key that was used",
            list(wrong)
        )
    } else {
        return Ok(());
    };
    Err(StoreError::Key { what })
}

impl DataKey {
    fn fresh(last: u32, only: bool) -> Result<Self, StoreError> {
        let id = last.checked_add(1).ok_or_else(|| StoreError::Key {
            what: "the store has had as many keys as it can number".to_owned(),
        })?;
        Ok(Self { id, only, key: Key::random()? })
    }

    fn seal(&self, ring: &KeyRing) -> Result<SealedKey, StoreError> {
        let (name, key) = ring.first();
        let mut clear = zeroize::Zeroizing::new(vec![u8::from(self.only)]);
        // As large as it will be at once: what is moved leaves a copy behind.
        clear.reserve_exact(32);
        clear.extend(self.key.bytes());
        let sealed = envelope::seal(self.id, key, PLACE, &clear)?;
        Ok(SealedKey { id: self.id, with: name.to_owned(), sealed })
    }
}

const PLACE: &[u8] = b"workflow data key";

impl SealedKey {
    fn open(&self, key: &Key) -> Option<DataKey> {
        let Ok(Found::Sealed(id)) = envelope::look(&self.sealed) else { return None };
        let clear = zeroize::Zeroizing::new(envelope::open(key, PLACE, self.sealed.clone()).ok()?);
        let (only, bytes) = clear.split_first()?;
        let key = zeroize::Zeroizing::new(<[u8; 32]>::try_from(bytes).ok()?);
        (id == self.id).then(|| DataKey { id, only: *only == 1, key: Key::from_bytes(*key) })
    }
}
