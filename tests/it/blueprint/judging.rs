//! Whether a run in flight goes on by itself.

use workflow_runtime::blueprint::{Blueprint, Progress, Verdict, compare};
use workflow_runtime::definition::Graph;

use super::days::*;
use super::{between, since_monday};

/// The verdict where exactly these steps have finished.
fn verdict(new: &'static Graph, finished: &[&str]) -> Verdict {
    Verdict::of(&since_monday(new), |path| match finished.contains(&path) {
        true => Progress::FINISHED,
        false => Progress::NOT_BEGUN,
    })
}

#[test]
fn unchanged_steps_and_policies_do_not_block() {
    let all = Blueprint::of(monday::nightly::GRAPH);
    let comparison = compare(&all, &Blueprint::of(policy::nightly::GRAPH));
    assert!(Verdict::of(&comparison, |_| Progress::FINISHED).goes_on());
    let verdict = verdict(version::nightly::GRAPH, &["nightly/orders"]);
    assert!(verdict.goes_on(), "{verdict}");
    assert!(verdict.anew.contains(&"nightly/priced/quote".to_owned()));
}

#[test]
fn a_finished_step_that_changed_blocks() {
    let blocked = verdict(version::nightly::GRAPH, &["nightly/orders", "nightly/priced/quote"]);
    assert_eq!(
        blocked.to_string(),
        "its workflow has changed: step `nightly/priced/quote` has finished, and now calls `price` version 2 \
         instead of 1; `adopt` goes on and keeps every result whose step still has its path, `rerun` starts a \
         new run, `cancel` ends this one"
    );
    // One item of many is enough.
    let partly = Verdict::of(&since_monday(version::nightly::GRAPH), |path| Progress {
        kept: path == "nightly/priced/quote",
        open: true,
    });
    assert_eq!(partly.obstacles.len(), 1);
}

/// A step that is new within a `for` changes what came out of it.
#[test]
fn what_needed_a_region_blocks_when_its_inside_has_changed() {
    let blocked = verdict(version::nightly::GRAPH, &["nightly/orders", "nightly/report"]);
    let paths: Vec<_> = blocked.obstacles.iter().filter_map(|found| found.path.as_deref()).collect();
    assert_eq!(paths, ["nightly/report"]);
}

#[test]
fn a_finished_step_that_is_gone_blocks_while_something_needs_it() {
    let changed = verdict(tuesday::nightly::GRAPH, &["nightly/report"]);
    assert_eq!(changed.obstacles.len(), 1);
    let reason = &changed.obstacles[0].reason;
    assert_eq!(
        reason,
        "step `nightly/report` has finished, and is gone, though `nightly/verdict` still needs it; has it \
         another name now?"
    );
}

#[test]
fn a_finished_step_that_would_run_again_under_another_name_blocks() {
    let changed = verdict(tuesday::nightly::GRAPH, &["nightly/notify"]);
    assert_eq!(
        changed.obstacles[0].reason,
        "step `nightly/notify` has finished, and is gone, while `nightly/notified` is new and does the same; \
         is that its new name?"
    );
}

#[test]
fn a_finished_step_whose_value_is_the_result_blocks_when_it_is_gone() {
    let comparison = between(small::w::GRAPH, small::renamed::w::GRAPH);
    let verdict = Verdict::of(&comparison, |_| Progress::FINISHED);
    let reasons: Vec<_> = verdict.obstacles.iter().map(|found| &*found.reason).collect();
    assert_eq!(
        reasons,
        [
            "step `w/out` has finished, and is gone, though the workflow's result is made of it; has it another \
          name now?"
        ]
    );
}

#[test]
fn a_finished_step_of_another_kind_blocks() {
    let verdict = verdict(parameters::nightly::GRAPH, &["nightly/out"]);
    let reason = "step `nightly/out` has finished, and now is a signal and was a task";
    assert!(verdict.obstacles.iter().any(|found| found.reason == reason), "{verdict}");
}

#[test]
fn other_parameters_block() {
    let verdict = verdict(parameters::nightly::GRAPH, &[]);
    assert_eq!(verdict.obstacles.len(), 1);
    assert_eq!(verdict.obstacles[0].reason, "`nightly` takes (day: u64) instead of (day: u32)");
}
