//! The store that keeps nothing: for tests of whatever uses a store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    Batch, Created, Done, Entry, NewRun, RunFilter, RunRef, Store, StoreError, StoredEntry, StoredRun,
};
use crate::run::Timestamp;

/// Keeps runs in this process. A clone is another opening of the same store,
/// so a test can close one and look at what was stored through the next.
///
/// It answers writes before the method returns.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    runs: BTreeMap<RunRef, KeptRun>,
    by_id: BTreeMap<String, RunRef>,
    by_key: BTreeMap<String, RunRef>,
    last: i64,
}

#[derive(Debug)]
struct KeptRun {
    run: StoredRun,
    journal: Vec<StoredEntry>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> Result<MutexGuard<'_, Kept>, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        Ok(self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self { kept: self.kept.clone(), closed: AtomicBool::new(false) }
    }
}

impl Store for Memory {
    fn create(&self, run: NewRun, done: Done<Result<Created, StoreError>>) {
        let created = self.kept().and_then(|mut kept| kept.create(run));
        done(created);
    }

    fn append(&self, batch: Batch, done: Done<Result<(), StoreError>>) {
        let appended = self.kept().and_then(|mut kept| kept.append(batch));
        done(appended);
    }

    fn unfinished(&self, after: Option<RunRef>, at_most: usize) -> Result<Vec<StoredRun>, StoreError> {
        let kept = self.kept()?;
        let runs = kept.runs.values().map(|kept| &kept.run);
        let runs = runs.filter(|run| run.end.is_none() && Some(run.run) > after);
        Ok(runs.take(at_most).cloned().collect())
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        let kept = self.kept()?;
        kept.runs.get(&run).map(|kept| kept.journal.clone()).ok_or(StoreError::UnknownRun { run })
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        let kept = self.kept()?;
        let runs = kept.runs.values().rev().map(|kept| &kept.run);
        Ok(runs.filter(|run| lets_through(filter, run)).take(filter.at_most).cloned().collect())
    }

    fn remove_ended_before(&self, time: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        let mut kept = self.kept()?;
        let runs = kept.runs.values().filter_map(|kept| Some((kept.run.end.as_ref()?.at, kept.run.run)));
        let mut ended: Vec<_> = runs.filter(|(at, _)| *at < time).collect();
        ended.sort_unstable();
        ended.truncate(at_most);
        for (_, run) in &ended {
            if let Some(KeptRun { run, .. }) = kept.runs.remove(run) {
                kept.by_id.remove(&run.id);
                run.key.and_then(|key| kept.by_key.remove(&key));
            }
        }
        Ok(ended.len())
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Kept {
    fn create(&mut self, new: NewRun) -> Result<Created, StoreError> {
        new.check()?;
        let by_key = new.key.as_ref().and_then(|key| self.by_key.get(key));
        let existing = by_key.or_else(|| self.by_id.get(&new.id)).and_then(|run| self.runs.get(run));
        if let Some(existing) = existing {
            return Ok(Created::Existing(Box::new(existing.run.clone())));
        }
        self.last += 1;
        let run = RunRef(self.last);
        self.by_id.insert(new.id.clone(), run);
        if let Some(key) = &new.key {
            self.by_key.insert(key.clone(), run);
        }
        let NewRun { id, workflow, key, fingerprint, params, created_at, state, entries } = new;
        let stored = StoredRun { run, id, workflow, key, fingerprint, params, created_at, state, end: None };
        let mut kept = KeptRun { run: stored, journal: Vec::new() };
        kept.extend(entries);
        self.runs.insert(run, kept);
        Ok(Created::New(run))
    }

    fn append(&mut self, batch: Batch) -> Result<(), StoreError> {
        let kept = self.runs.get_mut(&batch.run).ok_or(StoreError::UnknownRun { run: batch.run })?;
        batch.check(kept.journal.len() as u64, kept.run.end.is_some())?;
        kept.extend(batch.entries);
        if let Some(state) = batch.state {
            (kept.run.state, kept.run.end) = (state, None);
        }
        if let Some(end) = batch.end {
            (kept.run.state, kept.run.end) = (end.state, Some(end));
        }
        Ok(())
    }
}

impl KeptRun {
    /// The changes are for people, who cannot look in here.
    fn extend(&mut self, entries: Vec<Entry>) {
        for Entry { at, event, value, changes: _ } in entries {
            let seq = self.journal.len() as u64;
            self.journal.push(StoredEntry { seq, at, event, value });
        }
    }
}

fn lets_through(filter: &RunFilter, run: &StoredRun) -> bool {
    filter.id_prefix.as_ref().is_none_or(|prefix| run.id.starts_with(prefix))
        && filter.workflow.as_ref().is_none_or(|workflow| run.workflow == *workflow)
        && filter.key.as_ref().is_none_or(|key| run.key.as_ref() == Some(key))
        && (filter.states.is_empty() || filter.states.contains(&run.state))
        && filter.before.is_none_or(|before| run.run < before)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::store::conformance;

    #[test]
    fn it_conforms() {
        let stores: Mutex<HashMap<String, Memory>> = Mutex::default();
        conformance::check(|name| {
            let mut stores = stores.lock().unwrap();
            Box::new(stores.entry(name.to_owned()).or_default().clone())
        });
    }
}
