//! What was computed once and is that for ever: the items of a `for`, and the
//! arguments of a step. Evaluated again, an expression may give something else:
//! a map of hashes has another order in each process, a function may read a
//! clock. So what it gave first is stored with what was decided by it, and is
//! what every later process, attempt and life of the run goes by.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use serde_json::value::RawValue;

use super::host::{Inner, RunHost};
use super::params::{Saved, coded, saved};
use crate::execution::frames::{Frame, Kept};
use crate::failure::Failure;
use crate::journal::{StoredEvent, Why};
use crate::panics::contained;
use crate::run::{Event, Key};
use crate::store::{Entry, Payload, StoredEntry};
use crate::task::definition::{Kind, TaskStep};
use crate::task::{Ended, Env, Moved, Purpose};
use crate::value::{Codec, Value};

/// What the earlier lives of a run have kept, by the paths of steps.
#[derive(Clone, Default)]
pub(crate) struct KeptValues {
    /// The items of a `for`.
    lists: HashMap<String, Payload>,
    /// The arguments of a task.
    arguments: HashMap<String, Payload>,
    /// Whether the lists hold whatever is listed now: nothing of the code has
    /// changed.
    hold: bool,
}

impl KeptValues {
    /// What the entries of a journal have kept, life by life.
    pub(super) fn of(entries: &[StoredEntry]) -> Self {
        let mut kept = Self { hold: true, ..Self::default() };
        for entry in entries {
            // Most entries keep nothing, and are not read for that.
            if entry.value.is_none() && !entry.event.contains("taken_up") {
                continue;
            }
            let Ok(event) = serde_json::from_str::<StoredEvent>(&entry.event) else { continue };
            match (event, entry.value.clone()) {
                (
                    StoredEvent::ItemsListed { path: Some(path), .. } | StoredEvent::Listed { path },
                    Some(list),
                ) => {
                    kept.lists.insert(path, list);
                }
                (StoredEvent::Given { path, .. }, Some(arguments)) => {
                    kept.arguments.insert(path, arguments);
                }
                (StoredEvent::TakenUp { why, dropped, .. }, _) => kept.begin(why, &dropped),
                _ => {}
            }
        }
        kept
    }

    /// Another life begins: what is kept of those before.
    pub(super) fn begin(&mut self, why: Why, dropped: &[String]) {
        self.hold = matches!(why, Why::Retried | Why::Set);
        match why {
            Why::Retried | Why::Set => {}
            Why::Changed => dropped.iter().for_each(|path| drop(self.arguments.remove(path))),
            // Whatever they were, the code may give a step others now.
            Why::Adopted | Why::Forked => self.arguments.clear(),
        }
    }

    /// The lists, for a run that keeps results of this one.
    pub(super) fn into_lists(self) -> Vec<(String, Payload)> {
        let mut lists: Vec<_> = self.lists.into_iter().collect();
        lists.sort_by(|(left, _), (right, _)| left.cmp(right));
        lists
    }

    pub(super) fn keep_list(&mut self, path: String, list: Payload) {
        self.lists.insert(path, list);
    }

    pub(super) fn arguments(&self, path: &str) -> Option<&Payload> {
        self.arguments.get(path)
    }
}

/// The items of a `for`.
pub(super) struct List {
    items: Vec<Value>,
    /// Which of them comes first now, and so on, where they are listed in
    /// another order than then. Nothing where they are not.
    order: Vec<u32>,
}

impl List {
    pub(super) fn of(items: Vec<Value>) -> Self {
        Self { items, order: Vec::new() }
    }

    /// As its step keeps it.
    pub(super) fn kept(self) -> (usize, Kept) {
        let Self { items, order } = self;
        let count = items.len();
        let results = std::iter::repeat_n(Value::ABSENT, count).collect();
        (count, Kept::Items { items, results, order })
    }
}

/// A list that was stored, item by item.
fn parts(stored: &Payload) -> Result<Vec<&RawValue>, String> {
    serde_json::from_slice(&stored.bytes).map_err(|error| format!("what was listed cannot be read: {error}"))
}

fn read(codec: &Codec, parts: &[&RawValue]) -> Result<Vec<Value>, String> {
    let items = parts.iter().map(|part| coded(|| (codec.decode)(part.get().as_bytes())));
    items.collect::<Result<_, _>>().map_err(|failure| format!("what was listed cannot be read: {failure}"))
}

/// The place of each item of a list in one of the same items in another order;
/// nothing where the order is the same. `None` where they are not the same.
fn places(now: &[Vec<u8>], then: &[&RawValue]) -> Option<Vec<u32>> {
    if now.len() != then.len() {
        return None;
    }
    if now.iter().zip(then).all(|(now, then)| now == then.get().as_bytes()) {
        return Some(Vec::new());
    }
    let mut found: HashMap<&[u8], VecDeque<u32>> = HashMap::new();
    for (place, item) in (0..).zip(then) {
        found.entry(item.get().as_bytes()).or_default().push_back(place);
    }
    now.iter().map(|item| found.get_mut(&**item)?.pop_front()).collect()
}

