//! What was computed once and is that for ever: the items of a `for`, the
//! arguments of a step and of a child workflow, the variables of a `while` and
//! whether it goes on, the arm that was chosen, what a region is worth. Evaluated again, an expression may give something else:
//! a map of hashes has another order in each process, a function may read a
//! clock. So what it gave first is stored with what was decided by it, and is
//! what every later process, attempt and life of the run goes by.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Poll;

use serde_json::value::RawValue;

use super::Execution;
use super::coded::{Saved, coded, saved};
use super::frames::{Frame, Kept};
use super::values::arguments;
use crate::failure::Failure;
use crate::held::hold_in;
use crate::journal::{StoredEvent, Why};
use crate::run::{Event, FrameId, Key};
use crate::task::context::Host;
use crate::task::definition::{Graph, Kind, TaskStep, Yield};
use crate::task::{Ended, Purpose};
use crate::value::{Codec, Payload, Value};

/// The arguments of a step, written down for ever.
pub(crate) struct Given {
    pub(crate) key: Key,
    pub(crate) path: String,
    pub(crate) arguments: Vec<u8>,
}

/// What the earlier lives of a run have kept, by the paths of steps.
#[derive(Clone, Default)]
pub(crate) struct KeptValues {
    /// The items of a `for`.
    lists: HashMap<String, Payload>,
    /// The arguments of a task.
    arguments: HashMap<String, Payload>,
    /// Values: of steps, by their paths, of the first turns of loops, and of
    /// regions.
    values: HashMap<String, Payload>,
    /// Names that are computed once, by their regions and what they are: of code
    /// that has changed they are others.
    computed: HashMap<String, Payload>,
    /// Which arm was chosen, and whether a turn was one more.
    decisions: HashMap<String, usize>,
    /// Arguments and values that this life does not go by, but the undo of what
    /// was done with them.
    outdated: Outdated,
    /// Whether the lists hold whatever is listed now: nothing of the code has
    /// changed.
    hold: bool,
}

/// What lives before have gone by, and this one does not.
#[derive(Clone, Default)]
struct Outdated {
    arguments: HashMap<String, Payload>,
    values: HashMap<String, Payload>,
}

