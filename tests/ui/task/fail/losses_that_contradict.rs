use workflow_runtime::task;

#[task(at_most_once, losses = 3)]
async fn wire() {}

#[task(losses = 100000)]
async fn load() {}

#[task(losses = "3")]
async fn save() {}

#[task(losses)]
async fn send() {}

fn main() {}
