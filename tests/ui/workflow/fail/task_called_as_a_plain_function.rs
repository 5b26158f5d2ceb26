//! Parentheses make no plain function of a task.

use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

mod tasks {
    use workflow_runtime::task;

    #[task(blocking)]
    pub fn double(number: u64) -> u64 {
        number * 2
    }
}

workflow! {
    #[schedule("0 2 * * *", first = u64::from([1, 2].map(|n| tasks::double(n)).len() == 1))]
    fn numbers(first: u64) -> Result<u64> {
        let ids = list();
        let doubled: Vec<u64> = ids.iter().map(|id| (tasks::double)(*id)).collect();
        let more = list();
        #[after(more)]
        list();
        Ok(first + doubled[0])
    }
}

fn main() {}
