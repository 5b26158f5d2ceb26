//! Looking for damage in everything that is stored.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::errors::sqlite_error;
use super::reader::Reader;
use super::rows;
use super::values::Values;
use crate::store::StoreError;
use crate::store::error::lost;

/// How often it is looked again whether what was found is still there.
const AGAIN: usize = 2;

/// How much damage is told of one table.
const AT_MOST: usize = 100;

/// The rows that are not of a run that is being removed.
const REMAINS: &str = "run NOT IN (SELECT run FROM removals)";

pub(super) fn check(reader: &Reader) -> Result<Vec<String>, StoreError> {
    reader.with(|conn| {
        let mut found = quick_check(conn).map_err(|error| sqlite_error(reader.path(), &error))?;
        // What SQLite cannot read is lost.
        if found.is_empty() {
            let failed = |error| sqlite_error(reader.path(), &error);
            read_tables(conn, reader.values(), &mut found).map_err(failed)?;
            // The values of what is being removed go after their rows, which
            // one snapshot still has.
            for _ in 0..AGAIN {
                if found.is_empty() {
                    break;
                }
                let mut still = Vec::new();
                read_tables(conn, reader.values(), &mut still).map_err(failed)?;
                found.retain(|line| still.contains(line));
            }
        }
        Ok(found)
    })
}

fn quick_check(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare("PRAGMA quick_check")?;
    let lines = statement.query_map([], |row| row.get(0))?;
    let mut lines = lines.collect::<Result<Vec<String>, _>>()?;
    lines.retain(|line| line != "ok");
    let tables =
        [("journal", "position"), ("effects", "number"), ("log_lines", "number"), ("followed", "NULL")];
    for (table, position) in tables {
        let sql = format!(
            "SELECT {position} FROM {table} WHERE run NOT IN (SELECT run FROM runs) AND {REMAINS} LIMIT {AT_MOST}"
        );
        let orphan = |row: &Row<'_>| {
            let position: Option<i64> = row.get(0)?;
            let row = position.map_or_else(String::new, |position| format!(", row {position}"));
            Ok(format!("table `{table}`{row}: its run is missing"))
        };
        for line in conn.prepare(&sql)?.query_map([], orphan)? {
            lines.push(line?);
        }
    }
    Ok(lines)
}

/// Reads every row as it is read in earnest, its value's file too.
fn read_tables(conn: &Connection, values: &Values, found: &mut Vec<String>) -> rusqlite::Result<()> {
    // One snapshot of all.
    let tx = conn.unchecked_transaction()?;
    let mut table = |columns: &str, rest: &str, read: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>| {
        let mut statement = tx.prepare(&format!("SELECT {columns} FROM {rest}"))?;
        let mut rows = statement.query([])?;
        let mut damaged = 0;
        while let Some(row) = rows.next()? {
            if let Err(error) = read(row) {
                found.push(what(error));
                damaged += 1;
                if damaged == AT_MOST {
                    found.push(format!("and maybe more in `{rest}`"));
                    break;
                }
            }
        }
        rusqlite::Result::Ok(())
    };
    let mut ids = BTreeMap::new();
    table(rows::RUN_COLUMNS, "runs", &mut |row| {
        let run = rows::run(values, row)?;
        ids.insert(run.run.0, run.id);
        Ok(())
    })?;
    let mut last = (i64::MIN, 0);
    table(
        &format!("{}, run", rows::ENTRY_COLUMNS),
        &format!("journal WHERE {REMAINS} ORDER BY run, seq"),
        &mut |row| {
            let run: i64 = row.get(row.as_ref().column_count() - 1).unwrap_or_default();
            last = if last.0 == run { (run, last.1 + 1) } else { (run, 0) };
            let id = ids.get(&run).map_or("?", String::as_str);
            rows::entry(values, row, || id.to_owned(), last.1).map(drop)
        },
    )?;
    table(rows::REQUEST_COLUMNS, "requests", &mut |row| rows::request(values, row).map(drop))?;
    table(rows::SCHEDULE_COLUMNS, "schedules", &mut |row| rows::schedule(values, row).map(drop))?;
    let rules = "schedules WHERE rule IS NOT NULL";
    table(rows::RULE_COLUMNS, rules, &mut |row| rows::rule(values, row).map(drop))?;
    table(rows::REMEMBERED_COLUMNS, "remembered", &mut |row| rows::remembered(values, row).map(drop))?;
    table(rows::EFFECT_COLUMNS, &format!("effects WHERE {REMAINS}"), &mut |row| {
        rows::effect(values, row).map(drop)
    })?;
    table(rows::KEY_COLUMNS, "keys", &mut |row| rows::key(values, row).map(drop))?;
    table(rows::LINE_COLUMNS, &format!("log_lines WHERE {REMAINS}"), &mut |row| {
        rows::line(values, row).map(drop)
    })
}

/// Without the words around it: it stands in a list of such.
fn what(error: StoreError) -> String {
    match error {
        StoreError::Damaged { what, .. } => what,
        StoreError::Value { what, file, is_missing } => {
            format!("{what} is in `{}`, which {}", file.display(), lost(is_missing))
        }

        error => error.to_string(),
    }
}
