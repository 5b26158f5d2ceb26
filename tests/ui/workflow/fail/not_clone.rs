use workflow_runtime::{task, workflow};

#[derive(serde::Serialize, serde::Deserialize)]
struct Ticket;

#[task]
async fn issue() -> Ticket {
    Ticket
}

#[task]
async fn redeem(_ticket: Ticket) {}

workflow! {
    fn tickets() -> Result<()> {
        let ticket = issue();
        redeem(ticket);
        #[name = "again"]
        redeem(ticket);
        Ok(())
    }
}

fn main() {}
