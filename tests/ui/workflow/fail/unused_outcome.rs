#![deny(warnings)]
#![allow(dead_code)]


use workflow_runtime::{task, workflow};

#[task]
async fn fetch(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

workflow! {
    fn pages(id: u64) -> Result<u64> {
        fetch(id);
        Ok(id)
    }
}

fn main() {}
