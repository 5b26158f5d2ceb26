//! Starting runs: keys, and where it may happen.

use super::support::{self, *};
use crate::error::Error;
use crate::task::definition::Yield;
use crate::testing::block_on;

workflow!(
    echo,
    body(
        2,
        steps![step(
            "echo",
            &[],
            &[],
            1,
            use_of(&PLAIN, &[0], |env, _| {
                let value = *env.lend::<u64>(0);
                Box::pin(async move { ok(value) })
            })
        )],
        Yield::Slot(1)
    )
);

workflow!(other, body(1, &[], Yield::Slot(0)));

#[test]
fn a_key_names_one_run() {
    block_on(async {
        let engine = engine().await;
        let first = engine.start(echo::with(1_u64)).key("daily").await.unwrap();
        let again = engine.start(echo::with(1_u64)).key("daily").await.unwrap();
        assert_eq!(first.id(), again.id());
        assert_eq!((first.await.unwrap(), again.await.unwrap()), (1, 1));

        let ended = engine.start(echo::with(1_u64)).key("daily").await.unwrap();
        assert_eq!(ended.key(), Some("daily"));
        assert_eq!(ended.await.unwrap(), 1, "ended, and still the same run");
        let unnamed = engine.start(echo::with(1_u64)).await.unwrap();
        assert_eq!(unnamed.key(), None);
        assert_eq!(unnamed.await.unwrap(), 1);
    });
}

#[test]
fn a_key_is_not_shared() {
    block_on(async {
        let engine = engine().await;
        let holder = engine.start(echo::with(1_u64)).key("daily").await.unwrap();
        holder.wait().await;
        let words = |result: Result<_, Error>| match result {
            Err(error @ Error::KeyInUse { .. }) => error.to_string(),
            Err(error) => panic!("{error}"),
            Ok(()) => panic!("the key was given twice"),
        };
        let arguments = engine.start(echo::with(2_u64)).key("daily").await.map(drop);
        assert!(words(arguments).contains("a run of `echo` with other arguments"));
        let workflow = engine.start(other::with(1_u64)).key("daily").await.map(drop);
        assert!(words(workflow).contains("a run of workflow `echo`"));
    });
}

#[test]
fn everything_can_be_spawned() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    block_on(async {
        let engine = builder().register::<echo>().start().await.unwrap();
        let spawned = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.start(echo::with(1_u64)).key("k").await })
        };
        let run = spawned.await.unwrap().unwrap();
        let waiting = run.clone();
        tokio::spawn(async move { waiting.wait().await }).await.unwrap();
        let (watched, mut events) = (run.clone(), run.events());
        tokio::spawn(async move { events.next().await }).await.unwrap();
        drop(tokio::spawn(async move { watched.cancel().await }));
        assert_eq!(tokio::spawn(run.into_future()).await.unwrap().unwrap(), 1);
        is_send(engine.shutdown()).await;
    });
}

#[test]
fn a_result_that_is_not_clone_can_be_awaited_by_many() {
    block_on(async {
        let run = engine().await.start(echo::with(5_u64)).await.unwrap();
        let (one, two) = (run.clone(), run);
        assert_eq!((one.await.unwrap(), two.await.unwrap()), (5, 5));
    });
}
