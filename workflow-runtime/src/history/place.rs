//! The regions that a life of a run has opened, each with what is known of its
//! steps, and the order in which people read them.

use std::collections::BTreeSet;

use super::story::{AttemptStory, Outcome, StepStory};
use crate::failure::Failure;
use crate::run::{FrameId, StepState, Timestamp, Wait};
use crate::task::definition::{Graph, Kind, OnFailure, Region, Step};
use crate::view::{Items, StepKind, describe};

/// One opened region.
#[derive(Debug)]
pub(super) struct OpenedRegion {
    pub graph: &'static Graph,
    pub region: &'static Region,
    /// The place and the step that opened it.
    pub parent: Option<(usize, u16)>,
    /// Which item of a `for`, which turn of a `while`.
    index: u32,
    /// What its steps' paths begin with, and their static paths.
    path: String,
    static_path: String,
    pub steps: Vec<Record>,
    /// The places that its steps have opened: by the step, which item or turn
    /// it is, and the order in which they were opened.
    children: BTreeSet<(u16, u32, u64, usize)>,
    /// How many places had been opened before it.
    number: u64,
    frame: FrameId,
}

/// What is known of a step.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub state: StepState,
    pub since: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub failure: Option<Failure>,
    /// The number of the latest attempt.
    pub attempt: u32,
    /// How many attempts were lost in a row.
    pub losses: u16,
    /// Each with its epoch.
    pub attempts: Vec<(u32, AttemptStory)>,
    pub output: Option<u64>,
    /// It has begun in this life, so what earlier ones left of it is past.
    pub begun: bool,
    /// It was asked what is left of it, and the answer is not there yet.
    pub asked: bool,
    /// It had succeeded, whatever came then.
    pub succeeded: bool,
    /// An earlier life did it, and this one has only to undo it.
    pub restored: bool,
    /// How many items of it are only counted any more.
    folded: u32,
}

impl Record {
    fn new(at: Timestamp) -> Self {
        Self {
            state: StepState::Waiting(Wait::Dependencies),
            since: at,
            started_at: None,
            ended_at: None,
            failure: None,
            attempt: 0,
            losses: 0,
            attempts: Vec::new(),
            output: None,
            begun: false,
            asked: false,
            succeeded: false,
            restored: false,
            folded: 0,
        }
    }

    pub fn change(&mut self, at: Timestamp, state: StepState, attempt: u32, failure: Option<Failure>) {
        // What was unknown goes on after all; an undo comes after the end.
        if self.state == StepState::OutcomeUnknown {
            self.ended_at = None;
        }
        (self.state, self.since, self.attempt) = (state, at, attempt);
        let never_began = matches!(
            state,
            StepState::Waiting(Wait::Dependencies | Wait::Paused)
                | StepState::Skipped
                | StepState::UpstreamFailed
                | StepState::Cancelled
        );
        if !never_began {
            self.started_at.get_or_insert(at);
            self.begun |= !self.asked;
        }
        if let StepState::Succeeded { .. } = state {
            self.succeeded = true;
            self.failure = None;
        }
        if failure.is_some() {
            self.failure = failure;
        }
        if state.is_ended() {
            self.ended_at.get_or_insert(at);
        }
    }

    /// Of a `for` whose items are only counted any more, how many.
    fn items(&self, step: &Step) -> Option<Items> {
        let counts = self.folded > 0 && matches!(step.kind, Kind::Map { .. });
        counts.then_some(Items { done: self.folded, all: self.folded })
    }

    /// The attempt of an epoch, unless it has ended.
    pub fn open_attempt(&mut self, epoch: u32) -> Option<&mut AttemptStory> {
        let found = self.attempts.iter_mut().rev().find(|(of, _)| *of == epoch);
        found.map(|(_, attempt)| attempt).filter(|attempt| attempt.outcome == Outcome::Running)
    }
}

/// All regions of a life. The first is the body.
#[derive(Debug, Default)]
pub(super) struct Places {
    all: Vec<OpenedRegion>,
    /// Those that are only counted any more: their room is used again.
    folded: Vec<usize>,
    opened: u64,
}

