//! Stores that need no keys.

use super::{SealedKey, StoreError};

/// Says that a store is not what it was: it was encrypted, and has no keys.
pub(crate) fn check_keys(keys: &[SealedKey], was_encrypted: bool) -> Result<(), StoreError> {
    if !keys.is_empty() || !was_encrypted {
        return Ok(());
    }
    let what = "the store was encrypted, and what it keeps of its keys has been removed, so nothing in it can \
                be told from what somebody has put there; restore it from a backup";
    Err(StoreError::Key { what: what.to_owned() })
}

/// Says that a store can be read without keys, given the ones that it
/// [keeps](super::Store::keys). Asked when a store is opened, so that a missing
/// key is not found in the middle of a run.
///
/// # Errors
/// When its values are encrypted; the message names the key that is needed.
pub fn check_clear(keys: &[SealedKey]) -> Result<(), StoreError> {
    let mut names: Vec<_> = keys.iter().map(|key| format!("`{}`", key.with)).collect();
    if names.is_empty() {
        return Ok(());
    }
    names.sort_unstable();
    names.dedup();
    let names = names.join(", ");
    let help = if cfg!(all(feature = "encryption", feature = "app")) {
        "give it with `App::encrypt`, or with `EngineBuilder::encrypt`"
    } else if cfg!(feature = "encryption") {
        "give it with `EngineBuilder::encrypt`"
    } else {
        "build the program with the feature `encryption` of `workflow-runtime`, and give it that key"
    };
    let what = format!("the store is encrypted with the key {names}; {help}");
    Err(StoreError::Key { what })
}
