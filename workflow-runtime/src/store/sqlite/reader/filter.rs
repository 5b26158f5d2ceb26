//! A filter as a question to the database.

use rusqlite::types::Value;

use crate::store::RunFilter;
use crate::store::names::run_state_name;
use crate::store::sqlite::rows;

/// The statement that finds the runs, the newest first, and what it asks for.
/// How many are wanted is left to the caller, which leaves some out.
///
/// Few runs share a beginning: better to sort those than to walk all runs in
/// order, which a plus sign keeps SQLite from.
pub(in crate::store::sqlite) fn statement(filter: &RunFilter) -> (String, Vec<Value>) {
    let Asked { index, wheres, order, values } = Asked::of(filter);
    let columns = rows::RUN_COLUMNS;
    (format!("SELECT {columns} FROM runs {index} WHERE {wheres} ORDER BY {order} DESC"), values)
}

/// The statement that counts them, up to a number.
#[cfg(feature = "serve")]
pub(in crate::store::sqlite) fn count_statement(filter: &RunFilter) -> (String, Vec<Value>) {
    let Asked { index, wheres, values, .. } = Asked::of(filter);
    let limit = filter.at_most;
    (format!("SELECT count(*) FROM (SELECT 1 FROM runs {index} WHERE {wheres} LIMIT {limit})"), values)
}

/// A filter, as the parts of a question.
struct Asked {
    index: &'static str,
    wheres: String,
    order: &'static str,
    values: Vec<Value>,
}

impl Asked {
    fn of(filter: &RunFilter) -> Self {
        let mut question = Question::default();
        let (mut index, mut order) = ("", "run");
        if let Some(prefix) = filter.id_prefix.clone().filter(|prefix| !prefix.is_empty()) {
            question.begins("id", prefix);
            order = "+run";
        }
        if let Some(prefix) = &filter.key_prefix {
            question.begins("key", prefix.clone());
            order = "+run";
            // The runs of one schedule that have ended are many.
            if !filter.states.is_empty() && filter.states.iter().all(|state| !state.is_ended()) {
                question.wheres.push("ended_at IS NULL".to_owned());
                index = "INDEXED BY runs_unfinished_by_key";
            }
        }
        if let Some(workflow) = &filter.workflow {
            question.is("workflow = ?", Value::Text(workflow.clone()));
        }
        if let Some(key) = &filter.key {
            question.is("key = ?", Value::Text(key.clone()));
        }
        if !filter.states.is_empty() {
            question.wheres.push(format!("state IN ({})", vec!["?"; filter.states.len()].join(", ")));
            let names = filter.states.iter().map(|state| run_state_name(*state).to_owned());
            question.values.extend(names.map(Value::Text));
        }
        if filter.suspected {
            question.wheres.push("suspected > 0".to_owned());
        }
        if let Some(before) = filter.before {
            question.is("run < ?", Value::Integer(before.0));
        }
        let Question { wheres, values } = question;
        let wheres = if wheres.is_empty() { "1".to_owned() } else { wheres.join(" AND ") };
        Self { index, wheres, order, values }
    }
}

#[derive(Default)]
struct Question {
    wheres: Vec<String>,
    values: Vec<Value>,
}

impl Question {
    fn is(&mut self, condition: &str, value: Value) {
        self.wheres.push(condition.to_owned());
        self.values.push(value);
    }

    /// What begins with a prefix lies between it and its followers.
    fn begins(&mut self, column: &str, prefix: String) {
        let end = format!("{prefix}{}", char::MAX);
        self.is(&format!("{column} >= ?"), Value::Text(prefix));
        self.is(&format!("{column} <= ?"), Value::Text(end));
    }
}
