//! What this program would do with a run, asked of an engine that only looks:
//! whichever process owns the store, nothing is written and nothing runs.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::problem::{Code, Problem};
use super::read_only::ReadOnly;
use super::reader::StoreReader;
use super::text::plain;
use crate::blueprint::{Adoption, Blueprint, Preview};
use crate::engine::{Engine, Outlook};
use crate::operation::ExactOperation;
use crate::run::RunState;
use crate::store::StoredRun;
use crate::task::definition::Graph;

/// An engine that only looks.
pub(crate) struct Looker<'a> {
    workflows: &'a [&'static Graph],
    reader: StoreReader,
    engine: Engine,
}

impl<'a> Looker<'a> {
    /// `open` opens the store, to read it: for itself, and for the engine.
    pub(crate) async fn of(
        workflows: &'a [&'static Graph],
        open: impl Fn() -> Result<StoreReader, Problem>,
    ) -> Result<Self, Problem> {
        let looking = Arc::new(ReadOnly(open()?));
        let engine = Engine::with_store(looking).recover(false).begins(false).start().await?;
        Ok(Self { workflows, reader: open()?, engine })
    }

    /// What an engine of this program would do with a run.
    pub(crate) async fn outlook(&self, run: &StoredRun) -> Result<Outlook, Problem> {
        let blocked = |reason| Ok(Outlook::Blocked { reason, changes: None, adoption: None });
        let Some(graph) = self.graph(run) else {
            return blocked(format!(
                "this program has no workflow `{}`, so the run waits for one that has",
                run.workflow
            ));
        };
        match self.reader.open_run(run.clone()) {
            Ok(opened) => Ok(self.engine.outlook(graph, opened).await?),
            Err(error) => blocked(error.to_string()),
        }
    }

    /// What an operation would make of the steps of a run.
    pub(crate) async fn preview(
        &self,
        run: &StoredRun,
        operation: &ExactOperation,
    ) -> Result<Preview, Problem> {
        let Some(graph) = self.graph(run) else {
            let message = format!("this program has no workflow `{}`", plain(&run.workflow));
            return Err(Problem::new(Code::Refused, message));
        };
        let opened = self.reader.open_run(run.clone())?;
        Ok(self.engine.preview_of(graph, opened, operation).await?)
    }

    fn graph(&self, run: &StoredRun) -> Option<&'static Graph> {
        self.workflows.iter().find(|graph| graph.name == run.workflow).copied()
    }

    pub(crate) async fn end(self) {
        self.engine.shutdown().await;
    }
}

/// Whether there may be something in the way of a run: it is blocked, or
/// follows another graph than this program's.
pub(crate) fn is_doubtful(workflows: &[&'static Graph], run: &StoredRun) -> bool {
    let own = workflows.iter().find(|graph| graph.name == run.workflow);
    let follows = |graph: &&&'static Graph| {
        run.fingerprint == graph.fingerprint || run.fingerprint == Blueprint::of(graph).hash()
    };
    run.end.is_none() && (run.state == RunState::Blocked || own.filter(follows).is_none())
}

/// What is in the way of a run, line by line: how its workflow has changed,
/// what of that matters, and what can be done.
pub(crate) fn lines(outlook: &Outlook) -> Vec<String> {
    let (changes, reason, adoption) = match outlook {
        Outlook::GoesOn => (None, None, None),
        Outlook::Changes(changes) => (Some(changes), None, None),
        Outlook::Blocked { reason, changes, adoption } => (changes.as_ref(), Some(reason), adoption.as_ref()),
    };
    let mut lines: Vec<String> = changes
        .iter()
        .flat_map(|changes| changes.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines.extend(reason.iter().flat_map(|reason| reason.split("; ")).map(str::to_owned));
    if let Some(adoption) = adoption {
        lines.push("adopted, it would keep and run:".to_owned());
        lines.extend(adoption.to_string().lines().map(|line| format!("  {line}")));
    }
    lines
}

/// An adoption as programs read it.
pub(crate) fn json(adoption: &Adoption) -> Json {
    let steps = adoption.steps.iter().map(|(path, fate)| json!({ "path": path, "fate": fate }));
    let refusals = adoption.refusals.iter().map(|refusal| &refusal.reason);
    json!({
        "steps": steps.collect::<Vec<_>>(),
        "not_undone": adoption.not_undone,
        "refusals": refusals.collect::<Vec<_>>(),
    })
}
