//! A schedule whose process dies at every commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

use super::evidence::Evidence;
use super::mortal::{Death, Mortal};
use crate::engine::EngineBuilder;
use crate::resources::Resources;
use crate::run::Timestamp;
use crate::store::Memory;

/// Lets an engine live from `begin` on for a time, once for every commit that
/// it makes there, has its process die at it, and goes on with another one.
/// `check` sees what is stored in the end. Returns how many processes died.
pub(crate) fn ticks_everywhere<R: Resources>(
    engine: impl Fn() -> EngineBuilder<R>,
    begin: Timestamp,
    lasting: Duration,
    check: &dyn Fn(&Memory),
) -> usize {
    let mut died = 0;
    for death in [Death::Before as fn(usize) -> Death, Death::Unheard] {
        for write in 1.. {
            let memory = Memory::new();
            let evidence = Arc::new(Evidence::default());
            let end = begin.after(lasting);
            let mut now = begin;
            let mut deaths = [death(write)].into_iter();
            let mut dead = 0;
            while now < end {
                let death = deaths.next().unwrap_or(Death::Never);
                let store = Arc::new(Mortal::new(memory.clone(), evidence.clone(), death));
                let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
                let runtime = runtime.expect("a runtime with one thread needs nothing that can be missing");
                now = runtime.block_on(async {
                    let anchor = Instant::now();
                    let witness = evidence.clone();
                    let witness = Arc::new(move |begun| witness.begun(begun));
                    let live = async {
                        // One that dies while it starts says so.
                        let engine = engine().under_test(store.clone(), now, witness).start().await;
                        tokio::time::sleep(end.since(now)).await;
                        drop(engine);
                    };
                    tokio::select! {
                        biased;
                        () = store.died() => dead += 1,
                        () = live => {}
                    }
                    now.after(anchor.elapsed())
                });
                drop(runtime);
                store.bury();
            }
            // The evidence is that of one run; here there are several.
            check(&memory);
            died += dead;
            if dead == 0 {
                break;
            }
        }
    }
    died
}
