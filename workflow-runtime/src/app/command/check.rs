//! `check`: what this program would do with every unfinished run of a store,
//! asked before it is deployed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::output::Output;
use super::super::problem::{Code, Problem};
use super::super::program::Program;
use super::super::read_only::ReadOnly;
use super::super::short::count;
use super::super::style::{Style, plain};
use crate::blueprint::Comparison;
use crate::engine::{Engine, Outlook};
use crate::store::{StoreError, StoredRun};

/// How many runs are read at a time.
const PAGE: usize = 200;

/// Says what would become of every unfinished run. Exits with 4 when one would
/// be blocked.
pub(super) async fn check(program: &Program, output: &mut Output<'_>) -> Result<Code, Problem> {
    let reader = program.reader()?;
    // The judge is an engine that only looks: whoever owns the store, nothing
    // is written and nothing runs.
    let looking = Arc::new(ReadOnly(program.reader()?));
    let engine = Engine::with_store(looking).recover(false).begins(false).start().await?;
    let (mut runs, mut blocked) = (0, 0);
    let mut alike = Alike::new();
    let mut after = None;
    loop {
        let page = reader.store.unfinished(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(last.run);
        for run in page {
            runs += 1;
            let outlook = outlook(program, &engine, reader.open_run(run.clone()), &run).await?;
            blocked += usize::from(matches!(outlook, Outlook::Blocked { .. }));
            let found = Found::of(outlook);
            if output.json {
                output.json(&found.json(&run));
            } else {
                alike.entry((found, run.workflow)).or_default().push(run.id);
            }
        }
    }
    engine.shutdown().await;
    for ((found, workflow), ids) in alike {
        tell(&found, &workflow, &ids, output);
    }
    output.say(&format!("{} unfinished, {blocked} would be blocked", count(runs, "run")));
    if blocked == 0 {
        return Ok(Code::Fine);
    }
    output.say("let the program that started them finish them, or `adopt`, `rerun` or `cancel` them");
    Ok(Code::Refused)
}

async fn outlook(
    program: &Program,
    engine: &Engine,
    opened: Result<StoredRun, StoreError>,
    run: &StoredRun,
) -> Result<Outlook, Problem> {
    let blocked = |reason| Ok(Outlook::Blocked { reason, changes: None });
    let Some(graph) = program.workflows.iter().find(|graph| graph.name == run.workflow) else {
        return blocked(format!(
            "this program has no workflow `{}`, so the run waits for one that has",
            run.workflow
        ));
    };
    match opened {
        Ok(opened) => Ok(engine.outlook(graph, opened).await?),
        Err(error) => blocked(error.to_string()),
    }
}

/// The runs of which the same is to be said: thousands wait, and few differ.
type Alike = BTreeMap<(Found, String), Vec<String>>;

/// What was found out about a run. In order: what is to be looked at comes
/// last, where it is seen.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    fate: Fate,
    changes: Vec<String>,
    reason: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    GoesOn,
    Changes,
    Blocked,
}

impl Found {
    fn of(outlook: Outlook) -> Self {
        let (fate, changes, reason) = match outlook {
            Outlook::GoesOn => (Fate::GoesOn, None, None),
            Outlook::Changes(changes) => (Fate::Changes, Some(changes), None),
            Outlook::Blocked { reason, changes } => (Fate::Blocked, changes, Some(reason)),
        };
        let lines = |changes: Comparison| changes.to_string().lines().map(str::to_owned).collect();
        Self { fate, changes: changes.map(lines).unwrap_or_default(), reason }
    }

    fn json(&self, run: &StoredRun) -> Json {
        let outlook = match self.fate {
            Fate::GoesOn => "goes_on",
            Fate::Changes => "changes",
            Fate::Blocked => "blocked",
        };
        json!({
            "id": run.id,
            "workflow": run.workflow,
            "outlook": outlook,
            "reason": self.reason,
            "changes": self.changes,
        })
    }
}

/// A line for each run, and below them, once, what is to be said of them: a
/// line for each change, and for each part of a reason.
fn tell(found: &Found, workflow: &str, ids: &[String], output: &mut Output<'_>) {
    let (words, style) = match found.fate {
        Fate::GoesOn => ("goes on", Style::Good),
        Fate::Changes => ("goes on under the new graph", Style::Good),
        Fate::Blocked => ("blocked", Style::Bad),
    };
    let words = output.paint.text(style, words);
    for id in ids {
        output.line(&format!("{id} {} {words}", plain(workflow)));
    }
    let reason = found.reason.iter().flat_map(|reason| reason.split("; "));
    for line in found.changes.iter().map(String::as_str).chain(reason) {
        output.line(&format!("  {}", plain(line)));
    }
}
