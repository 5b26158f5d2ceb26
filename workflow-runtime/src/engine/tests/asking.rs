//! What the command line asks of an engine, by a workflow's name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::support::{self, *};
use crate::engine::Wanted;
use crate::error::Error;
use crate::exact::raw;
use crate::operation::By;
use crate::run::RunState;
use crate::store::{Answer, Layer, Memory, Store, StoreError};
use crate::task::definition::Yield;
use crate::testing::block_on;
use crate::{Engine, Workflow};

workflow!(plain, body(1, &[], Yield::Slot(0)));

/// A store that notes what is wanted, and not what became of it.
#[derive(Default)]
struct Forgetful(Memory);

impl Layer for Forgetful {
    fn below(&self) -> &dyn Store {
        &self.0
    }

    fn answer(&self, _: i64, _: Answer) -> Result<(), StoreError> {
        Err(StoreError::Other { message: "no answer is kept".to_owned() })
    }
}

fn wanted(shared: u64, key: Option<&str>) -> Wanted {
    Wanted {
        backfill: None,
        graph: plain::GRAPH,
        params: plain::with(shared).into_params(),
        json: BTreeMap::from([("shared".to_owned(), raw(&shared.into()))]),
        key: key.map(str::to_owned),
        by: By { actor: "ann".to_owned(), reason: None },
    }
}

#[test]
fn what_was_done_stands_though_its_note_fails() {
    block_on(async {
        let store = Arc::new(Forgetful::default());
        let engine = Engine::with_store(store.clone()).start().await.unwrap();
        let run = engine.start_with(wanted(7, None)).await.unwrap();
        run.wait().await;
        assert_eq!(run.state(), RunState::Succeeded);
        let created = engine.create_with(wanted(8, None)).await.unwrap();
        assert_eq!(store.0.find(&created).unwrap()[0].state, RunState::Queued);
    });
}

#[test]
fn a_run_that_is_only_created_has_its_key() {
    block_on(async {
        let engine = Engine::with_store(Arc::new(Memory::new())).start().await.unwrap();
        let first = engine.create_with(wanted(1, Some("daily"))).await.unwrap();
        assert_eq!(engine.create_with(wanted(1, Some("daily"))).await.unwrap(), first);
        let taken = engine.create_with(wanted(2, Some("daily"))).await.unwrap_err();
        assert!(matches!(taken, Error::KeyInUse { .. }), "{taken}");
        engine.shutdown().await;
        let late = engine.create_with(wanted(3, None)).await.unwrap_err();
        assert!(matches!(late, Error::ShutDown), "{late}");
    });
}
