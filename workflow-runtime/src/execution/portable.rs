//! A run that another engine drives.

use std::any::TypeId;
use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;
use std::task::Poll;

use serde_json::value::RawValue;

use super::coded::{decode_params, saved};
use super::kept::written_arguments;
use super::order::{AttemptId, Command, End, Goal, Input, Order, TimerId};
use super::{Execution, Parts, decode};
use crate::failure::{Cause, Failure};
use crate::lookup::find_signal;
#[cfg(feature = "testing")]
use crate::observe::Trace;
use crate::panics::discard;
use crate::run::{Action, AttemptEnd, Event, Refused, RunState, SignalId, Timestamp};
use crate::task::context::{Host, Remembered};
use crate::task::definition::{Graph, Kind, TaskDef};
use crate::task::place::Key;
use crate::task::{Retryability, Shared};
use crate::value::{Payload, Value};

/// A run that is driven from outside: it is told what has happened
/// ([`Input`]), and says what is to be done ([`Command`]). It needs no runtime,
/// no store, no clock and no thread, and never waits.
///
/// Told the same in the same order, at the same times, it says the same: an
/// engine that has recorded what it told a run may tell it once more, and the
/// run is where it was.
///
/// Limits of tasks over all runs (`concurrency`, `rate`) and results of earlier
/// runs (`cache`) are the engine's; here every request for room is granted.
///
/// ```
/// use workflow_runtime::execution::{Command, End, Input, Outcome, PortableRun, perform};
/// use workflow_runtime::run::Timestamp;
/// use workflow_runtime::{task, workflow};
///
/// #[task]
/// async fn double(number: u64) -> u64 {
///     number * 2
/// }
///
/// workflow! {
///     fn doubled(number: u64) -> Result<u64> {
///         let result = double(number);
///         Ok(result)
///     }
/// }
///
/// let mut run = PortableRun::new(doubled::GRAPH, "run-1", b"[21]").unwrap();
/// run.hear(Timestamp(1), Input::Begun).unwrap();
/// let Some(Command::Start(order)) = run.next_command() else { panic!() };
/// assert_eq!((&*order.path, order.arguments.get()), ("doubled/result", "[21]"));
/// // Anywhere: `perform(doubled::GRAPH, &order, host).await`.
/// let outcome = Outcome::ok(b"42").unwrap();
/// run.hear(Timestamp(2), Input::AttemptEnded { attempt: order.id, outcome, roll: 0.5 }).unwrap();
/// let Some(Command::Finish(end)) = run.next_command() else { panic!() };
/// assert_eq!(end, End::Succeeded(b"42".to_vec()));
/// ```
pub struct PortableRun {
    id: String,
    run: Execution,
    host: Arc<Nowhere>,
    commands: VecDeque<Command>,
    end: Option<End>,
}

impl PortableRun {
    /// A run that was told nothing yet, of the workflow with this graph
    /// ([`Workflow::GRAPH`](crate::Workflow::GRAPH)). Its id is a part of the
    /// idempotency keys of its steps. `params` is a JSON array.
    ///
    /// # Errors
    /// Why the parameters are none of this workflow.
    pub fn new(graph: &'static Graph, id: &str, params: &[u8]) -> Result<Self, String> {
        let params = decode_params(graph, params)?;
        let mut run = Execution::of(graph, Parts::new(graph), params, Timestamp::default());
        run.saves = Some(usize::MAX);
        let host = Arc::new(Nowhere(id.to_owned()));
        Ok(Self { id: id.to_owned(), run, host, commands: VecDeque::new(), end: None })
    }

    /// Tells the run what has happened. What is to be done is in
    /// [`next_command`](Self::next_command) then.
    ///
    /// # Errors
    /// When it does not fit: an attempt that was given up ended late, the run
    /// has ended. Nothing has changed then.
    pub fn hear(&mut self, now: Timestamp, input: Input) -> Result<(), Refused> {
        if self.end.is_some() {
            return Err(Refused::Ended);
        }
        let (event, value) = self.read(input)?;
        self.run.now = now;
        self.step(event, value)?;
        while let Some((event, value)) = self.run.answers.pop_front() {
            if self.end.is_some() {
                self.run.answers.clear();
                break;
            }
            // What was asked may have been given up meanwhile.
            drop(self.step(event, value));
        }
        Ok(())
    }

