//! What a store holds when it is opened with keys, and whether that can be what
//! this program has put there.

use super::data_key::{self, Unlocked};
use super::envelope::{self, Found};
use super::key::KeyRing;
use super::operation;
use crate::store::{LogFilter, RunFilter, SealedKey, Store, StoreError, check_keys};

/// How many runs are looked at at a time.
const PAGE: usize = 200;

/// The keys of a store, and those that it has to keep from now on, if any.
pub(super) fn open_keys<S: Store + ?Sized>(
    store: &S,
    ring: &KeyRing,
) -> Result<(Unlocked, Vec<SealedKey>), StoreError> {
    let sealed = store.keys()?;
    let says_so = store.was_encrypted()?;
    check_keys(&sealed, says_so)?;
    if sealed.is_empty() {
        check_keys(&sealed, holds_sealed(store)?)?;
        let is_fresh = is_fresh(store)?;
        ring.check_found(is_fresh)?;
        return data_key::begin(ring, is_fresh);
    }
    let mut unlocked = data_key::unlock(&sealed, ring)?;
    if !unlocked.is_only() && !ring.takes_clear() {
        ring.check_found(!holds_clear(store)?)?;
        // The last value in clear has gone.
        unlocked.make_only();
    }
    let (unlocked, mut reseal) = data_key::rotate(unlocked, ring)?;
    // One of an earlier version does not say so yet.
    if reseal.is_empty() && !says_so {
        reseal = sealed;
    }
    Ok((unlocked, reseal))
}

/// Whether there is nothing in a store that may be in clear.
fn is_fresh<S: Store + ?Sized>(store: &S) -> Result<bool, StoreError> {
    Ok(store.list(&RunFilter { at_most: 1, ..RunFilter::default() })?.is_empty())
}

/// Whether a store that has no keys holds values that are encrypted. All are
/// looked at, once: it has been in clear, and is about to be encrypted.
fn holds_sealed<S: Store + ?Sized>(store: &S) -> Result<bool, StoreError> {
    let asked = store.requests(None, usize::MAX)?;
    if asked.iter().any(|asked| operation::sealed(&asked.request.operation).is_some()) {
        return Ok(true);
    }
    holds(store, |bytes| !is_clear(bytes))
}

/// Whether a store holds values of runs in clear.
fn holds_clear<S: Store + ?Sized>(store: &S) -> Result<bool, StoreError> {
    holds(store, is_clear)
}

fn is_clear(bytes: &[u8]) -> bool {
    matches!(envelope::look(bytes), Ok(Found::Clear))
}

/// Whether any value of a run is one of these.
fn holds<S: Store + ?Sized>(store: &S, is_one: impl Fn(&[u8]) -> bool) -> Result<bool, StoreError> {
    let mut before = None;
    loop {
        let page = store.list(&RunFilter { before, at_most: PAGE, ..RunFilter::default() })?;
        let Some(last) = page.last() else { return Ok(false) };
        before = Some(last.run);
        for run in page {
            let result = run.end.as_ref().and_then(|end| end.result.as_ref());
            let entries = store.journal(run.run)?;
            let mut values = entries.iter().filter_map(|entry| entry.value.as_ref()).chain(result);
            let lines = store.logs(run.run, &LogFilter::default())?;
            if is_one(&run.params)
                || values.any(|value| is_one(&value.bytes))
                || lines.iter().any(|line| is_one(&line.line.text))
            {
                return Ok(true);
            }
        }
    }
}
