//! What every store has to do: the suite that [`Sqlite`](super::Sqlite) and
//! [`Memory`](super::Memory) pass, for those who write another.
//!
//! ```
//! use workflow_runtime::store::{Memory, Store, conformance};
//! # use std::collections::HashMap;
//! # use std::sync::Mutex;
//!
//! let stores: Mutex<HashMap<String, Memory>> = Mutex::default();
//! conformance::check(|name| {
//!     let mut stores = stores.lock().unwrap();
//!     Box::new(stores.entry(name.to_owned()).or_default().clone())
//! });
//! ```

mod blueprints;
mod journals;
mod keys;
mod lines;
mod remembered;
mod removal;
mod requests;
mod runs;
mod schedules;
mod sleep;
mod support;
mod values;
mod writes;

use std::sync::Arc;

use super::Store;

/// A check, and its name.
type Check = (&'static str, fn(&Bench<'_>));

const KEYS: &str = "keys are replaced together";

const CHECKS: [Check; 49] = [
    ("a run is found as it was created", runs::created_is_found),
    ("a run knows what it was made of", runs::parents_are_kept),
    ("runs with suspected steps are found", runs::suspected_runs_are_found),
    ("a key names one run", runs::a_key_names_one_run),
    ("an id names one run", runs::an_id_names_one_run),
    ("a key names one run under concurrency", runs::a_key_under_concurrency),
    ("unfinished runs are listed", runs::unfinished_runs_are_listed),
    ("an ended run leaves the unfinished ones", runs::ended_runs_leave),
    ("an ended run can be taken up again", runs::ended_runs_can_go_on),
    ("runs are found by a prefix, and listed", runs::runs_are_listed),
    ("runs are found by the beginning of their keys", runs::runs_are_found_by_their_keys),
    ("a journal keeps its order", journals::a_journal_keeps_its_order),
    ("a journal has no gap", journals::a_journal_has_no_gap),
    ("many journals are read as each is", journals::many_journals_are_read),
    ("a batch that contradicts itself is refused", journals::contradictions_are_refused),
    ("a run that is not there is told", journals::unknown_runs_are_told),
    ("any text and any bytes are kept", journals::odd_text_is_kept),
    ("values of every size are kept", values::values_of_every_size_are_kept),
    ("a value of 10 MB is kept", values::large_values_are_kept),
    ("runs that share a value do not share its end", values::shared_values_outlive_a_run),
    ("a result that was taken back and given again is kept", values::results_can_be_replaced),
    ("a sleeping run is not awake", sleep::sleeping_runs_are_not_awake),
    ("awake runs come by age, a page at a time", sleep::awake_runs_come_by_age),
    ("an ended run does not sleep", sleep::ended_runs_do_not_sleep),
    ("who sleeps until another attempt is found by when that began", sleep::backing_off_runs_are_found),
    ("a blueprint is kept once, and as long as it is followed", blueprints::blueprints_are_kept),
    ("a run can follow another blueprint", blueprints::another_blueprint_is_followed),
    ("a tick moves its schedule's mark with its run", schedules::a_tick_moves_the_mark),
    ("a tick that is not later starts nothing", schedules::stale_ticks_start_nothing),
    ("a tick starts one run under concurrency", schedules::a_tick_under_concurrency),
    ("a mark only moves forward", schedules::marks_move_forward),
    ("a schedule is put where it is said to be", schedules::schedules_are_put),
    ("a request is answered once", requests::requests_are_answered_once),
    ("a commit answers a request", requests::a_commit_answers_a_request),
    ("requests are listed", requests::requests_are_listed),
    ("requests are numbered under concurrency", requests::requests_under_concurrency),
    ("a result is remembered until its time", remembered::results_are_remembered),
    ("a result is remembered with its batch or not at all", remembered::remembered_with_the_batch),
    ("old results are forgotten", remembered::old_results_are_forgotten),
    (KEYS, keys::keys_are_replaced),
    ("lines are kept in order", lines::lines_are_kept_in_order),
    ("lines are read by step, attempt and page", lines::lines_are_filtered),
    ("lines go with their run", lines::lines_go_with_their_run),
    ("old runs are removed", removal::old_runs_are_removed),
    ("what belongs to a run is removed with it", removal::what_belongs_to_a_run_goes),
    ("nothing is lost when a store is closed", writes::nothing_is_lost_when_closed),
    ("a store that is closed answers nothing", writes::a_closed_store_says_so),
    ("many threads write many runs", writes::many_threads),
    ("every write is answered once", writes::every_write_is_answered_once),
];

/// Checks a store, and panics with the name of the first check that it fails.
///
/// `open` opens the store of a name: an empty one at first, and for the same
/// name the same one again. A store is closed before the next one of its name
/// is opened.
///
/// # Panics
/// When the store fails a check.
pub fn check(open: impl Fn(&str) -> Box<dyn Store>) {
    check_all(&CHECKS, &open);
}

/// The same for a layer over a store that keeps the keys of that store to
/// itself, as [`Encrypted`](super::Encrypted) does.
#[cfg(all(test, feature = "encryption"))]
pub(super) fn check_layer(open: impl Fn(&str) -> Box<dyn Store>) {
    let checks: Vec<_> = CHECKS.into_iter().filter(|(name, _)| *name != KEYS).collect();
    check_all(&checks, &open);
}

fn check_all(checks: &[Check], open: &dyn Fn(&str) -> Box<dyn Store>) {
    for (name, check) in checks {
        let bench = Bench { open, name };
        // The check's own message has been printed by then.
        let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&bench)));
        assert!(passed.is_ok(), "the store fails the check that {name}");
    }
}

/// Opens the store of one check.
struct Bench<'a> {
    open: &'a dyn Fn(&str) -> Box<dyn Store>,
    name: &'static str,
}

impl Bench<'_> {
    fn open(&self) -> Arc<dyn Store> {
        Arc::from((self.open)(self.name))
    }
}
