//! Runs that sleep, at the moment when they are let go of.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::support::{self, *};
use crate::Engine;
use crate::run::RunState;
use crate::store::Memory;
use crate::task::definition::{Kind, Until, Yield};
use crate::testing::block_on;

workflow!(
    naps,
    body(
        2,
        steps![step("pause", &[], &[], 1, Kind::Sleep(expr(&[], |_| Until::After(seconds(60)))))],
        Yield::Slot(0)
    )
);

/// Its timer may be on the way to it, and would go on with a run that another
/// reader has taken up.
#[test]
fn a_run_whose_time_has_come_is_not_let_go_of() {
    block_on(async {
        let engine = Engine::with_store(Arc::new(Memory::new())).start().await.unwrap();
        let run = engine.start(naps::with(1_u64)).await.unwrap();
        let id = run.id().to_owned();
        let held = engine.registry().find(&id).unwrap();
        drop(run);
        // The engine has given up letting go of it, since it is held here.
        tokio::time::sleep(seconds(5)).await;
        assert!(held.is_asleep(&held.lock()));
        // Time passes, and nothing has happened yet.
        let mut passes = pin!(tokio::time::advance(seconds(60)));
        poll_fn(|cx| {
            let _ = passes.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
        let Err(held) = engine.registry().leave(held) else { panic!("its timer is due") };
        drop(held);
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(engine.run(&id).await.unwrap().state(), RunState::Succeeded);
    });
}