impl KeptValues {
    /// What the entries of a journal have kept, life by life.
    pub(crate) fn of<'a>(entries: impl Iterator<Item = (&'a str, Option<&'a Payload>)>) -> Self {
        let mut kept = Self { hold: true, ..Self::default() };
        for (text, value) in entries {
            // Most entries keep nothing, and are not read for that.
            let is_read = value.is_some() || text.contains("taken_up") || text.contains("\"path\"");
            if !is_read {
                continue;
            }
            let Ok(event) = serde_json::from_str::<StoredEvent>(text) else { continue };
            match (event, value.cloned()) {
                (
                    StoredEvent::ItemsListed { path: Some(path), .. } | StoredEvent::Listed { path },
                    Some(list),
                ) => {
                    kept.lists.insert(path, list);
                }
                (
                    StoredEvent::Evaluated { path: Some(path), .. }
                    | StoredEvent::Yielded { path: Some(path), .. },
                    Some(value),
                ) => {
                    kept.values.insert(path, value);
                }
                (StoredEvent::ArmChosen { path: Some(path), arm, .. }, _) => {
                    kept.decisions.insert(path, arm);
                }
                (StoredEvent::TurnDecided { path: Some(path), more, .. }, variables) => {
                    kept.decisions.insert(path.clone(), usize::from(more));
                    kept.values.extend(variables.map(|variables| (path, variables)));
                }
                (StoredEvent::Given { path, .. }, Some(arguments)) => {
                    kept.arguments.insert(path, arguments);
                }
                (StoredEvent::Computed { path }, Some(value)) => {
                    kept.computed.insert(path, value);
                }
                (StoredEvent::TakenUp { why, dropped, .. }, _) => kept.begin(why, &dropped),
                _ => {}
            }
        }
        kept
    }

    /// Another life begins: what is kept of those before.
    pub(crate) fn begin(&mut self, why: Why, dropped: &[String]) {
        self.hold = matches!(why, Why::Retried | Why::Set);
        match why {
            Why::Retried | Why::Set => {}
            Why::Changed => {
                let dropped = dropped.iter().filter_map(|path| self.arguments.remove_entry(path));
                self.outdated.arguments.extend(dropped);
            }
            // Whatever they were, the code may give a step others now.
            Why::Adopted | Why::Forked => self.outdated.arguments.extend(self.arguments.drain()),
        }
        if !self.hold {
            self.outdated.values.extend(self.values.drain());
            self.decisions.clear();
        }
    }

    /// The lists, and what was computed once, for a run that keeps results of this
    /// one.
    pub(crate) fn into_shared(self) -> [Vec<(String, Payload)>; 2] {
        [self.lists, self.computed].map(|by_path| {
            let mut sorted: Vec<_> = by_path.into_iter().collect();
            sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
            sorted
        })
    }

    pub(crate) fn keep_computed(&mut self, path: String, value: Payload) {
        self.computed.insert(path, value);
    }

    pub(crate) fn computed(&self, path: &str) -> Option<&Payload> {
        self.computed.get(path)
    }

    pub(crate) fn keep_list(&mut self, path: String, list: Payload) {
        self.lists.insert(path, list);
    }

    pub(crate) fn arguments(&self, path: &str) -> Option<&Payload> {
        self.arguments.get(path)
    }

    /// What a step was given that is undone.
    pub(super) fn arguments_for_undo(&self, path: &str) -> Option<&Payload> {
        self.arguments.get(path).or_else(|| self.outdated.arguments.get(path))
    }

    /// Values that what is undone was done with.
    pub(super) fn values_for_undo(&self, path: &str, codecs: &[&'static Codec]) -> Option<Vec<Value>> {
        let stored = self.values.get(path).or_else(|| self.outdated.values.get(path))?;
        read_values(codecs, stored).ok()
    }

    /// An item of a `for`, as it was listed before.
    pub(super) fn item(&self, path: &str, codec: &Codec, index: u32) -> Option<Value> {
        let list = parts(self.lists.get(path)?).ok()?;
        let item = list.get(usize::try_from(index).ok()?)?;
        coded(|| (codec.decode)(item.get().as_bytes())).ok()
    }
}

/// The items of a `for`.
pub(crate) struct List {
    items: Vec<Value>,
    /// Which of them comes first now, and so on, where they are listed in
    /// another order than then. Nothing where they are not.
    order: Vec<u32>,
}

impl List {
    pub(crate) fn of(items: Vec<Value>) -> Self {
        Self { items, order: Vec::new() }
    }

