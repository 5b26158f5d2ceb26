//! A store that is only looked at, whoever owns it.

use std::path::Path;

use super::ids::{self, Runs};
use super::keys::{Keys, Values};
use super::problem::{Code, Problem};
use crate::store::{
    Answer, LogFilter, Owner, Request, RunFilter, RunRef, Sqlite, Store, StoreError, StoredEntry, StoredLine,
    StoredRequest, StoredRun, Visitor,
};

/// A store that is only looked at. Lists are as they are stored; whoever wants
/// to see the values of a run asks for them with [`Self::open_run`] and
/// [`Self::journal`].
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) store: Visitor,
    values: Values,
}

impl Reader {
    /// Opens one.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is encrypted with a key that
    /// is not among `keys`.
    pub(super) fn open(path: &Path, keys: &Keys) -> Result<Self, Problem> {
        let there = path.try_exists().map_err(|error| {
            Problem::new(Code::Store, format!("`{}` cannot be looked at: {error}", path.display()))
        });
        if !there? {
            let message = format!("there is no store at `{}`", path.display());
            return Err(Problem::new(Code::NotFound, message)
                .help("the first `run` makes it; `--store FILE` or WORKFLOW_STORE name another one"));
        }
        let opened = Visitor::open(path);
        let store = if let Err(StoreError::OlderSchema { .. }) = opened {
            // An owner brings it up to date, and there is none yet.
            Sqlite::open(path)?.close();
            Visitor::open(path)?
        } else {
            opened?
        };
        let values = keys.values(&store.keys()?)?;
        Ok(Self { store, values })
    }

    /// The process that owns the store, if one does.
    pub(super) fn owner(&self) -> Result<Option<Owner>, StoreError> {
        self.store.owner()
    }

    /// Whether values can be read without keys.
    pub(super) fn is_clear(&self) -> bool {
        self.values.is_clear()
    }

    /// The run that is meant, its values as they are stored.
    pub(super) fn find(&self, wanted: &str) -> Result<StoredRun, Problem> {
        ids::find(self, wanted)
    }

    /// The run of an id.
    pub(super) fn run(&self, id: &str) -> Result<StoredRun, Problem> {
        let found = self.store.find(id)?;
        found.into_iter().find(|run| run.id == id).ok_or_else(|| {
            Problem::new(Code::NotFound, format!("run {id} is not there any more; it may have been removed"))
        })
    }

    /// A run with its parameters and its result in clear.
    pub(super) fn open_run(&self, run: StoredRun) -> Result<StoredRun, StoreError> {
        self.values.open_run(run)
    }

    /// The journal of a run, with its values in clear.
    pub(super) fn journal(&self, run: &StoredRun) -> Result<Vec<StoredEntry>, StoreError> {
        self.values.open_journal(&run.id, self.store.journal(run.run)?)
    }

    /// What the attempts of a run said, in clear.
    pub(super) fn logs(&self, run: &StoredRun, filter: &LogFilter) -> Result<Vec<StoredLine>, StoreError> {
        self.values.open_lines(&run.id, self.store.logs(run.run, filter)?)
    }

    /// The run of a number.
    pub(super) fn numbered(&self, run: RunRef) -> Result<StoredRun, StoreError> {
        // The newest run up to this one is this one, if it is there.
        let before = run.0.checked_add(1).map(RunRef);
        let found = self.store.list(&RunFilter { before, at_most: 1, ..RunFilter::default() })?;
        found.into_iter().find(|found| found.run == run).ok_or(StoreError::UnknownRun { run })
    }

    /// What operators wanted of a run, the newest first.
    pub(super) fn requests(&self, run: &str, at_most: usize) -> Result<Vec<StoredRequest>, StoreError> {
        let requests = self.store.requests(Some(run), at_most)?;
        Ok(requests.into_iter().map(|request| self.values.open_request(request)).collect())
    }

    /// Notes what an operator wants, and returns its number.
    pub(super) fn request(&self, request: Request) -> Result<i64, StoreError> {
        self.store.request(self.values.seal_request(request)?)
    }

    /// What became of it, once somebody has seen to it.
    pub(super) fn answer_to(&self, number: i64) -> Result<Option<Answer>, StoreError> {
        self.store.answer_to(number)
    }
}

impl Runs for Reader {
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
        self.store.list(filter)
    }
}
