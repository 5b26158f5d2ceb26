//! The twenty workflow patterns of van der Aalst, ter Hofstede, Kiepuszewski
//! and Barros ("Workflow Patterns", 2003), each a test under its name.
//!
//! Two of them need a word. Both ask for what a static graph of single
//! assignments rules out on purpose:
//!
//! - *Multi-merge* runs what follows once per branch that arrives. A step runs
//!   once, so what follows stands in the branches: as the body of a `for` over
//!   them, once per branch.
//! - *Arbitrary cycles* have several entries and exits. A workflow has loops
//!   with one of each; a loop over a state that names the place to go on does
//!   what they do, and that is what the test shows.

use support::tasks::*;
use support::{Ran, STEP_SUCCEEDED, drive, run, seconds};
use workflow_runtime::run::{RunState, StepState};
use workflow_runtime::{Context, Run, task, workflow};

/// Asserts that both steps were at work at the same time.
#[track_caller]
fn assert_overlap<T: std::fmt::Debug>(ran: &Ran<T>, one: &str, other: &str) {
    let of = |path: &str| (ran.started(path), ran.ended(path));
    let ((one_start, one_end), (other_start, other_end)) = (of(one), of(other));
    assert!(one_start < other_end && other_start < one_end, "`{one}` and `{other}`\n{}", ran.trace);
}

workflow! {
    fn in_sequence(value: u64) -> Result<u64> {
        let first = slow(value, 1);
        let second = double(first);
        let third = slow(second, 1);
        Ok(third)
    }
}

#[test]
fn sequence() {
    let ran = run(in_sequence(3));
    assert_eq!(*ran.value(), 6);
    assert_eq!(ran.took(), seconds(2));
    ran.trace.assert_order(["in_sequence/first", "in_sequence/second", "in_sequence/third"]);
}

workflow! {
    fn split_in_two() -> Result<(u64, u64)> {
        let before = slow(1, 1);
        let left = slow(before, 5);
        let right = slow(before, 5);
        Ok((left, right))
    }
}

#[test]
fn parallel_split() {
    let ran = run(split_in_two());
    assert_overlap(&ran, "split_in_two/left", "split_in_two/right");
    ran.trace.assert_order(["split_in_two/before", "split_in_two/left"]);
    ran.trace.assert_order(["split_in_two/before", "split_in_two/right"]);
    assert_eq!(ran.took(), seconds(6));
}

workflow! {
    fn synchronized() -> Result<u64> {
        let quick = slow(1, 1);
        let late = slow(2, 9);
        let both = add(&quick, &late);
        Ok(both)
    }
}

#[test]
fn synchronization() {
    let ran = run(synchronized());
    assert_eq!(*ran.value(), 3);
    ran.trace.assert_order(["synchronized/quick", "synchronized/both"]);
    ran.trace.assert_order(["synchronized/late", "synchronized/both"]);
    assert_eq!(ran.started("synchronized/both"), seconds(9));
}

workflow! {
    fn chosen(value: u64) -> Result<u64> {
        let chosen = if value > 10 {
            let big = give(value);
            double(big)
        } else if value > 5 {
            slow(value, 1)
        } else {
            give(0)
        };
        let after = add(&chosen, &1);
        Ok(after)
    }
}

#[test]
fn exclusive_choice() {
    let arms = ["chosen/chosen[then]/double", "chosen/chosen[else if 1]/slow", "chosen/chosen[else]/give"];
    for (value, result, taken) in [(11, 23, 0), (6, 7, 1), (5, 1, 2)] {
        let ran = run(chosen(value));
        assert_eq!(*ran.value(), result);
        for (index, arm) in arms.iter().enumerate() {
            let state = if index == taken { STEP_SUCCEEDED } else { StepState::Skipped };
            ran.assert_state(arm, state);
        }
    }
}

#[test]
fn simple_merge() {
    // What follows the choice runs once, whichever branch was taken, and does
    // not wait for the others.
    for value in [11, 6, 5] {
        let ran = run(chosen(value));
        assert_eq!(ran.starts("chosen/after").len(), 1);
        assert_eq!(ran.started("chosen/after"), ran.ended("chosen/chosen"));
    }
}

