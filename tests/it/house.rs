//! The house has an order: a module of the runtime imports only those below it.
//! `ARCHITECTURE.md` shows the same list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the runtime from the ground up. One line may use those above
/// it in this list, and none below.
const ORDER: &[&str] = &[
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
    // A task's contract, and graphs of tasks.
    "task",
    "workflow",
    "__private",
    "lookup",
    "picture",
    // What a run is.
    "run",
    "operation",
    "view",
    "observe",
    "execution",
    // What is kept of it.
    "store",
    "error",
    "journal",
    "schedule",
    "blueprint",
    "history",
    "doctor",
    "sqlite",
    "logs",
    // What does it.
    "engine",
    "testing",
    "app",
];

fn runtime() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflow-runtime/src")
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

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// The modules of the crate that some code names, by `crate::module` and by
/// `crate::{module, …}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        // `$crate` stands in a macro, which is expanded elsewhere.
        if code[..place].ends_with('$') {
            continue;
        }
        let rest = &code[place + "crate::".len()..];
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

#[test]
fn a_module_imports_only_what_is_below_it() {
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    rust_files(&runtime(), &mut files);
    let floor = |module: &str| ORDER.iter().position(|ordered| *ordered == module);
    for file in files.iter().filter(|file| !is_test(file)) {
        let inside = file.strip_prefix(runtime()).unwrap();
        let top = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let top = top.trim_end_matches(".rs");
        if top == "lib" {
            continue;
        }
        let Some(own) = floor(top) else {
            wrong.push(format!("`{top}` has no place in the order"));
            continue;
        };
        for module in named(&code(file)) {
            if floor(&module).is_some_and(|other| other > own) {
                wrong.push(format!("{} imports `{module}`, which is above it", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
