//! What an operator's adoption of a blocked run makes of each step: the one
//! place that decides what keeps its result and what runs anew.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::Blueprint;
use super::compare::compare_outlines;
use super::outline::{Outline, OutlineStep};
use super::verdict::{Obstacle, Progress};
use crate::view::StepKind;

/// What an operator's adoption of a blocked run makes of each step: a result
/// is kept where its step still has its path, whatever else has changed, and
/// finished steps run again only where an operator has named them. Its
/// `Display` is a line for each step.
///
/// ```text
/// = shop/pay: its result is kept
/// ! shop/price: has finished, and runs again
/// + shop/risk: is new, and runs
/// · shop/ship: has no result yet, and runs
/// - shop/check: is gone; its result is not used any more
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adoption {
    /// The steps that runs keep results of, by their static paths, in the
    /// order they are written; then those that are gone.
    pub steps: Vec<(String, Fate)>,
    /// The finished steps, by their static paths, that nothing undoes any more
    /// where the run fails: they or their undo are gone.
    pub not_undone: Vec<String>,
    /// Why it cannot be adopted so.
    pub refusals: Vec<Obstacle>,
    /// The steps that do under another name what has been done already.
    pub(crate) successors: Vec<String>,
}

/// What becomes of a step when its run is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// Its result is kept.
    Kept,
    /// Its results are kept in the items and turns that have one, and it runs
    /// in the others.
    PartlyKept,
    /// It has finished, and runs again: an operator wants that, or what comes
    /// before it runs again.
    Again,
    /// It has been undone, and runs again.
    AgainAfterUndo,
    /// What it did is undone.
    Undone,
    /// It has no result, and runs when its turn comes.
    Runs,
    /// It is new, and runs when its turn comes.
    New,
    /// It is gone, or is made of other steps now: its result is not used any
    /// more.
    Gone,
}

/// What an operator wants to run again though it has finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Again {
    /// Something that the step has left is to be forgotten.
    pub named: bool,
    /// It has left a result, or it is unknown whether it has done something.
    pub done: bool,
}

impl Adoption {
    /// Decides by what the run has made of each step, by its static path, and
    /// by what an operator wants of it. `progress` is about what is left once
    /// that is forgotten; `twice` says that the operator knows of tasks that
    /// will be done a second time.
    #[must_use]
    pub fn of(
        old: &Blueprint,
        new: &Blueprint,
        progress: impl Fn(&str) -> Progress,
        again: impl Fn(&str) -> Again,
        twice: bool,
    ) -> Self {
        let (old, new) = (Outline::of(old), Outline::of(new));
        let sides = OldAndNew { places: [places(&old), places(&new)], old: &old, new: &new };
        let judge = Judge { sides: &sides, progress: &progress, again: &again, twice };
        let mut adoption = Self::default();
        adoption.refusals.extend(params(&old, &new));
        for step in new.steps.iter().filter(|step| judge.is_told(step)) {
            adoption.steps.push((step.path.clone(), judge.fate(step)));
            adoption.refusals.extend(judge.done_twice(step));
        }
        let gone =
            |step: &&OutlineStep| sides.of_new(&step.path).is_none_or(|new| !new.keeps()) && step.keeps();
        for step in old.steps.iter().filter(gone).filter(|step| progress(&step.path).kept) {
            adoption.steps.push((step.path.clone(), Fate::Gone));
        }
        let is_undone = |path: &str| sides.places[1].get(path).is_some_and(|place| new.is_undone(*place));
        let was_undone = old.steps.iter().enumerate().filter(|(place, _)| old.is_undone(*place));
        let not_undone = was_undone.filter(|(_, step)| progress(&step.path).kept && !is_undone(&step.path));
        adoption.not_undone = not_undone.map(|(_, step)| step.path.clone()).collect();
        judge.renamed(&mut adoption);
        adoption.refusals.extend(judge.numbered());
        adoption
    }
}

/// The static paths of regions whose results are kept by numbers which may mean
/// something else now.
pub(crate) fn renumbered(
    old: &Blueprint,
    new: &Blueprint,
    progress: impl Fn(&str) -> Progress,
) -> Vec<String> {
    let (old, new) = (Outline::of(old), Outline::of(new));
    let sides = OldAndNew { places: [places(&old), places(&new)], old: &old, new: &new };
    let again = |_: &str| Again::default();
    let judge = Judge { sides: &sides, progress: &progress, again: &again, twice: false };
    judge.numbered().into_iter().filter_map(|obstacle| obstacle.path).collect()
}

