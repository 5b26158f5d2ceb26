//! Differences, step by step and in words.

use workflow_runtime::blueprint::{Blueprint, Difference, compare};
use workflow_runtime::workflow;

use super::days::*;
use super::{between, since_monday};

#[test]
fn a_workflow_comes_back_from_its_blueprint() {
    let graphs = [
        monday::nightly::GRAPH,
        policy::nightly::GRAPH,
        tuesday::nightly::GRAPH,
        soft::w::GRAPH,
        soft::hard::w::GRAPH,
    ];
    for graph in graphs {
        let blueprint = Blueprint::of(graph);
        let again = Blueprint::parse(&blueprint.to_json()).unwrap();
        assert_eq!(again, blueprint);
        assert_eq!(Blueprint::of(again.graph()), blueprint);
        assert_eq!(again.graph().mermaid(), graph.mermaid());
        assert_eq!(compare(&blueprint, &again).to_string(), "nothing has changed");
    }
}

#[test]
fn policies_are_told_and_mean_nothing() {
    let comparison = since_monday(policy::nightly::GRAPH);
    assert!(comparison.is_same());
    assert_eq!(
        comparison.to_string(),
        "= nightly: schedule `0 2 * * *` in UTC, missed = latest, overlap = queue instead of none\n\
         = nightly/orders: attempts 5 instead of 1\n\
         = nightly/orders: backoff fixed 1s instead of none\n\
         = nightly/orders: jitter 0 instead of none\n\
         = nightly/priced: limit 9 instead of 8\n\
         = nightly/priced/discount: timeout 1m30s instead of none"
    );
}

#[test]
fn a_version_changes_what_depends_on_it() {
    let comparison = since_monday(version::nightly::GRAPH);
    assert!(!comparison.is_same());
    assert_eq!(
        comparison.to_string(),
        "~ nightly/priced/quote: calls `price` version 2 instead of 1\n\
         ~ nightly/priced/discount: needs `quote`, which has changed\n\
         ~ nightly/report: needs `priced`, which has changed\n\
         ~ nightly/verdict: needs `report`, which has changed\n\
         ~ nightly/verdict[then]/review: lies in `verdict`, which has changed\n\
         ~ nightly/verdict[then]/review/first: lies in `review`, which has changed\n\
         ~ nightly/verdict[then]/review/verdict: lies in `review`, which has changed\n\
         ~ nightly/verdict[else]/ask: lies in `verdict`, which has changed\n\
         ~ nightly/out: needs `report`, which has changed\n\
         ~ nightly/out: needs `verdict`, which has changed"
    );
    assert_ne!(Blueprint::of(monday::nightly::GRAPH).hash(), Blueprint::of(version::nightly::GRAPH).hash());
}

#[test]
fn steps_are_added_removed_and_given_other_arguments() {
    let comparison = since_monday(tuesday::nightly::GRAPH).to_string();
    for line in [
        "~ nightly/orders: is given other arguments, or what it calls by another path",
        "~ nightly/priced: needs `orders`, which has changed",
        "~ nightly/priced/quote: lies in `priced`, which has changed",
        "+ nightly/priced/check: is new",
        "+ nightly/summary: is new",
        "- nightly/report: is gone",
        "+ nightly/notified: is new",
        "- nightly/notify: is gone",
        "~ nightly/out: needs `summary` too",
        "~ nightly/out: needs `notified` too",
        "~ nightly/out: does not need `report` any more",
    ] {
        assert!(comparison.lines().any(|found| found == line), "`{line}` is not in:\n{comparison}");
    }
    assert!(!comparison.contains("timed"), "what nothing touches is not told:\n{comparison}");
}

#[test]
fn changes_within_a_child_are_followed_through() {
    let comparison = since_monday(child::nightly::GRAPH);
    let words = comparison.to_string();
    let first = "~ nightly/verdict[then]/review/first: calls `ask_twice` instead of `ask`";
    assert_eq!(words.lines().next(), Some(first), "{words}");
    // It is asked the same; what it answers, and what needs that, is not.
    let review = comparison.step("nightly/verdict[then]/review").unwrap();
    assert_eq!(review.difference, Difference::Unchanged);
    assert!(words.contains("~ nightly/out: needs `verdict`, which has changed"), "{words}");
}

#[test]
fn how_a_step_fails_and_when_it_runs_are_part_of_its_meaning() {
    let words = between(soft::hard::w::GRAPH, soft::w::GRAPH).to_string();
    assert!(words.contains("~ w/a: has a failure that is a value, and failed the run before"), "{words}");
    assert!(words.contains("~ w/b: calls `take` instead of `price`"), "{words}");
    assert!(words.contains("~ w/notify: is not `#[always]` any more"), "{words}");
    let back = between(soft::w::GRAPH, soft::hard::w::GRAPH).to_string();
    assert!(back.contains("~ w/a: fails the run when it fails"), "{back}");
}

/// What a `while` does in one turn is what the next one begins with.
#[test]
fn a_step_that_is_new_in_a_loop_changes_all_that_lies_in_it() {
    mod before {
        use super::*;
        workflow! {
            pub fn w(n: u32) -> Result<u32> {
                let mut total = n;
                #[limit(9)]
                while total < 9 {
                    let quote = price(total);
                    total = discount(quote);
                }
                Ok(total)
            }
        }
    }
    mod after {
        use super::*;
        workflow! {
            pub fn w(n: u32) -> Result<u32> {
                let mut total = n;
                #[limit(9)]
                while total < 9 {
                    let quote = price(total);
                    total = discount(quote);
                    notify(quote);
                }
                Ok(total)
            }
        }
    }
    let words = between(before::w::GRAPH, after::w::GRAPH).to_string();
    assert!(words.contains("~ w/while: does something else in its turns"), "{words}");
    assert!(words.contains("~ w/while/quote: lies in `while`, which has changed"), "{words}");
    assert!(words.contains("+ w/while/notify: is new"), "{words}");
}

/// It comes after all others of its region.
#[test]
fn an_always_step_changes_with_the_others_of_its_region() {
    mod after {
        use super::soft::may_fail;
        use super::*;
        workflow! {
            pub fn w(day: u32) -> Result<u32> {
                let a = may_fail(day)?;
                let b = price(a);
                let c = discount(b);
                #[always]
                notify(day);
                Ok(c)
            }
        }
    }
    let words = between(soft::hard::w::GRAPH, after::w::GRAPH).to_string();
    let lines: Vec<_> = words.lines().collect();
    assert_eq!(
        lines,
        ["+ w/c: is new", "~ w/notify: is `#[always]`, and other steps of its region have changed"]
    );
}
