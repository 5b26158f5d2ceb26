//! A workflow as a list of its steps by their static paths, those of regions
//! and child workflows after the step that opens them: what is compared, and
//! what a lock file holds.
//!
//! A static path is a path without the numbers of items and turns:
//! `nightly/priced/quote`. Arms keep their label, `nightly/verdict[then]/ask`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::plan::{Kind, Param, Region, Step, Workflow, Yield};
use super::{Blueprint, PRIME, SEED, fnv, words};
use crate::view::StepKind;

/// A workflow's steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outline {
    pub name: String,
    pub params: Vec<Param>,
    pub schedule: String,
    pub steps: Vec<OutlineStep>,
}

/// A step by its static path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutlineStep {
    pub path: String,
    /// Its name within its region.
    pub name: String,
    /// The step around it, by its place in the list.
    pub around: Option<usize>,
    /// The workflow that it is written in.
    pub workflow: String,
    pub kind: StepKind,
    /// The task, workflow or signal that it names.
    pub names: String,
    pub version: u32,
    /// What a child workflow takes.
    pub takes: Vec<Param>,
    pub fails_softly: bool,
    pub always: bool,
    /// A hash of the step as written, without what it depends on.
    pub written: u64,
    /// The steps that it needs, by their places in the list.
    pub needs: Vec<usize>,
    /// Those of them whose values its own expressions read. A lock file does
    /// not say it.
    pub given: Vec<usize>,
    /// Those, and the ones whose values its regions read.
    pub data: Vec<usize>,
    /// Why its task is not done a second time because something before it is,
    /// in words. A lock file does not say it.
    pub once: Option<&'static str>,
    /// Whether it is a `match`, whose arms have numbers.
    pub is_match: bool,
    /// Whether the value of its region, or of its arm, is made of its own.
    pub yields: bool,
    /// Limits and the like, in words.
    pub remarks: Vec<(String, String)>,
}

/// What a step means, as hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// What it is asked to do: it as written, what it depends on, and the step
    /// around it.
    pub asked: u64,
    /// That, and what lies in its regions: what the steps that need it get.
    pub whole: u64,
}

impl OutlineStep {
    /// The path of the region that it is in.
    fn region(&self) -> &str {
        self.path.strip_suffix(&*self.name).unwrap_or(&self.path)
    }

    /// Whether a run keeps a result of the step itself: regions and pure
    /// expressions are gone through again, at no cost.
    pub fn keeps(&self) -> bool {
        matches!(self.kind, StepKind::Task | StepKind::Signal | StepKind::Sleep)
    }

    fn has_undo(&self) -> bool {
        self.remarks.iter().any(|(name, task)| name == "undo" && task != "none")
    }
}

impl Outline {
    /// Whether the step at a place is undone where the run fails: it has an undo,
    /// and is no part of the cleaning up. A lock file does not say it.
    pub fn is_undone(&self, place: usize) -> bool {
        let Some(step) = self.steps.get(place).filter(|step| step.has_undo()) else { return false };
        let outwards = |step: &&OutlineStep| step.around.and_then(|around| self.steps.get(around));
        !std::iter::successors(Some(step), outwards).any(|step| step.always)
    }

    pub fn of(blueprint: &Blueprint) -> Self {
        let mut writer = OutlineWriter { blueprint, steps: Vec::new() };
        let workflow = blueprint.workflows.first();
        if let Some(workflow) = workflow {
            writer.region(workflow, workflow.regions.first(), &workflow.name, None);
        }
        Self {
            name: blueprint.workflow().to_owned(),
            params: workflow.map(|workflow| workflow.params.clone()).unwrap_or_default(),
            schedule: words::schedule(workflow.and_then(|workflow| workflow.schedule.as_ref())),
            steps: writer.steps,
        }
    }

