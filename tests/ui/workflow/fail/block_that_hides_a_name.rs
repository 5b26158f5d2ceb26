use workflow_runtime::{task, workflow};

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Parcel {
    grams: u64,
}

#[task]
async fn weigh(id: u64) -> std::io::Result<Parcel> {
    Ok(Parcel { grams: id })
}

#[task]
async fn double(number: u64) -> u64 {
    number * 2
}

workflow! {
    fn numbers(id: u64, ids: Vec<u64>) -> Result<u64> {
        let n = double(id);
        let m = { let n = double(3); n + 1 };
        Ok(n + m + ids[0])
    }
}

fn main() {}