    /// What is to be done next, in order; `None` until more has happened.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The run's state.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.run.machine.run_state()
    }

    /// How it has ended, once it has.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// What has happened to it so far, for a test to assert on. With the feature
    /// `testing`.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.run.log.entries().map(crate::RunEvent::from).collect::<Vec<_>>().into()
    }

    /// What is told, as the machine hears it, with the value that it brings. A
    /// value that cannot be read is a failure of its attempt.
    fn read(&self, input: Input) -> Result<(Event, Option<Value>), Refused> {
        let (event, bytes) = match input {
            Input::Begun => (Event::Begun, None),
            Input::AttemptEnded { attempt, outcome, roll } => {
                let (key, epoch) = attempt.key();
                let (end, value) = outcome.heard();
                (Event::AttemptEnded { key, epoch, end, roll }, value.map(|value| value.get().into()))
            }
            Input::TimerFired { timer } => {
                let (key, epoch) = timer.key();
                (Event::TimerFired { key, epoch }, None)
            }
            Input::Signalled { name, key, value } => {
                let known = find_signal(self.run.graph, &name).ok_or(Refused::Unexpected)?;
                let signal = SignalId { name: known.name, key: key.map(Into::into) };
                (Event::Signalled { signal, step: None }, Some(value))
            }
            Input::Paused => (Event::Paused, None),
            Input::Resumed => (Event::Resumed { over_budget: Vec::new() }, None),
            Input::CancelRequested => (Event::CancelRequested, None),
            Input::GraceOver => (Event::GraceOver, None),
        };
        let payload = bytes.map(|bytes| Payload { type_name: "JSON".into(), bytes });
        match (decode(&self.run, &event, payload.as_ref()), event) {
            (Ok(value), event) => Ok((event, value)),
            (Err(reason), Event::AttemptEnded { key, epoch, roll, .. }) => {
                let end = AttemptEnd::Failed(Failure::new(Cause::Fatal, reason), Retryability::Fatal);
                Ok((Event::AttemptEnded { key, epoch, end, roll }, None))
            }
            (Err(_), _) => Err(Refused::Unexpected),
        }
    }

    /// One event: what stays inside the run is done, the rest becomes commands.
    fn step(&mut self, event: Event, value: Option<Value>) -> Result<(), Refused> {
        // Kept by this run alone, as it has no other life.
        drop(self.run.take_kept(&event));
        self.run.hear(event, value)?;
        let mut closed = Vec::new();
        let mut actions = std::mem::take(&mut self.run.effects.actions);
        for action in actions.drain(..) {
            if let Some(visible) = self.run.settle(&self.host, action, &mut closed) {
                self.command(visible);
            }
        }
        self.run.effects.actions = actions;
        self.run.note_changes(&mut closed, |_, _| {});
        closed.into_iter().for_each(discard);
        Ok(())
    }

    fn command(&mut self, action: Action) {
        match action {
            Action::Start { key, epoch, attempt, deadline, .. } => {
                self.run.machine.note_begun(key, epoch, self.run.now);
                self.start(key, epoch, attempt, Goal::Do, deadline);
            }
            Action::Undo { key, epoch, attempt } => self.start(key, epoch, attempt, Goal::Undo, None),
            Action::Reconcile { key, epoch, attempt } => {
                self.start(key, epoch, attempt, Goal::Reconcile, None);
            }
            Action::Acquire { key, epoch, .. } => {
                self.run.answers.push_back((Event::Granted { key, epoch }, None));
            }
            Action::Timer { key, epoch, at } => {
                self.commands.push_back(Command::StartTimer { timer: TimerId::new(key, epoch), at });
            }
            Action::Stop { key, epoch } => {
                self.commands.push_back(Command::Stop(AttemptId::new(key, epoch)));
            }
            Action::Abort { key, epoch, graceful } => {
                let attempt = AttemptId::new(key, epoch);
                self.commands.push_back(Command::Abandon { attempt, graceful });
            }
            Action::AwaitGrace => self.commands.push_back(Command::AwaitGrace),
            Action::Finish { state, cause } => self.finish(state, cause),
            // More items are opened as those that are open end.
            _ => {}
        }
    }

    fn start(&mut self, key: Key, epoch: u32, attempt: u32, goal: Goal, deadline: Option<Timestamp>) {
        match self.order(key, epoch, attempt, goal, deadline) {
            Ok(order) => self.commands.push_back(Command::Start(Box::new(order))),
            Err(failure) => {
                let end = AttemptEnd::Failed(failure, Retryability::Fatal);
                self.run.answers.push_back((Event::AttemptEnded { key, epoch, end, roll: 0.5 }, None));
            }
        }
    }

    fn order(
        &mut self,
        key: Key,
        epoch: u32,
        attempt: u32,
        goal: Goal,
        deadline: Option<Timestamp>,
    ) -> Result<Order, Failure> {
        let lost =
            || Failure::new(Cause::Fatal, "the run lost a step that it still needs; please report this");
        self.run.keep_arguments(&self.host, key);
        // Each order carries them.
        self.run.given.clear();
        self.run.take_computed();
        let frame = self.run.frames.get_mut(key.frame).ok_or_else(lost)?;
        let scope = frame.scope.clone();
        let Some(Kind::Task(step)) = scope.step(key.step).map(|step| &step.kind) else { return Err(lost()) };
        let task = step.task;
        if frame.given(key.step).is_none() {
            let written = written_arguments(&self.host, key, frame, step);
            let written = written.ok_or_else(|| unwritten(task))?;
            frame.give(key.step, written.into());
        }
        let arguments = raw(frame.given(key.step).unwrap_or_default())?;
        let policy = match goal {
            Goal::Do => step.policy,
            Goal::Undo => &task.undo.ok_or_else(lost)?.task.policy,
            Goal::Reconcile => &task.reconcile.ok_or_else(lost)?.task.policy,
        };
        let output = match goal {
            Goal::Undo => {
                let output = frame.output(key.step).ok_or_else(lost)?;
                Some(raw(&saved(&task.output, &output, usize::MAX)?.bytes)?)
            }
            _ => None,
        };
        let path = scope.path(key.step);
        let earlier = self.run.leftovers.as_ref();
        let earlier = earlier.map_or(0, |left| left.earlier(&path, goal == Goal::Undo));
        let is_region = |region: &_| std::ptr::eq(region, scope.region);
        let region = scope.graph.regions.iter().position(is_region).ok_or_else(lost)?;
        Ok(Order {
            id: AttemptId::new(key, epoch),
            run: self.id.clone(),
            path,
            task: task.name.to_owned(),
            workflow: scope.graph.name.to_owned(),
            region: u16::try_from(region).map_err(|_| lost())?,
            step: key.step,
            goal,
            attempt,
            arguments,
            output,
            timeout: policy.timeout,
            deadline,
            blocking: task.blocking,
            at_most_once: task.at_most_once,
            earlier,
        })
    }

    fn finish(&mut self, state: RunState, cause: Option<(Key, u32, Failure)>) {
        let end = match state {
            RunState::Succeeded => {
                let value = self.run.result.take().unwrap_or_else(|| Value::new(()));
                match saved(&self.run.graph.output, &value, usize::MAX) {
                    Ok(saved) => End::Succeeded(saved.bytes),
                    // A result that cannot be encoded is no success.
                    Err(failure) => {
                        let workflow = self.run.graph.name.to_owned();
                        End::Failed(crate::StepError::new(workflow, 0, failure))
                    }
                }
            }
            RunState::Failed => End::Failed(self.run.failed_by(cause)),
            _ => End::Cancelled,
        };
        self.end = Some(end.clone());
        self.commands.push_back(Command::Finish(end));
    }
}

