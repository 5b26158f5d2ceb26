use workflow_runtime::workflow;

workflow! {
    fn pages(id: u64) -> Result<String> {
        let page = tasks::fetch(id)?;
        Ok(page)
    }
}

fn main() {}
