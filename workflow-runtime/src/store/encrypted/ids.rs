//! The ids of runs by their numbers, as many as are likely to be asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::RunRef;

/// How many ids are kept at least, and half of how many at most: some
/// megabytes.
const KEPT: usize = 32_768;

/// A bounded map. Ids that were not asked for in a while are forgotten: a run
/// that is asleep may write again after a year.
#[derive(Debug, Default)]
pub(super) struct Ids(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<RunRef, Arc<str>>,
    old: HashMap<RunRef, Arc<str>>,
}

impl Ids {
    pub(super) fn get(&self, run: RunRef) -> Option<Arc<str>> {
        let mut ids = self.lock();
        if let Some(id) = ids.young.get(&run) {
            return Some(id.clone());
        }
        let id = ids.old.remove(&run)?;
        ids.insert(run, id.clone());
        Some(id)
    }

    pub(super) fn put(&self, run: RunRef, id: &str) {
        let mut ids = self.lock();
        if !ids.young.contains_key(&run) {
            ids.insert(run, id.into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, run: RunRef, id: Arc<str>) {
        if self.young.len() >= KEPT {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(run, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_kept_and_the_rest_is_bounded() {
        let ids = Ids::default();
        for number in 0..10 * KEPT as i64 {
            ids.put(RunRef(number), &number.to_string());
            assert_eq!(ids.get(RunRef(0)).as_deref(), Some("0"));
        }
        let kept = {
            let ids = ids.lock();
            ids.young.len() + ids.old.len()
        };
        assert!((KEPT..=2 * KEPT).contains(&kept), "{kept}");
        assert_eq!(ids.get(RunRef(1)), None);
        let last = 10 * KEPT as i64 - 1;
        assert_eq!(ids.get(RunRef(last)), Some(last.to_string().into()));
    }
}
