use workflow_runtime::{Resources, RunsOn, task};

pub struct Bank;
pub struct Pool;

#[derive(Resources)]
pub struct App {
    pub db: Pool,
}

#[task]
async fn charge(#[resource] bank: &Bank) {
    let _ = bank;
}

fn runs_on<R: Resources, T: RunsOn<R>>() {}

fn main() {
    runs_on::<App, charge>();
}
