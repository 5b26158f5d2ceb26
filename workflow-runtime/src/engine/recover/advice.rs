//! What an operator can do with a run that does not go on by itself: worked out
//! in one place, so that no two places contradict each other.

use crate::blueprint::{Adoption, KEEPS};
use crate::engine::recover::new_life::{AdoptWanted, adoption};
use crate::engine::registry::Known;
use crate::execution::coded::decode_params;
use crate::store::{Store, StoredRun};

/// What becomes of a blocked run, if an operator wants that.
pub(crate) struct Advice {
    /// What an adoption would make of its steps, where one can be thought of.
    pub(crate) adoption: Option<Adoption>,
    /// Whether what it was given can still be read.
    has_params: bool,
}

impl Advice {
    /// Of a run that is blocked.
    pub(crate) fn of(known: &Known, store: &dyn Store, stored: &StoredRun) -> Self {
        let has_params = decode_params(known.graph, &stored.params).is_ok();
        let entries = store.journal(stored.run).ok();
        let adoption = entries
            .and_then(|entries| adoption(known, store, stored, &entries, &AdoptWanted::default()).ok());
        Self { adoption: adoption.map(|(_, _, adoption)| adoption).filter(|_| has_params), has_params }
    }

    /// In words: what can be done, and what not.
    pub(crate) fn words(&self) -> String {
        let adopt = self.adoption.as_ref().map(|adoption| {
            let refusals: Vec<&str> = adoption.refusals.iter().map(|refusal| &*refusal.reason).collect();
            match refusals.is_empty() {
                true => KEEPS.to_owned(),
                false => format!("`adopt` is refused as it is, since {}", refusals.join(", and since ")),
            }
        });
        let rerun = self.has_params.then(|| "`rerun` starts a new run".to_owned());
        let old = (!self.has_params).then(|| "the program that started it goes on with it".to_owned());
        let ways = [adopt, rerun, old, Some("`cancel` ends this one".to_owned())];
        ways.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Why a run is blocked, and what can be done.
pub(crate) fn advised(known: &Known, store: &dyn Store, stored: &StoredRun, reason: &str) -> String {
    format!("{reason}; {}", Advice::of(known, store, stored).words())
}
