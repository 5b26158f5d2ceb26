//! Rule 4: `for` runs a region once per item.

use support::tasks::*;
use support::{STEP_SUCCEEDED, drive, run, seconds};
use workflow_runtime::run::StepState;
use workflow_runtime::{Cause, Run, StepError, task, workflow};

workflow! {
    fn all_items(items: Vec<u64>) -> Result<Vec<u64>> {
        let results = for item in items {
            let waited = slow(item, item);
            double(waited)
        };
        Ok(results)
    }
}

#[test]
fn the_items_run_in_parallel_and_the_results_keep_their_order() {
    let ran = run(all_items(vec![9, 2, 5]));
    assert_eq!(*ran.value(), [18, 4, 10]);
    assert_eq!(ran.took(), seconds(9));
    assert_eq!(ran.most_at_once(|path| path.ends_with("/waited")), 3);
}

#[test]
fn no_items_give_no_results() {
    let ran = run(all_items(vec![]));
    assert!(ran.value().is_empty());
    ran.assert_state("all_items/results", STEP_SUCCEEDED);
}

workflow! {
    fn limited(items: Vec<u64>) -> Result<u64> {
        #[limit(3)]
        let results = for item in items {
            let waited = slow(item, 10);
            slow(waited, 1)
        };
        let total = sum(&results);
        Ok(total)
    }
}

#[test]
fn a_limit_bounds_how_many_items_are_under_way() {
    // The whole region counts, and not only one of its steps.
    for (count, rounds) in [(1_u64, 1), (3, 1), (4, 2), (10, 4)] {
        let ran = run(limited((0..count).collect()));
        assert_eq!(*ran.value(), (0..count).sum::<u64>());
        assert_eq!(ran.most_at_once(|path| path.contains("]/")), usize::try_from(count.min(3)).unwrap());
        assert_eq!(ran.took(), seconds(11 * rounds));
    }
}

#[test]
fn a_limit_gives_a_place_to_the_next_item_as_soon_as_one_is_done() {
    let ran = run(uneven());
    // 0 and 1 start at once; 2 follows 1, and 3 follows 2, while 0 goes on.
    let starts: Vec<_> = (0..4).map(|item| ran.started(&format!("uneven/done[{item}]/slow"))).collect();
    assert_eq!(starts, [seconds(0), seconds(0), seconds(1), seconds(3)]);
}

