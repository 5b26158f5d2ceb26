use workflow_runtime::workflow;

workflow! {
    fn nothing() -> Result<()> {}
}

fn main() {}
