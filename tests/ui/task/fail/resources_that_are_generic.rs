use workflow_runtime::Resources;

#[derive(Resources)]
pub struct App<T> {
    pub pool: T,
}

fn main() {}
