//! `check`: what this program would do with every unfinished run of a store,
//! asked before it is deployed.

use std::sync::Arc;

use serde_json::json;

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
    let mut after = None;
    loop {
        let page = reader.store.unfinished(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(last.run);
        for run in page {
            runs += 1;
            let outlook = outlook(program, &engine, reader.open_run(run.clone()), &run).await?;
            blocked += usize::from(matches!(outlook, Outlook::Blocked { .. }));
            tell(&run, &outlook, output);
        }
    }
    engine.shutdown().await;
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

fn tell(run: &StoredRun, outlook: &Outlook, output: &mut Output<'_>) {
    let (name, words, style) = match outlook {
        Outlook::GoesOn => ("goes_on", "goes on", Style::Good),
        Outlook::Changes(_) => ("changes", "goes on under the new graph", Style::Good),
        Outlook::Blocked { .. } => ("blocked", "blocked", Style::Bad),
    };
    let (changes, reason) = match outlook {
        Outlook::GoesOn => (None, None),
        Outlook::Changes(changes) => (Some(changes), None),
        Outlook::Blocked { reason, changes } => (changes.as_ref(), Some(reason)),
    };
    let changes = changes.map(lines).unwrap_or_default();
    if output.json {
        output.json(&json!({
            "id": run.id,
            "workflow": run.workflow,
            "outlook": name,
            "reason": reason,
            "changes": changes,
        }));
        return;
    }
    let words = output.paint.text(style, words);
    output.line(&format!("{} {} {words}", run.id, plain(&run.workflow)));
    for line in changes.iter().chain(reason) {
        output.line(&format!("  {}", plain(line)));
    }
}

fn lines(changes: &Comparison) -> Vec<String> {
    changes.to_string().lines().map(str::to_owned).collect()
}
