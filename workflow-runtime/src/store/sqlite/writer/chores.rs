//! What takes long and is in no hurry: removing runs that ended long ago, and
//! giving back the room that they have left. It is done in small pieces
//! between the commits, each a transaction that does not wait for the disk, and
//! has a small share of the thread's time while there is anything else to do.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::group::{self, Failed};
use super::job::{Job, Pending};
use super::late::Late;
use crate::run::Timestamp;
use crate::store::sqlite::apply::{Detach, Remove, RemoveRest, Removed, Tables, Work, is_next_large};
use crate::store::sqlite::errors::sqlite_error;
use crate::store::sqlite::open::set;
use crate::store::sqlite::space;
use crate::store::{Done, StoreError};

/// How long a piece may take: what a commit may have to wait for it.
const PIECE: Duration = Duration::from_millis(1);

/// How many rows, values or pages a piece has at most.
const LARGEST: usize = 512;

/// For how many times as long as a piece took there is none, while commits
/// come.
const SHARE: u32 = 6;

/// They do not after none has come for that long.
const IDLE: Duration = Duration::from_millis(200);

/// How long there is none at most: the piece that fills the log waits for the disk, and
/// that is no more its own work than that of the commits before it.
const PAUSE: Duration = Duration::from_millis(30);

/// How long there is none after one has failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs that are to be removed, and the caller that waits for that.
pub(super) struct Removal {
    before: Timestamp,
    at_most: usize,
    removed: usize,
    /// Whether all of them are gone to readers.
    is_over: bool,
    /// `None` once called.
    done: Option<Done<Result<usize, StoreError>>>,
}

impl Removal {
    pub(super) fn new(before: Timestamp, at_most: usize, done: Done<Result<usize, StoreError>>) -> Self {
        Self { before, at_most, removed: 0, is_over: false, done: Some(done) }
    }

    fn tell(&mut self, result: Result<usize, StoreError>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

/// Everyone who asked is answered, also when the store is closed meanwhile.
impl Drop for Removal {
    fn drop(&mut self) {
        self.tell(Err(StoreError::Closed));
    }
}

/// What a piece is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Values that nothing refers to any more.
    Values,
    /// Rows of runs that are gone to readers.
    Rows,
    Runs,
    /// Pages that are given back.
    Pages,
}

impl Piece {
    /// How many rows, values or pages it has at least: fewer take no less time.
    fn least(self) -> usize {
        match self {
            Piece::Rows | Piece::Runs => 32,
            Piece::Values | Piece::Pages => 1,
        }
    }
}

pub(super) struct Chores {
    removals: VecDeque<Removal>,
    /// Whether there may be rows of runs that are gone to readers.
    rows: bool,
    /// Whether there may be room to give back.
    room: bool,
    due: Option<Instant>,
    /// What the last piece was of.
    last: Piece,
    /// How many rows, values or pages the next piece has.
    size: usize,
    /// When something else was done last.
    busy: Instant,
}

impl Chores {
    /// A process may have died before it had removed all rows, or given back
    /// all room.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            removals: VecDeque::new(),
            rows: true,
            room: true,
            due: Some(now),
            last: Piece::Pages,
            size: 1,
            busy: now,
        }
    }

    pub(super) fn push(&mut self, removal: Removal) {
        self.removals.push_back(removal);
        self.due.get_or_insert_with(Instant::now);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Something else is being done.
    pub(super) fn is_busy(&mut self) {
        self.busy = Instant::now();
    }

    /// Does a piece, if it is time to.
    pub(super) fn see_to(&mut self, tables: &mut Tables<'_>, late: &mut Late) {
        let began = Instant::now();
        if tables.has_unneeded() {
            self.due.get_or_insert(began);
        }
        if late.is_stalled() || self.due.is_none_or(|due| due > began) {
            return;
        }
        let piece = self.next(tables);
        if piece != self.last {
            (self.last, self.size) = (piece, piece.least());
        }
        let result = match piece {
            Piece::Values => {
                tables.remove_values(self.size);
                Ok(())
            }
            Piece::Rows => self.remove_rows(tables),
            Piece::Runs => self.remove(tables),
            Piece::Pages => self.give_back(tables),
        };
        let took = began.elapsed();
        self.size = match took {
            took if took > PIECE => (self.size / 2).max(piece.least()),
            took if took < PIECE / 2 => (self.size * 2).min(LARGEST),
            _ => self.size,
        };
        let pause = match result {
            Ok(()) if self.busy.elapsed() > IDLE => Duration::ZERO,
            Ok(()) => (took * SHARE).min(PAUSE),
            Err(error) => {
                if error.is_passing() {
                    late.failed(&error);
                } else if piece == Piece::Rows {
                    // The next start tries it again.
                    tracing::warn!(%error, "what is left of removed runs could not be removed");
                    self.rows = false;
                }
                if piece != Piece::Pages
                    && let Some(mut removal) = self.removals.pop_front()
                {
                    removal.tell(Err(error));
                }
                AGAIN
            }
        };
        let left = self.room || self.rows || tables.has_unneeded() || !self.removals.is_empty();
        self.due = left.then(|| Instant::now() + pause);
    }

    /// Rows before further runs, so that no more of them are half gone than
    /// have to be.
    fn next(&self, tables: &Tables<'_>) -> Piece {
        if tables.has_unneeded() {
            Piece::Values
        } else if self.rows {
            Piece::Rows
        } else if self.removals.is_empty() {
            Piece::Pages
        } else {
            Piece::Runs
        }
    }

    fn remove_rows(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        self.rows = write(tables, RemoveRest { rows: self.size })?;
        Ok(())
    }

    fn remove(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        let Some(removal) = self.removals.front_mut() else { return Ok(()) };
        if removal.is_over {
            // Their values go once nothing brings the runs back.
            if tables.has_garbage() {
                return group::probe(tables);
            }
            let removed = removal.removed;
            if let Some(mut removal) = self.removals.pop_front() {
                removal.tell(Ok(removed));
            }
            self.room = true;
            return Ok(());
        }
        let (before, at_most) = (removal.before, removal.at_most - removal.removed);
        let failed = |error| sqlite_error(tables.path(), &error);
        let is_large = at_most > 0 && is_next_large(tables.conn, before).map_err(failed)?;
        let piece = if is_large {
            detach(tables, before)?
        } else {
            write(tables, Remove { before, at_most, rows: self.size })?
        };
        self.rows |= is_large;
        removal.removed += piece.runs;
        removal.is_over = !piece.has_more || removal.removed >= removal.at_most;
        Ok(())
    }

    fn give_back(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        tables.wait_for_disk(false)?;
        self.room = space::give_back(tables.path(), tables.conn, self.size)?;
        Ok(())
    }
}