fn raw(bytes: &[u8]) -> Result<Box<RawValue>, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::from_error(Cause::Fatal, &error))
}

fn unwritten(task: &TaskDef) -> Failure {
    let words = format!(
        "the arguments of `{}` cannot be written down, so it cannot run in another process; derive \
         `serde::Serialize` for what it is given, and have it take no `&dyn Trait`",
        task.name
    );
    Failure::new(Cause::Fatal, words)
}

/// What stands where an attempt's surroundings would be, while expressions are
/// evaluated.
struct Nowhere(String);

impl Host for Nowhere {
    fn run_id(&self) -> &str {
        &self.0
    }

    fn path(&self, _: Key) -> String {
        String::new()
    }

    fn resource(&self, _: TypeId) -> Option<&Shared> {
        None
    }

    fn mock(&self, _: TypeId) -> Option<&Shared> {
        None
    }

    fn remembered<'a>(&'a self, _: &'a [u8], _: &'static TaskDef) -> Remembered<'a> {
        Box::pin(ready(None))
    }

    fn poll_cancelled(&self, _: Key, _: u32, _: Option<&mut std::task::Context<'_>>) -> Poll<()> {
        Poll::Pending
    }

    fn earlier(&self, _: &str, _: bool) -> u32 {
        0
    }

    fn progress(&self, _: Key, _: u32, _: u64, _: u64) {}

    fn heartbeat(&self, _: Key, _: u32) {}
}
