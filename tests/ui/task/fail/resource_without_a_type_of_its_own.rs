use workflow_runtime::task;

pub trait Mail: Send + Sync {}

#[task]
async fn send(#[resource] mail: &dyn Mail) {
    let _ = mail;
}

fn main() {}
