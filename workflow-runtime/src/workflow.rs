//! A workflow as Rust code handles it: its type, its invocations, its signals.

use std::fmt;
use std::marker::PhantomData;

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
