//! The README as its readers take it: every session that it shows is typed into
//! a shell, and what is printed is held against what the README says is.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::examples::without_durations;

const README: &str = include_str!("../../README.md");

/// The blocks of a language, without their fences.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for line in README.lines() {
        match (line.strip_prefix("```"), &mut block) {
            (Some(info), None) => block = Some((info == language, String::new())),
            (Some(_), Some(_)) => {
                let (wanted, text) = block.take().unwrap();
                blocks.extend(wanted.then_some(text));
            }
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Where the examples are built, and how rustc finds what they use.
struct Built {
    examples: PathBuf,
    rustc: Vec<String>,
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let build = ["build", "--quiet", "-p", "examples", "--examples", "--message-format=json"];
        let output = Command::new(env!("CARGO")).args(build).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let (mut examples, mut rustc) = (None, vec!["--edition".to_owned(), "2024".to_owned()]);
        for message in String::from_utf8(output.stdout).unwrap().lines() {
            let message: serde_json::Value = serde_json::from_str(message).unwrap();
            let files =
                message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
            let name = message["target"]["name"].as_str().unwrap_or_default();
            for file in files {
                if name == "words" {
                    examples = Path::new(file).parent().map(Path::to_owned);
                } else if ["workflow_runtime", "tokio"].contains(&name) && file.ends_with(".rlib") {
                    rustc.extend(["--extern".to_owned(), format!("{name}={file}")]);
                    let dependencies = Path::new(file).parent().unwrap().display();
                    rustc.extend(["-L".to_owned(), format!("dependency={dependencies}")]);
                }
            }
        }
        Built { examples: examples.unwrap(), rustc }
    })
}

/// A folder that a session is typed in, as if it were the repository's.
struct Session {
    folder: PathBuf,
}

impl Session {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme").join(name);
        let _ = fs::remove_dir_all(&folder);
        for inner in ["target", "examples", "edited"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
        }
        fs::copy(root().join("examples/words.rs"), folder.join("examples/words.rs")).unwrap();
        Self { folder }
    }

    /// Both streams in the order in which they are written.
    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("bash");
        let path = [&self.folder.join("edited"), &built().examples].map(|path| path.display().to_string());
        let path = format!("{}:{}", path.join(":"), std::env::var("PATH").unwrap());
        shell.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(&self.folder);
        shell.env("PATH", path).env("USER", "ada").env_remove("WORKFLOW_STORE");
        shell.stdin(Stdio::null()).stdout(Stdio::piped());
        shell
    }

    /// What a command prints.
    fn print(&self, command: &str, shown: &[&str]) -> String {
        if command.starts_with("cargo build -p examples --examples ") {
            built();
            return String::new();
        }
        if let Some(query) = command.strip_prefix("sqlite3 ") {
            let (file, query) = query.split_once(" \"").unwrap();
            return self.query(file, query.strip_suffix('"').unwrap());
        }
        if let Some((edit, _)) = command.split_once(" && cargo build -p examples --example words") {
            let edited = self.shell(edit).output().unwrap();
            assert!(edited.status.success(), "{command}: {edited:?}");
            let compiled = self.compile(&["--out-dir", "edited"]);
            assert_eq!(compiled, "", "{command}");
            return String::new();
        }
        if let Some(("Killed", before)) = shown.split_last().map(|(last, before)| (*last, before)) {
            return self.killed(command, before.last().unwrap());
        }
        String::from_utf8(self.shell(command).output().unwrap().stdout).unwrap()
    }

    /// What rustc has to say about the session's copy of `words`.
    fn compile(&self, args: &[&str]) -> String {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(&built().rustc).args(args).arg("examples/words.rs").current_dir(&self.folder);
        String::from_utf8(rustc.output().unwrap().stderr).unwrap()
    }

    /// What it prints until it is killed, once it has printed this.
    fn killed(&self, command: &str, until: &str) -> String {
        let mut child = self.shell(&format!("exec {command}")).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while said.lines().last().map(comparable) != Some(comparable(until)) {
            assert_ne!(out.read_line(&mut said).unwrap(), 0, "no `{until}` in:\n{said}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before the signal came is left out.
        said + "Killed\n"
    }

    /// As `sqlite3` prints it, which may not be there.
    fn query(&self, file: &str, query: &str) -> String {
        use rusqlite::types::ValueRef;
        let database = rusqlite::Connection::open(self.folder.join(file)).unwrap();
        let mut statement = database.prepare(query).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut text = String::new();
        while let Some(row) = rows.next().unwrap() {
            let column = |number| match row.get_ref(number).unwrap() {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => format!("{number:?}"),
                ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
            };
            text += &((0..columns).map(column).collect::<Vec<_>>().join("|") + "\n");
        }
        text
    }

    /// Types every command of a block.
    fn type_in(&self, block: &str) {
        let lines: Vec<_> = block.lines().collect();
        let mut commands = lines.split(|line| line.starts_with("$ "));
        assert_eq!(commands.next().unwrap().len(), 0, "it begins with a command");
        let typed = lines.iter().filter_map(|line| line.strip_prefix("$ "));
        for (command, shown) in typed.zip(commands) {
            // Behind it, a word about it.
            let command = command.split("   #").next().unwrap().trim_end();
            let said = self.print(command, shown);
            if let Err(missing) = is_shown(&said, shown) {
                panic!("the README shows for `{command}`:\n  {missing}\nand it printed:\n{said}");
            }
        }
    }
}

/// Whether the lines are there in this order, with any others where `…` stands.
fn is_shown(said: &str, shown: &[&str]) -> Result<(), String> {
    let mut said = said.lines().map(comparable);
    let mut anything = false;
    for line in shown {
        if *line == "…" {
            anything = true;
            continue;
        }
        let wanted = comparable(line);
        let found = if anything { said.any(|said| said == wanted) } else { said.next() == Some(wanted) };
        if !found {
            return Err((*line).to_owned());
        }
        anything = false;
    }
    match said.next() {
        Some(more) if !anything && !shown.is_empty() => Err(format!("nothing more, such as `{more}`")),
        _ => Ok(()),
    }
}

/// A line without what differs from run to run: ids, times, and which item of a
/// `for` was first.
fn comparable(line: &str) -> String {
    let line = without_durations(line);
    let mut text = String::new();
    let mut rest = line.as_str();
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-.:".contains(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(c.len_utf8()));
        let is_id = word.len() == 36 && word.matches('-').count() == 4;
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let is_moment = digits >= 6 && word.chars().all(|c| c.is_ascii_digit() || "-.:".contains(c));
        let is_fraction = word.contains('.') && word.parse::<f64>().is_ok();
        let is_item = text.ends_with('[') && after.starts_with(']') && digits == word.len();
        let is_count = after.starts_with(" of ") && after.contains(" done") && digits == word.len();
        text += if is_id || is_moment || is_fraction || is_item || is_count { "#" } else { word };
        rest = after;
    }
    text
}