impl RunHost {
    /// Keeps what a `for` has listed. Where an earlier life of the run has
    /// listed the same items, in whatever order, they keep their numbers: its
    /// results are known by these.
    pub(super) fn keep_list(
        &self,
        inner: &mut Inner,
        key: Key,
        codec: &'static Codec,
        items: Vec<Value>,
    ) -> Result<List, Failure> {
        if self.journal.is_none() {
            return Ok(List::of(items));
        }
        let mut written = Vec::with_capacity(items.len());
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let Saved { bytes, value } = saved(codec, &item, self.core.largest_value)?;
            written.push(bytes);
            kept.push(value.unwrap_or(item));
        }
        let path = inner.frames.get(key.frame).map(|frame| frame.scope.path(key.step)).unwrap_or_default();
        let earlier = inner.leftovers.as_ref().and_then(|left| {
            let list = left.kept.lists.get(&path)?;
            Some((list.clone(), left.kept.hold))
        });
        if let Some((stored, holds)) = earlier {
            let then = parts(&stored).map_err(unread)?;
            let order = places(&written, &then);
            if order.is_some() || (holds && !inner.machine.runs_anew(key)) {
                let items = read(codec, &then).map_err(unread)?;
                inner.kept.push((key, path, stored));
                return Ok(List { items, order: order.unwrap_or_default() });
            }
        }
        let mut bytes = vec![b'['];
        bytes.extend(written.join(&b','));
        bytes.push(b']');
        inner.kept.push((key, path, Payload { type_name: (codec.type_name)().into(), bytes }));
        Ok(List::of(kept))
    }

    /// Keeps the arguments of a task that is about to start, where they are
    /// computed and nobody has kept them yet.
    pub(super) fn keep_arguments(self: &Arc<Self>, inner: &mut Inner, key: Key) {
        let Some((frame, step)) = inner.frames.step(key) else { return };
        let Kind::Task(task) = &step.kind else { return };
        if !task.keeps || task.task.child.is_some() || frame.given(key.step).is_some() {
            return;
        }
        let is_given_once =
            task.policy.retry.attempts == 1 && task.task.undo.is_none() && task.task.reconcile.is_none();
        if self.journal.is_none() && is_given_once {
            return;
        }
        let Some(bytes) = self.written_arguments(key, frame, task) else { return };
        if bytes.len() > self.core.largest_value {
            return;
        }
        if self.journal.is_some() {
            let event = crate::journal::text(&StoredEvent::given(key, frame.scope.path(key.step)));
            let value = Some(Payload { type_name: "arguments".into(), bytes: bytes.clone() });
            inner.given.push(Entry { at: inner.now, event, value, changes: Vec::new() });
        }
        if let Some(frame) = inner.frames.get_mut(key.frame) {
            frame.give(key.step, bytes.into());
        }
    }

    /// Evaluates the arguments of a task, and writes them down.
    fn written_arguments(self: &Arc<Self>, key: Key, frame: &Frame, task: &TaskStep) -> Option<Vec<u8>> {
        let (mut env, mut moved) = (Env::new(self.context(key, 0, 1)), Moved::default());
        env.prepare(Purpose::Keep, task.arm);
        env.lend_all(frame.read_all(&task.reads));
        moved.take_all(frame.read_all(&task.moves));
        let ended = contained(|| {
            let running = pin!((task.start)(&env, &mut moved));
            running.poll(&mut TaskContext::from_waker(Waker::noop()))
        });
        match ended {
            Ok(Poll::Ready(Ended::Kept(written))) => written,
            // The attempt meets what is wrong with them, and says it.
            _ => None,
        }
    }
}

fn unread(reason: String) -> Failure {
    Failure::new(crate::failure::Cause::Fatal, reason)
}

impl Inner {
    /// What is kept of the event that is heard next.
    pub(super) fn take_kept(&mut self, event: &Event) -> Option<(String, Payload)> {
        let Event::Answered { key, .. } = event else { return None };
        let place = self.kept.iter().position(|(of, ..)| of == key)?;
        let (_, path, payload) = self.kept.swap_remove(place);
        Some((path, payload))
    }

    /// Has a step go by what was kept, whatever was evaluated just now.
    pub(super) fn restore(&mut self, event: &Event, stored: &Payload) -> Result<(), String> {
        let Event::Answered { key, .. } = event else { return Ok(()) };
        let Some(frame) = self.frames.get_mut(key.frame) else { return Ok(()) };
        let Some(Kind::Map { items, .. }) = frame.scope.step(key.step).map(|step| &step.kind) else {
            return Ok(());
        };
        let Some(codec) = items.keep.codecs.first() else { return Ok(()) };
        let then = parts(stored)?;
        let order = match frame.kept(key.step) {
            Some(Kept::Items { items: now, order, .. }) => {
                let now = now.iter().map(|item| coded(|| (codec.encode)(item)).unwrap_or_default());
                match places(&now.collect::<Vec<_>>(), &then) {
                    // An earlier life has listed them so already.
                    Some(same) if same.is_empty() => order.clone(),
                    places => places.unwrap_or_default(),
                }
            }
            _ => Vec::new(),
        };
        let (_, list) = List { items: read(codec, &then)?, order }.kept();
        frame.keep(key.step, list);
        Ok(())
    }

    /// Has a task be given what it was given before.
    pub(super) fn give(&mut self, key: Key, stored: &Payload) {
        if let Some(frame) = self.frames.get_mut(key.frame) {
            frame.give(key.step, stored.bytes.as_slice().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn the_same_items_in_another_order_keep_their_places() {
        let then = ["1", "2", "2", "3"].map(raw);
        let then: Vec<&RawValue> = then.iter().map(|part| &**part).collect();
        let places = |now: &[&str]| {
            places(&now.iter().map(|item| item.as_bytes().to_vec()).collect::<Vec<_>>(), &then)
        };
        assert_eq!(places(&["1", "2", "2", "3"]), Some(Vec::new()));
        assert_eq!(places(&["3", "2", "1", "2"]), Some(vec![3, 1, 0, 2]));
        assert_eq!(places(&["3", "2", "1", "1"]), None);
        assert_eq!(places(&["1", "2"]), None);
    }
}
