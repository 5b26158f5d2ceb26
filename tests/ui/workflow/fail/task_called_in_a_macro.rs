//! A task that is called in the arguments of a macro would never run.

use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[task]
async fn weigh(id: u64) -> std::io::Result<u64> {
    Ok(id)
}

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

#[allow(unused_macros)]
macro_rules! foreign {
    ($($tokens:tt)*) => {
        3
    };
}

workflow! {
    fn numbers(id: u64) -> Result<u64> {
        let text = format!("{:?}", double(id).type_id());
        let size = vec![double(id), double(2)].len();
        let found = foreign!(double(id) => 3);
        let other = foreign!(tasks::double(id); then id.pow(2), u64::from(3u8), std::cmp::max(1, 2));
        assert!(matches!(double(id), _));
        Ok((text.len() + size + found + other) as u64)
    }
}

fn main() {}
