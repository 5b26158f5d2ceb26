//! Lock files.

use workflow_runtime::blueprint::{LockProblem, check_lock, lock_text};
use workflow_runtime::definition::Graph;

use super::days::*;
use super::since_monday;

#[test]
fn a_lock_file_has_a_line_for_each_step() {
    let text = lock_text(&[soft::w::GRAPH, small::renamed::w::GRAPH]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 21, "{text}");
    assert_eq!(
        lines[..5],
        ["{", "  \"format\": 1,", "  \"workflows\": [", "    {", "      \"workflow\": \"w\","]
    );
    assert!(
        lines[7]
            .starts_with(r#"        {"step":"w/a","kind":"task","names":"may_fail","version":1,"written":"#)
    );
}

#[test]
fn what_is_no_part_of_the_meaning_is_not_locked() {
    let text = lock_text(&[monday::nightly::GRAPH, review::GRAPH]);
    assert_eq!(text, lock_text(&[review::GRAPH, policy::nightly::GRAPH]));
    check_lock(&text, &[monday::nightly::GRAPH, review::GRAPH]).unwrap();
    check_lock(&text, &[policy::nightly::GRAPH, review::GRAPH]).unwrap();
}

fn changed(old: &[&'static Graph], new: &[&'static Graph]) -> String {
    match check_lock(&lock_text(old), new) {
        Err(LockProblem::Changed(changes)) => changes.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_is_told_with_what_it_means() {
    let words = changed(&[soft::hard::w::GRAPH, review::GRAPH], &[soft::w::GRAPH, monday::nightly::GRAPH]);
    assert_eq!(
        words,
        "workflows have changed since the lock file was written:\n\
         \n\
         w\n  \
         ~ w/a: has a failure that is a value, and failed the run before\n  \
         ~ w/b: calls `take` instead of `price`\n  \
         ~ w/b: needs `a`, which has changed\n  \
         ~ w/notify: is not `#[always]` any more\n  \
         a run in flight is blocked if `w/a` or one of 2 others has finished in it, and goes on by itself \
         otherwise\n\
         \n\
         nightly is new: no run of it is in flight\n\
         \n\
         review is gone: its runs in flight wait for a program that has it\n\
         \n\
         if that is meant, write the lock file anew: with `lock` on the program's command line, or by running \
         this test with WORKFLOW_LOCK=overwrite"
    );
}

#[test]
fn a_lock_tells_what_a_comparison_tells() {
    for new in
        [version::nightly::GRAPH, tuesday::nightly::GRAPH, child::nightly::GRAPH, parameters::nightly::GRAPH]
    {
        let words = changed(&[monday::nightly::GRAPH], &[new]);
        for line in since_monday(new).to_string().lines() {
            assert!(words.contains(line), "`{line}` is not in:\n{words}");
        }
    }
}

#[test]
fn a_text_that_is_no_lock_file_is_refused() {
    for text in ["", "[]", r#"{"format": 1}"#] {
        assert!(matches!(check_lock(text, &[]), Err(LockProblem::Foreign(_))), "{text}");
    }
    let newer = check_lock(r#"{"format": 9, "workflows": []}"#, &[]).unwrap_err();
    assert!(newer.to_string().contains("use a newer version"), "{newer}");
}