workflow! {
    fn several_chosen(left: bool, right: bool) -> Result<u64> {
        let first: u64 = if left { slow(1, 3) } else { 0 };
        let second: u64 = if right { slow(10, 5) } else { 0 };
        let merged = add(&first, &second);
        Ok(merged)
    }
}

#[test]
fn multi_choice() {
    for (left, right, result) in [(false, false, 0), (true, false, 1), (false, true, 10), (true, true, 11)] {
        let ran = run(several_chosen(left, right));
        assert_eq!(*ran.value(), result);
        let state = |taken| if taken { STEP_SUCCEEDED } else { StepState::Skipped };
        ran.assert_state("several_chosen/first[then]/slow", state(left));
        ran.assert_state("several_chosen/second[then]/slow", state(right));
        if left && right {
            assert_overlap(&ran, "several_chosen/first[then]/slow", "several_chosen/second[then]/slow");
        }
    }
}

#[test]
fn synchronizing_merge() {
    // It waits for those branches that were taken, and only for those.
    for (left, right, at) in [(false, false, 0), (true, false, 3), (false, true, 5), (true, true, 5)] {
        let ran = run(several_chosen(left, right));
        assert_eq!(ran.starts("several_chosen/merged"), [seconds(at)]);
    }
}

workflow! {
    fn merged_often() -> Result<Vec<u64>> {
        let branches: Vec<u64> = vec![7, 1, 4];
        let results = for wait in branches {
            let branch = slow(wait, wait);
            // What follows the merge, for each branch as it arrives.
            double(branch)
        };
        Ok(results)
    }
}

#[test]
fn multi_merge() {
    let ran = run(merged_often());
    assert_eq!(*ran.value(), [14, 2, 8]);
    for (index, at) in [7, 1, 4].into_iter().enumerate() {
        assert_eq!(ran.starts(&format!("merged_often/results[{index}]/double")), [seconds(at)]);
    }
}

workflow! {
    fn first_of_three() -> Result<u64> {
        let first = select! {
            one = slow(1, 30) => give(one),
            two = slow(2, 10) => give(two),
            three = slow(3, 20) => give(three),
        };
        let after = double(first);
        Ok(after)
    }
}

#[test]
fn discriminator() {
    let ran = run(first_of_three());
    assert_eq!(*ran.value(), 4);
    assert_eq!(ran.starts("first_of_three/after"), [seconds(10)], "once, after the first");
    ran.assert_states([
        ("first_of_three/first/one", StepState::Cancelled),
        ("first_of_three/first/two", STEP_SUCCEEDED),
        ("first_of_three/first/three", StepState::Cancelled),
        ("first_of_three/first[0]/give", StepState::Skipped),
        ("first_of_three/first[1]/give", STEP_SUCCEEDED),
    ]);
}

/// Where to go on, after each of the places of a machine with two entries and
/// a way back.
#[task]
async fn go_on(place: &str, left: &u64) -> (String, u64) {
    let next = match (place, left) {
        (_, 0) => "end",
        ("draft", _) => "review",
        ("review", 2) => "draft",
        ("review", _) => "polish",
        ("polish", _) => "review",
        _ => "lost",
    };
    (next.to_owned(), left.saturating_sub(1))
}

workflow! {
    fn cycles(entry: String) -> Result<Vec<String>> {
        let mut place: (String, u64) = (entry.clone(), 5);
        let mut visited: Vec<String> = Vec::new();
        #[limit(20)]
        while place.0 != "end" {
            visited = append(visited, &place.0);
            place = go_on(&place.0, &place.1);
        }
        Ok(visited)
    }
}

#[task]
async fn append(mut visited: Vec<String>, place: &str) -> Vec<String> {
    visited.push(place.to_owned());
    visited
}

#[test]
fn arbitrary_cycles() {
    let visits = |entry: &str| run(cycles(entry.to_owned())).value().join(" ");
    assert_eq!(visits("draft"), "draft review polish review draft review");
    assert_eq!(visits("polish"), "polish review polish review draft review");
}

workflow! {
    fn three_loose_ends(waits: (u64, u64)) -> Result<()> {
        let _one = slow(1, waits.0);
        let _two = slow(2, waits.1);
        nothing();
        Ok(())
    }
}

#[test]
fn implicit_termination() {
    // No step ends the run; it ends when nothing is left to do.
    for waits in [(3, 8), (8, 3), (0, 0)] {
        assert_eq!(run(three_loose_ends(waits)).took(), seconds(waits.0.max(waits.1)));
    }
}

