//! The program that a command is given to: its workflows, its store, and the
//! way to an engine.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::pin::Pin;

use clap::ArgMatches;
use clap::parser::ValueSource;
use tokio::sync::mpsc::UnboundedSender;

use super::keys::Keys;
use super::line::plain;
use super::problem::{Code, Problem};
use super::reader::StoreReader;
use super::short::now;
use super::suggest::similar;
use crate::engine::{Engine, Passing};
use crate::run::Timestamp;
use crate::store::{Ownership, StoreError};
use crate::task::definition::Graph;

/// The user's program.
pub(super) struct Program {
    /// As it was called.
    name: String,
    pub(super) workflows: Vec<&'static Graph>,
    /// Of the workflows, in the same order; empty where one is too large.
    pictures: Vec<&'static str>,
    pub(super) place: StoreFile,
    keys: Keys,
    open: Option<Open>,
    /// When this process took the store: what happened before is old.
    pub(super) since: Timestamp,
}

/// What an engine of the program is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Goes on with everything, starts what is scheduled, sees to requests.
    Everything,
    /// Goes on with one run, and sees to requests, since no other process can.
    OneRun,
    /// Notes what the user wants, and leaves what follows to the next.
    Note,
}

/// Starts an engine on a file that is taken. A receiver may hear of its runs.
pub(super) type Open = Box<dyn FnOnce(Ownership, Duty, Option<UnboundedSender<Passing>>) -> Opening>;
type Opening = Pin<Box<dyn Future<Output = Result<Engine, Problem>>>>;

/// The store's file.
#[derive(Clone, Debug)]
pub(super) struct StoreFile {
    pub(super) path: PathBuf,
    /// It stood on the command line, so a command for next time names it too.
    named: bool,
}

impl StoreFile {
    pub(super) fn of(matches: &ArgMatches, default: PathBuf) -> Self {
        let named = matches.value_source("store") == Some(ValueSource::CommandLine);
        let path = matches.get_one::<PathBuf>("store").cloned();
        // The environment is read here, so that clap needs no feature for it.
        let path =
            path.or_else(|| std::env::var_os("WORKFLOW_STORE").filter(|v| !v.is_empty()).map(PathBuf::from));
        Self { path: path.unwrap_or(default), named }
    }
}

impl Program {
    pub(super) fn new(
        name: String,
        workflows: Vec<&'static Graph>,
        pictures: Vec<&'static str>,
        place: StoreFile,
        keys: Keys,
    ) -> Self {
        Self { name, workflows, pictures, place, keys, open: None, since: now() }
    }

    pub(super) fn opens_with(&mut self, open: Open) {
        self.open = Some(open);
    }

    /// An engine on the program's store, which this process then owns, unless
    /// another one does. Once there was one, there is no second.
    pub(super) async fn engine(&mut self, duty: Duty) -> Result<Option<Engine>, Problem> {
        self.engine_heard_by(duty, None).await
    }

    /// The same, with a receiver that hears of its runs.
    pub(super) async fn engine_heard_by(
        &mut self,
        duty: Duty,
        listener: Option<UnboundedSender<Passing>>,
    ) -> Result<Option<Engine>, Problem> {
        let path = self.place.path.clone();
        // Before anything that takes its time, such as the program's resources.
        let owned = match tokio::task::spawn_blocking(move || Ownership::take(&path)).await? {
            Err(StoreError::InUse { .. }) => return Ok(None),
            owned => owned?,
        };
        match self.open.take() {
            Some(open) => open(owned, duty, listener).await.map(Some),
            None => Err(Problem::new(Code::Refused, "the program's engine was started already")),
        }
    }

    /// The keys that the store's values are encrypted with.
    #[cfg(feature = "serve")]
    pub(super) fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// The store, to read it.
    pub(super) fn reader(&self) -> Result<StoreReader, Problem> {
        StoreReader::open(&self.place.path, &self.keys)
    }

    /// The same; `None` where there is none, and no process is about to make
    /// it.
    pub(super) fn reader_if_made(&self) -> Result<Option<StoreReader>, Problem> {
        StoreReader::open_made(&self.place.path, &self.keys)
    }

    /// The workflow of this name.
    pub(super) fn graph(&self, name: &str) -> Result<&'static Graph, Problem> {
        if let Some(graph) = self.workflows.iter().find(|graph| graph.name == name) {
            return Ok(graph);
        }
        let problem = Problem::new(Code::NotFound, format!("there is no workflow `{}`", plain(name)));
        let names = || self.workflows.iter().map(|graph| graph.name);
        Err(match similar(name, names()) {
            Some(similar) => problem.help(format!("a similar name exists: `{similar}`")),
            None if self.workflows.is_empty() => {
                problem.help("this program has none: register it with the `App`")
            }
            None => problem.help(format!("this program has {}", names().collect::<Vec<_>>().join(", "))),
        })
    }

    /// The picture of a workflow, if there is one.
    pub(super) fn picture(&self, graph: &Graph) -> Option<&'static str> {
        let place = self.workflows.iter().position(|known| std::ptr::eq(*known, graph))?;
        self.pictures.get(place).copied().filter(|picture| !picture.is_empty())
    }

    /// A command of this program, to be typed as it is.
    pub(super) fn command(&self, words: &[&str]) -> String {
        self.command_of(&words.iter().map(OsStr::new).collect::<Vec<_>>())
    }

    /// The same of words that may be no text, such as a file's name.
    pub(super) fn command_of(&self, words: &[&OsStr]) -> String {
        let mut command = quoted(OsStr::new(&self.name));
        for word in words {
            command.push(' ');
            command += &quoted(word);
        }
        if self.place.named {
            command += " --store ";
            command += &quoted(self.place.path.as_os_str());
        }
        command
    }
}

/// As a shell takes it for one word.
fn quoted(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:@,+%".contains(c);
    match word.to_str() {
        Some(word) if !word.is_empty() && word.chars().all(is_plain) => word.to_owned(),
        Some(word) => format!("'{}'", word.replace('\'', r"'\''")),
        // Byte by byte, as bash and zsh read it.
        None => {
            let byte = |byte: &u8| match byte {
                byte if is_plain(char::from(*byte)) => char::from(*byte).to_string(),
                byte => format!(r"\x{byte:02x}"),
            };
            format!("$'{}'", word.as_encoded_bytes().iter().map(byte).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_as_it_is() {
        let place = StoreFile { path: PathBuf::from("my runs.db"), named: true };
        let program = Program::new("./shop".to_owned(), Vec::new(), Vec::new(), place, Keys::default());
        assert_eq!(
            program.command(&["run", "order", "item=a'b", "price=1.5"]),
            r"./shop run order 'item=a'\''b' price=1.5 --store 'my runs.db'"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_can_be_typed_too() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(quoted(OsStr::from_bytes(b"a b\xff")), r"$'a\x20b\xff'");
    }
}
