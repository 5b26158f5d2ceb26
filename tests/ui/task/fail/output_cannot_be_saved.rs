use workflow_runtime::task;

pub struct Report {
    pub total: u64,
}

#[task]
async fn plain() -> Report {
    Report { total: 1 }
}

#[task]
async fn fallible() -> Result<Report, std::io::Error> {
    Ok(Report { total: 1 })
}

#[task]
async fn aliased() -> std::io::Result<Vec<Report>> {
    Ok(vec![])
}

fn main() {}