workflow! {
    fn unawaited(items: Vec<u64>) -> Result<u64> {
        let _sent = for item in items {
            slow(item, item)
        };
        let meanwhile = give(7);
        Ok(meanwhile)
    }
}

#[test]
fn multiple_instances_without_synchronization() {
    let ran = run(unawaited(vec![5, 9, 2]));
    assert_eq!(ran.started("unawaited/meanwhile"), seconds(0), "it does not wait for the instances");
    assert_eq!(ran.most_at_once(|path| path.ends_with("/slow")), 3);
    assert_eq!(ran.took(), seconds(9), "and the run does");
}

workflow! {
    fn three_by_design() -> Result<u64> {
        let instances: [u64; 3] = [4, 5, 6];
        let done = for instance in instances { slow(instance, instance) };
        let total = sum(&done);
        Ok(total)
    }
}

#[test]
fn multiple_instances_with_a_priori_design_time_knowledge() {
    let ran = run(three_by_design());
    assert_eq!(*ran.value(), 15);
    assert_eq!(ran.most_at_once(|path| path.ends_with("/slow")), 3);
    assert_eq!(ran.started("three_by_design/total"), seconds(6));
}

workflow! {
    fn as_many_as_found(end: u64) -> Result<u64> {
        let found = count_to(end);
        let done = for item in found { slow(item, item) };
        let total = sum(&done);
        Ok(total)
    }
}

#[test]
fn multiple_instances_with_a_priori_runtime_knowledge() {
    for (end, total) in [(0, 0), (1, 0), (6, 15)] {
        let ran = run(as_many_as_found(end));
        assert_eq!(*ran.value(), total);
        let count = usize::try_from(end).unwrap();
        assert_eq!(ran.most_at_once(|path| path.ends_with("/slow")), count);
        assert_eq!(ran.started("as_many_as_found/total"), seconds(end.saturating_sub(1)));
    }
}

workflow! {
    fn while_they_come(first: Vec<u64>) -> Result<u64> {
        let mut open: Vec<u64> = first;
        let mut total: u64 = 0;
        #[limit(10)]
        while !open.is_empty() {
            // The instances of this turn say which further ones there are.
            let found = for item in open.clone() { slow(item / 2, item) };
            let now = sum(&open);
            total = add(&total, &now);
            open = positive(found);
        }
        Ok(total)
    }
}

#[task]
async fn positive(values: Vec<u64>) -> Vec<u64> {
    values.into_iter().filter(|value| *value > 0).collect()
}

#[test]
fn multiple_instances_without_a_priori_runtime_knowledge() {
    let ran = run(while_they_come(vec![4, 1]));
    assert_eq!(*ran.value(), 4 + 1 + 2 + 1);
    let instances = ran.started_in_order().into_iter().filter(|path| path.ends_with("/slow")).count();
    assert_eq!(instances, 4);
}

workflow! {
    fn deferred() -> Result<String> {
        let answer = select! {
            words = signal::<String>("accepted") => say(&words),
            _ = signal::<u64>("refused") => say("refused"),
            _ = sleep("3d") => say("nobody came"),
        };
        Ok(answer)
    }
}

enum Answer {
    Accepted,
    Refused,
    Nobody,
}

#[test]
fn deferred_choice() {
    // Nothing but the first event from outside decides.
    let triggers = ["deferred/answer/words", "deferred/answer/refused", "deferred/answer/sleep"];
    for (answer, words, after, winner) in [
        (Answer::Accepted, "yes", 60, 0),
        (Answer::Refused, "refused", 60, 1),
        (Answer::Nobody, "nobody came", 3 * 86_400, 2),
    ] {
        let ran = drive(deferred(), async |run: Run<String>| {
            assert_eq!(run.state(), RunState::Waiting);
            tokio::time::sleep(seconds(60)).await;
            match answer {
                Answer::Accepted => run.signal(deferred::accepted, "yes".to_owned()).await.unwrap(),
                Answer::Refused => run.signal(deferred::refused, 1).await.unwrap(),
                Answer::Nobody => {}
            }
        });
        assert_eq!(ran.value(), words);
        assert_eq!(ran.took(), seconds(after));
        for (index, trigger) in triggers.iter().enumerate() {
            let state = if index == winner { STEP_SUCCEEDED } else { StepState::Cancelled };
            ran.assert_state(trigger, state);
        }
    }
}