impl Places {
    /// Notes a region that was opened, and gives its place.
    pub fn open(
        &mut self,
        graph: &'static Graph,
        region: &'static Region,
        parent: Option<(usize, u16)>,
        (frame, index): (FrameId, u32),
        (at, is_for_undo): (Timestamp, bool),
    ) -> usize {
        // One that is opened once more, for an undo.
        if let Some((around, step)) = parent
            && let Some(around) = self.all.get(around)
            && let Some((.., place)) = around.children.iter().find(|(of, item, _, place)| {
                (*of, *item) == (step, index)
                    && self.all.get(*place).is_some_and(|place| std::ptr::eq(place.region, region))
            })
        {
            return *place;
        }
        let place = self.folded.pop().unwrap_or(self.all.len());
        let number = self.opened;
        self.opened += 1;
        let (path, static_path) = match parent.and_then(|(around, step)| Some((self.all.get(around)?, step)))
        {
            None => (graph.name.to_owned(), graph.name.to_owned()),
            Some((around, step)) => around.inner(step, region, index),
        };
        let mut record = Record::new(at);
        if is_for_undo {
            record.state = StepState::Skipped;
        }
        let steps = region.steps.iter().map(|_| record.clone()).collect();
        let children = BTreeSet::new();
        let opened =
            OpenedRegion { graph, region, parent, index, path, static_path, steps, children, number, frame };
        match self.all.get_mut(place) {
            Some(folded) => *folded = opened,
            None => self.all.push(opened),
        }
        if let Some((around, step)) = parent
            && let Some(around) = self.all.get_mut(around)
        {
            around.children.insert((step, index, number, place));
        }
        place
    }

    /// Only counts an item of a `for` any more, if it went well and so did all
    /// within it. Gives the frames that are told of no more.
    pub fn fold(&mut self, at: usize) -> Vec<FrameId> {
        let mut gone = Vec::new();
        let Some(place) = self.all.get(at) else { return gone };
        let Some((around, step)) = place.parent else { return gone };
        let is_item = self
            .all
            .get(around)
            .and_then(|around| around.step(step))
            .is_some_and(|step| matches!(step.kind, Kind::Map { .. }));
        if !is_item || !self.is_well(place) {
            return gone;
        }
        let child = (step, place.index, place.number, at);
        let mut below = vec![at];
        while let Some(at) = below.pop() {
            self.folded.push(at);
            if let Some(place) = self.all.get_mut(at) {
                gone.push(place.frame);
                below.extend(place.children.iter().map(|(.., at)| *at));
                (place.steps, place.children) = (Vec::new(), BTreeSet::new());
            }
        }
        if let Some(around) = self.all.get_mut(around) {
            around.children.remove(&child);
            if let Some(record) = around.steps.get_mut(usize::from(step)) {
                record.folded += 1;
            }
        }
        gone
    }

    /// Whether a region and those within it are nothing that an operator has to
    /// look at.
    fn is_well(&self, place: &OpenedRegion) -> bool {
        let is_done = |record: &Record| {
            matches!(record.state, StepState::Succeeded { .. } | StepState::Skipped)
                && record.attempts.iter().all(|(_, attempt)| !attempt.left_behind)
        };
        place.steps.iter().all(is_done)
            && place
                .children
                .iter()
                .all(|(.., at)| self.all.get(*at).is_some_and(|inner| self.is_well(inner)))
    }

    pub fn iter(&self) -> impl Iterator<Item = &OpenedRegion> {
        self.all.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenedRegion> {
        self.all.iter_mut()
    }

    pub fn get(&self, place: usize) -> Option<&OpenedRegion> {
        self.all.get(place)
    }

    pub fn record_mut(&mut self, place: usize, step: u16) -> Option<&mut Record> {
        self.all.get_mut(place)?.steps.get_mut(usize::from(step))
    }

    /// Whether a step is undone where its run fails: it has an undo, and is no
    /// part of the cleaning up.
    pub fn is_undoable(&self, place: &OpenedRegion, step: u16) -> bool {
        let has_undo = |step: &Step| matches!(step.kind, Kind::Task(task) if task.task.undo.is_some());
        if !place.step(step).is_some_and(has_undo) {
            return false;
        }
        let outwards = |(place, _): (&OpenedRegion, u16)| {
            let (at, step) = place.parent?;
            Some((self.all.get(at)?, step))
        };
        let mut around = std::iter::successors(Some((place, step)), |inner| outwards(*inner));
        !around.any(|(place, step)| place.step(step).is_some_and(|step| step.always))
    }

    /// Whether a step, or something around it, was stopped in a race that
    /// another step of it has won, or would have.
    pub fn has_lost(&self, place: &OpenedRegion, step: u16) -> bool {
        let (mut place, mut step) = (place, step);
        while let Some((around, select)) = place.parent.and_then(|(at, step)| Some((self.all.get(at)?, step)))
        {
            let stopped = place.record(step).is_some_and(|record| record.state == StepState::Cancelled);
            let is_race = match around.step(select).map(|step| &step.kind) {
                Some(Kind::Select { race, .. }) => around
                    .graph
                    .regions
                    .get(usize::from(*race))
                    .is_some_and(|race| std::ptr::eq(race, place.region)),
                _ => false,
            };
            if is_race && stopped && place.has_value() {
                return true;
            }
            (place, step) = (around, select);
        }
        false
    }

    /// The stories of all steps, those of regions after the step that opened
    /// them, and those of arms that were not chosen once one was.
    pub fn stories(&self, life: usize) -> Vec<StepStory> {
        let mut stories = Vec::new();
        if let Some(body) = self.all.first() {
            self.write(body, life, &mut stories);
        }
        stories
    }

    fn write(&self, place: &OpenedRegion, life: usize, stories: &mut Vec<StepStory>) {
        for ((number, step), record) in (0..).zip(place.region.steps).zip(&place.steps) {
            stories.push(place.story(number, step, record, life));
            let opened: Vec<&OpenedRegion> = place
                .children
                .range((number, 0, 0, 0)..=(number, u32::MAX, u64::MAX, usize::MAX))
                .filter_map(|(.., at)| self.all.get(*at))
                .collect();
            opened.iter().for_each(|opened| self.write(opened, life, stories));
            place.write_skipped(number, step, record, &opened, life, stories);
        }
    }
}

impl OpenedRegion {
    pub fn step(&self, number: u16) -> Option<&'static Step> {
        self.region.steps.get(usize::from(number))
    }

