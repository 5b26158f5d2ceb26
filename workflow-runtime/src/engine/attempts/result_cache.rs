//! Results that later runs use again: those of tasks with `cache`, as long as
//! their contract says.
//!
//! With a store they are in it, written by the commit that has the success of
//! their step. Without one they are in a table of the engine. Nothing depends
//! on finding one: whatever goes wrong here, the task runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::instance::{After, Inner, RunHost};
use crate::engine::shared::Core;
use crate::execution::coded::coded;
use crate::held::hold_in;
use crate::run::{AttemptEnd, Event, Timestamp};
use crate::store::{Entry, Remembered, Store};
use crate::task::context;
use crate::task::definition::{Kind, TaskDef};
use crate::value::Payload;
use crate::value::Value;

/// How many results an engine without a store keeps.
const LARGEST_TABLE: usize = 4_096;

/// After how many new ones the store is asked to forget those that are too
/// old, and how many it then forgets: more than have come, so that they do
/// not pile up.
const FORGET_EVERY: u32 = 256;
const FORGET_AT_MOST: usize = 1_024;

/// The results of an engine without a store, and how many a store was given.
#[derive(Default)]
pub(crate) struct Results {
    table: Mutex<HashMap<Vec<u8>, (Value, Timestamp)>>,
    stored: AtomicU32,
}

impl Results {
    fn get(&self, key: &[u8], now: Timestamp) -> Option<Value> {
        self.table().get(key).filter(|(_, until)| *until > now).map(|(value, _)| value.clone())
    }

    /// Gives back what had to go.
    #[must_use]
    fn put(&self, key: Vec<u8>, value: Value, now: Timestamp, until: Timestamp) -> Vec<Value> {
        let mut gone = Vec::new();
        let mut table = self.table();
        if table.len() >= LARGEST_TABLE && !table.contains_key(&key) {
            gone.extend(table.extract_if(|_, (_, until)| *until <= now).map(|(_, (value, _))| value));
        }
        if table.len() >= LARGEST_TABLE && !table.contains_key(&key) {
            let first = table.iter().min_by_key(|(_, (_, until))| *until).map(|(key, _)| key.clone());
            gone.extend(first.and_then(|first| table.remove(&first)).map(|(value, _)| value));
        }
        gone.extend(table.insert(key, (value, until)).map(|(value, _)| value));
        gone
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Vec<u8>, (Value, Timestamp)>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a result that goes to the store. True when it is time to forget
    /// old ones: at the first, and then now and again.
    fn count(&self) -> bool {
        self.stored.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGET_EVERY)
    }
}

/// The result under a key, if it may still be used.
pub(crate) fn look_up<'a>(
    core: &'a Arc<Core>,
    key: &'a [u8],
    task: &'static TaskDef,
) -> context::Remembered<'a> {
    let now = core.clock.now();
    let Some(store) = &core.store else {
        return Box::pin(std::future::ready(core.results.get(key, now)));
    };
    if task.blocking {
        return Box::pin(std::future::ready(read(&**store, key, now, task)));
    }
    Box::pin(async move {
        let (store, key) = (store.clone(), key.to_owned());
        let read = core.pools.run_ours(move || read(&*store, &key, now, task));
        // The runtime is shutting down, and the attempt with it.
        read.await.unwrap_or(None)
    })
}

fn read(store: &dyn Store, key: &[u8], now: Timestamp, task: &'static TaskDef) -> Option<Value> {
    let found = store.remembered(key, now).unwrap_or_else(|error| {
        tracing::warn!(task = task.name, %error, "could not look for a remembered result; the task runs");
        None
    })?;
    decode(task, &found)
}

/// Of another type, or not readable as this one any more, it is as good as
/// none; what the task returns then takes its place.
fn decode(task: &'static TaskDef, found: &Payload) -> Option<Value> {
    let wanted = (task.output.type_name)();
    if found.type_name != wanted {
        let found = &*found.type_name;
        tracing::info!(
            task = task.name,
            found,
            wanted,
            "a remembered result has another type; the task runs"
        );
        return None;
    }
    hold_in(&found.bytes);
    let decoded = coded(|| (task.output.decode)(&found.bytes));
    decoded
        .inspect_err(|failure| {
            tracing::warn!(task = task.name, %failure, "a remembered result cannot be read; the task runs");
        })
        .ok()
}

/// A result that is to be remembered, once it is accepted.
pub(crate) enum Fresh {
    Here { key: Vec<u8>, value: Value, until: Timestamp },
    Stored(Remembered),
}

/// What an event brings for later runs. `entry` is the journal's, where there
/// is one: it has the value encoded.
pub(crate) fn result(
    inner: &mut Inner,
    event: &Event,
    entry: Option<&Entry>,
    value: Option<&Value>,
) -> Option<Fresh> {
    let key = inner.cache_key.take()?;
    let Event::AttemptEnded { key: step, end: AttemptEnd::Ok, .. } = event else { return None };
    let Kind::Task(task) = inner.run.frames.step(*step)?.1.kind else { return None };
    let until = inner.run.now.after(task.task.cache?);
    match entry {
        None => Some(Fresh::Here { key, value: value?.clone(), until }),
        Some(entry) => {
            let value = entry.value.clone()?;
            Some(Fresh::Stored(Remembered { key, task: task.task.name.into(), value, until }))
        }
    }
}

impl RunHost {
    /// Leaves a result to later runs.
    pub(crate) fn remember(&self, inner: &mut Inner, after: &mut After, result: Fresh) {
        match result {
            Fresh::Here { key, value, until } => {
                after.rare().values.extend(self.core.results.put(key, value, inner.run.now, until));
            }
            Fresh::Stored(remembered) => {
                inner.uncommitted.remember.push(remembered);
                if self.core.results.count() {
                    self.forget_old(inner.run.now);
                }
            }
        }
    }

    fn forget_old(&self, now: Timestamp) {
        let Some(store) = self.core.store.clone() else { return };
        drop(self.core.pools.run_ours(move || {
            if let Err(error) = store.forget(now, FORGET_AT_MOST) {
                tracing::debug!(%error, "could not forget old results");
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Timestamp {
        Timestamp(nanos)
    }

    #[test]
    fn a_result_is_there_until_its_time_is_over() {
        let results = Results::default();
        assert!(results.put(vec![1], Value::new(7_u32), at(0), at(10)).is_empty());
        assert_eq!(results.get(&[1], at(9)).unwrap().get(), Some(&7_u32));
        assert!(results.get(&[1], at(10)).is_none());
        assert!(results.get(&[2], at(0)).is_none());
    }

    #[test]
    fn a_full_table_loses_what_is_over_and_then_what_is_over_first() {
        let results = Results::default();
        let key = |n: usize| n.to_le_bytes().to_vec();
        for n in 0..LARGEST_TABLE {
            assert!(results.put(key(n), Value::new(()), at(0), at(10 + n as u64)).is_empty());
        }
        let put = |n| results.put(key(n), Value::new(()), at(11), at(9_999)).len();
        assert_eq!(put(LARGEST_TABLE), 2, "two were over");
        assert_eq!(put(LARGEST_TABLE + 1), 0);
        assert_eq!(put(LARGEST_TABLE + 2), 1);
        assert_eq!(results.table().len(), LARGEST_TABLE);
        assert!(results.get(&key(2), at(0)).is_none() && results.get(&key(3), at(0)).is_some());
    }
}