/// One at a time, in any order.
#[task(concurrency = 1)]
async fn use_the_room(name: &str, seconds: u64) -> String {
    tokio::time::sleep(support::seconds(seconds)).await;
    name.to_owned()
}

workflow! {
    fn interleaved() -> Result<Vec<String>> {
        let wait = slow(1, 1);
        let late = use_the_room("late", wait);
        let one = use_the_room("one", 3);
        let two = use_the_room("two", 4);
        Ok(vec![late.clone(), one.clone(), two.clone()])
    }
}

#[test]
fn interleaved_parallel_routing() {
    let ran = run(interleaved());
    assert_eq!(*ran.value(), ["late", "one", "two"]);
    let in_the_room = |path: &str| !path.ends_with("wait");
    assert_eq!(ran.most_at_once(in_the_room), 1);
    assert_eq!(ran.took(), seconds(8), "nothing else holds them up");
    // Nothing orders them either: `late` is written first and comes last.
    assert_eq!(ran.started("interleaved/late"), seconds(7));
}

workflow! {
    fn auction() -> Result<String> {
        let opened = slow(1, 10);
        // The milestone: after the opening, until the hammer falls.
        #[after(opened)]
        let sold = select! {
            bid = signal::<u64>("bid") => sell(bid),
            _ = sleep("60s") => say("unsold"),
        };
        Ok(sold)
    }
}

#[task]
async fn sell(bid: u64) -> String {
    format!("sold for {bid}")
}

#[test]
fn milestone() {
    for (bid_at, result, sold_at) in [(20, "sold for 5", 20), (69, "sold for 5", 69), (71, "unsold", 70)] {
        let ran = drive(auction(), async |run: Run<String>| {
            tokio::time::sleep(seconds(bid_at)).await;
            let bid = run.signal(auction::bid, 5).await;
            assert_eq!(bid.is_ok(), bid_at < 70, "the milestone has passed");
        });
        assert_eq!(ran.value(), result);
        assert_eq!(ran.ended("auction/sold"), seconds(sold_at));
    }
    // Before the milestone the activity is not to be had, however early the
    // bid.
    let early = drive(auction(), async |run: Run<String>| run.signal(auction::bid, 9).await.unwrap());
    assert_eq!((early.value().as_str(), early.ended("auction/sold")), ("sold for 9", seconds(10)));
}

workflow! {
    fn stoppable() -> Result<u64> {
        let done = select! {
            value = hang() => give(value),
            _ = signal::<()>("stop") => give(0),
        };
        let beside = slow(1, 5);
        let both = add(&done, &beside);
        Ok(both)
    }
}

#[test]
fn cancel_activity() {
    let ran = drive(stoppable(), async |run: Run<u64>| {
        tokio::time::sleep(seconds(2)).await;
        run.signal(stoppable::stop, ()).await.unwrap();
    });
    assert_eq!(*ran.value(), 1, "the case goes on");
    ran.assert_state("stoppable/done/value", StepState::Cancelled);
    assert_eq!(ran.ended("stoppable/done/value"), seconds(2));
    ran.assert_state("stoppable/beside", STEP_SUCCEEDED);
}

/// Stops when it is asked to.
#[task]
async fn polite(#[context] cx: &Context) -> u64 {
    cx.cancelled().await;
    0
}

workflow! {
    fn whole_case() -> Result<u64> {
        let first = slow(1, 1);
        let second = polite();
        let waiting = signal::<u64>("never");
        let items: Vec<u64> = vec![1, 2];
        let region = for item in items { slow(item, 50) };
        let last = sum(&region);
        Ok(first + second + waiting + last)
    }
}

#[test]
fn cancel_case() {
    let ran = drive(whole_case(), async |run: Run<u64>| {
        tokio::time::sleep(seconds(2)).await;
        run.cancel().await.unwrap();
    });
    ran.assert_cancelled();
    ran.assert_state("whole_case/first", STEP_SUCCEEDED);
    for path in ["waiting", "region", "region[0]/slow", "region[1]/slow", "last"] {
        ran.assert_state(&format!("whole_case/{path}"), StepState::Cancelled);
    }
    ran.assert_never_started("whole_case/last");
}
