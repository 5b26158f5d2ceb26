use workflow_runtime::{task, workflow};

#[task]
async fn list() -> Vec<u64> {
    vec![1, 2]
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Ticket;

#[task]
async fn issue() -> Ticket {
    Ticket
}

#[task]
async fn redeem(_ticket: Ticket, _number: u64) {}

workflow! {
    fn tickets() -> Result<()> {
        let ticket = issue();
        let all = list();
        for number in all {
            redeem(ticket, number);
        }
        Ok(())
    }
}

fn main() {}
