//! What attempts said.

use rusqlite::params;

use super::{Tables, Work, WriteFailure};
use crate::store::sqlite::encode::{Readable, fits, time};
use crate::store::{LogLine, StoreError};

/// Keeps lines. One whose run is not there any more has no reader.
pub(in crate::store::sqlite) struct Say(Vec<LogLine>);

impl Say {
    pub(in crate::store::sqlite) fn new(lines: Vec<LogLine>) -> Result<Self, StoreError> {
        lines.iter().try_for_each(|line| fits("a line of a log", line.text.len()))?;
        Ok(Self(lines))
    }
}

impl Work for Say {
    type Outcome = ();

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), WriteFailure> {
        for line in &self.0 {
            let LogLine { run, path, attempt, undo, seq, at, level, text } = line;
            let (seq, level, text) = (seq.cast_signed(), level.name(), Readable(text));
            let values = params![run.0, &**path, attempt, undo, seq, time(*at), level, text];
            tables.insert_line.execute(values).map_err(|error| tables.failed(&error))?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        self.0.iter().map(|line| line.text.len()).sum()
    }
}
