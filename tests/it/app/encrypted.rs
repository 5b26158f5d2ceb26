//! A store whose values are encrypted: whoever has the key sees them, but for
//! secrets, and nobody else does.

use std::fs;

use super::process::Program;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Values that are stored, and should not be seen in a file.
const VALUES: [&str; 4] = ["ada.lovelace", "hunter2", "314159", "forty-two"];

#[test]
fn values_are_encrypted_and_secrets_are_not_shown() {
    let clear = Program::own("encrypted");
    let program = clear.with("PROGRAM_KEY", KEY);
    let run = program.spawn(&["run", "login", "user=ada.lovelace", "password=hunter2"]);
    let run = run.until("waiting for a signal login/code");
    // From another process.
    program.fine(&["signal", "@last", "code", "314159", "--reason", "on the phone"]);
    let ended = run.end();
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "***\n"), "{ended:?}");

    program.fine(&["start", "nightly", "day=7"]);
    program.fine(&["work", "--drain"]);
    program.fine(&["signal", "@last", "verdict", "forty-two"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(program.story()["result"], "page 7 parsed: forty-two");
    let said = program.fine(&["logs", "@last"]).out;
    assert!(said.ends_with("nightly/published#1 program: publishing verdict=\"forty-two\"\n"), "{said}");

    let login = program.runs()[1]["id"].as_str().unwrap().to_owned();
    let shown = program.fine(&["show", &login]);
    for part in
        ["with      user=\"ada.lovelace\"\n", "with      password=\"***\"\n", "signal name=code value=***"]
    {
        assert!(shown.out.contains(part), "{part} in {}", shown.out);
    }
    let json = program.fine(&["show", &login, "--json"]).out;
    assert!(!(shown.out + &json).contains("hunter2") && !json.contains("314159"), "{json}");

    for file in fs::read_dir(&program.folder).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(VALUES.iter().all(|value| !text.contains(value)), "a value is in clear");
    }
    assert_eq!(program.fine(&["doctor"]).out, "nothing is wrong\n");
}

#[test]
fn a_key_that_is_missing_is_said_at_once() {
    let clear = Program::own("keyless");
    let program = clear.with("PROGRAM_KEY", KEY);
    program.fine(&["start", "login", "user=ada", "password=hunter2"]);
    program.fine(&["check"]);
    for command in
        [&["ls"][..], &["show", "@last"], &["logs", "@last"], &["check"], &["doctor"], &["work", "--drain"]]
    {
        let refused = clear.run(command);
        assert_eq!(refused.code, Some(5), "{command:?}: {refused:?}");
        assert!(refused.err.contains("encrypted with the key `test`"), "{command:?}: {refused:?}");
    }
    let other = clear.with("PROGRAM_KEY", &KEY.replace('0', "f"));
    assert_eq!(other.run(&["show", "@last"]).code, Some(5));
}

/// Two rows of a table with each other's values.
fn swap(program: &Program, table: &str, column: &str, rows: &str) {
    let db = rusqlite::Connection::open(program.folder.join("runs.db")).unwrap();
    let sql = format!("SELECT rowid, {column} FROM {table} WHERE {rows} ORDER BY rowid LIMIT 2");
    let mut found = db.prepare(&sql).unwrap();
    let found = found.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let found: Vec<(i64, rusqlite::types::Value)> = found.map(Result::unwrap).collect();
    let [(one, this), (other, that)] = &found[..] else { panic!("{table} has {} rows", found.len()) };
    assert_ne!(this, that);
    let sql = format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1");
    db.execute(&sql, (one, that)).unwrap();
    db.execute(&sql, (other, this)).unwrap();
}

/// Whoever may write the file may not exchange what stands in it, whatever the
/// table.
#[test]
fn swapped_values_are_found_in_every_table() {
    let program = Program::own("swapped").with("PROGRAM_KEY", KEY);
    for word in ["one", "three"] {
        program.fine(&["run", "diary", &format!("text={word}")]);
        program.fine(&["run", "lookup", &format!("word={word}")]);
        program.fine(&["start", "transfer", "file=wired", "--key", word]);
        program.fine(&["signal", "@last", "verdict", word]);
    }
    assert!(program.fine(&["doctor"]).out.contains("nothing is wrong"));
    for (table, column, rows) in [
        ("runs", "params", "workflow = 'diary'"),
        ("runs", "result", "workflow = 'diary'"),
        ("journal", "value", "value IS NOT NULL"),
        ("requests", "operation", "operation LIKE '{\"signal%'"),
        ("requests", "operation", "operation LIKE '{\"start%'"),
        ("remembered", "value", "true"),
        ("effects", "value", "true"),
        ("log_lines", "text", "true"),
    ] {
        swap(&program, table, column, rows);
        let seen = program.run(&["doctor"]);
        assert_eq!(seen.code, Some(5), "{table}.{column}: {seen:?}");
        assert!(seen.out.contains("cannot be decrypted"), "{table}.{column}: {seen:?}");
        swap(&program, table, column, rows);
        program.fine(&["doctor"]);
    }
}

/// Without the rows of its keys a store is not one that was never encrypted:
/// what it holds then is somebody's.
#[test]
fn a_store_whose_keys_were_removed_is_refused() {
    let keyless = Program::own("keys-removed");
    let program = keyless.with("PROGRAM_KEY", KEY);
    program.fine(&["start", "transfer", "file=wired", "--key", "a"]);
    program.fine(&["signal", "@last", "verdict", "yes"]);
    let db = rusqlite::Connection::open(program.folder.join("runs.db")).unwrap();
    db.execute_batch(
        "DELETE FROM keys; DELETE FROM requests; DELETE FROM log_lines; \
         UPDATE runs SET params = '[\"elsewhere\"]'; \
         UPDATE journal SET value = '\"forged\"' WHERE value IS NOT NULL;",
    )
    .unwrap();
    for program in [&program, &keyless] {
        for command in
            [&["work", "--drain"][..], &["show", "@last"], &["run", "diary", "text=x"], &["doctor"]]
        {
            let refused = program.run(command);
            assert_eq!(refused.code, Some(5), "{command:?}: {refused:?}");
            assert!(refused.err.contains("has been removed"), "{command:?}: {refused:?}");
        }
    }
    // Not even where nothing says any more that it was encrypted.
    let id = u32::from_be_bytes(*b"Wkfl");
    db.execute_batch(&format!("PRAGMA application_id = {id}; DELETE FROM effects")).unwrap();
    for command in [&["work", "--drain"][..], &["show", "@last"], &["run", "diary", "text=x"], &["doctor"]] {
        let refused = program.run(command);
        assert_eq!(refused.code, Some(5), "{command:?}: {refused:?}");
        assert!(refused.err.contains("the store has values in clear"), "{command:?}: {refused:?}");
    }
    assert!(!program.folder.join("elsewhere").exists() && !program.folder.join("wired").exists());
}
