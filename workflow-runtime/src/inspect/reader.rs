//! A store that is only looked at, whichever process owns it.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::ids::{self, Runs};
use super::keys::{Keys, ValueOpener};
use super::problem::{Code, Problem};
use super::time::now;
use crate::store::{
    Answer, LogFilter, Notice, Owner, Ownership, Request, RunFilter, RunRef, Sqlite, Store, StoreError,
    StoredEntry, StoredLine, StoredRequest, StoredRun, Visitor,
};

/// A store that is only looked at. Lists are as they are stored; a caller that
/// wants to see the values of a run asks for them with [`Self::open_run`] and
/// [`Self::journal`].
#[derive(Debug)]
pub(crate) struct StoreReader {
    pub(crate) store: Visitor,
    values: ValueOpener,
}

/// How often this looks whether a store is made by now, and how long that may
/// take.
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

fn missing(path: &Path) -> Problem {
    Problem::new(Code::NotFound, format!("there is no store at `{}`", path.display()))
        .help("the first `run` makes it; `--store FILE` or WORKFLOW_STORE name another one")
}

impl StoreReader {
    /// Opens one. Where another process is about to make it, or to bring it up
    /// to date, that is waited for.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is encrypted with a key that
    /// is not among `keys`.
    pub(crate) fn open(path: &Path, keys: &Keys) -> Result<Self, Problem> {
        Self::open_made(path, keys)?.ok_or_else(|| missing(path))
    }

    /// The same; `None` where there is none, and no process is about to make
    /// it.
    pub(crate) fn open_made(path: &Path, keys: &Keys) -> Result<Option<Self>, Problem> {
        let late = Instant::now() + PATIENCE;
        let store = loop {
            let there = path.try_exists().map_err(|error| {
                Problem::new(Code::Store, format!("`{}` cannot be looked at: {error}", path.display()))
            });
            if !there? {
                return Ok(None);
            }
            let unready = match Visitor::open(path) {
                Err(error @ (StoreError::OlderSchema { .. } | StoreError::Empty { .. })) => error,
                opened => break opened?,
            };
            match (Ownership::take(path), &unready) {
                // No process makes it, unless one has meanwhile.
                (Ok(owned), StoreError::Empty { .. }) => {
                    if matches!(Visitor::open(path), Err(StoreError::Empty { .. })) {
                        return Ok(None);
                    }
                    drop(owned);
                }
                // An owner brings it up to date, and there is none yet.
                (Ok(owned), _) => Sqlite::options().open_owned(owned)?.close(),
                // There is one, which is about to do so.
                (Err(StoreError::InUse { .. }), _) if Instant::now() < late => sleep(LOOK),
                (Err(error), _) => return Err(error.into()),
            }
        };
        let is_fresh = || {
            let first = store.list(&RunFilter { at_most: 1, ..RunFilter::default() })?;
            Ok(first.is_empty())
        };
        let values = keys.values(&store.keys()?, store.was_encrypted()?, is_fresh)?;
        Ok(Some(Self { store, values }))
    }

    /// The process that owns the store, if one does.
    pub(crate) fn owner(&self) -> Result<Option<Owner>, StoreError> {
        self.store.owner()
    }

    /// Whether some process owns the store.
    pub(crate) fn is_owned(&self) -> Result<bool, StoreError> {
        self.store.is_owned()
    }

    /// What keeps that process from writing the store just now.
    pub(crate) fn notice(&self) -> Result<Option<Notice>, StoreError> {
        self.store.notice()
    }

    /// Whether values can be read without keys.
    pub(crate) fn is_clear(&self) -> bool {
        self.values.is_clear()
    }

    /// The run that is meant, its values as they are stored.
    pub(crate) fn find(&self, wanted: &str) -> Result<StoredRun, Problem> {
        ids::find(self, wanted)
    }

    /// The run of an id.
    pub(crate) fn run(&self, id: &str) -> Result<StoredRun, Problem> {
        let found = self.store.find(id)?;
        found.into_iter().find(|run| run.id == id).ok_or_else(|| {
            Problem::new(Code::NotFound, format!("run {id} is not there any more; it may have been removed"))
        })
    }

    /// A run with its parameters and its result in clear.
    pub(crate) fn open_run(&self, run: StoredRun) -> Result<StoredRun, StoreError> {
        self.values.open_run(run)
    }

    /// The journal of a run, with its values in clear.
    pub(crate) fn journal(&self, run: &StoredRun) -> Result<Vec<StoredEntry>, StoreError> {
        self.values.open_journal(&run.id, self.store.journal(run.run)?)
    }

    /// What the attempts of a run said, in clear.
    pub(crate) fn logs(&self, run: &StoredRun, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        self.values.open_lines(&run.id, self.store.logs(run.run, filter)?)
    }

    /// The run of a number.
    pub(crate) fn numbered(&self, run: RunRef) -> Result<StoredRun, StoreError> {
        // The newest run up to this one is this one, if it is there.
        let before = run.0.checked_add(1).map(RunRef);
        let found = self.store.list(&RunFilter { before, at_most: 1, ..RunFilter::default() })?;
        found.into_iter().find(|found| found.run == run).ok_or(StoreError::UnknownRun { run })
    }

    /// What operators wanted of a run, the newest first.
    pub(crate) fn requests(&self, run: &str, at_most: usize) -> Result<Vec<StoredRequest>, StoreError> {
        let requests = self.store.requests(Some(run), at_most)?;
        Ok(requests.into_iter().map(|request| self.values.open_request(request)).collect())
    }

    /// What of the values that belong to no run's journal cannot be opened,
    /// with the number of the run that each belongs to, if it does to one.
    pub(crate) fn unreadable(&self) -> Result<Vec<(Option<RunRef>, StoreError)>, StoreError> {
        let mut found = Vec::new();
        for (run, key, value) in self.store.effects()? {
            let id = self.numbered(run).map(|run| run.id).unwrap_or_default();
            found.extend(self.values.open_effect(&id, &key, value).err().map(|error| (Some(run), error)));
        }
        for (key, value) in self.store.all_remembered()? {
            found.extend(self.values.open_remembered(&key, value).err().map(|error| (None, error)));
        }
        for asked in self.store.requests(None, usize::MAX)? {
            let number = asked.number;
            let opened = self.values.open_request(asked).request.operation;
            // As the engine hears of it.
            if let Some(why) = opened.strip_prefix(r#"{"unreadable":"#) {
                let what = format!("request {number}: {}", why.trim_end_matches('}').trim_matches('"'));
                found.push((None, StoreError::Other { message: what }));
            }
        }
        Ok(found)
    }

    /// Notes what an operator wants, and returns its number.
    pub(crate) fn request(&self, request: Request) -> Result<i64, StoreError> {
        self.store.request(self.values.seal_request(request)?)
    }

    /// Takes it back, unless the owner has seen to it.
    pub(crate) fn withdraw(&self, number: i64) -> Result<Option<Answer>, StoreError> {
        self.store.withdraw(number, now())
    }

    /// What became of it, once the owner has seen to it.
    pub(crate) fn answer_to(&self, number: i64) -> Result<Option<Answer>, StoreError> {
        self.store.answer_to(number)
    }
}

impl Runs for StoreReader {
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.store.list(filter)
    }
}