    /// What each step means. Without recursion, since a chain of steps may be
    /// long.
    pub fn meanings(&self) -> Vec<Meaning> {
        let mut inner: Vec<Vec<usize>> = vec![Vec::new(); self.steps.len()];
        let mut regions: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, step) in self.steps.iter().enumerate() {
            if let Some(inner) = step.around.and_then(|around| inner.get_mut(around)) {
                inner.push(place);
            }
            if !step.always {
                regions.entry(step.region()).or_default().push(place);
            }
        }
        let before = |place: usize| -> &[usize] {
            let step = &self.steps[place];
            let region = step.always.then(|| regions.get(step.region())).flatten();
            region.map_or(&[], Vec::as_slice)
        };
        let mut known = Meanings { asked: vec![None; self.steps.len()], whole: vec![None; self.steps.len()] };
        for place in 0..self.steps.len() {
            let mut wanted = vec![(place, true, false)];
            while let Some((place, whole, visited)) = wanted.pop() {
                if !visited && known.of(place, whole).is_some() {
                    continue;
                }
                if !visited {
                    wanted.push((place, whole, true));
                    if whole {
                        wanted.push((place, false, false));
                        wanted.extend(inner[place].iter().map(|inner| (*inner, true, false)));
                    } else {
                        let step = &self.steps[place];
                        // What waits for itself never runs and means nothing.
                        known.asked[place] = Some(0);
                        wanted.extend(step.needs.iter().map(|need| (*need, true, false)));
                        wanted.extend(before(place).iter().map(|before| (*before, true, false)));
                        wanted.extend(step.around.map(|around| (around, false, false)));
                    }
                } else if whole {
                    known.whole[place] = Some(self.whole(place, &inner[place], &known));
                } else {
                    known.asked[place] = Some(self.asked(place, before(place), &known));
                }
            }
        }
        let hashes = known.asked.into_iter().zip(known.whole);
        hashes
            .map(|(asked, whole)| Meaning { asked: asked.unwrap_or(0), whole: whole.unwrap_or(0) })
            .collect()
    }

    /// The static paths of a step, of what lies in it, and of all that comes
    /// after it.
    pub fn after(&self, path: &str) -> HashSet<String> {
        let mut found: HashSet<usize> = HashSet::new();
        let mut wanted: Vec<usize> =
            self.steps.iter().position(|step| step.path == path).into_iter().collect();
        // The regions around: what comes after them does, too.
        let mut around: Vec<usize> = Vec::new();
        while let Some(place) = wanted.pop() {
            if !found.insert(place) {
                continue;
            }
            wanted.extend(self.inside(place));
            let mut outer = Some(place);
            while let Some(inner) = outer {
                let region = self.steps[inner].region();
                let comes_after = |(_, other): &(usize, &OutlineStep)| {
                    other.needs.contains(&inner) || (other.always && other.region() == region)
                };
                let others = self.steps.iter().enumerate().filter(comes_after);
                wanted.extend(others.map(|(other, _)| other));
                outer = self.steps[inner].around.filter(|outer| !around.contains(outer));
                around.extend(outer);
                // The next turn begins with what this one makes.
                wanted.extend(outer.filter(|outer| self.steps[*outer].kind == StepKind::While));
            }
        }
        found.into_iter().map(|place| self.steps[place].path.clone()).collect()
    }

    /// What lies in a step: it follows right after it.
    fn inside(&self, place: usize) -> impl Iterator<Item = usize> {
        let steps = self.steps[place + 1..].iter();
        let inside = steps.take_while(move |step| step.around.is_some_and(|around| around >= place));
        (place + 1..).zip(inside).map(|(place, _)| place)
    }

    fn asked(&self, place: usize, before: &[usize], known: &Meanings) -> u64 {
        let step = &self.steps[place];
        let mut text = format!(
            "{:?} {} {} {} {} {} {:016x}",
            step.kind, step.workflow, step.names, step.version, step.fails_softly, step.always, step.written
        );
        step.takes.iter().for_each(|param| text.push_str(&format!(", {}: {}", param.name, param.ty)));
        // An `#[always]` step comes after all others of its region.
        for need in step.needs.iter().chain(before) {
            let name = self.steps.get(*need).map_or("", |need| &need.name);
            text.push_str(&format!("; {name} {:016x}", known.of(*need, true).unwrap_or(0)));
        }
        let around = step.around.and_then(|around| known.of(around, false)).unwrap_or(0);
        fnv(SEED, format!("{text}; {:016x}; {around:016x}", self.turns(place)).as_bytes())
    }

    /// For a `while`: a hash of all that lies in it, as written. Each turn
    /// begins with what the one before has made.
    pub fn turns(&self, place: usize) -> u64 {
        if self.steps[place].kind != StepKind::While {
            return 0;
        }
        // The steps in it follow right after it.
        let inner = self.steps[place + 1..]
            .iter()
            .take_while(|step| step.around.is_some_and(|around| around >= place));
        inner.fold(SEED, |hash, step| {
            let OutlineStep { path, kind, names, version, fails_softly, always, written, .. } = step;
            let text = format!("{path} {kind:?} {names} {version} {fails_softly} {always} {written:016x}");
            fnv(hash, text.as_bytes())
        })
    }

    fn whole(&self, place: usize, inner: &[usize], known: &Meanings) -> u64 {
        let own = known.of(place, false).unwrap_or(0);
        inner.iter().fold(own, |hash, inner| {
            let meaning = known.of(*inner, true).unwrap_or(0);
            fnv(hash, format!("{} {meaning:016x}", self.steps[*inner].path).as_bytes())
        })
    }
}

