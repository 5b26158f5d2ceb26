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
        let map: std::collections::HashMap<u64, u64> = ids.iter().map(|id| (*id, *id)).collect();
        for value in map.values() {
            double(*value);
        }
        Ok(id)
    }
}

fn main() {}
