//! What actions do to values: frames are opened and filled, expressions
//! evaluated, results put where the next step finds them.
//!
//! Expressions run under the run's lock. They are small by nature, and what
//! they see must not change meanwhile.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::Execution;
use super::frames::{Frame, Kept};
use super::kept::{KeptOf, List, param_codecs};
use crate::failure::{Cause, Failure, StepError};
use crate::operation::refused_signal_key;
use crate::panics::contained;
use crate::run::{Answer, FrameId, Key, SignalId, Timestamp};
use crate::task::context::{Context, Host};
use crate::task::definition::{Expr, Graph, Kind, OnFailure, Region, Step, TaskStep, Until, Yield};
use crate::task::once::Onces;
use crate::task::place::Scope;
use crate::task::{Ended, Env, Moved, Purpose};
use crate::value::Value;

impl Execution {
    /// Evaluates what a step asks before it can go on.
    pub(crate) fn evaluate<H: Host + 'static>(
        &mut self,
        host: &Arc<H>,
        key: Key,
        turn: u32,
    ) -> Result<Answer, Failure> {
        self.recall_onces(key.frame);
        let Self { frames, lent, now, .. } = self;
        let Some(frame) = frames.get_mut(key.frame) else { return Err(lost_frame()) };
        let Some(step) = frame.scope.step(key.step) else { return Err(lost_frame()) };
        match &step.kind {
            Kind::Compute(expr) => {
                let value = eval(lent, frame, expr)?;
                let value = match expr.keep.codecs {
                    [] => value,
                    _ => {
                        let path = frame.scope.path(key.step);
                        let of = KeptOf::Step(key);
                        let mut kept = self.keep_values(of, path, &expr.keep.each(), vec![value])?;
                        kept.pop().unwrap_or(Value::ABSENT)
                    }
                };
                self.frames.get_mut(key.frame).ok_or_else(lost_frame)?.put(step.output, value);
                Ok(Answer::Value)
            }
            Kind::Check(expr) => {
                let value = eval(lent, frame, expr)??;
                frame.put(step.output, value);
                Ok(Answer::Value)
            }
            Kind::Sleep(expr) => {
                let until = match eval(lent, frame, expr)? {
                    Until::After(delay) => now.after(delay),
                    Until::At(time) => Timestamp::from(time),
                };
                // A sleep is worth `()`, and nothing asks for it once it ends.
                frame.put(step.output, Value::new(()));
                Ok(Answer::Until(until))
            }
            Kind::Signal { key: of, within, .. } => {
                let until = match within {
                    Some(within) => Some(now.after(eval(lent, frame, within)?)),
                    None => None,
                };
                match (of, until) {
                    (Some(of), until) => {
                        Ok(Answer::Awaits { key: signal_key(eval(lent, frame, of)?)?, until })
                    }
                    (None, Some(until)) => Ok(Answer::Until(until)),
                    (None, None) => Err(lost_frame()),
                }
            }
            Kind::Map { items, .. } => {
                let listed = eval(lent, frame, items)?;
                let list = match items.keep.codecs().first() {
                    None => List::of(listed),
                    Some(codec) => self.keep_list(key, codec, listed)?,
                };
                let (count, kept) = list.kept();
                self.frames.get_mut(key.frame).ok_or_else(lost_frame)?.keep(key.step, kept);
                Ok(Answer::Items(count))
            }
            Kind::Branch { choose, .. } => {
                let arm = eval(lent, frame, choose)?;
                if choose.keep.codecs.is_empty() {
                    return Ok(Answer::Arm(arm));
                }
                let path = frame.scope.path(key.step);
                Ok(Answer::Arm(self.keep_decision(key, path, arm)))
            }
            Kind::Loop { initial, test, region, .. } => {
                let path = |frame: &Frame| format!("{}[{turn}]", frame.scope.path(key.step));
                if turn == 0 {
                    let mut variables = eval(lent, frame, initial)?;
                    if !initial.keep.codecs.is_empty() {
                        let (of, path) = (KeptOf::Step(key), path(frame));
                        variables = self.keep_values(of, path, &initial.keep.each(), variables)?;
                    }
                    let frame = self.frames.get_mut(key.frame).ok_or_else(lost_frame)?;
                    frame.keep(key.step, Kept::Turn(variables));
                }
                let Self { frames, lent, .. } = self;
                let frame = frames.get_mut(key.frame).ok_or_else(lost_frame)?;
                let body = &frame.scope.graph.regions[usize::from(*region)];
                lend_turn(lent, frame, key.step, body, test.reads);
                let more = eval_lent(lent, test)?;
                if test.keep.codecs.is_empty() {
                    return Ok(Answer::Turn(more));
                }
                let path = path(frame);
                Ok(Answer::Turn(self.keep_decision(key, path, usize::from(more)) != 0))
            }
            Kind::Task(task) => {
                let mut params = child_params(host, key, frame, task)?;
                if let (true, Some(child)) = (task.keeps, task.task.child) {
                    let (of, path) = (KeptOf::Step(key), frame.scope.path(key.step));
                    params = self.keep_values(of, path, &param_codecs(child), params)?;
                }
                let frame = self.frames.get_mut(key.frame).ok_or_else(lost_frame)?;
                frame.keep(key.step, Kept::Params(params));
                Ok(Answer::Value)
            }
            Kind::Select { .. } => Err(lost_frame()),
        }
    }

    /// Puts the value of a finished frame where its parent wants it.
    pub(crate) fn yield_value(&mut self, id: FrameId) -> Result<(), Failure> {
        self.recall_onces(id);
        let Self { frames, lent, .. } = self;
        let Some(frame) = frames.get(id) else { return Err(lost_frame()) };
        let region = frame.scope.region;
        let value = match &region.result {
            Yield::Nothing => Value::new(()),
            Yield::Slot(slot) => frame.read(*slot),
            Yield::Compute(expr) => {
                let value = eval(lent, frame, expr)?;
                if expr.keep.codecs.is_empty() {
                    value
                } else {
                    let (of, path) = (KeptOf::Region(id), frame.scope.value_path());
                    let mut kept = self.keep_values(of, path, &expr.keep.each(), vec![value])?;
                    kept.pop().unwrap_or(Value::ABSENT)
                }
            }
        };
        self.place_value(id, value)
    }

    /// Puts the value of a region where its parent wants it.
    pub(crate) fn place_value(&mut self, id: FrameId, value: Value) -> Result<(), Failure> {
        let Some(frame) = self.frames.get(id) else { return Err(lost_frame()) };
        let Some(parent) = frame.parent else {
            self.result = Some(value);
            return Ok(());
        };
        let index = frame.scope.index as usize;
        let carried = frame.scope.region.carried;
        let variables: Vec<Value> = carried.iter().map(|slot| frame.read(*slot)).collect();
        let Some(around) = self.frames.get_mut(parent.frame) else { return Err(lost_frame()) };
        let Some(step) = around.scope.step(parent.step) else { return Err(lost_frame()) };
        match step.kind {
            Kind::Map { .. } => {
                if let Some(Kept::Items { results, .. }) = around.kept_mut(parent.step)
                    && let Some(result) = results.get_mut(index)
                {
                    *result = value;
                }
            }
            Kind::Loop { .. } => around.keep(parent.step, Kept::Turn(variables)),
            Kind::Task(_) => around.put_output(step, parent.step, value),
            _ => around.keep(parent.step, Kept::Chosen(value)),
        }
        Ok(())
    }

    /// Opens a frame and fills its imports. Gives back what was in its place.
    pub(crate) fn open(
        &mut self,
        id: FrameId,
        parent: Option<Key>,
        region: u16,
        index: u32,
    ) -> Option<Frame> {
        let frame = match parent {
            None => {
                let graph = self.graph;
                let scope = Scope { parent: None, graph, region: &graph.regions[usize::from(region)], index };
                let imports = std::mem::take(&mut self.params);
                let mut frame = Frame::new(id, None, Arc::new(scope), imports);
                self.know_onces(&mut frame, None);
                frame
            }
            Some(key) => self.nested(id, key, region, index)?,
        };
        self.frames.insert(id, frame)
    }

    fn nested(&mut self, id: FrameId, key: Key, region: u16, index: u32) -> Option<Frame> {
        let is_for_undo = self.machine.has_ended(id);
        if is_for_undo {
            self.fill(key.frame);
        }
        let around = self.frames.get_mut(key.frame)?;
        let step = around.scope.step(key.step)?;
        let graph = match step.kind {
            Kind::Task(TaskStep { task, .. }) => task.child?,
            _ => around.scope.graph,
        };
        let opened = &graph.regions[usize::from(region)];
        let mut slots = Vec::with_capacity(usize::from(opened.slots));
        match (&step.kind, around.kept_mut(key.step)) {
            (_, Some(Kept::Params(params))) => slots.append(params),
            (_, Some(Kept::Items { items, .. })) => {
                slots.extend(items.get_mut(index as usize).map(Value::take));
            }
            // The turn's end brings new ones.
            (_, Some(Kept::Turn(variables))) => slots.append(variables),
            (Kind::Select { race, arms }, Some(Kept::Race(frame))) => {
                let frame = *frame;
                let arm = arms.iter().position(|arm| *arm == region)?;
                let winner = graph.regions[usize::from(*race)].steps.get(arm)?;
                slots.extend(self.frames.get(frame).map(|race| race.read(winner.output)));
            }
            _ => {}
        }
        // One that is opened for an undo alone has only what is left of before.
        if is_for_undo {
            slots.resize(imports(&step.kind, graph, opened), Value::ABSENT);
            let item = self.item_for_undo(key, index);
            if let (Some(item), Some(slot)) = (item, slots.first_mut()) {
                *slot = item;
            }
        }
        let around = self.frames.get_mut(key.frame)?;
        if let Kind::Select { race, .. } = step.kind
            && race == region
        {
            around.keep(key.step, Kept::Race(id));
        }
        // A workflow that is a step sees nothing of the one around.
        let onces = around.onces.clone().filter(|_| !matches!(step.kind, Kind::Task(_)));
        slots.extend(around.read_all(opened.captures));
        let scope = Scope { parent: Some((around.scope.clone(), key.step)), graph, region: opened, index };
        let mut frame = Frame::new(id, Some(key), Arc::new(scope), slots);
        self.know_onces(&mut frame, onces);
        Some(frame)
    }

    /// Puts the value of a step that opened regions into its slots.
    pub(crate) fn collect(&mut self, key: Key) {
        let Some(frame) = self.frames.get_mut(key.frame) else { return };
        let Some(step) = frame.scope.step(key.step) else { return };
        match (frame.release(key.step), step.kind) {
            (Some(Kept::Items { mut results, order, .. }), Kind::Map { collect, .. }) => {
                if !order.is_empty() {
                    let place =
                        |place: &u32| results.get_mut(*place as usize).map_or(Value::ABSENT, Value::take);
                    results = order.iter().map(place).collect();
                }
                if let Ok(value) = contained(|| collect(results)) {
                    frame.put_output(step, key.step, value);
                }
            }
            (Some(Kept::Turn(variables)), _) => {
                for (slot, value) in (step.output..).zip(variables) {
                    frame.put(slot, value);
                }
            }
            (Some(Kept::Chosen(value)), _) => frame.put_output(step, key.step, value),
            _ => {}
        }
    }

    /// Puts an attempt's output into its step's slot.
    #[inline]
    pub(crate) fn put_output(&mut self, key: Key, value: Value) {
        let Some(frame) = self.frames.get_mut(key.frame) else { return };
        if let Some(step) = frame.scope.step(key.step) {
            frame.put_output(step, key.step, value);
        }
    }

    /// Puts the error of a step that was written without `?` into its slot.
    pub(crate) fn put_error(&mut self, key: Key, attempts: u32, failure: Failure) {
        let Some(frame) = self.frames.get_mut(key.frame) else { return };
        let Some(step) = frame.scope.step(key.step) else { return };
        if let OnFailure::Value(outcome) = step.on_failure {
            let error = StepError::new(frame.scope.path(key.step), attempts, failure);
            frame.put(step.output, (outcome.err)(error));
        }
    }

    /// Puts the oldest kept value of a signal into the step's slot.
    pub(crate) fn deliver_signal(&mut self, key: Key, signal: &SignalId) {
        let Some(values) = self.signals.get_mut(signal) else { return };
        let value = values.pop_front();
        if values.is_empty() {
            self.signals.remove(signal);
        }
        if let Some(value) = value {
            self.put_output(key, value);
        }
    }
}

