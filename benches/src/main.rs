//! `cargo run --release --manifest-path benches/Cargo.toml -- [FILTER]… [--rounds N] [--workers N] [--write]`
//!
//! Prints tables in Markdown; `--write` puts them into the README too. Filters
//! are parts of the names of what is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use benches::machine;
use benches::memory::{self, Allocations};
use benches::shape::Shape;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

struct Arguments {
    filters: Vec<String>,
    rounds: usize,
    workers: usize,
    write: bool,
}

impl Arguments {
    fn read() -> Result<Self, String> {
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let mut read = Self { filters: Vec::new(), rounds: 9, workers, write: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut count = || {
                let count = arguments.next().and_then(|count| count.parse().ok());
                count.filter(|count| *count > 0).ok_or_else(|| format!("`{argument}` takes a number above 0"))
            };
            match argument.as_str() {
                "--rounds" => read.rounds = count()?,
                "--workers" => read.workers = count()?,
                "--write" => read.write = true,
                option if option.starts_with('-') => return Err(format!("unknown option `{option}`")),
                _ => read.filters.push(argument),
            }
        }
        Ok(read)
    }

    fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }
}

fn main() -> Result<(), String> {
    let arguments = Arguments::read()?;
    let shapes: Vec<Shape> = Shape::ALL
        .into_iter()
        .filter(|shape| arguments.wants(&format!("memory: {}", shape.name())))
        .collect();
    let mut parts = vec![heading(&arguments)];
    if !shapes.is_empty() {
        let allocations = allocations();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(arguments.workers)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        // Spawned, since what is blocked on is not on a thread of the runtime.
        let tables = async move { memory::tables(&shapes, arguments.rounds, &allocations).await };
        parts.push(runtime.block_on(runtime.spawn(tables)).map_err(|error| error.to_string())?);
    }
    let text = parts.join("\n\n");
    println!("{text}");
    if arguments.write { write(&text) } else { Ok(()) }
}

fn heading(arguments: &Arguments) -> String {
    let mut facts = machine::facts(Path::new(FOLDER));
    facts
        .push(format!("settings: {} threads of the runtime, {} rounds", arguments.workers, arguments.rounds));
    facts.iter().map(|fact| format!("- {fact}")).collect::<Vec<_>>().join("\n")
}

/// Puts the text in the place of the last one in the README.
fn write(text: &str) -> Result<(), String> {
    let path = Path::new(FOLDER).join("README.md");
    let readme = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let (before, rest) = readme.split_once(BEGIN).ok_or("the README has lost its first mark")?;
    let (_, after) = rest.split_once(END).ok_or("the README has lost its second mark")?;
    let text = format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim());
    std::fs::write(path, text).map_err(|error| error.to_string())
}

/// Builds another program of this crate, with the same features.
fn built(name: &str) -> PathBuf {
    let manifest = Path::new(FOLDER).join("Cargo.toml");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--quiet", "--bin", name, "--manifest-path"]).arg(manifest);
    if !cfg!(feature = "peers") {
        command.arg("--no-default-features");
    }
    assert!(command.status().expect("cargo runs").success(), "{name} builds");
    std::env::current_exe().expect("it is known").with_file_name(name)
}

fn allocations() -> Allocations {
    let output = Command::new(built("allocations")).output().expect("it runs");
    let lines = String::from_utf8(output.stdout).expect("it prints names and numbers");
    let line = |line: &str| {
        let mut cells = line.split('\t');
        let (shape, name) = (cells.next()?.to_owned(), cells.next()?.to_owned());
        Some(((shape, name), cells.next()?.parse().ok()?))
    };
    lines.lines().filter_map(line).collect()
}
