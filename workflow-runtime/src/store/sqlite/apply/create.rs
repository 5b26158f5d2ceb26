//! Creating a run.

use rusqlite::{OptionalExtension, params};

use super::operate::{is_wanted, reply};
use super::{Cursor, Tables, Work, WriteFailure};
use crate::run::Timestamp;
use crate::store::names::run_state_name;
use crate::store::sqlite::encode::{Prepared, Readable, fits, keep_entries, prepare, size_of, time};
use crate::store::sqlite::values::Values;
use crate::store::{Created, NewRun, RunRef, StoreError, Tick};

/// Creates a run.
pub(in crate::store::sqlite) struct Create {
    run: NewRun,
    entries: Vec<Prepared>,
}

impl Create {
    pub(in crate::store::sqlite) fn new(mut run: NewRun) -> Result<Self, StoreError> {
        run.check()?;
        fits("the arguments of a run", run.params.len())?;
        fits("a blueprint", run.blueprint.as_ref().map_or(0, |blueprint| blueprint.len()))?;
        let entries = prepare(std::mem::take(&mut run.entries))?;
        Ok(Self { run, entries })
    }
}

impl Work for Create {
    type Outcome = Created;

    fn keep(&self, values: &mut Values) -> Result<(), StoreError> {
        keep_entries(&self.entries, values)
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Created, WriteFailure> {
        let new = &self.run;
        if let Some(existing) = tables.find(new.key.as_deref(), &new.id)? {
            return Ok(Created::Existing(Box::new(existing)));
        }
        if let Some((number, _)) = &new.answer {
            is_wanted(tables, *number)?;
        }
        if let Some(tick) = &new.tick {
            take(tables, tick)?;
        }
        if let Some(blueprint) = &new.blueprint {
            tables.insert_blueprint(new.fingerprint, blueprint)?;
        }
        tables.last_run += 1;
        let run = RunRef(tables.last_run);
        let inserted = tables.insert_run.execute(params![
            run.0,
            new.id,
            new.workflow,
            new.key,
            new.fingerprint.cast_signed(),
            Readable(&new.params),
            run_state_name(new.state),
            time(new.created_at),
            new.parent.as_ref().map(|parent| &parent.id),
            new.parent.as_ref().map(|parent| &*parent.how),
        ]);
        inserted.map_err(|error| tables.failed(&error))?;
        let next_seq = tables.insert_entries(run, 0, &self.entries)?;
        if let Some((number, answer)) = &new.answer {
            reply(tables, *number, answer)?;
        }
        tables.move_cursor(run, Cursor { next_seq, ended: false });
        Ok(Created::New(run))
    }

    fn size(&self) -> usize {
        self.run.params.len() + size_of(&self.entries)
    }
}

/// Moves a schedule's mark to a tick, which has to lie after it.
fn take(tables: &Tables<'_>, tick: &Tick) -> Result<(), WriteFailure> {
    let sql = "SELECT mark FROM schedules WHERE schedule = ?1";
    let mark: rusqlite::Result<Option<i64>> =
        tables.conn.query_row(sql, [&tick.schedule], |row| row.get(0)).optional();
    match mark.map_err(|error| tables.failed(&error))? {
        Some(mark) if time(tick.at) <= mark => {
            let mark = Timestamp(u64::try_from(mark).unwrap_or_default());
            let (schedule, at) = (tick.schedule.clone(), tick.at);
            Err(WriteFailure::Refused(StoreError::StaleTick { schedule, at, mark }))
        }
        _ => tables.move_mark(tick),
    }
}