workflow! {
    fn uneven() -> Result<Vec<u64>> {
        let items: [u64; 4] = [20, 1, 2, 1];
        #[limit(2)]
        let done = for item in items { slow(item, item) };
        Ok(done)
    }
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Order {
    id: u64,
    lines: Vec<u64>,
}

workflow! {
    fn patterns(pairs: Vec<(u64, String)>, orders: Vec<Order>) -> Result<(Vec<String>, Vec<u64>)> {
        let named = for (number, name) in pairs {
            say(&format!("{name}{number}"))
        };
        let totals = for Order { id, lines } in orders {
            let total = sum(&lines);
            add(&id, &total)
        };
        Ok((named.clone(), totals.clone()))
    }
}

#[test]
fn patterns_take_items_apart() {
    let pairs = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    let orders = vec![Order { id: 100, lines: vec![1, 2] }, Order { id: 200, lines: vec![] }];
    let ran = run(patterns(pairs, orders));
    assert_eq!(*ran.value(), (vec!["a1".to_owned(), "b2".to_owned()], vec![103, 200]));
}

workflow! {
    fn captured(items: Vec<u64>, factor: u64) -> Result<Vec<u64>> {
        let more = slow(factor, 3);
        let results = for item in items {
            // From outside: a parameter, a step and a constant.
            give(item * more + factor)
        };
        Ok(results)
    }
}

#[test]
fn the_region_may_use_what_is_bound_around_it() {
    let ran = run(captured(vec![1, 2], 10));
    assert_eq!(*ran.value(), [20, 30]);
    ran.trace.assert_order(["captured/more", "captured/results"]);
}

workflow! {
    fn failing_item(items: Vec<u64>) -> Result<Vec<u64>> {
        let results = for item in items {
            let even = even(item)?;
            slow(even, 10)
        };
        Ok(results)
    }
}

#[task]
async fn even(number: u64) -> Result<u64, Oops> {
    tokio::time::sleep(seconds(number)).await;
    if number.is_multiple_of(2) { Ok(number) } else { Err(oops(format!("{number} is odd"))) }
}

#[test]
fn the_first_failure_of_an_item_fails_the_run() {
    let ran = run(failing_item(vec![2, 5, 3, 4]));
    ran.assert_failed("failing_item/results[2]/even", Cause::Error);
    assert_eq!(ran.failure().failure().to_string(), "3 is odd");
    ran.assert_states([
        // Started before the failure: it may finish.
        ("failing_item/results[0]/slow", STEP_SUCCEEDED),
        ("failing_item/results[3]/even", STEP_SUCCEEDED),
        ("failing_item/results", StepState::Failed),
    ]);
    ran.assert_never_started("failing_item/results[3]/slow");
    ran.assert_never_started("failing_item/results[2]/slow");
}

workflow! {
    fn collecting(items: Vec<u64>) -> Result<Vec<String>> {
        let outcomes = for item in items { even(item) };
        let told = tell(&outcomes);
        Ok(told)
    }
}

#[task]
async fn tell(outcomes: &[Result<u64, StepError>]) -> Vec<String> {
    let words = |outcome: &Result<u64, StepError>| match outcome {
        Ok(value) => value.to_string(),
        Err(error) => format!("{error}"),
    };
    outcomes.iter().map(words).collect()
}

#[test]
fn a_region_that_is_a_result_collects_them() {
    let ran = run(collecting(vec![3, 2, 1]));
    let failed = |item, number| format!("step `collecting/outcomes[{item}]/even` failed: {number} is odd");
    assert_eq!(*ran.value(), [failed(0, 3), "2".to_owned(), failed(2, 1)]);
    ran.assert_state("collecting/outcomes", STEP_SUCCEEDED);
}

workflow! {
    fn nested(rows: Vec<Vec<u64>>) -> Result<Vec<u64>> {
        let sums = for row in rows {
            let cells = for cell in row { double(cell) };
            sum(&cells)
        };
        Ok(sums)
    }
}

#[test]
fn regions_nest() {
    let ran = run(nested(vec![vec![1, 2], vec![], vec![5]]));
    assert_eq!(*ran.value(), [6, 0, 10]);
    ran.assert_state("nested/sums[0]/cells[1]/double", STEP_SUCCEEDED);
    ran.assert_state("nested/sums[2]/cells[0]/double", STEP_SUCCEEDED);
}

workflow! {
    fn without_value(items: Vec<u64>) -> Result<()> {
        for item in items {
            slow(item, item);
        }
        Ok(())
    }
}

#[test]
fn a_for_may_be_worth_nothing() {
    assert_eq!(run(without_value(vec![1, 2])).took(), seconds(2));
}

workflow! {
    fn many(count: u64) -> Result<u64> {
        let items = count_to(count);
        let doubled = for item in items { double(item) };
        let total = sum(&doubled);
        Ok(total)
    }
}

#[test]
fn thousands_of_items_are_no_trouble() {
    let total = workflow_runtime::testing::block_on(async {
        let engine = workflow_runtime::Engine::in_memory().start().await.unwrap();
        engine.start(many(20_000)).await.unwrap().await.unwrap()
    });
    assert_eq!(total, 20_000 * 19_999);
}

workflow! {
    fn cancelled_items(items: Vec<u64>) -> Result<u64> {
        #[limit(2)]
        let results = for item in items { slow(item, 10) };
        let total = sum(&results);
        Ok(total)
    }
}

#[test]
fn a_cancelled_for_starts_no_further_item() {
    let ran = drive(cancelled_items(vec![1, 2, 3]), async |run: Run<u64>| run.cancel().await.unwrap());
    ran.assert_cancelled();
    assert_eq!(ran.step_state("cancelled_items/results[2]/slow"), None);
    ran.assert_state("cancelled_items/results", StepState::Cancelled);
}
