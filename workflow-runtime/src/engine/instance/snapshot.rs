//! A run of this engine, as those who look on are shown it.

use std::sync::Arc;

use crate::engine::instance::host::RunHost;
use crate::execution::log::StepRecord;
use crate::execution::snapshot::{OpenStep, Tree};
#[cfg(feature = "testing")]
use crate::observe::{RunEvent, Trace};
use crate::run::StepView;
use crate::view::{AwaitedSignal, Items, RunSnapshot, due};

impl RunSnapshot {
    pub(crate) fn of(host: &RunHost) -> Self {
        let (state, stopped) = (host.state(), host.why_stopped());
        let inner = host.lock();
        let open = inner.run.frames.iter().map(|frame| {
            let steps = inner.run.machine.steps_of(frame.id);
            (frame.scope.clone(), steps.map(|view| StepRecord::of(&view, &frame.progress)).collect())
        });
        let closed = inner.run.log.closed().map(|closed| (closed.scope.clone(), closed.records().collect()));
        let regions: Vec<_> = open.chain(closed).collect();
        let awaited = AwaitedSignal::all(&inner.run.machine);
        let open_steps = inner.run.frames.iter().flat_map(|frame| {
            let awaited = &awaited;
            let (machine, scope) = (&inner.run.machine, Arc::as_ptr(&frame.scope));
            let of = move |view: StepView<'_>| {
                let awaits = awaited.get(&view.key).cloned();
                let open = OpenStep { items: Items::of(machine, view.key), due: due(machine, &view), awaits };
                let is_known = open.items.is_some() || open.due.is_some() || open.awaits.is_some();
                is_known.then_some(((scope, view.key.step), open))
            };
            machine.steps_of(frame.id).filter_map(of)
        });
        let open_steps = open_steps.collect();
        let (started_at, ended_at) = (inner.started_at, inner.ended_at);
        let stuck = inner.work.left_behind.stuck().cloned().collect();
        // Writing paths takes time that the run should not wait for.
        drop(inner);
        Self {
            id: host.id.clone(),
            key: host.key.clone(),
            workflow: host.graph.name.to_owned(),
            state,
            started_at,
            ended_at,
            stopped,
            steps: Tree::of(regions, open_steps).steps(),
            stuck,
        }
    }
}

#[cfg(feature = "testing")]
impl RunHost {
    /// What has happened so far.
    pub(crate) fn trace(&self) -> Trace {
        let entries: Vec<_> = self.lock().run.log.entries().collect();
        entries.into_iter().map(RunEvent::from).collect::<Vec<_>>().into()
    }
}
