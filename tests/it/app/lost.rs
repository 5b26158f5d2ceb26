//! A value that is too large for a row is a file beside the store, and that
//! file is gone.

use std::fs;

use super::process::Program;

/// Removes the one file that there is.
fn lose(program: &Program) -> String {
    let shelf = fs::read_dir(program.folder.join("runs.db-values")).unwrap();
    let mut shelves = shelf.map(|shelf| shelf.unwrap().path()).filter(|path| path.is_dir());
    let files = shelves.by_ref().flat_map(|shelf| fs::read_dir(shelf).unwrap());
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    fs::remove_file(&files[0]).unwrap();
    files[0].file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_missing_value_hides_nothing_but_itself_and_blocks_nobody_else() {
    let program = Program::own("lost");
    program.fine(&["start", "bulky", "size=100000", "--key", "bulky"]);
    program.fine(&["start", "transfer", "file=wired", "--key", "other"]);
    program.fine(&["work", "--drain"]);
    let file = lose(&program);

    let runs = program.runs();
    let id =
        |key: &str| runs.iter().find(|run| run["key"] == key).unwrap()["id"].as_str().unwrap().to_owned();
    let shown = program.fine(&["show", &id("bulky")]).out;
    let line = shown.lines().find(|line| line.starts_with("lost: ")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("the value of step `bulky/filled`"), "{line}");
    assert!(line.contains(&file) && line.contains("which is missing"), "{line}");
    assert!(shown.contains("filled") && shown.contains("verdict"), "the rest is not shown: {shown}");
    assert!(!shown.contains("move"), "{shown}");
    assert!(!program.fine(&["show", &id("other")]).out.contains("lost"));
    let doctor = program.run(&["doctor"]);
    assert_eq!(doctor.code, Some(5), "{doctor:?}");
    assert!(doctor.out.contains(&file), "{doctor:?}");

    // The run that needs it does not go on, and says why; another one does.
    let refused = program.run(&["signal", &id("bulky"), "verdict", "yes"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains(&file) && refused.err.contains("which is missing"), "{refused:?}");
    program.fine(&["signal", &id("other"), "verdict", "yes"]);
    program.fine(&["work", "--drain"]);
    assert_eq!(fs::read_to_string(program.folder.join("wired")).unwrap(), "yes\n");
    let shown = program.fine(&["show", &id("bulky")]);
    assert!(shown.out.contains(&file), "{shown:?}");
}

#[test]
fn a_run_whose_result_is_missing_is_listed_and_shown() {
    let program = Program::own("lost-result");
    program.fine(&["start", "bulk", "size=100000"]);
    program.fine(&["work", "--drain"]);
    let file = lose(&program);
    assert_eq!(program.runs().len(), 1);
    let shown = program.fine(&["show", "@last"]).out;
    assert!(shown.contains("lost: the result of the run is in ") && shown.contains(&file), "{shown}");
    assert!(program.story()["lost"][0].as_str().unwrap().contains(&file));
}