/// The static paths of a step, of what lies in it, and of all that comes after
/// it.
pub(crate) fn after(blueprint: &Blueprint, path: &str) -> HashSet<String> {
    Outline::of(blueprint).after(path)
}

/// Parameters are kept by their places.
fn params(old: &Outline, new: &Outline) -> Option<Obstacle> {
    let place = |outline: &Outline, name: &str| outline.params.iter().position(|param| param.name == name);
    let moved = old.params.iter().find(|param| {
        let (was, is) = (place(old, &param.name), place(new, &param.name));
        is.is_some() && was != is
    })?;
    let reason = format!(
        "parameter `{}` of `{}` has another place now, and what the run was given is kept by place; `rerun` \
         starts a new run",
        moved.name, new.name
    );
    Some(Obstacle { path: None, reason })
}

fn places(outline: &Outline) -> HashMap<&str, usize> {
    outline.steps.iter().enumerate().map(|(place, step)| (&*step.path, place)).collect()
}

/// The graph that was followed, and the one that is to be.
struct OldAndNew<'a> {
    old: &'a Outline,
    new: &'a Outline,
    places: [HashMap<&'a str, usize>; 2],
}

impl<'a> OldAndNew<'a> {
    fn of_old(&self, path: &str) -> Option<&'a OutlineStep> {
        self.old.steps.get(*self.places[0].get(path)?)
    }

    fn of_new(&self, path: &str) -> Option<&'a OutlineStep> {
        self.new.steps.get(*self.places[1].get(path)?)
    }
}

struct Judge<'a, P, A> {
    sides: &'a OldAndNew<'a>,
    progress: &'a P,
    again: &'a A,
    twice: bool,
}

