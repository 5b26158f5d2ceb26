use workflow_runtime::workflow;

workflow! {
    struct Numbers;
}

fn main() {}
