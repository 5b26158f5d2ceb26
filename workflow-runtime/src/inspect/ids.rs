//! Which run is meant.

use super::problem::{Code, Problem};
use super::text::plain;
use super::time::local;
use crate::run::RunState;
use crate::store::{RunFilter, StoreError, StoredRun};

/// Where runs are looked up.
pub(crate) trait Runs {
    fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError>;
}

/// The one run that is meant: by its id, a beginning of it that no other run
/// has, `@last` (the newest) or `@failed` (the newest that failed).
pub(crate) fn find(runs: &dyn Runs, wanted: &str) -> Result<StoredRun, Problem> {
    let newest = |states: Vec<RunState>| {
        let filter = RunFilter { states, at_most: 1, ..RunFilter::default() };
        Ok::<_, StoreError>(runs.list(&filter)?.pop())
    };
    match wanted {
        "@last" => {
            newest(Vec::new())?.ok_or_else(|| Problem::new(Code::NotFound, "the store has no runs yet"))
        }
        "@failed" => newest(vec![RunState::Failed])?
            .ok_or_else(|| Problem::new(Code::NotFound, "no run of the store has failed")),
        "" => Err(Problem::usage("the id of a run is empty").help("`ls` lists the runs")),
        id if id.starts_with('@') => Err(Problem::usage(format!("`{}` is no run", plain(id)))
            .help("`@last` is the newest run, `@failed` the newest that failed")),
        id => one_of(runs.list(&beginning(id))?, id),
    }
}

fn one_of(mut found: Vec<StoredRun>, id: &str) -> Result<StoredRun, Problem> {
    let exact = found.iter().position(|run| run.id == id);
    match (exact, found.len()) {
        (Some(exact), _) => Ok(found.swap_remove(exact)),
        (None, 1) => Ok(found.swap_remove(0)),
        (None, 0) => {
            let message = format!("no run has an id that begins with `{}`", plain(id));
            Err(Problem::new(Code::NotFound, message).help("`ls` lists the runs; `@last` is the newest"))
        }
        (None, _) => {
            let message = format!("several runs have an id that begins with `{}`", plain(id));
            let candidates = found
                .iter()
                .map(|run| format!("{} {} {} {}", run.id, run.workflow, run.state, local(run.created_at)));
            Err(Problem::new(Code::NotFound, message).helps(candidates))
        }
    }
}

/// As many as it takes to say that there are several.
fn beginning(id: &str) -> RunFilter {
    RunFilter { id_prefix: Some(id.to_owned()), at_most: 20, ..RunFilter::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Timestamp;
    use crate::store::RunRef;

    struct Known(Vec<StoredRun>);

    impl Runs for Known {
        fn list(&self, filter: &RunFilter) -> Result<Vec<StoredRun>, StoreError> {
            let fits = |run: &&StoredRun| {
                filter.id_prefix.as_ref().is_none_or(|prefix| run.id.starts_with(prefix))
                    && (filter.states.is_empty() || filter.states.contains(&run.state))
            };
            Ok(self.0.iter().rev().filter(fits).take(filter.at_most).cloned().collect())
        }
    }

    fn known() -> Known {
        let run = |number, id: &str, state| StoredRun {
            run: RunRef(number),
            id: id.to_owned(),
            workflow: "nightly".to_owned(),
            key: None,
            fingerprint: 0,
            params: Vec::new(),
            parent: None,
            created_at: Timestamp::default(),
            state,
            asleep: false,
            suspected: 0,
            end: None,
        };
        Known(vec![
            run(1, "0193", RunState::Failed),
            run(2, "01934a", RunState::Failed),
            run(3, "01934b", RunState::Running),
            run(4, "02", RunState::Succeeded),
        ])
    }

    fn id(wanted: &str) -> Result<String, Problem> {
        find(&known(), wanted).map(|run| run.id)
    }

    #[test]
    fn a_run_is_named_by_as_much_of_its_id_as_it_takes() {
        assert_eq!(id("01934a").unwrap(), "01934a");
        assert_eq!(id("02").unwrap(), "02");
        assert_eq!(id("0").unwrap_err().code, Code::NotFound);
        assert_eq!(id("0193").unwrap(), "0193", "the whole of an id is no beginning");
        assert_eq!(id("@last").unwrap(), "02");
        assert_eq!(id("@failed").unwrap(), "01934a");
    }

    #[test]
    fn several_runs_are_listed_and_none_is_said() {
        let several = id("01934").unwrap_err();
        assert_eq!(several.code, Code::NotFound);
        assert!(several.to_string().contains("\n help: 01934b nightly running "), "{several}");
        let none = id("ff").unwrap_err();
        assert_eq!(none.code, Code::NotFound);
        assert!(none.to_string().starts_with("error: no run has an id that begins with `ff`\n"), "{none}");
        assert_eq!(id("@first").unwrap_err().code, Code::Usage);
        assert_eq!(id("").unwrap_err().code, Code::Usage);
        let empty = find(&Known(Vec::new()), "@last").unwrap_err();
        assert_eq!(empty.code, Code::NotFound);
    }
}
