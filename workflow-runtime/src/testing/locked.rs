//! Workflows that must not change unnoticed.

use std::path::Path;

use crate::blueprint::{check_lock, lock_text};
use crate::task::definition::Graph;

/// Asserts that workflows mean what their lock file says: a file that is
/// committed beside the code. When a change would touch runs in flight, the
/// test fails, and says how.
///
/// Run with `WORKFLOW_LOCK=overwrite` in its environment, the test writes the
/// file instead.
///
/// ```no_run
/// # use workflow_runtime::{Result, task, workflow};
/// # #[task] async fn fetch(day: u32) -> u32 { day }
/// # workflow! { fn nightly(day: u32) -> Result<u32> { let page = fetch(day); Ok(page) } }
/// # /*
/// #[test]
/// # */
/// fn workflows_are_locked() {
///     let file = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows.lock");
///     workflow_runtime::testing::assert_locked(file, &[nightly::GRAPH]);
/// }
/// ```
///
/// # Panics
/// When a workflow means something else than the file says, and when the file
/// is missing, cannot be read or written, or is no lock file.
#[track_caller]
pub fn assert_locked(file: impl AsRef<Path>, workflows: &[&'static Graph]) {
    let overwrite = std::env::var_os("WORKFLOW_LOCK").is_some_and(|wanted| wanted == "overwrite");
    if let Err(problem) = locked(file.as_ref(), workflows, overwrite) {
        panic!("{problem}");
    }
}

fn locked(file: &Path, workflows: &[&'static Graph], overwrite: bool) -> Result<(), String> {
    let name = file.display();
    if overwrite {
        return std::fs::write(file, lock_text(workflows))
            .map_err(|error| format!("the lock file {name} cannot be written: {error}"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!(
            "there is no lock file {name}; run this test with WORKFLOW_LOCK=overwrite to write it, and commit it"
        ),
        _ => format!("the lock file {name} cannot be read: {error}"),
    })?;
    check_lock(&text, workflows).map_err(|problem| format!("{name}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::Blueprint;

    fn graph(version: u32) -> &'static Graph {
        let step = format!(
            r#"{{"name":"a","kind":{{"task":{{"task":{{"name":"fetch","version":{version}}}}}}},"fingerprint":"0"}}"#
        );
        let workflow = format!(r#"{{"name":"w","fingerprint":"0","regions":[{{"steps":[{step}]}}]}}"#);
        Blueprint::parse(&format!(r#"{{"format":1,"workflows":[{workflow}]}}"#)).unwrap().graph()
    }

    #[test]
    fn a_lock_file_is_written_and_then_holds() {
        let file = std::env::temp_dir().join(format!("workflows-{}.lock", std::process::id()));
        let missing = locked(&file, &[graph(1)], false).unwrap_err();
        assert!(missing.contains("there is no lock file") && missing.contains("WORKFLOW_LOCK=overwrite"));
        locked(&file, &[graph(1)], true).unwrap();
        locked(&file, &[graph(1)], false).unwrap();
        let changed = locked(&file, &[graph(2)], false).unwrap_err();
        assert!(changed.contains("~ w/a: calls `fetch` version 2 instead of 1"), "{changed}");
        std::fs::write(&file, "{}").unwrap();
        let foreign = locked(&file, &[graph(1)], false).unwrap_err();
        assert!(foreign.contains("this is not a lock file"), "{foreign}");
        std::fs::remove_file(&file).unwrap();
    }
}
