//! Numbers as they are typed come back digit for digit.

use super::process::Program;

const LARGEST: &str = "340282366920938463463374607431768211455";
const LEAST: &str = "-170141183460469231731687303715884105728";

fn given() -> String {
    format!(
        r#"{{"double":1.5777777777770001,"large":{LARGEST},"least":{LEAST},"secret":{{"$secret":{LARGEST}}},"text":"1e3"}}"#
    )
}

fn shown() -> String {
    given().replace(&format!(r#"{{"$secret":{LARGEST}}}"#), r#""***""#)
}

#[test]
fn numbers_come_back_from_every_road_digit_for_digit() {
    let program = Program::own("numbers");
    let given = format!("numbers={}", given());
    // Nobody owns the store; then the one that works does.
    program.fine(&["start", "numbers", &given]);
    program.fine(&["signal", "@last", "heard", LARGEST]);
    program.fine(&["work", "--drain"]);
    let result = format!("[{},{LARGEST}]", shown());
    let show = program.fine(&["show", "@last", "--json"]).out;
    assert!(show.contains(&format!(r#""result":{result}"#)), "{show}");
    assert!(show.contains(&format!(r#""params":{{"numbers":{}}}"#, shown())), "{show}");
    assert!(show.contains(&format!(r#""value":{LARGEST}"#)), "{show}");
    let text = program.fine(&["show", "@last"]).out;
    assert!(text.contains(&format!("signal name=heard value={LARGEST}")), "{text}");
    assert!(text.contains("1.5777777777770001") && !text.contains("e38"), "{text}");
    // Of the same parameters, in this process and told by it.
    program.fine(&["rerun", "@last", "--detach"]);
    program.fine(&["signal", "@last", "heard", "7"]);
    let ended = program.fine(&["resume", "@last", "--json"]);
    assert!(ended.out.contains(&format!(r#""result":[{},7]"#, shown())), "{ended:?}");
}

/// Another process owns the store.
#[test]
fn numbers_are_handed_to_another_process_digit_for_digit() {
    let program = Program::own("numbers-handed");
    let live = program.spawn(&["work"]).until("working on");
    let id = program.fine(&["start", "numbers", &format!("numbers={}", given())]).out.trim().to_owned();
    program.fine(&["signal", &id, "heard", LARGEST]);
    let ended = program.fine(&["watch", &id, "--json"]);
    assert!(ended.out.contains(&format!(r#""result":[{},{LARGEST}]"#, shown())), "{ended:?}");
    live.signal("-TERM").end();
}

#[test]
fn a_number_that_would_be_kept_as_another_is_refused() {
    let program = Program::own("numbers-refused");
    for (from, to) in [("1.5777777777770001", "9007199254740993"), (LARGEST, "18446744073709551616.0")] {
        let given = format!("numbers={}", given().replacen(from, to, 1));
        let ended = program.run(&["start", "numbers", &given]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.starts_with("error: parameter `numbers` takes `Numbers`"), "{ended:?}");
    }
}
