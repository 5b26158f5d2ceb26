//! What people see in the database.

use rusqlite::Connection;

use super::support::{Scratch, append, at, batch, change, create, new_run, wait};
use crate::failure::{Cause, Failure, StepError};
use crate::run::{RunState, StepState, Wait};
use crate::store::{
    Answer, Batch, Created, Entry, NewRun, Parent, Payload, Request, RunEnd, RunRef, Sleep, Sqlite,
    StepChange, Store,
};

/// The rows of a query, their columns separated by bars.
fn rows(store: &Sqlite, sql: &str) -> Vec<String> {
    let conn = Connection::open(store.path()).unwrap();
    let mut statement = conn.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |column| match row.get::<_, rusqlite::types::Value>(column).unwrap() {
            rusqlite::types::Value::Null => "-".to_owned(),
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Real(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
        };
        Ok((0..columns).map(cell).collect::<Vec<_>>().join("|"))
    };
    statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}

fn failure(cause: Cause) -> Failure {
    Failure { cause, messages: vec!["no answer".to_owned(), "reset".to_owned()] }
}

/// A run whose steps change as told: at which second, and how.
fn story(store: &Sqlite, run: RunRef, changes: Vec<(u64, StepChange)>) {
    for (seq, (second, change)) in changes.into_iter().enumerate() {
        let entry = Entry { at: at(second), event: "{}".to_owned(), value: None, changes: vec![change] };
        let entries = vec![entry];
        append(store, Batch { run, first_seq: seq as u64, entries, ..Batch::default() }).unwrap();
    }
}

fn failed(path: &str, state: StepState, attempt: u32, cause: Cause) -> StepChange {
    StepChange { failure: Some(failure(cause)), ..change(path, state, attempt) }
}

#[test]
fn runs_have_times_that_people_read() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let (a, b) = (create(&store, "a"), create(&store, "b"));
    create(&store, "c");
    let error = Some(StepError::new("load".to_owned(), 3, failure(Cause::Error)));
    let end = |state, error| Some(RunEnd { state, at: at(90), result: None, error });
    append(&store, Batch { end: end(RunState::Failed, error), ..batch(a, 0) }).unwrap();
    let mut succeeded = end(RunState::Succeeded, None);
    if let Some(end) = &mut succeeded {
        end.result = Some(Payload { type_name: "u64".into(), bytes: b"42".to_vec() });
    }
    append(&store, Batch { end: succeeded, ..batch(b, 0) }).unwrap();
    let sql = "SELECT id, workflow, state, created, ended, seconds, params, result, failed_step, error \
               FROM run_list ORDER BY run";
    let (created, ended) = ("2023-11-14 22:13:20.000", "2023-11-14 22:14:50.000");
    assert_eq!(
        rows(&store, sql),
        [
            format!("a|nightly|failed|{created}|{ended}|90|[]|-|load|no answer: reset"),
            format!("b|nightly|succeeded|{created}|{ended}|90|[]|42|-|-"),
            format!("c|nightly|running|{created}|-|-|[]|-|-|-"),
        ]
    );
}

#[test]
fn steps_show_their_last_state() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let backoff = StepState::Waiting(Wait::Backoff { until: at(30) });
    let run = create(&store, "a");
    story(
        &store,
        run,
        vec![
            (1, change("load", StepState::Running, 1)),
            (2, change("ask", StepState::Waiting(Wait::Signal { until: None }), 0)),
            (3, failed("load", backoff, 1, Cause::Error)),
        ],
    );
    // The same path in another run is another step.
    let other = create(&store, "b");
    story(&store, other, vec![(5, change("load", StepState::Succeeded { cached: true }, 0))]);
    let sql = "SELECT id, path, task, state, attempt, waits_for, until, since, error \
               FROM steps ORDER BY run, path";
    assert_eq!(
        rows(&store, sql),
        [
            "a|ask|load|waiting|-|signal|-|2023-11-14 22:13:22.000|-",
            "a|load|load|waiting|1|backoff|2023-11-14 22:13:50.000|2023-11-14 22:13:23.000|no answer: reset",
            "b|load|load|cached|-|-|-|2023-11-14 22:13:25.000|-",
        ]
    );
}

#[test]
fn attempts_show_how_they_went() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    let running = |path, attempt| change(path, StepState::Running, attempt);
    let backoff = StepState::Waiting(Wait::Backoff { until: at(3) });
    let region = StepChange { task: None, ..running("for", 0) };
    story(
        &store,
        run,
        vec![
            (0, region),
            (1, running("load", 1)),
            (2, failed("load", backoff, 1, Cause::Timeout)),
            (3, running("load", 2)),
            // The process died; the next one begins the attempt again.
            (10, running("load", 2)),
            (11, change("load", StepState::Succeeded { cached: false }, 2)),
            (12, running("pay", 1)),
            (13, failed("pay", StepState::Failed, 1, Cause::Fatal)),
            (14, change("load", StepState::Undoing, 0)),
            (16, change("load", StepState::Undone, 1)),
            (17, running("mail", 1)),
            (18, change("mail", StepState::Cancelled, 1)),
            (19, running("log", 1)),
        ],
    );
    // The next process says how the last one ended.
    let other = create(&store, "b");
    for (seq, event) in ["begun", "attempt_interrupted", "attempt_lost", "begun"].into_iter().enumerate() {
        let event = format!(r#"{{"event":"{event}","step":[0,0,1],"epoch":1}}"#);
        let changes = vec![running("copy", 1)];
        let entries = vec![Entry { at: at(20 + seq as u64), event, value: None, changes }];
        append(&store, Batch { run: other, first_seq: seq as u64, entries, ..Batch::default() }).unwrap();
    }
    let sql = "SELECT path, kind, attempt, substr(started, 18, 2), seconds, outcome, error FROM attempts";
    let mut found = rows(&store, sql);
    found.sort();
    assert_eq!(
        found,
        [
            "copy|attempt|1|40|1|interrupted|-",
            "copy|attempt|1|41|1|lost|-",
            "copy|attempt|1|42|1|lost|-",
            "copy|attempt|1|43|-|running|-",
            "load|attempt|1|21|1|timeout|no answer: reset",
            "load|attempt|2|23|7|lost|-",
            "load|attempt|2|30|1|ok|-",
            "load|undo|-|34|2|ok|-",
            "log|attempt|1|39|-|running|-",
            "mail|attempt|1|37|1|cancelled|-",
            "pay|attempt|1|32|1|fatal|no answer: reset",
        ]
    );
}

