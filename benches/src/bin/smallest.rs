//! A program with one durable workflow, to see how large it gets.

use workflow_runtime::{Engine, Result, task, workflow};

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn doubled(number: u64) -> Result<u64> {
        let result = double(number);
        Ok(result)
    }
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let engine = Engine::open("smallest.db").start().await?;
        println!("{}", engine.start(doubled(21)).await?.await?);
        engine.shutdown().await;
        Ok(())
    })
}
