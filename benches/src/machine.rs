//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A line for each fact.
pub fn facts(folder: &Path) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!("date: {}", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        format!(
            "commit: {}",
            said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
        ),
        format!("cpu: {}, {cores} cores", cpu().unwrap_or_else(|| "unknown".to_owned())),
        format!("load when it began: {}", read("/proc/loadavg").unwrap_or_default()),
        format!("kernel: {}", said("uname", &["-sr"])),
        format!("rustc: {}", said("rustc", &["--version"])),
        format!("file system of the stores: {}", file_system(folder).unwrap_or_else(|| "unknown".to_owned())),
    ]
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.ok().filter(|output| output.status.success());
    text.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn cpu() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}

/// The type of the file system that has the folder: of the longest mount
/// point that it is under.
fn file_system(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let mounts = read("/proc/mounts")?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let over = mounts.filter(|(point, _)| folder.starts_with(point));
    over.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}
