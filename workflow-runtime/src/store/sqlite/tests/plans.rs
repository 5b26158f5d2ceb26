//! What is asked often is asked through an index: a store may have millions of
//! runs.

use rusqlite::types::Value;
use rusqlite::{Connection, StatementStatus, params_from_iter};

use super::support::Scratch;
use crate::run::RunState;
use crate::store::sqlite::open::open_reader;
use crate::store::sqlite::reader::{awake_sql, statement};
use crate::store::{RunFilter, Sqlite};

/// How SQLite finds what a filter lets through.
fn plan(filter: &RunFilter) -> Vec<String> {
    let (sql, values) = statement(filter);
    plan_of(&sql, values)
}

fn plan_of(sql: &str, values: Vec<Value>) -> Vec<String> {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    drop(Sqlite::open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = plan.query_map(params_from_iter(values), |row| row.get("detail")).unwrap();
    lines.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn the_unfinished_runs_of_a_schedule_are_a_range_of_an_index() {
    let key_prefix = Some("schedule/nightly/".to_owned());
    let states = vec![RunState::Queued, RunState::Running, RunState::Blocked];
    let range = "SEARCH runs USING INDEX runs_unfinished_by_key (key>? AND key<?)";
    let filter = RunFilter { key_prefix, states, ..RunFilter::default() };
    assert_eq!(plan(&filter), [range, "USE TEMP B-TREE FOR ORDER BY"]);
    // With those that have ended, it is a range of all keys.
    let plan = plan(&RunFilter { states: vec![], ..filter });
    assert_eq!(plan[0], "SEARCH runs USING INDEX runs_by_key (key>? AND key<?)");
}

#[test]
fn what_people_ask_for_is_found_without_a_look_at_every_run() {
    let id_prefix = Some("0199".to_owned());
    let found = plan(&RunFilter { id_prefix, ..RunFilter::default() });
    assert!(found[0].ends_with("(id>? AND id<?)"), "{found:?}");
    let found = plan(&RunFilter { key: Some("k".to_owned()), ..RunFilter::default() });
    assert_eq!(found, ["SEARCH runs USING INDEX runs_by_key (key=?)"]);
    let found = plan(&RunFilter { states: vec![RunState::Failed], ..RunFilter::default() });
    assert_eq!(found, ["SEARCH runs USING INDEX runs_by_state (state=?)"]);
}

/// Sorted, each page would be as much work as all of them.
#[test]
fn the_runs_that_are_awake_come_in_order_by_themselves() {
    let plan = plan_of(&awake_sql(), vec![Value::Integer(1)]);
    assert_eq!(plan, ["SEARCH runs USING INDEX runs_by_wake (wake_at=? AND rowid>?)"]);
}

#[test]
fn a_statement_of_a_reader_is_planned_once() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    drop(Sqlite::open(&path).unwrap());
    let conn = open_reader(&path).unwrap();
    for run in 0..3 {
        let sql = "SELECT seq FROM journal WHERE run = ?1 ORDER BY seq";
        let mut statement = conn.prepare_cached(sql).unwrap();
        assert_eq!(statement.query_map([run], |_| Ok(())).unwrap().count(), 0);
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
