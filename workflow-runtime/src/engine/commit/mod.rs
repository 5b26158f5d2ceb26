//! Commit before act: what a run has decided on its way to its store.
//!
//! [`queue`] seals batches, sends them in order and acts on the answers; [`entries`]
//! makes the journal's entries; [`create`] makes runs, with their [`params`];
//! [`health`] tells waiting callers that the store is in trouble.
//!
//! Never here: SQL, and what an entry means (that is `journal`).

mod create;
mod entries;
mod health;
mod params;
mod queue;

pub(crate) use self::create::{Beginning, Sent, queue as queue_run, start as create_run};
pub(crate) use self::entries::{
    change as journal_change, computed as journal_computed, entry as journal_entry, given as journal_given,
};
pub(crate) use self::health::Health;
pub(crate) use self::params::{encode_params, params_from, same_arguments};
pub(crate) use self::queue::{Journal, Suspension, Uncommitted};
