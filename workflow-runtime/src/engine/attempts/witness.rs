//! Attempts as the test kit hears of them when they begin.

use std::sync::Arc;

use crate::engine::attempts::attempt::{Attempt, Given};
use crate::engine::attempts::worker::Goal;
use crate::engine::instance::RunHost;
use crate::task::context::Context;
use crate::task::place::Key;

/// Who hears of attempts as they begin.
pub(crate) type Witness = Arc<dyn Fn(Begun) + Send + Sync>;

/// An attempt that begins.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The id of its run.
    pub(crate) run: String,
    pub(crate) step: String,
    /// The paths of the steps that it needs.
    pub(crate) needs: Vec<String>,
    pub(crate) attempt: u32,
    pub(crate) undo: bool,
    pub(crate) idempotency_key: String,
}

impl Attempt {
    /// Tells the test kit of it.
    pub(super) fn witness(&self, host: &RunHost, given: &Given) {
        if let (Some(witness), true) = (&host.core.witness, self.goal != Goal::Reconcile) {
            witness(host.begun(self.key, given.env.context()));
        }
    }
}

impl RunHost {
    /// The attempt, for the test kit.
    fn begun(&self, key: Key, context: &Context) -> Begun {
        let inner = self.lock();
        let needs = inner.run.frames.step(key).map(|(frame, step)| {
            let needs = step.needs.iter();
            needs.map(|need| frame.scope.path(*need)).collect()
        });
        drop(inner);
        Begun {
            run: self.id.clone(),
            step: context.step(),
            needs: needs.unwrap_or_default(),
            attempt: context.attempt(),
            undo: context.is_undo(),
            idempotency_key: context.idempotency_key(),
        }
    }
}
