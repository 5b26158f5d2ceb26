//! What states runs and steps have, and when something was.
//!
//! Inside, for the engine alone, is what gives them these states: the machine,
//! `(state, event) -> (state, actions)`, pure. It knows no tokio, no store and no clock: `now` is a field of the event,
//! and random numbers come with it. It never sees a value either; where an
//! expression has to be evaluated it asks with an action and hears the answer
//! as an event. What it decides is told in `Effects`: actions for a driver
//! to perform, after whatever commit the driver makes, and changes for
//! observers.

mod effect;
mod event;
mod machine;
mod signal;
mod state;

pub use state::{RunState, StepState, Timestamp, Wait};

pub(crate) use effect::{Action, Change, Effects};
pub(crate) use event::{Answer, AttemptEnd, Event, Recalled, Refused};
pub(crate) use machine::{ClosedSteps, Machine, StepView};
pub(crate) use signal::SignalId;

pub(crate) use crate::task::place::{FrameId, HeldStep, Key, Within};
