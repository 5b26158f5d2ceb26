use workflow_runtime::{task, workflow};

#[derive(serde::Serialize, serde::Deserialize)]
struct Ticket;

#[task]
async fn issue() -> (Ticket, u64) {
    (Ticket, 1)
}

#[task]
async fn redeem(_ticket: Ticket) {}

workflow! {
    fn tickets() -> Result<()> {
        let pair = issue();
        redeem(pair.0);
        Ok(())
    }
}

fn main() {}
