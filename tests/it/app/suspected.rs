//! A step that ends its process, on the command line.

use super::process::Program;

/// A run whose step was lost as often as it may be; its id.
fn suspected(name: &str) -> (Program, String) {
    let program = Program::own(name).with("PROGRAM_ABRUPT", "1");
    let id = program.fine(&["start", "abrupt"]).out.trim().to_owned();
    for _ in 0..2 {
        let ended = program.spawn(&["work"]).end();
        assert_eq!(ended.code, None, "it ends itself: {ended:?}");
    }
    // Nothing is left to do, and nothing has failed.
    program.fine(&["work", "--drain"]);
    (program, id)
}

#[test]
fn a_suspected_step_comes_first_in_show_and_doctor_with_each_loss_and_what_to_do() {
    let (program, id) = suspected("suspected");
    let shown = program.fine(&["show", &id]).out;
    let lines: Vec<&str> = shown.lines().collect();
    let first = format!(
        "suspected: `abrupt/crashed` of run {id} may be what ends the process: it was lost 2 times in a row"
    );
    assert_eq!(lines[0], first, "{shown}");
    for line in &lines[1..3] {
        let is_told = line.starts_with("  began at ")
            && line.contains(" in process ")
            && line.contains(", found lost at ");
        assert!(is_told, "{shown}");
    }
    let help = [
        format!("retry {id} --step abrupt/crashed"),
        format!("set {id} abrupt/crashed VALUE"),
        format!("cancel {id}"),
    ];
    for (line, command) in lines[3..6].iter().zip(help) {
        assert!(line.starts_with(" help: ") && line.contains(&format!(" {command}")), "{shown}");
    }
    let doctor = program.fine(&["doctor"]).out;
    let first = format!(
        "run {id} of `abrupt`, step `abrupt/crashed`: suspected to end the process: it was lost 2 times in a row"
    );
    assert!(doctor.starts_with(&first), "{doctor}");

    let story = program.story();
    assert_eq!((&story["state"], &story["steps"][0]["state"]), (&"waiting".into(), &"suspected".into()));
    let lost = story["suspected"][0]["lost"].as_array().unwrap();
    let processes: Vec<u64> = lost.iter().map(|lost| lost["process"].as_u64().unwrap()).collect();
    assert!(lost.len() == 2 && processes[0] != processes[1], "{story:#}");
}

#[test]
fn an_operator_settles_a_suspected_step() {
    let (program, id) = suspected("suspected-set");
    program.fine(&["set", &id, "abrupt/crashed", "7"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(program.story()["result"], 7);

    let (program, id) = suspected("suspected-cancel");
    program.fine(&["cancel", &id, "--detach"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(program.story()["state"], "cancelled");
}
