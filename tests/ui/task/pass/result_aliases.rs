//! A `Result` by any path is one.

use std::{fmt, io};

use workflow_runtime::{StepError, Task, task};

type Result<T, E = io::Error> = std::result::Result<T, E>;

#[task]
async fn io_alias() -> io::Result<u8> {
    Ok(1)
}

#[task]
async fn fmt_alias() -> fmt::Result {
    Ok(())
}

#[task]
async fn own_alias() -> Result<u8> {
    Ok(1)
}

#[task]
async fn full_path() -> ::std::result::Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    Ok(1)
}

/// Not the outermost: a value like any other.
#[task]
async fn results(earlier: Result<u8, StepError>) -> Vec<Result<u8, StepError>> {
    vec![earlier]
}

fn main() {
    assert!(<io_alias as Task>::DEF.fallible);
    assert!(<fmt_alias as Task>::DEF.fallible);
    assert!(<own_alias as Task>::DEF.fallible);
    assert!(<full_path as Task>::DEF.fallible);
    assert!(!<results as Task>::DEF.fallible);
}
