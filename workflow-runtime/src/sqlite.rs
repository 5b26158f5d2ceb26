//! What a task with `transaction` needs to write with SQL: types of `rusqlite`,
//! of the version that this crate is built with.
//!
//! For more of it, depend on `rusqlite` in that version. It is not re-exported
//! as a whole, since names such as its `Iterator` have rustc write those of the
//! standard library in full, in every message to users of this crate.

pub use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
pub use rusqlite::{
    Connection, Error, OptionalExtension, Params, Row, Rows, Statement, ToSql, named_params, params,
    params_from_iter,
};

/// What everything here returns that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub use crate::task::transaction::Transaction;