impl<P: Fn(&str) -> Progress, A: Fn(&str) -> Again> Judge<'_, P, A> {
    /// Whether it is worth a line: what lies in a workflow whose failure is
    /// kept is not come to.
    fn is_told(&self, step: &OutlineStep) -> bool {
        let is_over = |around: &OutlineStep| {
            let progress = (self.progress)(&around.path);
            around.kind == StepKind::Workflow && progress.kept && !progress.open
        };
        let outwards = |step: &OutlineStep| step.around.and_then(|around| self.sides.new.steps.get(around));
        let mut around = std::iter::successors(outwards(step), |step| outwards(step));
        if around.any(is_over) {
            return false;
        }
        step.keeps() || (step.kind == StepKind::Workflow && (self.progress)(&step.path).kept)
    }

    fn fate(&self, step: &OutlineStep) -> Fate {
        let (progress, again) = ((self.progress)(&step.path), (self.again)(&step.path));
        match (progress.kept, progress.open) {
            _ if again.named => Fate::Again,
            (true, false) => Fate::Kept,
            (true, true) => Fate::PartlyKept,
            _ if self.sides.of_old(&step.path).is_none() => Fate::New,
            _ => Fate::Runs,
        }
    }

    /// What would be done a second time, and has to be wanted twice.
    fn done_twice(&self, step: &OutlineStep) -> Option<Obstacle> {
        let again = (self.again)(&step.path);
        let old = self.sides.of_old(&step.path);
        let once = step.once.or(old.and_then(|old| old.once));
        let why = once.filter(|_| again.named && again.done && !self.twice)?;
        let reason = format!("step `{}` {why}, and has been done; {EVEN_IF_DONE}", step.path);
        Some(Obstacle { path: Some(step.path.clone()), reason })
    }

    /// What has another name now would be done a second time under it.
    fn renamed(&self, adoption: &mut Adoption) {
        let comparison = compare_outlines(self.sides.old, self.sides.new);
        for step in comparison.steps.iter().filter(|step| (self.progress)(&step.path).kept) {
            let Some(successor) = &step.successor else { continue };
            adoption.successors.push(successor.clone());
            let again = (self.again)(successor);
            let once = self.sides.of_new(successor).and_then(|new| new.once);
            let reason = match once {
                Some(why) if !again.named || !self.twice => format!(
                    "step `{}` has finished and is gone, while `{successor}` is new and does the same, and \
                     {why}; `--again {successor} --even-if-done` does it a second time nevertheless",
                    step.path
                ),
                None if !again.named => format!(
                    "step `{}` has finished and is gone, while `{successor}` is new and does the same; \
                     `--again {successor}` does it again",
                    step.path
                ),
                _ => continue,
            };
            adoption.refusals.push(Obstacle { path: Some(successor.clone()), reason });
        }
    }

    /// Results that are kept by a number which may mean something else now.
    fn numbered(&self) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        for (place, step) in self.sides.new.steps.iter().enumerate() {
            let Some(&before) = self.sides.places[0].get(&*step.path) else { continue };
            let old = &self.sides.old.steps[before];
            let numbers = |step: &OutlineStep| step.kind == StepKind::For || step.is_match;
            if !numbers(step) && !numbers(old) {
                continue;
            }
            let same = match step.kind {
                StepKind::For => old.kind == StepKind::For && self.is_given_the_same(before, place),
                _ => old.kind == step.kind && old.written == step.written,
            };
            let within =
                |path: &str| path.strip_prefix(&*step.path).is_some_and(|rest| rest.starts_with(['/', '[']));
            let mut inner = self.sides.old.steps.iter().filter(|inner| within(&inner.path));
            if same || !inner.any(|inner| (self.progress)(&inner.path).kept) {
                continue;
            }
            let what = match step.kind {
                StepKind::For => {
                    "may go over other items now, or in another order, and its results are kept by their numbers"
                }
                _ => "decides otherwise now, and the results of its arms are kept by their numbers",
            };
            let reason = format!("`{}` {what}; `--again {}` runs all of it again", step.path, step.path);
            obstacles.push(Obstacle { path: Some(step.path.clone()), reason });
        }
        obstacles
    }

    /// Whether a step is written as it was, over values that are kept.
    fn is_given_the_same(&self, before: usize, now: usize) -> bool {
        // Chains of steps may be long, so without recursion. What is captured
        // matters where it is not known which of it is read.
        let mut wanted = vec![(before, now, false)];
        let mut seen = HashSet::new();
        while let Some((before, now, captures)) = wanted.pop() {
            if !seen.insert((before, now, captures)) {
                continue;
            }
            let (old, new) = (&self.sides.old.steps[before], &self.sides.new.steps[now]);
            let data = |step: &OutlineStep| if captures { step.data.clone() } else { step.given.clone() };
            let (was, is) = (data(old), data(new));
            if old.kind != new.kind || old.written != new.written || was.len() != is.len() {
                return false;
            }
            for (was, is) in was.into_iter().zip(is) {
                let (needed, path) = (&self.sides.new.steps[is], &self.sides.old.steps[was].path);
                if needed.path != *path {
                    return false;
                }
                if !needed.keeps() {
                    wanted.push((was, is, true));
                    if !self.is_made_of_the_same(was, is) {
                        return false;
                    }
                } else if (self.again)(path).named || !(self.progress)(path).kept {
                    return false;
                }
            }
            match (old.around, new.around) {
                (None, None) => {}
                (Some(was), Some(is)) => {
                    // A turn begins with what the ones before have made.
                    let turns = self.sides.new.steps[is].kind == StepKind::While;
                    if turns && !self.is_made_of_the_same(was, is) {
                        return false;
                    }
                    wanted.push((was, is, true));
                }
                _ => return false,
            }
        }
        true
    }

    fn is_made_of_the_same(&self, was: usize, is: usize) -> bool {
        let inner = |outline: &Outline, place: usize| -> Vec<(String, u64)> {
            let inner = outline.steps[place + 1..]
                .iter()
                .take_while(|step| step.around.is_some_and(|around| around >= place));
            inner.map(|step| (step.path.clone(), step.written)).collect()
        };
        let (was, is) = (inner(self.sides.old, was), inner(self.sides.new, is));
        was == is && is.iter().all(|(path, _)| !(self.again)(path).named)
    }
}

/// How an operator says that something is to be done twice.
const EVEN_IF_DONE: &str = "to do it a second time nevertheless, add `--even-if-done`";

impl Fate {
    /// A sign, and what goes on from the name of the step.
    pub(super) fn words(self) -> (char, &'static str) {
        match self {
            Self::Kept => ('=', "its result is kept"),
            Self::PartlyKept => ('=', "its results are kept, and it runs where it has none"),
            Self::Again => ('!', "has finished, and runs again"),
            Self::AgainAfterUndo => ('·', "has been undone, and runs again"),
            Self::Undone => ('<', "is undone"),
            Self::Runs => ('·', "has no result yet, and runs"),
            Self::New => ('+', "is new, and runs"),
            Self::Gone => ('-', "is gone; its result is not used any more"),
        }
    }
}

impl fmt::Display for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.steps.iter().map(|(path, fate)| {
            let (sign, words) = fate.words();
            format!("{sign} {path}: {words}")
        });
        let not_undone = self.not_undone.iter().map(|path| {
            format!("! {path}: nothing undoes it any more, also where the run fails: its undo is gone")
        });
        f.write_str(&lines.chain(not_undone).collect::<Vec<_>>().join("\n"))
    }
}
