use std::time::{Duration, SystemTime};

use workflow_runtime::{task, workflow};

#[task]
async fn wait(_seconds: u64, _path: String) {}

workflow! {
    fn clocks() -> Result<()> {
        let begun = std::time::Instant::now();
        wait(begun.elapsed().as_secs(), std::env::var("HOME").unwrap());
        // A time to wait for is found out once, and stored.
        sleep_until(SystemTime::now() + Duration::from_secs(1));
        Ok(())
    }
}

fn main() {}
