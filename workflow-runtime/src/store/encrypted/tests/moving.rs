//! A value opens where it was put, as it was put there, and nowhere else.

use super::support::*;
use crate::run::Timestamp;
use crate::store::{LogFilter, LogLevel, LogLine, Memory, Request, RunFilter, Store, StoreError, StoredRun};

fn two_runs() -> Memory {
    let memory = Memory::new();
    let store = open(&memory, &ring(1));
    whole_run(&store, "0-a");
    whole_run(&store, "1-b");
    memory
}

/// Says where, and nothing of what stood there.
fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, place: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains(place), "{error} does not name {place}");
}

/// Everything that can be read of both runs.
fn read_all(store: &dyn Store) -> Result<(), StoreError> {
    read_run(store, "0-a")?;
    read_run(store, "1-b")
}

#[test]
fn nothing_is_stored_in_clear() {
    let memory = two_runs();
    open(&memory, &ring(1)).request(request("0-a")).unwrap();
    let below = format!(
        "{:?} {:?} {:?}",
        memory.list(&RunFilter::default()).unwrap(),
        memory
            .list(&RunFilter::default())
            .unwrap()
            .iter()
            .map(|run| memory.journal(run.run))
            .collect::<Vec<_>>(),
        (memory.remembered(b"0-a", Timestamp(0)), memory.requests(None, 9)),
    );
    assert!(!below.contains(format!("{MARKER:?}").trim_matches(['[', ']'])), "a value is in clear");
    assert!(!below.contains(std::str::from_utf8(MARKER).unwrap()), "an operation is in clear");
    read_all(&open(&memory, &ring(1))).unwrap();
}

/// Every byte of a value, of its header and of its tag.
#[test]
fn a_changed_byte_is_told() {
    let memory = two_runs();
    let length = memory.find("0-a").unwrap().remove(0).params.len();
    for at in 0..length {
        for change in [1, 0x80] {
            let mut tampered = Tampered::new(&memory);
            tampered.run = Box::new(move |run| run.params[at] ^= change);
            refused(tampered.open(&ring(1)).find("0-a"), "run 0-a: its parameters");

            let mut tampered = Tampered::new(&memory);
            tampered.journal = Box::new(move |entries| {
                let bytes = &mut entries[2].value.as_mut().unwrap().bytes;
                let at = at.min(bytes.len() - 1);
                bytes[at] ^= change;
            });
            let store = tampered.open(&ring(1));
            let run = store.find("0-a").unwrap().remove(0).run;
            refused(store.journal(run), "run 0-a: the value of entry 2");
        }
    }
    let mut tampered = Tampered::new(&memory);
    tampered.run = Box::new(|run| {
        run.end.as_mut().and_then(|end| end.result.as_mut()).unwrap().bytes.pop();
    });
    refused(tampered.open(&ring(1)).find("0-a"), "run 0-a: its result");
    let mut tampered = Tampered::new(&memory);
    tampered.remembered = Box::new(|value| value.bytes.truncate(9));
    refused(tampered.open(&ring(1)).remembered(b"0-a", Timestamp(0)), "a remembered result");
}

#[test]
fn a_value_that_was_cut_off_is_told() {
    let memory = two_runs();
    let length = memory.find("0-a").unwrap().remove(0).params.len();
    for length in 0..length {
        let mut tampered = Tampered::new(&memory);
        tampered.run = Box::new(move |run| run.params.truncate(length));
        refused(tampered.open(&ring(1)).find("0-a"), "run 0-a: its parameters");
    }
}

