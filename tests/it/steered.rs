//! A test's steered clock beside a store that takes real time.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use workflow_runtime::{Engine, Result, task, testing, workflow};

#[task]
async fn next(n: u64) -> u64 {
    n + 1
}

workflow! {
    fn counted(n: u64) -> Result<u64> {
        let a = next(n);
        let b = next(a);
        let c = next(b);
        Ok(c)
    }
}

#[test]
fn the_clock_waits_for_the_disk() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("steered").join("runs.db");
    let _ = std::fs::remove_dir_all(path.parent().unwrap());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    testing::block_on(async {
        let engine = Engine::open(&path).start().await.unwrap();
        // Something that the clock would jump to.
        let far = tokio::spawn(sleep(Duration::from_secs(60 * 60)));
        let begun = Instant::now();
        assert_eq!(engine.start(counted(1)).await.unwrap().await.unwrap(), 4);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        far.await.unwrap();
        engine.shutdown().await;
    });
}