struct Meanings {
    asked: Vec<Option<u64>>,
    whole: Vec<Option<u64>>,
}

impl Meanings {
    fn of(&self, place: usize, whole: bool) -> Option<u64> {
        let hashes = if whole { &self.whole } else { &self.asked };
        hashes.get(place).copied().flatten()
    }
}

struct OutlineWriter<'a> {
    blueprint: &'a Blueprint,
    steps: Vec<OutlineStep>,
}

impl<'a> OutlineWriter<'a> {
    fn region(
        &mut self,
        workflow: &'a Workflow,
        region: Option<&'a Region>,
        prefix: &str,
        around: Option<usize>,
    ) {
        let Some(region) = region else { return };
        // Their places are only known once they are written.
        let mut places = Vec::with_capacity(region.steps.len());
        for (number, step) in region.steps.iter().enumerate() {
            let place = self.steps.len();
            places.push(place);
            let entry = self.entry(workflow, region, number, step, prefix, around);
            let path = entry.path.clone();
            self.steps.push(entry);
            self.inner(workflow, step, &path, place);
        }
        let filled_by: HashMap<u16, usize> = places
            .iter()
            .zip(&region.steps)
            .flat_map(|(place, step)| filled(workflow, step).map(|slot| (slot, *place)))
            .collect();
        let makers = |slots: &[u16]| -> Vec<usize> {
            let makers: BTreeSet<usize> =
                slots.iter().filter_map(|slot| filled_by.get(slot).copied()).collect();
            makers.into_iter().collect()
        };
        for (place, step) in places.iter().zip(&region.steps) {
            let needs = step.needs.iter().filter_map(|need| places.get(usize::from(*need)).copied());
            let entry = &mut self.steps[*place];
            entry.needs = needs.collect();
            let mut slots = reads(&step.kind);
            entry.given = makers(&slots);
            let regions = step.kind.regions().into_iter();
            let opened = regions.filter_map(|region| workflow.regions.get(usize::from(region)));
            slots.extend(opened.flat_map(|region| region.captures.iter().copied()));
            entry.data = makers(&slots);
        }
    }

    fn inner(&mut self, workflow: &'a Workflow, step: &'a Step, path: &str, place: usize) {
        for number in step.kind.regions() {
            let Some(region) = workflow.regions.get(usize::from(number)) else { continue };
            let prefix = match region.label.as_str() {
                "" => path.to_owned(),
                label => format!("{path}[{label}]"),
            };
            let first = self.steps.len();
            self.region(workflow, Some(region), &prefix, Some(place));
            if matches!(step.kind, Kind::Select { race, .. } if race == number) {
                // The value of each is its arm's.
                let inner = self.steps.iter_mut().skip(first);
                inner.filter(|inner| inner.around == Some(place)).for_each(|inner| inner.yields = true);
            }
        }
        if let Some(child) = step.kind.child().and_then(|child| self.blueprint.workflows.get(child)) {
            self.region(child, child.regions.first(), path, Some(place));
        }
    }

    fn entry(
        &self,
        workflow: &Workflow,
        region: &Region,
        number: usize,
        step: &Step,
        prefix: &str,
        around: Option<usize>,
    ) -> OutlineStep {
        let child = step.kind.child().and_then(|child| self.blueprint.workflows.get(child));
        let (names, version) = match &step.kind {
            Kind::Task { task, .. } => (task.name.clone(), task.version),
            Kind::Signal { name, .. } => (name.clone(), 0),
            _ => (String::new(), 0),
        };
        OutlineStep {
            path: format!("{prefix}/{}", step.name),
            name: step.name.clone(),
            around,
            workflow: workflow.name.clone(),
            kind: kind(&step.kind),
            names,
            version,
            takes: child.map(|child| child.params.clone()).unwrap_or_default(),
            fails_softly: step.fails_softly,
            always: step.always,
            written: written(region, number, step),
            needs: Vec::new(),
            given: Vec::new(),
            data: Vec::new(),
            once: once(&step.kind),
            is_match: matches!(&step.kind, Kind::Branch { arms, .. } if is_match(workflow, arms)),
            yields: yields(workflow, region, step),
            remarks: words::remarks(&step.kind),
        }
    }
}