    /// The paths of its steps that have an undo.
    pub fn undoable(&self) -> impl Iterator<Item = String> {
        let has_undo = |step: &Step| matches!(step.kind, Kind::Task(task) if task.task.undo.is_some());
        let steps = (0..).zip(self.region.steps).filter(move |(_, step)| has_undo(step));
        steps.map(|(number, _)| self.path(number))
    }

    fn record(&self, number: u16) -> Option<&Record> {
        self.steps.get(usize::from(number))
    }

    /// Whether a step of the region has, or had, a value.
    fn has_value(&self) -> bool {
        self.region.steps.iter().zip(&self.steps).any(|(step, record)| {
            let soft = matches!(step.on_failure, OnFailure::Value(_));
            record.succeeded || (soft && record.state == StepState::Failed)
        })
    }

    pub fn path(&self, number: u16) -> String {
        format!("{}/{}", self.path, self.step(number).map_or("?", |step| step.name))
    }

    pub fn static_path(&self, number: u16) -> String {
        format!("{}/{}", self.static_path, self.step(number).map_or("?", |step| step.name))
    }

    /// What the paths of the steps of a region begin with that a step opens.
    fn inner(&self, number: u16, region: &Region, index: u32) -> (String, String) {
        let (mut path, mut static_path) = (self.path(number), self.static_path(number));
        match self.step(number).map(|step| &step.kind) {
            Some(Kind::Map { .. } | Kind::Loop { .. }) => path.push_str(&format!("[{index}]")),
            // The body of a child workflow is its step, and so is a race.
            Some(Kind::Task(_)) | None => {}
            Some(_) if region.label.is_empty() => {}
            Some(_) => {
                let label = format!("[{}]", region.label);
                path.push_str(&label);
                static_path.push_str(&label);
            }
        }
        (path, static_path)
    }

    fn story(&self, number: u16, step: &'static Step, record: &Record, life: usize) -> StepStory {
        StepStory {
            path: self.path(number),
            static_path: self.static_path(number),
            task: describe(step),
            kind: StepKind::of(step),
            state: record.state,
            since: record.since,
            started_at: record.started_at,
            ended_at: record.ended_at,
            attempts: record.attempts.iter().map(|(_, attempt)| attempt.clone()).collect(),
            failure: record.failure.clone(),
            output: record.output,
            items: record.items(step),
            next_attempt_at: None,
            awaits: None,
            life,
            losses: record.losses,
        }
    }

    fn write_skipped(
        &self,
        number: u16,
        step: &'static Step,
        record: &Record,
        opened: &[&Self],
        life: usize,
        stories: &mut Vec<StepStory>,
    ) {
        let (Kind::Branch { arms, .. } | Kind::Select { arms, .. }) = step.kind else { return };
        let arms = arms.iter().filter_map(|arm| self.graph.regions.get(usize::from(*arm)));
        let is_open = |arm: &Region| opened.iter().any(|opened| std::ptr::eq(opened.region, arm));
        let arms: Vec<&Region> = arms.collect();
        if !arms.iter().any(|arm| is_open(arm)) {
            return;
        }
        for region in arms.into_iter().filter(|arm| !is_open(arm)) {
            let (path, static_path) = self.inner(number, region, 0);
            let state = StepState::Skipped;
            let skipped = Record { state, ..Record::new(record.since) };
            let steps = region.steps.iter().map(|_| skipped.clone()).collect();
            let children = BTreeSet::new();
            let (parent, number, frame) = (None, 0, FrameId::ROOT);
            let arm = Self {
                graph: self.graph,
                region,
                parent,
                index: 0,
                path,
                static_path,
                steps,
                children,
                number,
                frame,
            };
            for ((number, step), record) in (0..).zip(region.steps).zip(&arm.steps) {
                stories.push(arm.story(number, step, record, life));
            }
        }
    }
}