/// Evaluates the arguments of a step, and begins nothing.
pub(super) fn arguments<H: Host + 'static>(
    host: &Arc<H>,
    key: Key,
    frame: &Frame,
    task: &TaskStep,
    purpose: Purpose,
) -> Result<Poll<Ended>, Failure> {
    let (mut env, mut moved) = (Env::new(Context::new(host.clone(), key, 0, 1)), Moved::default());
    env.prepare(purpose, task.arm);
    env.know(frame.onces.as_ref());
    env.lend_all(frame.read_all(&task.reads));
    moved.take_all(frame.read_all(&task.moves));
    contained(|| {
        let running = pin!((task.start)(&env, &mut moved));
        running.poll(&mut TaskContext::from_waker(Waker::noop()))
    })
}

/// The key of a signal: kept, compared and shown, so it has a bound.
fn signal_key(key: String) -> Result<Arc<str>, Failure> {
    match refused_signal_key(&key) {
        None => Ok(key.into()),
        Some(why) => Err(Failure::new(Cause::Fatal, format!("the key of its signal {why}"))),
    }
}

/// A child workflow's parameters: its step's arguments, evaluated.
pub(super) fn child_params<H: Host + 'static>(
    host: &Arc<H>,
    key: Key,
    frame: &Frame,
    task: &TaskStep,
) -> Result<Vec<Value>, Failure> {
    let ended = arguments(host, key, frame, task, Purpose::Attempt)?;
    match ended {
        Poll::Ready(Ended::Arguments(params)) => Ok(params),
        Poll::Ready(Ended::Err(failure, _)) => Err(failure),
        Poll::Ready(_) => Err(Failure::new(
            Cause::Fatal,
            "a workflow that is used as a step cannot be mocked; mock its tasks",
        )),
        Poll::Pending => Err(Failure::new(Cause::Fatal, "a child workflow's arguments cannot wait")),
    }
}