#[test]
fn what_differs_is_left_out() {
    assert_eq!(
        comparable("2026-11-21 12:48:54 01a1fe27-0c7c-77a6-8d65-a5f9e787b61f w/x[12]/y took 1.5 s"),
        "# # # w/x[#]/y took _"
    );
    assert_eq!(comparable("▸ counts  2 of 5 done, 1.5 s"), "▸ counts  # of 5 done, _");
    assert_eq!(comparable("w/x|1|0.473|lost"), "w/x|1|#|lost");
    assert!(is_shown("a\nb\nc\n", &["a", "…", "c"]).is_ok() && is_shown("a\nb\n", &["a"]).is_err());
    assert!(is_shown("a\nc\nb\n", &["…", "b", "c"]).is_err());
}

#[test]
fn the_first_example_is_the_example_words() {
    let example = fs::read_to_string(root().join("examples/words.rs")).unwrap();
    let (_, program) = example.split_once("\n\n").unwrap();
    assert_eq!(blocks("rust,no_run")[0], program);
}

#[test]
fn its_mistakes_are_reported_as_the_readme_says() {
    let session = Session::new("mistakes");
    let file = session.folder.join("examples/words.rs");
    let program = fs::read_to_string(&file).unwrap();
    let mistaken = program.replace("count(&page)", "count(page)").replace("Ok(counts.iter", "Ok(count.iter");
    fs::write(&file, mistaken).unwrap();
    let said = session.compile(&["--emit", "metadata", "--out-dir", "target"]);
    // Without the numbers of lines, and where the lines are.
    let said: Vec<_> =
        said.lines().map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit())).collect();
    let said: Vec<_> = said.iter().map(|line| line.trim()).collect();
    for error in blocks("text")[0].split("\n\n") {
        let mut lines = said.iter();
        for line in error.lines().map(str::trim) {
            assert!(lines.any(|said| *said == line), "the README shows `{line}`, and rustc said {said:#?}");
        }
    }
}

#[test]
fn every_session_is_as_it_is_shown() {
    let sessions = blocks("console");
    assert_eq!(sessions.len(), 3);
    std::thread::scope(|scope| {
        for (number, session) in sessions.iter().enumerate() {
            scope.spawn(move || Session::new(&number.to_string()).type_in(session));
        }
    });
}

#[test]
fn every_command_is_named() {
    let help = Session::new("help").print("shop --help", &[]);
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let commands: BTreeSet<_> = commands.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(commands.len() > 20, "{help}");
    let (_, table) = README.split_once("| to | commands |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let named: BTreeSet<_> = table.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands, named);
}

#[test]
fn every_promise_has_a_test() {
    let tests: String = ["promises.rs", "transaction.rs", "crash.rs"]
        .map(|file| fs::read_to_string(root().join("tests/it").join(file)).unwrap())
        .concat();
    let (_, promises) = README.split_once("What is promised:").unwrap();
    let (promises, _) = promises.trim_start().split_once("\n\n").unwrap();
    let promises = promises.lines().filter(|line| line.split('.').next().unwrap().parse::<u32>().is_ok());
    let numbers: Vec<u32> = promises.map(|line| line.split('.').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    for number in numbers {
        assert!(tests.contains(&format!("fn promise_{number:02}_")), "promise {number}");
    }
}
