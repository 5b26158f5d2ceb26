//! What the system allows the program and its users: threads, memory, files
//! that may only be read, and arguments that are no text.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::process::Program;

/// The program in a folder that every user may read, and run as one who owns
/// nothing there. `None` where this user cannot become another one.
struct Stranger {
    folder: PathBuf,
}

impl Stranger {
    fn new(name: &str) -> Option<Self> {
        let mut tried = Command::new("setpriv");
        tried.args(["--reuid=65534", "--regid=65534", "--clear-groups", "prlimit", "--version"]);
        if !tried.output().is_ok_and(|tried| tried.status.success()) {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("workflow-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("store")).unwrap();
        // By another process: a program that this one has open for writing cannot
        // be run, and children that other tests start inherit what is open.
        let copied =
            Command::new("cp").arg(env!("CARGO_BIN_EXE_program")).arg(folder.join("program")).status();
        assert!(copied.unwrap().success());
        let stranger = Self { folder };
        stranger.allow("", 0o755);
        stranger.allow("program", 0o755);
        stranger.allow("store", 0o755);
        Some(stranger)
    }

    fn allow(&self, name: &str, mode: u32) {
        fs::set_permissions(self.folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn allow_all(&self, folder: &str) {
        for file in fs::read_dir(self.folder.join(folder)).unwrap() {
            fs::set_permissions(file.unwrap().path(), fs::Permissions::from_mode(0o644)).unwrap();
        }
    }

    /// As the owner of the store.
    fn own(&self, args: &[&str]) -> Output {
        let mut command = Command::new(self.folder.join("program"));
        command.args(args).current_dir(&self.folder).env("WORKFLOW_STORE", "store/runs.db").output().unwrap()
    }

    /// As somebody else, with so many threads at most.
    fn run(&self, threads: Option<u32>, args: &[&str]) -> Output {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        if let Some(threads) = threads {
            command.arg("prlimit").arg(format!("--nproc={threads}"));
        }
        command.arg(self.folder.join("program")).args(args);
        command.current_dir(&self.folder).env("WORKFLOW_STORE", "store/runs.db").output().unwrap()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn whoever_may_only_read_a_store_sees_its_runs() {
    let Some(stranger) = Stranger::new("reader") else {
        // Who is no root may take the right to write from himself instead.
        return reads_without_the_right_to_write();
    };
    let (code, id, _) = told(&stranger.own(&["start", "nightly", "day=1"]));
    assert_eq!(code, Some(0));
    stranger.allow_all("store");
    let files = fs::read_dir(stranger.folder.join("store")).unwrap();
    assert!(files.count() <= 2, "the log is gone, and nobody but its owner can make one");
    let (code, out, err) = told(&stranger.run(None, &["ls"]));
    assert_eq!((code, out.starts_with(id.trim())), (Some(0), true), "{out}{err}");
    let (code, out, err) = told(&stranger.run(None, &["show", "@last"]));
    assert_eq!((code, out.contains(id.trim())), (Some(0), true), "{out}{err}");

    let (code, out, err) = told(&stranger.run(None, &["cancel", "@last"]));
    assert_eq!((code, out.is_empty()), (Some(5), true), "{err}");
    assert!(err.contains("cannot be written") && err.contains("let this user write"), "{err}");
    stranger.allow("store/runs.db", 0o600);
    let (code, _, err) = told(&stranger.run(None, &["ls"]));
    assert_eq!(code, Some(5));
    assert!(err.contains("this user may not read it"), "{err}");
    stranger.allow("store", 0o700);
    let (code, _, err) = told(&stranger.run(None, &["ls"]));
    assert_eq!(code, Some(5));
    assert!(err.contains("cannot be looked at"), "{err}");
}

fn reads_without_the_right_to_write() {
    let program = Program::own("read_only");
    assert_eq!(program.run(&["start", "nightly", "day=1"]).code, Some(0));
    fs::set_permissions(&program.folder, fs::Permissions::from_mode(0o555)).unwrap();
    let listed = program.run(&["ls"]);
    fs::set_permissions(&program.folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!((listed.code, listed.out.lines().count()), (Some(0), 1), "{listed:?}");
}

#[test]
fn a_program_that_may_have_no_threads_says_so_and_ends() {
    let Some(stranger) = Stranger::new("threads") else { return };
    stranger.allow("store", 0o777);
    for args in [&["ls"][..], &["run", "nightly", "day=1"], &["work", "--drain"]] {
        for threads in [1, 4] {
            let (code, out, err) = told(&stranger.run(Some(threads), args));
            assert_eq!((code, out.as_str()), (Some(5), ""), "{args:?}: {err}");
            assert!(err.starts_with("error: no thread can be started: "), "{err}");
            assert!(err.contains("ulimit -u"), "{err}");
        }
    }
}

#[test]
fn a_file_name_that_is_no_text_is_a_name_like_any_other() {
    let program = Program::own("no_text");
    let name = std::ffi::OsStr::from_bytes(b"lock\xff");
    let lock = |args: &[&str]| told(&program.command(args).arg(name).output().unwrap());
    let (code, out, err) = lock(&["lock", "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let written: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&written["file"], &written["written"]), (&"lock\u{fffd}".into(), &true.into()));
    assert!(program.folder.join(name).exists());
    assert_eq!(lock(&["lock", "--check"]).0, Some(0));
    fs::remove_file(program.folder.join(name)).unwrap();
    let (code, _, err) = lock(&["lock", "--check"]);
    assert_eq!(code, Some(3));
    assert!(err.contains(r"lock $'lock\xff'` writes it"), "a shell reads it as it is: {err}");

    let store = std::ffi::OsStr::from_bytes(b"runs\xff.db");
    let with_store = |args: &[&str]| told(&program.command(args).arg("--store").arg(store).output().unwrap());
    let (code, _, err) = with_store(&["start", "nightly", "day=1"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains(r"work --store $'runs\xff.db'` goes on with it"), "{err}");
    assert_eq!(with_store(&["ls"]).1.lines().count(), 1);
    // Elsewhere a text is needed.
    for args in [&["show"][..], &["run"], &["run", "nightly"], &["graph"], &["ls", "--as"], &["signal"]] {
        let (code, _, err) = told(&program.command(args).arg(name).output().unwrap());
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.starts_with("error: "), "{err}");
    }
}

#[test]
fn what_never_ends_is_no_value() {
    let program = Program::own("endless");
    if !Path::new("/dev/zero").exists() {
        return;
    }
    let ended = program.run(&["start", "diary", "text=@/dev/zero"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.err.contains("parameter `text`: file `/dev/zero` cannot be read: it is longer than"),
        "{ended:?}"
    );
    for file in ["@/dev/null/none", "@."] {
        let ended = program.run(&["start", "diary", &format!("text={file}")]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("cannot be read: "), "{ended:?}");
    }
    let ended = program.run(&["lock", "/dev/zero"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
}

#[test]
fn with_json_both_streams_are_json() {
    let program = Program::own("json_streams").with("PROGRAM_DAY", "monday");
    let file = program.folder.join("napped");
    fs::write(&file, "").unwrap();
    let siesta = format!("file={}", file.display());
    let json = |args: &[&str]| {
        let ended = program.run(&[args, &["--json"]].concat());
        for line in ended.out.lines().chain(ended.err.lines()) {
            let value = serde_json::from_str::<serde_json::Value>(line);
            assert!(value.is_ok_and(|value| value.is_object()), "{args:?}: {line}");
        }
        ended
    };
    assert_eq!(json(&["run", "siesta", &siesta]).code, Some(0));
    json(&["start", "nightly", "day=1"]);
    json(&["start", "transfer", "file=/no/such/folder/file"]);
    json(&["signal", "@last", "verdict", "yes"]);
    let failed = json(&["work", "--drain"]);
    assert_eq!(failed.code, Some(0), "{failed:?}");
    for args in [
        &["ls"][..],
        &["show", "@failed"],
        &["show", "@nothing"],
        &["watch", "@failed"],
        &["retry", "@failed"],
        &["retry", "@failed", "--detach"],
        &["rerun", "@failed", "--detach"],
        &["fork", "@failed", "--from", "wired", "--detach"],
        &["set", "@failed", "wired", "1"],
        &["rerun", "@last", "--detach"],
        &["cancel", "@last"],
        &["pause", "@last"],
        &["resume", "@last", "--detach"],
        &["adopt", "@last"],
        &["logs", "@last"],
        &["graph", "nightly"],
        &["graph", "nightly", "--format", "json"],
        &["next"],
        &["backfill", "nightly", "--from", "2026-01-01", "--to", "2026-01-02"],
        &["check"],
        &["lock"],
        &["doctor"],
        &["completions", "bash"],
        &["wrok"],
        &[],
    ] {
        json(args);
    }
}
