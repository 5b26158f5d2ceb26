//! `cargo run --release --manifest-path benches/Cargo.toml -- [FILTER]… [--rounds N] [--workers N] [--write]`
//!
//! Prints tables in Markdown, with the facts of the machine; `--write` puts them into the README too. Filters
//! are parts of the names of what is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use benches::contestant::Boxed;
use benches::durable::{self, Load};
use benches::machine;
use benches::memory::{self, Allocations};
use benches::scenario;
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
    if let [_, option, kind, folder] = &std::env::args().collect::<Vec<_>>()[..]
        && option == "--child"
    {
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        runtime.block_on(scenario::child(kind, Path::new(folder)));
    }
    let arguments = Arguments::read()?;
    let shapes: Vec<Shape> = Shape::ALL
        .into_iter()
        .filter(|shape| arguments.wants(&format!("memory: {}", shape.name())))
        .collect();
    let loads: Vec<Load> = durable::LOADS
        .into_iter()
        .filter(|load| arguments.wants(&format!("durable: {}", load.name)))
        .collect();
    let folder = Path::new(FOLDER).join("target/stores");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.workers)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    // Spawned, since what is blocked on is not on a thread of the runtime.
    let measured =
        |tables: Boxed<String>| runtime.block_on(runtime.spawn(tables)).map_err(|error| error.to_string());
    let rounds = arguments.rounds;

    let mut parts = vec![heading(&arguments, &folder)];
    if !shapes.is_empty() {
        let allocations = allocations();
        parts.push(measured(Box::pin(async move { memory::tables(&shapes, rounds, &allocations).await }))?);
    }
    if !loads.is_empty() {
        if cfg!(feature = "peers") {
            build_peer("apalis");
            build_peer("duroxide");
        }
        let folder = folder.clone();
        parts.push(measured(Box::pin(async move { durable::table(&loads, rounds, &folder).await }))?);
    }
    let scenarios: Vec<&'static str> =
        scenario::ALL.into_iter().filter(|name| arguments.wants(&format!("scenario: {name}"))).collect();
    let smallest = arguments.wants("scenario: binary size").then(|| built("smallest"));
    if !scenarios.is_empty() || smallest.is_some() {
        let folder = folder.clone();
        let table = async move { scenario::table(&scenarios, &folder, smallest.as_deref()).await };
        parts.push(measured(Box::pin(table))?);
    }
    let _ = std::fs::remove_dir_all(&folder);
    let text = parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n");
    println!("{text}");
    if arguments.write { write(&text) } else { Ok(()) }
}

fn heading(arguments: &Arguments, folder: &Path) -> String {
    let mut facts = machine::facts(folder);
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

/// Has cargo build for release, into the folder that this program is in.
fn build(manifest: &str, arguments: &[&str]) {
    let program = std::env::current_exe().expect("it is known");
    let target = program.ancestors().nth(2).expect("it is in a folder of a profile in the target folder");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(Path::new(FOLDER).join(manifest))
        .arg("--target-dir")
        .arg(target)
        .args(arguments)
        .status();
    assert!(status.expect("cargo runs").success(), "{manifest} builds");
}

fn build_peer(name: &str) {
    build(&format!("{name}/Cargo.toml"), &[]);
}

/// Builds another program of this crate, with the same features.
fn built(name: &str) -> PathBuf {
    let features: &[&str] = if cfg!(feature = "peers") { &[] } else { &["--no-default-features"] };
    build("Cargo.toml", &[&["--bin", name], features].concat());
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
