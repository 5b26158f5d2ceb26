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