    /// As its step keeps it.
    pub(crate) fn kept(self) -> (usize, Kept) {
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

/// Values that were stored together.
fn read_values(codecs: &[&'static Codec], stored: &Payload) -> Result<Vec<Value>, String> {
    let unread = |why: &dyn std::fmt::Display| format!("what was computed cannot be read: {why}");
    let parts: Vec<&RawValue> = serde_json::from_slice(&stored.bytes).map_err(|error| unread(&error))?;
    if parts.len() != codecs.len() {
        return Err(unread(&"it is of other code"));
    }
    let values = codecs.iter().zip(parts).map(|(codec, part)| {
        hold_in(part.get().as_bytes());
        coded(|| (codec.decode)(part.get().as_bytes()))
    });
    values.collect::<Result<_, _>>().map_err(|failure| unread(&failure))
}

/// How the parameters of a child workflow are written.
pub(crate) fn param_codecs(child: &'static Graph) -> Vec<&'static Codec> {
    child.params.iter().map(|param| &param.codec).collect()
}

/// What something is kept of that is heard next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptOf {
    /// The answer of a step.
    Step(Key),
    /// The value of a region.
    Region(FrameId),
}

impl Execution {
    /// Keeps what a `for` has listed. Where an earlier life of the run has
    /// listed the same items, in whatever order, they keep their numbers: its
    /// results are known by these.
    pub(crate) fn keep_list(
        &mut self,
        key: Key,
        codec: &'static Codec,
        items: Vec<Value>,
    ) -> Result<List, Failure> {
        let Some(largest) = self.saves else { return Ok(List::of(items)) };
        let mut written = Vec::with_capacity(items.len());
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let Saved { bytes, value } = saved(codec, &item, largest)?;
            written.push(bytes);
            kept.push(value.unwrap_or(item));
        }
        let path = self.frames.get(key.frame).map(|frame| frame.scope.path(key.step)).unwrap_or_default();
        let earlier = self.leftovers.as_ref().and_then(|left| {
            let list = left.kept.lists.get(&path)?;
            Some((list.clone(), left.kept.hold))
        });
        if let Some((stored, holds)) = earlier {
            let then = parts(&stored).map_err(unread)?;
            let order = places(&written, &then);
            if order.is_some() || (holds && !self.machine.runs_anew(key)) {
                let items = read(codec, &then).map_err(unread)?;
                self.kept.push((KeptOf::Step(key), path, Some(stored)));
                return Ok(List { items, order: order.unwrap_or_default() });
            }
        }
        let mut bytes = vec![b'['];
        bytes.extend(written.join(&b','));
        bytes.push(b']');
        let list = Payload { type_name: (codec.type_name)().into(), bytes };
        self.kept.push((KeptOf::Step(key), path, Some(list)));
        Ok(List::of(kept))
    }

    /// Keeps some values that belong together: as an earlier life of the run has
    /// computed them, or else as they were computed now.
    pub(crate) fn keep_values(
        &mut self,
        of: KeptOf,
        path: String,
        codecs: &[&'static Codec],
        values: Vec<Value>,
    ) -> Result<Vec<Value>, Failure> {
        let (Some(first), Some(largest)) = (codecs.first(), self.saves) else { return Ok(values) };
        if let Some(stored) = self.held(of, |kept| kept.values.get(&path).cloned())
            // A value of another type was another one's.
            && let Ok(values) = read_values(codecs, &stored)
        {
            self.kept.push((of, path, Some(stored)));
            return Ok(values);
        }
        let mut written = Vec::with_capacity(values.len());
        let mut kept = Vec::with_capacity(values.len());
        for (codec, computed) in codecs.iter().zip(values) {
            let Saved { bytes, value } = saved(codec, &computed, largest)?;
            written.push(bytes);
            kept.push(value.unwrap_or(computed));
        }
        let mut bytes = vec![b'['];
        bytes.extend(written.join(&b','));
        bytes.push(b']');
        let payload = Payload { type_name: (first.type_name)().into(), bytes };
        self.kept.push((of, path, Some(payload)));
        Ok(kept)
    }

    /// Keeps a decision: as an earlier life of the run has made it, or else as
    /// it was made now.
    pub(crate) fn keep_decision(&mut self, key: Key, path: String, now: usize) -> usize {
        if self.saves.is_none() {
            return now;
        }
        let of = KeptOf::Step(key);
        let decided = self.held(of, |kept| kept.decisions.get(&path).copied()).unwrap_or(now);
        // The variables of the first turn may be kept with it.
        if !self.kept.iter().any(|(other, ..)| *other == of) {
            self.kept.push((of, path, None));
        }
        decided
    }

    /// Keeps the arguments of a task that is about to start, where they are
    /// computed and not kept yet.
    pub(crate) fn keep_arguments<H: Host + 'static>(&mut self, host: &Arc<H>, key: Key) {
        let Some((frame, step)) = self.frames.step(key) else { return };
        let Kind::Task(task) = &step.kind else { return };
        if !task.keeps || task.task.child.is_some() || frame.given(key.step).is_some() {
            return;
        }
        let is_given_once =
            task.policy.retry.attempts == 1 && task.task.undo.is_none() && task.task.reconcile.is_none();
        if self.saves.is_none() && is_given_once {
            return;
        }
        self.recall_onces(key.frame);
        let Some(bytes) = written_arguments(host, key, frame, task) else { return };
        if self.saves.is_some_and(|largest| bytes.len() > largest) {
            return;
        }
        if self.saves.is_some() {
            let path = frame.scope.path(key.step);
            self.given.push(Given { key, path, arguments: bytes.clone() });
        }
        if let Some(frame) = self.frames.get_mut(key.frame) {
            frame.give(key.step, bytes.into());
        }
    }
}

/// Evaluates the arguments of a task, and writes them down.
pub(crate) fn written_arguments<H: Host + 'static>(
    host: &Arc<H>,
    key: Key,
    frame: &Frame,
    task: &TaskStep,
) -> Option<Vec<u8>> {
    let ended = arguments(host, key, frame, task, Purpose::Keep);
    match ended {
        Ok(Poll::Ready(Ended::Kept(written))) => written,
        // The attempt meets what is wrong with them, and says it.
        _ => None,
    }
}

fn unread(reason: String) -> Failure {
    Failure::new(crate::failure::Cause::Fatal, reason)
}

impl Execution {
    /// What is kept of the event that is heard next.
    pub(crate) fn take_kept(&mut self, event: &Event) -> Option<(String, Option<Payload>)> {
        let event = match event {
            Event::Answered { key, .. } => KeptOf::Step(*key),
            Event::Yielded { frame, .. } => KeptOf::Region(*frame),
            _ => return None,
        };
        let place = self.kept.iter().position(|(of, ..)| *of == event)?;
        let (_, path, payload) = self.kept.swap_remove(place);
        Some((path, payload))
    }