impl Frame {
    /// Puts what a step produced into its slot, as its name stands for it.
    #[inline]
    pub(crate) fn put_output(&mut self, step: &'static Step, number: u16, value: Value) {
        if matches!(&step.kind, Kind::Task(task) if task.task.undo.is_some()) {
            self.keep(number, Kept::Output(value.clone()));
        }
        let value = match step.on_failure {
            OnFailure::FailRun => value,
            OnFailure::Value(outcome) => match contained(|| (outcome.ok)(value)) {
                Ok(value) => value,
                Err(_) => return,
            },
        };
        self.put(step.output, value);
    }
}

pub(super) fn eval<T>(lent: &mut Env, frame: &Frame, expr: &Expr<T>) -> Result<T, Failure> {
    lent.lend_all(frame.read_all(expr.reads));
    lent.know(frame.onces.as_ref());
    eval_lent(lent, expr)
}

/// Evaluates an expression over what was lent for it.
fn eval_lent<T>(lent: &mut Env, expr: &Expr<T>) -> Result<T, Failure> {
    let value = contained(|| (expr.eval)(lent));
    lent.clear();
    value
}

/// Lends the values that a loop's test reads. They are those of the body's
/// imports, which exist before a frame of the body does.
fn lend_turn(lent: &mut Env, frame: &Frame, step: u16, body: &Region, reads: &[u16]) {
    let variables = match frame.kept(step) {
        Some(Kept::Turn(variables)) => variables.as_slice(),
        _ => &[],
    };
    // The test sees what is around the body, as the body does.
    let within = || Onces::new(body.onces.iter().map(|_| String::new()), frame.onces.clone(), None);
    let onces = (!body.onces.is_empty()).then(|| Arc::new(within()));
    lent.know(onces.as_ref().or(frame.onces.as_ref()));
    lent.lend_all(reads.iter().map(|import| {
        let import = usize::from(*import);
        match import.checked_sub(variables.len()) {
            None => variables[import].clone(),
            Some(capture) => body.captures.get(capture).map_or(Value::ABSENT, |slot| frame.read(*slot)),
        }
    }));
}

/// How many values a region gets from the step that opens it, before what it
/// captures.
fn imports(kind: &Kind, graph: &'static Graph, opened: &Region) -> usize {
    match kind {
        Kind::Task(_) => graph.params.len(),
        Kind::Map { .. } => 1,
        Kind::Loop { .. } => opened.carried.len(),
        Kind::Select { race, .. } => {
            let is_race =
                graph.regions.get(usize::from(*race)).is_some_and(|race| std::ptr::eq(race, opened));
            usize::from(!is_race)
        }
        _ => 0,
    }
}

/// The machine and the frames disagree, which only a bug of this project
/// brings about.
fn lost_frame() -> Failure {
    Failure::new(Cause::Fatal, "the run lost a region that it still needs; please report this")
}
