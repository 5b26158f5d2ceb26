//! What operators want, as the store keeps it: noted before it is done, and
//! answered when it is.

use std::sync::Arc;

use tokio::sync::MutexGuard;

use crate::engine::shared::Core;
use crate::error::Result;
use crate::operation::{By, ExactOperation};
use crate::store::{Answer, Request, Store};

/// A request of this process that is about to be done. Until it is answered
/// nothing else is done, and requests are not looked for: what is noted here
/// is done here.
pub(crate) struct Noted<'a> {
    core: &'a Core,
    store: &'a Arc<dyn Store>,
    /// The request's.
    pub(crate) number: i64,
    _alone: MutexGuard<'a, ()>,
}

impl<'a> Noted<'a> {
    /// Notes who wants what.
    pub(crate) async fn of(
        core: &'a Core,
        store: &'a Arc<dyn Store>,
        run: Option<&str>,
        operation: &ExactOperation,
        by: &By,
    ) -> Result<Self> {
        let alone = core.operating.lock().await;
        let request = Request {
            run: run.map(str::to_owned),
            operation: serde_json::to_string(operation).unwrap_or_default(),
            actor: by.actor.clone(),
            reason: by.reason.clone(),
            at: core.clock.now(),
        };
        let asked = store.clone();
        let number = core.blocking(move || asked.request(request)).await?;
        Ok(Self { core, store, number, _alone: alone })
    }

    /// Notes what became of it: the run that it was done to. What was done is
    /// answered with its commit already, so it stands though this fails.
    pub(crate) async fn answer(self, result: &Result<String>) {
        if let Err(error) = answer(self.core, self.store, self.number, result).await {
            tracing::warn!(%error, request = self.number, "what became of a request is not noted");
        }
    }
}

/// Notes what became of a request.
pub(crate) async fn answer(
    core: &Core,
    store: &Arc<dyn Store>,
    number: i64,
    result: &Result<String>,
) -> Result<()> {
    let result = result.clone().map_err(|error| error.to_string());
    let (store, answer) = (store.clone(), Answer { at: core.clock.now(), result });
    core.blocking(move || store.answer(number, answer)).await
}
