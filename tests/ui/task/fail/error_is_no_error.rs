use workflow_runtime::task;

pub enum CardError {
    Declined,
}

#[task]
async fn charge() -> Result<u64, CardError> {
    Err(CardError::Declined)
}

fn main() {}
