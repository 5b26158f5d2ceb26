//! Keys of runs: a key names one workflow with one set of arguments, for ever.

use crate::error::{Error, Result};
use crate::operation::LONGEST_KEY;

/// Whether a text is short enough to be a key.
///
/// # Errors
/// [`Error::KeyTooLong`] when it is not.
pub(crate) fn fits(key: &str) -> Result<()> {
    match key.len() {
        bytes if bytes > LONGEST_KEY => {
            let begins = key.chars().take(20).collect();
            Err(Error::KeyTooLong { begins, bytes, most: LONGEST_KEY })
        }
        _ => Ok(()),
    }
}

/// Whether the run of `holder`, a workflow, that has a key is the one that was
/// asked for.
///
/// # Errors
/// [`Error::KeyInUse`] when it is not.
pub(crate) fn check(
    key: &str,
    holder: &str,
    same_workflow: bool,
    same_arguments: impl FnOnce() -> bool,
) -> Result<()> {
    let holder = match (same_workflow, same_workflow && same_arguments()) {
        (true, true) => return Ok(()),
        (true, false) => format!("a run of `{holder}` with other arguments"),
        (false, _) => format!("a run of workflow `{holder}`"),
    };
    Err(Error::KeyInUse { key: key.to_owned(), holder })
}