/// A journal outlives its run here, and foreign keys can only be let go of
/// between transactions.
fn detach(tables: &mut Tables<'_>, before: Timestamp) -> Result<Removed, StoreError> {
    set(tables.path(), tables.conn, "foreign_keys", "0", "0")?;
    let detached = write(tables, Detach { before });
    set(tables.path(), tables.conn, "foreign_keys", "1", "1")?;
    detached
}

/// Writes a piece by itself, without a wait for the disk.
fn write<W: Work>(tables: &mut Tables<'_>, work: W) -> Result<W::Outcome, StoreError> {
    let (answer, answered) = mpsc::sync_channel(1);
    let done = move |outcome| drop(answer.send(outcome));
    let mut job: Box<dyn Job> = Box::new(Pending::new(work, Box::new(done)));
    let written = group::write_relaxed(tables, std::slice::from_mut(&mut job));
    job.answer(written.map_err(Failed::into_error));
    answered.recv().unwrap_or(Err(StoreError::Closed))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::thread::yield_now;

    use rusqlite::Connection;

    use super::*;
    use crate::run::RunState;
    use crate::store::sqlite::tests::support::{Scratch, append, at, batch, create};
    use crate::store::sqlite::writer::late::Shown;
    use crate::store::{Batch, LogFilter, RunEnd, RunFilter, RunRef, Sqlite, Store};

    /// What the runs here have, in each table.
    const ROWS: u64 = 3_000;

    /// A store with a large run and a small one after it, both ended, and one
    /// that has not. Returns the large one.
    fn with_a_large_run(path: &Path) -> RunRef {
        let store = Sqlite::open(path).unwrap();
        let [large, small, _] = ["large", "small", "new"].map(|id| create(&store, id));
        for (run, second) in [(large, 1), (small, 2)] {
            let end = RunEnd { state: RunState::Failed, at: at(second), result: None, error: None };
            append(&store, Batch { end: Some(end), ..batch(run, 0) }).unwrap();
        }
        store.close();
        let conn = Connection::open(path).unwrap();
        let rows = format!(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {ROWS})"
        );
        let run = large.0;
        let sql = format!(
            "INSERT INTO journal (run, seq, at, event) {rows} SELECT {run}, n, 1, '{{}}' FROM number; \
             INSERT INTO log_lines (run, path, attempt, undo, seq, at, level, text) \
             {rows} SELECT {run}, 'a', 1, 0, n, 1, 'info', 'x' FROM number; \
             INSERT INTO effects (run, key, value, value_type) \
             {rows} SELECT {run}, printf('%d', n), '1', 'u8' FROM number; \
             INSERT INTO requests (run, operation, actor, at, answered_at, done) \
             {rows} SELECT 'large', '\"pause\"', 'ada', 1, 1, 'large' FROM number;"
        );
        conn.execute_batch(&sql).unwrap();
        large
    }

    /// How many rows there are of runs and of what belongs to them.
    fn rows(path: &Path) -> i64 {
        let tables = ["runs", "journal", "log_lines", "effects", "requests", "removals"];
        let sql = tables.map(|table| format!("(SELECT count(*) FROM {table})")).join(" + ");
        let conn = Connection::open(path).unwrap();
        conn.query_row(&format!("SELECT {sql}"), [], |row| row.get(0)).unwrap()
    }

    /// Does pieces for as long as it is told to, or there are any. Returns how
    /// many rows each has written.
    fn pieces(conn: &Connection, path: &Path, removal: Option<Removal>, most: usize) -> Vec<u64> {
        let mut tables = Tables::new(path, conn).unwrap();
        let mut late = Late::new(Shown::default(), None);
        let mut chores = Chores::new();
        chores.removals.extend(removal);
        let mut pieces = Vec::new();
        while pieces.len() < most && chores.due().is_some() {
            if chores.due().is_some_and(|due| due > Instant::now()) {
                yield_now();
                continue;
            }
            let before = conn.total_changes();
            chores.see_to(&mut tables, &mut late);
            pieces.push(conn.total_changes() - before);
        }
        pieces
    }

    fn removal(answer: mpsc::SyncSender<Result<usize, StoreError>>) -> Option<Removal> {
        Some(Removal::new(at(100), 10, Box::new(move |removed| drop(answer.send(removed)))))
    }

    #[test]
    fn no_commit_of_a_removal_has_many_rows_however_many_one_run_has() {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let large = with_a_large_run(&path);
        let (answer, answered) = mpsc::sync_channel(1);
        let conn = Connection::open(&path).unwrap();
        let pieces = pieces(&conn, &path, removal(answer), usize::MAX);
        let most = pieces.iter().max().copied().unwrap_or_default();
        assert!(most <= LARGEST as u64 + 1, "{most} rows in one commit: {pieces:?}");
        assert!(pieces.iter().sum::<u64>() > 4 * ROWS, "{pieces:?}");
        assert_eq!(answered.recv().unwrap(), Ok(2));
        drop(conn);
        assert_eq!(rows(&path), 1, "the run that has not ended");
        let store = Sqlite::open(&path).unwrap();
        assert_eq!(store.journal(large), Err(StoreError::UnknownRun { run: large }));
        // Its number is not given again, although nothing is left of it.
        assert!(create(&store, "next").0 > large.0);
    }

    #[test]
    fn a_run_that_is_half_removed_is_not_there_is_no_damage_and_goes_at_the_next_start() {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let large = with_a_large_run(&path);
        let all = rows(&path);
        // After each of these pieces the process dies.
        for most in [2, 5, 9] {
            let (answer, answered) = mpsc::sync_channel(1);
            let conn = Connection::open(&path).unwrap();
            pieces(&conn, &path, removal(answer), most);
            assert_eq!(answered.recv().unwrap(), Err(StoreError::Closed));
            drop(conn);
            let half = rows(&path);
            assert!(half <= all && half > 1_000, "{half} of {all} rows");
            let visitor = crate::store::Visitor::open(&path).unwrap();
            assert_eq!(visitor.journal(large), Err(StoreError::UnknownRun { run: large }));
            assert_eq!(visitor.logs(large, &LogFilter::default()).unwrap(), []);
            let shown = visitor.list(&RunFilter { at_most: 10, ..RunFilter::default() }).unwrap();
            assert!(shown.iter().all(|run| run.run != large), "{shown:?}");
            let conn = Connection::open(&path).unwrap();
            let people = "SELECT (SELECT count(*) FROM step_changes WHERE run = ?1) \
                          + (SELECT count(*) FROM logs WHERE run = ?1)";
            assert_eq!(conn.query_row(people, [large.0], |row| row.get(0)), Ok(0));
            let reader = crate::store::sqlite::reader::Reader::new(
                &path,
                crate::store::sqlite::handle::Handle::open(&path).unwrap(),
            );
            assert_eq!(crate::store::sqlite::check::check(&reader).unwrap(), Vec::<String>::new());
        }
        let store = Sqlite::open(&path).unwrap();
        let late = Instant::now() + Duration::from_secs(30);
        while rows(&path) > 3 {
            assert!(Instant::now() < late, "{} rows", rows(&path));
            yield_now();
        }
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }
}