#[test]
fn runs_show_what_they_were_made_of_and_until_when_they_sleep() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let runs = ["a", "b", "c"].map(|id| {
        let parent = (id == "b").then(|| Parent { id: "a".to_owned(), how: "fork".into() });
        match wait(|done| store.create(NewRun { parent, ..new_run(id) }, done)).unwrap() {
            Created::New(run) => run,
            Created::Existing(_) => unreachable!(),
        }
    });
    append(&store, Batch { sleep: Sleep::Until(Some(at(30))), ..batch(runs[1], 0) }).unwrap();
    append(&store, Batch { sleep: Sleep::Until(None), ..batch(runs[2], 0) }).unwrap();
    let found = rows(&store, "SELECT id, parent, parent_how, wakes FROM run_list ORDER BY run");
    let wanted = ["a|-|-|-", "b|a|fork|2023-11-14 22:13:50.000", "c|-|-|when somebody wakes it"];
    assert_eq!(found, wanted);
}

#[test]
fn requests_tell_who_asked_for_what_and_what_became_of_it() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    create(&store, "a");
    let ask = |run: Option<&str>, operation: &str, reason: Option<&str>| {
        let (run, reason) = (run.map(str::to_owned), reason.map(str::to_owned));
        let request =
            Request { run, operation: operation.to_owned(), actor: "ada".to_owned(), reason, at: at(1) };
        store.request(request).unwrap()
    };
    let answer = |number, result| store.answer(number, Answer { at: at(2), result }).unwrap();
    let numbers = [
        ask(Some("a"), r#""cancel""#, Some("late")),
        ask(Some("a"), r#"{"set":{"step":"load","value":7}}"#, None),
        ask(None, r#"{"start":{"workflow":"nightly"}}"#, None),
        ask(Some("gone"), "{", None),
    ];
    answer(numbers[0], Ok("a".to_owned()));
    answer(numbers[1], Err("it has ended".to_owned()));
    let sql = "SELECT actor, operation, details, run, workflow, reason, outcome, substr(answered, 18, 2), answer \
               FROM request_list";
    assert_eq!(
        rows(&store, sql),
        [
            "ada|cancel|-|a|nightly|late|done|22|a",
            r#"ada|set|{"step":"load","value":7}|a|nightly|-|refused|22|it has ended"#,
            r#"ada|start|{"workflow":"nightly"}|-|-|-|open|-|-"#,
            "ada|{|-|gone|-|-|open|-|-",
        ]
    );
}

#[test]
fn values_are_text_where_they_are_text() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    for (seq, bytes) in [&br#"{"a":1}"#[..], b"\xff", b"a\0b", b""].into_iter().enumerate() {
        let mut batch = batch(run, seq as u64);
        batch.entries[0].value = Some(Payload { type_name: "T".into(), bytes: bytes.to_vec() });
        append(&store, batch).unwrap();
    }
    let found = rows(&store, "SELECT typeof(value), value FROM journal ORDER BY seq");
    assert_eq!(found, ["text|{\"a\":1}", "blob|[255]", "blob|[97, 0, 98]", "text|"]);
}

/// A column that someone has edited does not hide all the others.
#[test]
fn views_outlive_what_is_not_json() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.path("runs.db")).unwrap();
    let run = create(&store, "a");
    append(&store, batch(run, 0)).unwrap();
    append(&store, batch(run, 1)).unwrap();
    let shell = Connection::open(store.path()).unwrap();
    shell
        .execute_batch("UPDATE journal SET changes = 'oh' WHERE seq = 0; UPDATE runs SET error = '{'")
        .unwrap();
    shell.execute_batch("UPDATE journal SET event = 'oh' WHERE seq = 1").unwrap();
    for changes in ["[1, null, \"a\"]", "7", "null", "{}", "[{}]"] {
        shell.execute("UPDATE journal SET changes = ?1 WHERE seq = 0", [changes]).unwrap();
        assert_eq!(rows(&store, "SELECT * FROM run_list").len(), 1);
        assert!(rows(&store, "SELECT path FROM steps").contains(&"sum".to_owned()), "{changes}");
        assert_eq!(rows(&store, "SELECT path FROM attempts"), ["sum"]);
    }
}
