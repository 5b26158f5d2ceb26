use workflow_runtime::{Engine, Resources, task, workflow};

struct Pool;

#[derive(Resources)]
struct App {
    name: String,
}

#[task]
async fn query(#[resource] _db: &Pool) -> std::io::Result<u64> {
    Ok(1)
}

fn main() {
    let app = App { name: String::new() };
    let _ = Engine::in_memory().resources(app).register::<numbers>();
}

workflow! {
    fn numbers() -> Result<u64> {
        let rows = query()?;
        Ok(rows)
    }
}
