//! The doctor finds what is wrong with a store, whatever it is. Every store
//! here is that of real runs, with one thing changed.

use std::sync::Arc;
use std::time::Duration;

use workflow_runtime::blueprint::Blueprint;
use workflow_runtime::definition::Graph;
use workflow_runtime::doctor::{Problem, Report, Source, examine};
use workflow_runtime::run::{RunState, Timestamp};
use workflow_runtime::store::{
    Memory, Payload, RunFilter, RunRef, SealedKey, Store, StoreError, StoredEntry, StoredRun, StoredSchedule,
};
use workflow_runtime::testing::block_on;
use workflow_runtime::{Engine, task, workflow};

#[task]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

workflow! {
    fn sums(n: u64) -> Result<u64> {
        let first = add(n, 1);
        let second = add(first, 2);
        let more = signal::<u64>("more").within("1h")?;
        let all = add(second, more);
        Ok(all)
    }
}

workflow! {
    fn other(n: u64) -> Result<u64> {
        let only = add(n, 1);
        Ok(only)
    }
}

/// What a store says, to be changed.
#[derive(Clone, Default)]
struct Said {
    runs: Vec<StoredRun>,
    journals: Vec<Vec<StoredEntry>>,
    blueprint: Option<String>,
    schedules: Vec<StoredSchedule>,
    keys: Vec<SealedKey>,
    /// From when on the runs are awake.
    awake_from: Timestamp,
}

impl Source for Said {
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        Ok(if filter.before.is_none() { self.runs.clone() } else { Vec::new() })
    }

    fn journal(&self, run: RunRef) -> Result<Vec<StoredEntry>, StoreError> {
        let place = self.runs.iter().position(|stored| stored.run == run);
        let journal = place.and_then(|place| self.journals.get(place));
        journal.cloned().ok_or(StoreError::UnknownRun { run })
    }

    fn blueprint(&self, _: u64) -> Result<Option<String>, StoreError> {
        Ok(self.blueprint.clone())
    }

    fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        Ok(self.schedules.clone())
    }

    fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        Ok(self.keys.clone())
    }

    fn is_awake(&self, _: RunRef, at: Timestamp) -> Result<Option<bool>, StoreError> {
        Ok(Some(at >= self.awake_from))
    }
}

