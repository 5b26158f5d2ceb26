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

struct Odd;

fn halved(number: u64) -> std::result::Result<u64, Odd> {
    if number % 2 == 0 { Ok(number / 2) } else { Err(Odd) }
}

workflow! {
    fn numbers(id: u64, ids: Vec<u64>) -> Result<u64> {
        let n = (halved)(id)?;
        Ok(n + ids[0])
    }
}

fn main() {}
