use workflow_runtime::Resources;

#[derive(Resources)]
pub enum App {
    One(u64),
    Two(u32),
}

fn main() {}
