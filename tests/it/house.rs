//! The house has an order: a module of the runtime or of the macros imports
//! only those below it. `ARCHITECTURE.md` shows the same lists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of modules, from the ground up: one line may use those above it in
/// the list, and none below.
struct Floors {
    folder: &'static str,
    /// How a path to one of the modules begins.
    path: &'static str,
    order: &'static [&'static str],
}

const HOUSE: &[Floors] = &[
    Floors { folder: "workflow-runtime/src", path: "crate::", order: RUNTIME },
    Floors {
        folder: "workflow-macros/src",
        path: "crate::",
        order: &["private", "diagnostics", "entries", "duration", "options", "resources", "task", "workflow"],
    },
    Floors {
        folder: "workflow-macros/src/task",
        path: "crate::task::",
        order: &["types", "function", "options", "signature", "check", "expand", "stub"],
    },
    Floors { folder: "workflow-macros/src/workflow", path: "crate::workflow::", order: STAGES },
];

/// The stages of `workflow!`, and what they share.
const STAGES: &[&str] = &[
    // What several stages need.
    "ast", "tokens", "spelling", "pattern", "scope", "tasks", // Tokens to syntax tree.
    "parse", // The user's own expressions.
    "certain", "rewrite", // Syntax tree to plain Rust for rustc to check.
    "mirror",  // Syntax tree to graph.
    "graph", "lower", // The rules of shape.
    "schedule", "check", // Graph to tables.
    "picture", "expand",
];

const RUNTIME: &[&str] = &[
    // Words and values.
    "exact",
    "held",
    "secret",
    "words",
    "failure",
    "panics",
    "faithful",
    "codec",
    "value",
    "policy",
    "resources",
    "moment",
    "ordered",
    // A task's contract, and graphs of tasks.
    "task",
    "workflow",
    "tried",
    "__private",
    "lookup",
    "picture",
    // What a run is.
    "run",
    "operation",
    "view",
    "observe",
    // What is kept of it.
    "store",
    "error",
    "journal",
    "execution",
    "schedule",
    "blueprint",
    "history",
    "doctor",
    "sqlite",
    "logs",
    // What does it.
    "engine",
    "testing",
    // What people and programs see of it.
    "inspect",
    "serve",
    "app",
    // What is imported by name, and what the macros implement: no code.
    "contract",
    "prelude",
];

fn sources(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)
}

fn runtime() -> PathBuf {
    sources("workflow-runtime/src")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file, without what only its tests see, and without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = match text.find("#[cfg(test)]\nmod tests {") {
        Some(tests) => &text[..tests],
        None => &text,
    };
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether a file of a folder of modules is only for tests. Of the path inside
/// the folder: this package is itself called `tests`.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// The modules that some code names: with `crate::` for the path, those in
/// `crate::module` and in `crate::{module, …}`.
fn named(code: &str, path: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (place, _) in code.match_indices(path) {
        // `$crate` stands in a macro, which is expanded elsewhere.
        if code[..place].ends_with('$') {
            continue;
        }
        let rest = &code[place + path.len()..];
        let word = |text: &str| -> String {
            text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
        };
        match rest.strip_prefix('{') {
            None => drop(named.insert(word(rest))),
            Some(list) => {
                let list = list.split(';').next().unwrap_or_default();
                named.extend(list.split(',').map(|part| word(part.trim())));
            }
        }
    }
    named
}

/// A path from a file `depth` folders down that climbs out of its module, past
/// the names that the order is read from.
fn climbs_out(code: &str, depth: usize) -> bool {
    code.contains(&"super::".repeat(depth))
}

#[test]
fn a_module_imports_only_what_is_below_it() {
    let mut wrong = Vec::new();
    for Floors { folder, path, order } in HOUSE {
        let root = sources(folder);
        let mut files = Vec::new();
        rust_files(&root, &mut files);
        let mut found = BTreeSet::new();
        let floor = |module: &str| order.iter().position(|ordered| *ordered == module);
        for file in &files {
            let inside = file.strip_prefix(&root).unwrap();
            if is_test(inside) {
                continue;
            }
            let top = inside.components().next().unwrap().as_os_str().to_string_lossy();
            let top = top.trim_end_matches(".rs");
            if top == "lib" || top == "mod" {
                continue;
            }
            let Some(own) = floor(top) else {
                wrong.push(format!("`{top}` has no place in the order of {folder}"));
                continue;
            };
            found.insert(order[own]);
            let code = code(file);
            for module in named(&code, path) {
                if floor(&module).is_some_and(|other| other > own) {
                    wrong.push(format!("{} imports `{module}`, which is above it", file.display()));
                }
            }
            let depth = inside.components().count() - usize::from(inside.ends_with("mod.rs"));
            if climbs_out(&code, depth) {
                wrong.push(format!("{} climbs by `super`; write `{path}…`", file.display()));
            }
        }
        let gone = order.iter().filter(|module| !found.contains(*module));
        wrong.extend(gone.map(|module| format!("{folder} has no `{module}` any more")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_place_that_the_architecture_names_is_there() {
    let root = sources("");
    let mut files = Vec::new();
    for folder in ["workflow-runtime", "workflow-macros", "tests/it", "benches"] {
        rust_files(&root.join(folder), &mut files);
    }
    let is_there = |place: &str| {
        root.join(place).exists()
            || files.iter().any(|file| file.ancestors().any(|folder| folder.ends_with(place)))
    };
    for page in ["ARCHITECTURE.md", "DECISIONS.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        // What stands in fences is drawn, and in between every other piece is code.
        let prose = text.split("```").step_by(2);
        let places = prose
            .flat_map(|prose| prose.split('`').skip(1).step_by(2))
            .filter(|code| ["/", ".rs", ".md"].iter().any(|end| code.ends_with(end)) && !code.contains(' '));
        let gone: Vec<&str> = places.filter(|place| !is_there(place)).collect();
        assert!(gone.is_empty(), "{page} names what is not there: {gone:?}");
    }
}

/// The rooms of the engine. Each has a door, its `mod.rs`.
const ROOMS: &[&str] = &["attempts", "commit", "instance", "operate", "recover", "schedules", "time"];

#[test]
fn no_file_outside_a_room_of_the_engine_names_a_file_inside() {
    let engine = runtime().join("engine");
    let (mut files, mut wrong, mut rooms) = (Vec::new(), Vec::new(), BTreeSet::new());
    rust_files(&runtime(), &mut files);
    for file in files {
        let inside = file.strip_prefix(&engine).map(Path::to_path_buf).unwrap_or_default();
        let own = inside.iter().next().map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
        if inside.iter().count() > 1 && own != "tests" {
            rooms.insert(own.clone());
        }
        let code = code(&file);
        for room in ROOMS.iter().filter(|room| **room != own) {
            let within = fs::read_dir(engine.join(room)).unwrap().map(|entry| entry.unwrap().path());
            for name in within.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned)) {
                for path in [format!("engine::{room}::{name}::"), format!("engine::{room}::{name};")] {
                    if code.contains(&path) {
                        wrong.push(format!("{} names `{path}`", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rooms.iter().map(String::as_str).eq(ROOMS.iter().copied()), "{rooms:?}");
}
