use workflow_runtime::task;

struct Bank;

impl Bank {
    #[task]
    async fn charge(&self, cents: u64) -> u64 {
        cents
    }
}

fn main() {}
