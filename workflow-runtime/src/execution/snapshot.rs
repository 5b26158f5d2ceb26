//! The steps of a run at one moment, as those who look on are shown them.

use std::collections::HashMap;
use std::sync::Arc;

use super::log::StepRecord;
use crate::run::{StepState, Timestamp, Wait};
use crate::task::definition::{Kind, Region, Step};
use crate::task::place::Scope;
use crate::view::{AwaitedSignal, Items, Progress, StepKind, StepSnapshot, describe};

/// The regions of a run, by the step that opened them.
pub(crate) struct Tree {
    regions: HashMap<Opener, Vec<Opened>>,
    /// What only the machine knows of steps that are under way.
    open: HashMap<(*const Scope, u16), OpenStep>,
}

#[derive(Clone, Default)]
pub(crate) struct OpenStep {
    pub(crate) items: Option<Items>,
    pub(crate) due: Option<Timestamp>,
    pub(crate) awaits: Option<AwaitedSignal>,
}

/// A region that was opened, and its steps.
pub(crate) type Opened = (Arc<Scope>, Vec<StepRecord>);

/// The step that opened a region; none did for the body of the run.
type Opener = Option<(*const Scope, u16)>;

impl Tree {
    pub(crate) fn of(regions: Vec<Opened>, open: HashMap<(*const Scope, u16), OpenStep>) -> Self {
        let mut tree = Self { regions: HashMap::new(), open };
        for (scope, records) in regions {
            let parent = scope.parent.as_ref().map(|(scope, step)| (Arc::as_ptr(scope), *step));
            tree.regions.entry(parent).or_default().push((scope, records));
        }
        for siblings in tree.regions.values_mut() {
            siblings.sort_by_key(|(scope, _)| (scope.index, std::ptr::from_ref(scope.region)));
        }
        tree
    }

    pub(crate) fn steps(&self) -> Vec<StepSnapshot> {
        let mut steps = Vec::new();
        self.write(None, &mut steps);
        steps
    }

    fn write(&self, parent: Opener, steps: &mut Vec<StepSnapshot>) {
        let mut before: Option<&Arc<Scope>> = None;
        for (scope, records) in self.regions.get(&parent).into_iter().flatten() {
            // One that had closed, and was opened once more for an undo.
            let again = before.is_some_and(|before| {
                before.index == scope.index && std::ptr::eq(before.region, scope.region)
            });
            before = Some(scope);
            for (number, record) in (0..).zip(records) {
                let Some(step) = scope.step(number) else { continue };
                let key = (Arc::as_ptr(scope), number);
                if again && record.state == StepState::Skipped {
                    self.write(Some(key), steps);
                    continue;
                }
                let OpenStep { items, due, awaits } = self.open.get(&key).cloned().unwrap_or_default();
                let step_now = StepSnapshot::of(scope.path(number), step, record);
                steps.push(StepSnapshot { items, next_attempt_at: due, awaits, ..step_now });
                self.write(Some(key), steps);
                self.write_skipped(Some(key), scope, number, step, steps);
            }
        }
    }

    /// The arms that were not chosen, once one was.
    fn write_skipped(
        &self,
        key: Opener,
        scope: &Arc<Scope>,
        number: u16,
        step: &'static Step,
        steps: &mut Vec<StepSnapshot>,
    ) {
        let (Kind::Branch { arms, .. } | Kind::Select { arms, .. }) = step.kind else { return };
        let regions: Vec<&Region> = arms.iter().map(|arm| &scope.graph.regions[usize::from(*arm)]).collect();
        let opened = self.regions.get(&key).map_or(&[][..], Vec::as_slice);
        let is_open = |region: &Region| opened.iter().any(|(scope, _)| std::ptr::eq(scope.region, region));
        if !regions.iter().any(|region| is_open(region)) {
            return;
        }
        for region in regions.into_iter().filter(|region| !is_open(region)) {
            let parent = Some((scope.clone(), number));
            skipped(&Arc::new(Scope { parent, graph: scope.graph, region, index: 0 }), steps);
        }
    }
}

fn skipped(scope: &Arc<Scope>, steps: &mut Vec<StepSnapshot>) {
    for (number, step) in (0..).zip(scope.region.steps) {
        steps.push(StepSnapshot::of(scope.path(number), step, &StepRecord::skipped()));
    }
}

impl StepSnapshot {
    pub(crate) fn of(path: String, step: &Step, record: &StepRecord) -> Self {
        let progress = record.progress.as_ref();
        let kind = StepKind::of(step);
        let decided = kind == StepKind::Task && record.state == StepState::Running && !record.begun;
        Self {
            path,
            task: describe(step),
            kind,
            state: if decided { StepState::Waiting(Wait::Turn) } else { record.state },
            attempt: record.attempt.saturating_sub(u32::from(decided)),
            started_at: record.started_at.filter(|_| !decided),
            ended_at: record.ended_at,
            failure: record.failure.clone(),
            progress: progress.map(|p| Progress { done: p.done, total: p.total, alive_at: p.alive_at }),
            items: None,
            next_attempt_at: None,
            awaits: None,
        }
    }
}