#[test]
fn a_value_of_another_place_is_refused() {
    let memory = two_runs();
    // Of another entry, of another run, of another kind.
    let mut tampered = Tampered::new(&memory);
    tampered.journal = Box::new(|entries| {
        let value = entries[1].value.clone();
        entries[2].value = value;
    });
    let store = tampered.open(&ring(1));
    let run = store.find("0-a").unwrap().remove(0).run;
    refused(store.journal(run), "entry 2");

    let other = memory.find("1-b").unwrap().remove(0);
    let journal = memory.journal(other.run).unwrap();
    let mut tampered = Tampered::new(&memory);
    tampered.journal = Box::new(move |entries| entries.clone_from(&journal));
    refused(tampered.open(&ring(1)).journal(run), "run 0-a: the value of entry 0");

    let (params, result) = (other.params, other.end.unwrap().result.unwrap().bytes);
    for stolen in [params, result] {
        let mut tampered = Tampered::new(&memory);
        tampered.run = Box::new(move |run| {
            if run.id == "0-a" {
                run.params.clone_from(&stolen);
            }
        });
        let store = tampered.open(&ring(1));
        refused(store.find("0-a"), "run 0-a: its parameters");
        // The other one is still found.
        read_run(&store, "1-b").unwrap();
        assert_eq!(store.list(&RunFilter::default()).unwrap().len(), 1);
        assert_eq!(store.list(&RunFilter { at_most: 1, ..RunFilter::default() }).unwrap()[0].id, "1-b");
        refused(store.by_key("key of 0-a"), "run 0-a: its parameters");
    }
    let mut tampered = Tampered::new(&memory);
    let stolen = memory.remembered(b"1-b", Timestamp(0)).unwrap().unwrap();
    tampered.remembered = Box::new(move |value| value.clone_from(&stolen));
    refused(tampered.open(&ring(1)).remembered(b"0-a", Timestamp(0)), "a remembered result");
}

/// An unreadable run does not end a list that goes on after it.
#[test]
fn a_page_of_unreadable_runs_is_not_the_last() {
    let memory = Memory::new();
    let store = open(&memory, &ring(1));
    for number in 0..6 {
        create(&store, new_run(&format!("{number}")));
    }
    let mut tampered = Tampered::new(&memory);
    tampered.run = Box::new(|run| {
        if ["0", "1", "2", "5"].contains(&&*run.id) {
            run.params.clear();
        }
    });
    let store = tampered.open(&ring(1));
    let ids = |runs: Vec<StoredRun>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(store.unfinished(None, 2).unwrap()), ["3"]);
    assert_eq!(ids(store.list(&RunFilter { at_most: 1, ..RunFilter::default() }).unwrap()), ["4"]);
}

#[test]
fn a_value_in_clear_is_refused_where_all_are_encrypted() {
    let memory = two_runs();
    let mut tampered = Tampered::new(&memory);
    tampered.journal = Box::new(|entries| entries[2].value.as_mut().unwrap().bytes = b"7".to_vec());
    let store = tampered.open(&ring(1));
    let run = store.find("0-a").unwrap().remove(0).run;
    refused(store.journal(run), "entry 2");
    // Also once the key has been changed.
    drop(open(&memory, &ring(2).and("key 1", key(1))));
    let mut tampered = Tampered::new(&memory);
    tampered.journal = Box::new(|entries| entries[2].value.as_mut().unwrap().bytes = b"7".to_vec());
    refused(tampered.open(&ring(2)).journal(run), "entry 2");
    // Of what is only there to be faster, there is then none.
    let mut tampered = Tampered::new(&memory);
    tampered.remembered = Box::new(|value| value.bytes = b"7".to_vec());
    assert_eq!(tampered.open(&ring(2)).remembered(b"0-a", Timestamp(0)), Ok(None));
}

