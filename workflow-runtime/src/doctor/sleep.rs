//! Sleeping runs: nothing of them is in memory, so their rows have to say when
//! they are woken.

use super::finding::Problem;
use super::life::{ReplayedLife, Wrong};
use super::source::Source;
use crate::run::Timestamp;
use crate::store::{StoreError, StoredRun};

/// What is wrong with the sleep of an unfinished run.
pub(super) fn examine<S: Source + ?Sized>(
    store: &S,
    stored: &StoredRun,
    life: &ReplayedLife,
) -> Result<Option<Wrong>, StoreError> {
    // Before all times: who is awake then does not sleep.
    let Some(false) = store.is_awake(stored.run, Timestamp(0))? else { return Ok(None) };
    if life.under_way.has_attempts() {
        let what = "it sleeps, and an attempt of it is under way".to_owned();
        return Ok(Some((None, Problem::Asleep, what)));
    }
    let Some(due) = life.first_timer() else { return Ok(None) };
    // What is too far away to be told is as good as never.
    if due.0 >= i64::MAX as u64 || store.is_awake(stored.run, due)? != Some(false) {
        return Ok(None);
    }
    let what = "it sleeps for longer than the first of its steps waits".to_owned();
    Ok(Some((None, Problem::Asleep, what)))
}
