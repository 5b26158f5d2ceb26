use workflow_runtime::Resources;

pub struct Pool;

#[derive(Resources)]
pub struct App {
    pub orders: Pool,
    pub archive: Pool,
}

fn main() {}