fn kind(kind: &Kind) -> StepKind {
    match kind {
        Kind::Task { task, .. } if task.child.is_some() => StepKind::Workflow,
        Kind::Task { .. } => StepKind::Task,
        Kind::Signal { .. } => StepKind::Signal,
        Kind::Sleep { .. } => StepKind::Sleep,
        Kind::For { .. } => StepKind::For,
        Kind::While { .. } => StepKind::While,
        Kind::Branch { .. } => StepKind::Branch,
        Kind::Select { .. } => StepKind::Select,
        Kind::Value { .. } => StepKind::Value,
        Kind::Check { .. } => StepKind::Check,
    }
}

/// The fingerprint of a step as written. Its own one goes on with those of the
/// steps that it needs, in `workflow!`, one after the other; FNV-1a can be
/// taken back step by step, since its factor is odd.
fn written(region: &Region, number: usize, step: &Step) -> u64 {
    let needs = step.needs.iter().rev().map(|need| usize::from(*need));
    needs.fold(step.fingerprint, |hash, need| {
        // One that is written later was not known yet.
        let of = region.steps.get(need).filter(|_| need < number).map_or(0, |need| need.fingerprint);
        of.to_string().bytes().rev().fold(hash, |hash, byte| hash.wrapping_mul(INVERSE) ^ u64::from(byte))
    })
}

/// The slots that a step fills.
fn filled(workflow: &Workflow, step: &Step) -> impl Iterator<Item = u16> {
    let count = match step.kind {
        Kind::While { region, .. } => {
            workflow.regions.get(usize::from(region)).map_or(1, |body| body.carried.len())
        }
        _ => 1,
    };
    (step.output..=u16::MAX).take(count)
}

/// The slots that a step's own expressions read.
fn reads(kind: &Kind) -> Vec<u16> {
    match kind {
        Kind::Task { reads, moves, .. } => [&reads[..], moves].concat(),
        Kind::Signal { key, within, .. } => [key, within].into_iter().flatten().flatten().copied().collect(),
        Kind::Sleep { until: reads }
        | Kind::For { items: reads, .. }
        | Kind::While { initial: reads, .. }
        | Kind::Branch { choose: reads, .. }
        | Kind::Value { reads }
        | Kind::Check { reads } => reads.clone(),
        Kind::Select { .. } => Vec::new(),
    }
}

fn is_match(workflow: &Workflow, arms: &[u16]) -> bool {
    let label = |arm: &u16| workflow.regions.get(usize::from(*arm)).map_or("", |region| &region.label);
    arms.iter().any(|arm| label(arm).starts_with(|first: char| first.is_ascii_digit()))
}

/// Why a task is not done a second time because something before it is.
fn once(kind: &Kind) -> Option<&'static str> {
    let Kind::Task { task, .. } = kind else { return None };
    if task.at_most_once {
        Some("is `at_most_once`")
    } else if task.transaction {
        Some("is a `transaction`")
    } else {
        task.undo.as_ref().map(|_| "has an `undo`, for which the first time would be forgotten")
    }
}

/// What undoes a multiplication by [`PRIME`].
const INVERSE: u64 = {
    // Newton's method: each round doubles the bits that are right.
    let mut inverse = PRIME;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(PRIME.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
};

/// Whether the value of the region, or the next value of a loop variable, is
/// made of the step's.
fn yields(workflow: &Workflow, region: &Region, step: &Step) -> bool {
    let filled = |slot: &u16| filled(workflow, step).any(|filled| filled == *slot);
    let result = match &region.result {
        Yield::Nothing => false,
        Yield::Slot(slot) => filled(slot),
        Yield::Compute(reads) => reads.iter().any(filled),
    };
    result || region.carried.iter().any(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_can_be_taken_back() {
        assert_eq!(PRIME.wrapping_mul(INVERSE), 1);
        let hash = fnv(0x1234_5678, b"17");
        let back = b"17".iter().rev().fold(hash, |hash, byte| hash.wrapping_mul(INVERSE) ^ u64::from(*byte));
        assert_eq!(back, 0x1234_5678);
    }
}
