use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn sort(all: &Vec<u64>) {
    let _ = all;
}

workflow! {
    fn numbers() -> Result<Vec<u64>> {
        let mut all = list();
        sort(&mut all);
        Ok(all)
    }
}

fn main() {}
