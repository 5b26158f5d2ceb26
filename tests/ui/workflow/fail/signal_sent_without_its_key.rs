use workflow_runtime::{Run, workflow};

workflow! {
    fn nightly(order: u64) -> Result<bool> {
        let verdict = signal::<bool>("approval").keyed(order);
        Ok(verdict)
    }
}

async fn approve(run: Run<bool>) {
    let _ = run.signal(nightly::approval, true).await;
}

fn main() {}