    /// What earlier lives have kept, where it holds for this one.
    fn held<T>(&self, of: KeptOf, find: impl FnOnce(&KeptValues) -> Option<T>) -> Option<T> {
        let kept = &self.leftovers.as_ref()?.kept;
        let anew = match of {
            KeptOf::Step(key) => self.machine.runs_anew(key),
            KeptOf::Region(frame) => self.machine.yields_anew(frame),
        };
        (kept.hold && !anew).then(|| find(kept)).flatten()
    }

    /// Has a step, or a region, go by what was kept, whatever was evaluated
    /// just now.
    pub(crate) fn restore(&mut self, event: &Event, stored: &Payload) -> Result<(), String> {
        let key = match event {
            Event::Answered { key, answer: Ok(_) } => key,
            Event::Yielded { frame, result: Ok(()) } => return self.restore_region(*frame, stored),
            _ => return Ok(()),
        };
        let Some(frame) = self.frames.get_mut(key.frame) else { return Ok(()) };
        let Some(step) = frame.scope.step(key.step) else { return Ok(()) };
        let items = match &step.kind {
            Kind::Map { items, .. } => items,
            Kind::Compute(expr) => {
                let value = read_values(&expr.keep.each(), stored)?.pop();
                frame.put(step.output, value.unwrap_or(Value::ABSENT));
                return Ok(());
            }
            Kind::Loop { initial, .. } => {
                let variables = read_values(&initial.keep.each(), stored)?;
                frame.keep(key.step, Kept::Turn(variables));
                return Ok(());
            }
            Kind::Task(task) => {
                let Some(child) = task.task.child else { return Ok(()) };
                let params = read_values(&param_codecs(child), stored)?;
                frame.keep(key.step, Kept::Params(params));
                return Ok(());
            }
            _ => return Ok(()),
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

    fn restore_region(&mut self, id: FrameId, stored: &Payload) -> Result<(), String> {
        let Some(frame) = self.frames.get(id) else { return Ok(()) };
        let Yield::Compute(expr) = &frame.scope.region.result else { return Ok(()) };
        let Some(value) = read_values(&expr.keep.each(), stored)?.pop() else { return Ok(()) };
        self.place_value(id, value).map_err(|failure| failure.to_string())
    }

    /// Has a task be given what it was given before.
    pub(crate) fn give(&mut self, key: Key, stored: &Payload) {
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
