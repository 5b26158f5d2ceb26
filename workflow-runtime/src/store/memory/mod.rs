//! The store that keeps nothing: for tests of whatever uses a store.

mod kept;

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::kept::Kept;
use super::{
    Answer, Batch, Created, Done, LogFilter, LogLine, NewRun, Payload, Request, RunFilter, RunRef, SealedKey,
    Store, StoreError, StoredEntry, StoredLine, StoredRequest, StoredRule, StoredRun, StoredSchedule, Tick,
    Unfinished,
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

    fn unfinished_where(
        &self,
        which: Unfinished,
        after: Option<RunRef>,
        at_most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let kept = self.kept()?;
        let runs = kept.unfinished(after).filter(|kept| kept.is(which));
        Ok(runs.take(at_most).map(|kept| kept.run.clone()).collect())
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
        Ok(self.kept()?.remove_ended_before(time, at_most))
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn next_wake(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let kept = self.kept()?;
        Ok(kept.unfinished(None).filter_map(|kept| kept.wakes_at()).filter(|at| *at > now).min())
    }

    fn blueprint(&self, hash: u64) -> Result<Option<String>, StoreError> {
        Ok(self.kept()?.blueprints.get(&hash).map(|blueprint| (**blueprint).to_owned()))
    }

    fn remembered(&self, key: &[u8], now: Timestamp) -> Result<Option<Payload>, StoreError> {
        let kept = self.kept()?;
        let found = kept.remembered.get(key).filter(|remembered| remembered.until > now);
        Ok(found.map(|remembered| remembered.value.clone()))
    }

    fn forget(&self, now: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        Ok(self.kept()?.forget(now, at_most))
    }

    fn request(&self, request: Request) -> Result<i64, StoreError> {
        Ok(self.kept()?.request(request))
    }

    fn open_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        let kept = self.kept()?;
        Ok(kept.requests.values().filter(|request| request.answer.is_none()).cloned().collect())
    }

    fn requests(&self, run: Option<&str>, at_most: usize) -> Result<Vec<StoredRequest>, StoreError> {
        let kept = self.kept()?;
        let about = |asked: &&StoredRequest| run.is_none() || asked.about() == run;
        Ok(kept.requests.values().rev().filter(about).take(at_most).cloned().collect())
    }

    fn answer(&self, number: i64, answer: Answer) -> Result<(), StoreError> {
        self.kept()?.answer(number, answer);
        Ok(())
    }

    /// The number of the last request: another opening of the same store is
    /// as good as another process.
    fn foreign_writes(&self) -> Result<i64, StoreError> {
        Ok(self.kept()?.last_request)
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        let kept = self.kept()?;
        let stored = |(schedule, (mark, _)): (&String, &(Timestamp, _))| StoredSchedule {
            schedule: schedule.clone(),
            mark: *mark,
        };
        Ok(kept.schedules.iter().map(stored).collect())
    }

    fn mark(&self, tick: Tick) -> Result<(), StoreError> {
        self.kept()?.mark(tick);
        Ok(())
    }

    fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        let kept = self.kept()?;
        let stored = |(schedule, (_, rule)): (&String, &(_, Option<String>))| {
            rule.clone().map(|rule| StoredRule { schedule: schedule.clone(), rule })
        };
        Ok(kept.schedules.iter().filter_map(stored).collect())
    }

    fn put_schedule(&self, schedule: StoredSchedule, rule: &str) -> Result<(), StoreError> {
        self.kept()?.schedules.insert(schedule.schedule, (schedule.mark, Some(rule.to_owned())));
        Ok(())
    }

    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        Ok(self.kept()?.keys.values().cloned().collect())
    }

    fn was_encrypted(&self) -> Result<bool, StoreError> {
        Ok(self.kept()?.was_encrypted)
    }

    fn put_keys(&self, keys: Vec<SealedKey>) -> Result<(), StoreError> {
        let mut kept = self.kept()?;
        kept.was_encrypted = true;
        kept.keys.extend(keys.into_iter().map(|key| (key.id, key)));
        Ok(())
    }

    fn log(&self, lines: Vec<LogLine>, done: Done<Result<(), StoreError>>) {
        let logged = self.kept().map(|mut kept| kept.log(lines));
        done(logged);
    }

    fn logs(&self, run: RunRef, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        let kept = self.kept()?;
        let after = filter.after.map_or(Bound::Unbounded, Bound::Excluded);
        let lines = kept.lines.range((after, Bound::Unbounded)).map(|(_, stored)| stored);
        let of_run = lines.filter(|stored| stored.line.run == run && filter.lets_through(&stored.line));
        Ok(of_run.take(filter.at_most).cloned().collect())
    }
}

fn lets_through(filter: &RunFilter, run: &StoredRun) -> bool {
    filter.id_prefix.as_ref().is_none_or(|prefix| run.id.starts_with(prefix))
        && filter.workflow.as_ref().is_none_or(|workflow| run.workflow == *workflow)
        && filter.key.as_ref().is_none_or(|key| run.key.as_ref() == Some(key))
        && filter.key_prefix.as_ref().is_none_or(|prefix| begins(run.key.as_ref(), prefix))
        && (filter.states.is_empty() || filter.states.contains(&run.state))
        && (!filter.suspected || run.suspected > 0)
        && filter.before.is_none_or(|before| run.run < before)
}

fn begins(key: Option<&String>, prefix: &str) -> bool {
    key.is_some_and(|key| key.starts_with(prefix))
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
