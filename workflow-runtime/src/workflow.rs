//! A workflow as Rust code handles it: its type, its invocations, its signals.

use std::fmt;
use std::marker::PhantomData;

use crate::codec::Durable;
use crate::task::Task;
use crate::task::definition::Graph;
use crate::value::Value;

/// A workflow: the type that `workflow!` gives the workflow's name.
///
/// Implemented by `workflow!`, never by hand. A workflow is also a [`Task`],
/// so that another workflow can use it as a step.
pub trait Workflow: Task {
    /// The workflow as static data.
    const GRAPH: &'static Graph;
    /// The graph as a picture; nothing for one that is too large to be drawn.
    const SVG: &'static str = "";
}

/// A workflow with its parameters, to hand to an engine: what calling a
/// workflow by its name gives.
#[must_use = "an invocation does nothing until an engine starts it"]
pub struct Invocation<W: Workflow> {
    params: Vec<Value>,
    workflow: PhantomData<fn() -> W>,
}

impl<W: Workflow> Invocation<W> {
    #[doc(hidden)]
    pub fn new(params: Vec<Value>) -> Self {
        Self { params, workflow: PhantomData }
    }

    pub(crate) fn into_params(self) -> Vec<Value> {
        self.params
    }
}

impl<W: Workflow> fmt::Debug for Invocation<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invocation({})", W::GRAPH.name)
    }
}

/// The typed handle of a signal: `nightly::review` for the signal `"review"`
/// of the workflow `nightly`.
pub struct Signal<T> {
    name: &'static str,
    value: PhantomData<fn(T)>,
}

impl<T> Signal<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }

    /// The signal's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Durable> Signal<T> {
    /// The signal for one of the steps that wait for it, by its path, such as
    /// `nightly/priced[3]/review`.
    ///
    /// Where several steps wait for one name, [`keyed`](KeyedSignal) ones are
    /// easier to aim.
    pub fn at(self, step: impl Into<String>) -> AimedSignal<T> {
        AimedSignal { name: self.name, key: None, step: Some(step.into()), value: PhantomData }
    }
}

/// The typed handle of a signal whose steps wait with a key,
/// `signal::<Verdict>("approval").keyed(order.id)`. It is sent with the key of
/// the step that is meant:
///
/// ```
/// use workflow_runtime::{Engine, workflow};
///
/// workflow! {
///     fn approved(orders: Vec<u64>) -> Result<Vec<bool>> {
///         let verdicts = for order in orders {
///             let verdict = signal::<bool>("approval").keyed(order);
///             verdict
///         };
///         Ok(verdicts)
///     }
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let run = Engine::in_memory().start().await?.start(approved(vec![17, 18])).await?;
/// run.signal(approved::approval.key(18), false).await?;
/// run.signal(approved::approval.key(17), true).await?;
/// assert_eq!(run.await?, [true, false]);
/// # Ok::<(), workflow_runtime::Error>(())
/// # }).unwrap();
/// ```
pub struct KeyedSignal<T> {
    name: &'static str,
    value: PhantomData<fn(T)>,
}

impl<T> KeyedSignal<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }

    /// The signal's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The signal with a key. A step waits for it whose key is the same text.
    pub fn key(self, key: impl SignalKey) -> AimedSignal<T> {
        AimedSignal { name: self.name, key: Some(key.text()), step: None, value: PhantomData }
    }

    /// The signal for the step of a path, such as `orders/results[0]/decision`,
    /// which waits for it now.
    pub fn at(self, step: impl Into<String>) -> AimedSignal<T> {
        AimedSignal { name: self.name, key: None, step: Some(step.into()), value: PhantomData }
    }
}

/// What the key of a signal can be: all that is a text, the same each time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a signal",
    label = "this is no key",
    note = "a key is a text, a number, or anything else that implements `Display`"
)]
pub trait SignalKey {
    /// The key as it is kept and compared.
    fn text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<K: fmt::Display + ?Sized> SignalKey for K {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// A signal, and for which of the steps it is that wait for one of its name:
/// made by [`KeyedSignal::key`] and [`Signal::at`].
pub struct AimedSignal<T> {
    name: &'static str,
    key: Option<String>,
    step: Option<String>,
    value: PhantomData<fn(T)>,
}

/// What can be sent to a run with a value of type `T`: a [`Signal`], or one that
/// is aimed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not sent as it is",
    label = "this is no signal that takes this value",
    note = "one that is `keyed` is sent with its key: `run.signal(workflow::name.key(key), value)`"
)]
pub trait SignalTarget<T: Durable> {
    /// The signal's name.
    fn name(&self) -> &'static str;

    /// Its key.
    fn key(&self) -> Option<&str> {
        None
    }

    /// The path of the step that is meant.
    fn step(&self) -> Option<&str> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<T: Durable> SignalTarget<T> for Signal<T> {
    fn name(&self) -> &'static str {
        self.name
    }
}

#[diagnostic::do_not_recommend]
impl<T: Durable> SignalTarget<T> for AimedSignal<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    fn step(&self) -> Option<&str> {
        self.step.as_deref()
    }
}

impl<T> Clone for Signal<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Signal<T> {}

impl<T> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signal({})", self.name)
    }
}

impl<T> Clone for KeyedSignal<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for KeyedSignal<T> {}

impl<T> fmt::Debug for KeyedSignal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyedSignal({})", self.name)
    }
}

impl<T> Clone for AimedSignal<T> {
    fn clone(&self) -> Self {
        Self { name: self.name, key: self.key.clone(), step: self.step.clone(), value: PhantomData }
    }
}

impl<T> fmt::Debug for AimedSignal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key, step, .. } = self;
        f.debug_struct("AimedSignal").field("name", name).field("key", key).field("step", step).finish()
    }
}