#[test]
fn a_request_belongs_to_who_asked() {
    let memory = Memory::new();
    // Not even where values may be in clear.
    whole_run(&memory, "before");
    let ring = |byte| ring(byte).and_values_in_clear();
    let store = open(&memory, &ring(1));
    store.request(request("a")).unwrap();
    let clear = Request { operation: r#""cancel""#.to_owned(), ..request("a") };
    memory.request(clear.clone()).unwrap();
    let found = store.open_requests().unwrap();
    assert_eq!((&found[0].request, &found[1].request), (&request("a"), &clear));
    assert_eq!(store.requests(Some("a"), 9).unwrap().len(), 2);
    let changes: [fn(&mut Request); 6] = [
        |request| request.run = Some("b".to_owned()),
        |request| request.run = None,
        |request| request.actor = "bob".to_owned(),
        |request| request.reason = None,
        |request| request.at = Timestamp(6),
        |request| request.operation = request.operation.replace("signal", "set"),
    ];
    let refused = |change: Box<dyn Fn(&mut Request) + Send + Sync>| {
        let mut tampered = Tampered::new(&memory);
        tampered.request = Box::new(move |stored| {
            if stored.request.operation != r#""cancel""# {
                change(&mut stored.request);
            }
        });
        let mut found = tampered.open(&ring(1)).open_requests().unwrap();
        let operation = found.remove(0).request.operation;
        assert!(
            operation.contains("what `") && operation.contains("` asked for cannot be decrypted"),
            "{operation}"
        );
        assert!(serde_json::from_str::<crate::Operation>(&operation).is_err());
        // One bad request does not hold up the others.
        assert_eq!(found.len(), 1);
    };
    changes.into_iter().for_each(|change| refused(Box::new(change)));
    let sealed = memory.open_requests().unwrap().remove(0).request.operation;
    assert!(sealed.starts_with(r#"{"signal":{"sealed":""#), "its kind can be read: {sealed}");
    let (from, to) = (sealed.len() - 60, sealed.len() - 3);
    for at in from..to {
        refused(Box::new(move |request| {
            let mut bytes = std::mem::take(&mut request.operation).into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            request.operation = String::from_utf8(bytes).unwrap();
        }));
    }
    // In clear inside, and no base64 at all.
    for inside in ["aGVsbG8=", "hello!", ""] {
        refused(Box::new(move |request| {
            request.operation = format!(r#"{{"signal":{{"sealed":"{inside}"}}}}"#);
        }));
    }
}

#[test]
fn a_line_belongs_to_its_attempt() {
    let memory = two_runs();
    let store = open(&memory, &ring(1));
    let [run, other] = ["0-a", "1-b"].map(|id| store.find(id).unwrap().remove(0).run);
    let text = MARKER.to_vec();
    let (path, at, level) = ("w/x".into(), Timestamp(5), LogLevel::Info);
    let line = LogLine { run, path, attempt: 1, undo: false, seq: 3, at, level, text };
    let lines = vec![line.clone(), LogLine { run: other, ..line.clone() }];
    let (answer, answered) = std::sync::mpsc::channel();
    store.log(lines, Box::new(move |result| answer.send(result).unwrap()));
    answered.recv().unwrap().unwrap();
    let below = memory.logs(run, &LogFilter::default()).unwrap().remove(0);
    assert!(!below.line.text.windows(MARKER.len()).any(|window| window == MARKER), "in clear");
    let found = store.logs(run, &LogFilter::default()).unwrap().remove(0);
    assert_eq!(found.line, line);

    let changes: [fn(&mut LogLine); 7] = [
        |line| line.attempt = 2,
        |line| line.undo = true,
        |line| line.seq = 0,
        |line| line.at = Timestamp(6),
        |line| line.level = LogLevel::Error,
        |line| line.path = "w/y".into(),
        |line| line.text[30] ^= 1,
    ];
    for change in changes {
        let mut tampered = Tampered::new(&memory);
        tampered.line = Box::new(move |stored| change(&mut stored.line));
        refused(tampered.open(&ring(1)).logs(run, &LogFilter::default()), "run 0-a: a line of step `w/");
    }
    let stolen = memory.logs(other, &LogFilter::default()).unwrap().remove(0).line.text;
    let mut tampered = Tampered::new(&memory);
    tampered.line = Box::new(move |stored| stored.line.text.clone_from(&stolen));
    refused(tampered.open(&ring(1)).logs(run, &LogFilter::default()), "run 0-a: a line of step `w/x`");
}