/// A store with one run that has ended, or that waits for its signal.
fn said(ended: bool) -> Said {
    let store = Arc::new(Memory::new());
    block_on(async {
        let engine = Engine::with_store(store.clone()).start().await.unwrap();
        let run = engine.start(sums(4)).key("k").await.unwrap();
        if ended {
            run.signal(sums::more, 5).await.unwrap();
            assert_eq!(run.await.unwrap(), 12);
        } else {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let runs = Store::list(&*store, &RunFilter::default()).unwrap();
    let journals = runs.iter().map(|run| Store::journal(&*store, run.run).unwrap()).collect();
    Said { runs, journals, ..Said::default() }
}

const GRAPHS: [&Graph; 2] = [sums::GRAPH, other::GRAPH];

/// The one thing that is found: with what, where, and in what words.
#[track_caller]
fn found(said: &Said, problem: Problem, step: Option<&str>, words: &str) -> Report {
    let report = examine(said, &GRAPHS).unwrap();
    let [finding] = &report.findings[..] else { panic!("{report}") };
    assert_eq!((finding.problem, finding.step.as_deref()), (problem, step), "{report}");
    assert!(finding.what.contains(words), "{report}");
    report
}

/// The number of the first entry that is about this.
fn place(said: &Said, event: &str) -> usize {
    said.journals[0].iter().position(|entry| entry.event.contains(event)).unwrap()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for ended in [true, false] {
        let report = examine(&said(ended), &GRAPHS).unwrap();
        assert!(report.is_healthy() && report.not_followed.is_empty(), "{report}");
        assert_eq!(report.runs, 1);
        assert!(report.to_string().ends_with("entries: nothing is wrong"), "{report}");
    }
}

#[test]
fn an_entry_that_is_missing() {
    let mut said = said(true);
    said.journals[0].remove(3);
    let report = found(&said, Problem::Journal, None, "it is missing, and entry 4 comes instead");
    assert_eq!(report.findings[0].entry, Some(3));
}

#[test]
fn an_entry_that_cannot_be_read() {
    let mut said = said(true);
    said.journals[0][2].event = "{\"event\":\"dreamt\"}".to_owned();
    found(&said, Problem::Journal, None, "it cannot be read: unknown variant `dreamt`");
    said.journals.clear();
    found(&said, Problem::Journal, None, "its journal cannot be read");
}

#[test]
fn a_success_that_comes_twice() {
    let mut said = said(false);
    let place = place(&said, "attempt_succeeded");
    let again = said.journals[0][place].clone();
    said.journals[0].insert(place + 1, again);
    for (seq, entry) in (0..).zip(&mut said.journals[0]) {
        entry.seq = seq;
    }
    let report = examine(&said, &GRAPHS).unwrap();
    assert!(report.findings.iter().all(|finding| finding.problem == Problem::Order), "{report}");
    assert_eq!(report.findings[0].entry, Some(place as u64 + 1));
    assert!(report.findings[0].what.starts_with("it does not follow from those before"), "{report}");
}

#[test]
fn values_that_are_missing_or_no_values() {
    let healthy = said(true);
    let (result, signal) = (place(&healthy, "attempt_succeeded"), place(&healthy, "signalled"));
    let mut said = healthy.clone();
    said.journals[0][result].value = None;
    found(&said, Problem::Value, Some("sums/first"), "its result is missing");
    said = healthy.clone();
    said.journals[0][signal].value = None;
    found(&said, Problem::Value, None, "the value of signal `more` is missing");
    said = healthy.clone();
    let nonsense = Some(Payload { type_name: "u64".into(), bytes: b"{7".to_vec() });
    said.journals[0][result].value = nonsense.clone();
    found(
        &said,
        Problem::Value,
        Some("sums/first"),
        "its result, a `u64`, cannot be read: key must be a string",
    );
    // Which is not for the doctor to say where values are encrypted.
    said.keys.push(SealedKey { id: 1, with: "key".to_owned(), sealed: vec![1] });
    assert!(examine(&said, &GRAPHS).unwrap().is_healthy());
    said = healthy.clone();
    said.runs[0].end.as_mut().unwrap().result = nonsense;
    found(&said, Problem::Value, None, "its result, a `u64`, cannot be read");
    said = healthy.clone();
    said.runs[0].end.as_mut().unwrap().result = None;
    found(&said, Problem::Value, None, "it succeeded, and its result is missing");
    said = healthy;
    said.runs[0].params = b"[1,2]".to_vec();
    found(&said, Problem::Value, None, "it has 2 parameters, and its workflow takes 1");
}

#[test]
fn a_row_that_says_something_else_than_the_journal() {
    let mut waiting = said(false);
    waiting.runs[0].state = RunState::Undoing;
    found(&waiting, Problem::Row, None, "it is said to be undoing, and its journal says that it is waiting");
    // An engine that could not go on with it says so, and writes no entry.
    waiting.runs[0].state = RunState::Blocked;
    assert!(examine(&waiting, &GRAPHS).unwrap().is_healthy());
    waiting.runs[0].state = RunState::Failed;
    let report = examine(&waiting, &GRAPHS).unwrap();
    assert!(report.findings[0].what.contains("it is said to be failed, and not when it ended"), "{report}");

    let mut ended = said(true);
    ended.journals[0].pop();
    found(&ended, Problem::Row, None, "it is said to be succeeded, and its journal says that it is running");
}

#[test]
fn blueprints_that_are_others_or_none() {
    let mut said = said(true);
    let own = Blueprint::of(sums::GRAPH);
    said.runs[0].fingerprint = own.hash();
    said.blueprint = Some(own.to_json());
    assert!(examine(&said, &[]).unwrap().is_healthy());
    said.blueprint = Some("{}".to_owned());
    found(&said, Problem::Blueprint, None, "cannot be read: this is not a blueprint");
    said.blueprint = Some(Blueprint::of(other::GRAPH).to_json());
    found(&said, Problem::Blueprint, None, "has the hash");
    said.runs[0].fingerprint = Blueprint::of(other::GRAPH).hash();
    found(&said, Problem::Blueprint, None, "is one of workflow `other`");
    // Nobody has it: no illness, but it is said.
    said.blueprint = None;
    said.runs[0].fingerprint = 0x17;
    let report = examine(&said, &GRAPHS).unwrap();
    assert!(report.is_healthy(), "{report}");
    assert_eq!(report.not_followed[0].blueprint, "0000000000000017");
}

#[test]
fn a_run_that_sleeps_too_long() {
    let mut said = said(false);
    let hour = said.runs[0].created_at.after(Duration::from_secs(3_600));
    said.awake_from = hour;
    assert!(examine(&said, &GRAPHS).unwrap().is_healthy());
    said.awake_from = hour.after(Duration::from_secs(1));
    found(&said, Problem::Asleep, None, "it sleeps for longer than the first of its steps waits");
    // Before the first attempt has ended.
    let place = place(&said, "attempt_succeeded");
    said.journals[0].truncate(place);
    said.runs[0].state = RunState::Running;
    found(&said, Problem::Asleep, None, "it sleeps, and an attempt of it is under way");
}

#[test]
fn a_key_that_two_runs_have_and_a_schedule_that_is_ahead() {
    let mut twins = said(true);
    let mut twin = twins.runs[0].clone();
    (twin.run, twin.id) = (RunRef(99), "another".to_owned());
    twins.runs.push(twin);
    twins.journals.push(twins.journals[0].clone());
    found(&twins, Problem::Key, None, "has the same key");

    let mut ahead = said(true);
    let schedule = "nightly".to_owned();
    ahead.schedules = vec![StoredSchedule { schedule, mark: ahead.runs[0].created_at }];
    assert!(examine(&ahead, &GRAPHS).unwrap().is_healthy());
    // The year 2500.
    ahead.schedules[0].mark = Timestamp(16_725_225_600_000_000_000);
    let report = found(&ahead, Problem::Schedule, None, "its ticks are dealt with until");
    assert!(report.to_string().starts_with("schedule `nightly`: its ticks"), "{report}");
}

#[test]
fn a_report_is_for_people_and_for_programs() {
    let mut said = said(true);
    let place = place(&said, "attempt_succeeded");
    said.journals[0][place].value = None;
    said.runs[0].id = "0199".to_owned();
    let report = examine(&said, &GRAPHS).unwrap();
    let entries = said.journals[0].len();
    assert_eq!(
        report.to_string(),
        format!(
            "run 0199 of `sums`, step `sums/first`, entry {place}: its result is missing\n  \
             that means: whoever needs the value blocks the run; `set` the step, or restore a backup\n\
             1 run with {entries} entries: 1 thing is wrong"
        )
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["problem"], "value");
    assert_eq!(json["findings"][0]["means"], Problem::Value.means());
    assert_eq!((&json["findings"][0]["entry"], &json["runs"]), (&place.into(), &1.into()));
}
