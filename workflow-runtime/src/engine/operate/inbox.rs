//! Requests that other processes have left in the store: looked for now and
//! then, done in order, and answered. Another thread sees what keeps the store
//! from being written.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::engine::operate::perform;
use crate::engine::operate::request_record::answer;
use crate::engine::registry::Registry;
use crate::engine::shared::Core;
use crate::error::{Error, Result};
use crate::operation::{By, ExactOperation};
use crate::store::{StoreError, StoredRequest};

/// How often the store is asked whether another process has written to it.
const EVERY: Duration = Duration::from_millis(200);

/// Starts to look after the store, for as long as the engine is there: for
/// requests, where the engine does what they want, and for what keeps it from
/// being written.
///
/// On a thread of its own, which sleeps in real time: what another process
/// does has nothing to do with the engine's clock, which a test may steer.
pub(crate) fn watch(core: &Arc<Core>, registry: &Arc<Registry>) -> io::Result<()> {
    let (core_there, registry_there) = (Arc::downgrade(core), Arc::downgrade(registry));
    let thread = std::thread::Builder::new().name("workflow-requests".to_owned());
    thread.spawn(move || look(&core_there, &registry_there))?;
    // Not the same one, which waits for the store while it sees to a request.
    let (core_there, registry_there) = (Arc::downgrade(core), Arc::downgrade(registry));
    let thread = std::thread::Builder::new().name("workflow-health".to_owned());
    thread.spawn(move || look_after(&core_there, &registry_there)).map(drop)
}

/// Sees what keeps the store from being written.
fn look_after(core: &Weak<Core>, registry: &Weak<Registry>) {
    loop {
        {
            let (Some(core), Some(registry)) = (core.upgrade(), registry.upgrade()) else { return };
            let Some(store) = core.store.as_ref().filter(|_| !registry.is_closed()) else { return };
            core.health.look(&registry, store.trouble());
        }
        std::thread::sleep(EVERY);
    }
}

fn look(core: &Weak<Core>, registry: &Weak<Registry>) {
    let mut seen = None;
    let (waits, failed) = (Arc::new(Waits::default()), Arc::new(AtomicBool::new(false)));
    loop {
        {
            let (Some(core), Some(registry)) = (core.upgrade(), registry.upgrade()) else { return };
            let Some(store) = &core.store else { return };
            if failed.swap(false, Ordering::AcqRel) {
                seen = None;
            }
            match store.foreign_writes() {
                Ok(_) if !core.mode.works() => {}
                Ok(now) if seen != Some(now) => {
                    seen = Some(now);
                    let (failed, waits) = (failed.clone(), waits.clone());
                    let (runtime, steered) = (core.runtime.clone(), core.clock.is_steered());
                    let see_to_them = async move {
                        let seen_to = see_to_all(&core, &registry).await;
                        failed.store(seen_to.is_err(), Ordering::Release);
                        waits.tell(seen_to);
                    };
                    if steered {
                        // Its clock must not go on meanwhile.
                        drop(runtime.spawn(see_to_them));
                    } else {
                        // Here, since every thread of the runtime may be held by
                        // what an operator wants to cancel.
                        runtime.block_on(see_to_them);
                    }
                }
                Ok(_) => {}
                // And with it the engine.
                Err(StoreError::Closed) => return,
                Err(error @ StoreError::Gone { .. }) => return registry.lose(&error),
                Err(error) => waits.tell(Err(error.into())),
            }
        }
        std::thread::sleep(EVERY);
    }
}

/// Whether it was told that requests wait: once, and not whenever the store is
/// asked again.
#[derive(Default)]
struct Waits(AtomicBool);

impl Waits {
    fn tell(&self, seen_to: Result<()>) {
        let told = self.0.swap(seen_to.is_err(), Ordering::AcqRel);
        match seen_to {
            Err(error) if !told => tracing::warn!(%error, "requests of other processes wait"),
            Ok(()) if told => tracing::info!("requests of other processes are seen to again"),
            _ => {}
        }
    }
}

/// Does what is wanted and not done yet. What was done is answered by the same
/// commit, so a process that died has left nothing that would be done twice;
/// here the rest is answered: what was refused, or done already.
pub(crate) async fn see_to_all(core: &Arc<Core>, registry: &Arc<Registry>) -> Result<()> {
    let Some(store) = core.store.clone() else { return Ok(()) };
    let _alone = core.operating.lock().await;
    let asked = store.clone();
    for asked in core.blocking(move || asked.open_requests()).await? {
        let number = asked.number;
        match see_to(core, registry, asked).await {
            // This engine has not seen to it: the next one does.
            Err(Error::ShutDown | Error::Store(StoreError::Closed)) => return Ok(()),
            // The next look finds it again.
            Err(error) if error.may_pass() => return Err(error),
            result => answer(core, &store, number, &result).await?,
        }
    }
    Ok(())
}

/// Does what one of them wants, and answers it. `None` where that is done already.
#[cfg(feature = "app")]
pub(crate) async fn see_to_one(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    number: i64,
) -> Result<Option<Result<String>>> {
    let store = core.store.clone().ok_or(Error::ShutDown)?;
    let _alone = core.operating.lock().await;
    let asked = store.clone();
    let open = core.blocking(move || asked.open_requests()).await?;
    let Some(asked) = open.into_iter().find(|open| open.number == number) else { return Ok(None) };
    let result = see_to(core, registry, asked).await;
    answer(core, &store, number, &result).await?;
    Ok(Some(result))
}

async fn see_to(core: &Arc<Core>, registry: &Arc<Registry>, asked: StoredRequest) -> Result<String> {
    let StoredRequest { number, request, .. } = asked;
    let by = By { actor: request.actor, reason: request.reason }.bounded();
    match serde_json::from_str::<ExactOperation>(&request.operation) {
        Ok(operation) => perform(core, registry, request.run.as_deref(), operation, by, Some(number)).await,
        Err(error) => Err(Error::Refused {
            id: request.run.unwrap_or_default(),
            reason: format!("was asked for something that this program does not know: {error}"),
        }),
    }
}
