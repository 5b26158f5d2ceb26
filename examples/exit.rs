//! How an example ends.

use std::error::Error;
use std::process::ExitCode;

/// What a shell expects of a program that ctrl-c ended.
const INTERRUPTED: u8 = 130;

/// Says on stderr what went wrong, and gives the exit code: 0, 1 for an error,
/// 130 for a run that was cancelled, which in the examples ctrl-c does.
pub fn exit(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    match error.downcast_ref() {
        Some(workflow_runtime::Error::Cancelled { .. }) => ExitCode::from(INTERRUPTED),
        _ => ExitCode::FAILURE,
    }
}
