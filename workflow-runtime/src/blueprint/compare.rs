//! The difference between two blueprints, step by step and in words.

use std::collections::HashMap;
use std::fmt;

use super::outline::{Meaning, Outline, OutlineStep};
use super::plan::Param;
use super::{Blueprint, words};
use crate::view::StepKind;

/// How a workflow has changed. Its `Display` is a line for each change:
///
/// ```text
/// ~ nightly/report: calls `summarise` version 2 instead of 1
/// - nightly/archived: is gone
/// + nightly/check: is new
/// = nightly/listing: attempts 5 instead of 3
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The workflow's name.
    pub workflow: String,
    /// How its parameters have changed, where they have: what it takes now
    /// and what it took, in words.
    pub params: Option<String>,
    /// How its schedule has changed, in words.
    pub schedule: Option<String>,
    /// Every step of both: those that there are, in the order they are
    /// written, then those that are gone.
    pub steps: Vec<StepComparison>,
}

/// How a step has changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepComparison {
    /// Its static path: without the numbers of items and turns.
    pub path: String,
    /// How it has changed.
    pub difference: Difference,
    /// Whether runs keep results of the step itself: a task, a signal or a
    /// sleep, and not what is made of other steps.
    pub keeps: bool,
    /// Whether it is a workflow, of which runs keep the failure that is a
    /// value.
    pub(super) child: bool,
    /// The steps that needed it before, by their static paths. The name of
    /// the workflow alone stands for its result.
    pub(super) dependants: Vec<String>,
    /// For a step that is gone: one that is new and calls the same.
    pub(super) successor: Option<String>,
    /// Whether it was undone where the run fails, and is not any more.
    pub(super) undo_is_gone: bool,
}

/// What has become of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It means what it meant.
    Unchanged,
    /// It means what it meant, under other limits: how, in words.
    Policy(Vec<String>),
    /// It means something else: how, in words, such as "calls `summarise`
    /// version 2 instead of 1".
    Changed(Vec<String>),
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

/// Compares two blueprints of a workflow.
///
/// A step means what it is asked to do: its task and version, its arguments
/// as written, and the meanings of the steps that it depends on and of the
/// step around it. Retries, time limits, limits, schedules and documentation
/// are no part of it.
#[must_use]
pub fn compare(old: &Blueprint, new: &Blueprint) -> Comparison {
    compare_outlines(&Outline::of(old), &Outline::of(new))
}

pub(crate) fn compare_outlines(old: &Outline, new: &Outline) -> Comparison {
    let sides = Sides { old: Side::of(old), new: Side::of(new) };
    let there = new.steps.iter().enumerate().map(|(place, step)| sides.there(place, step));
    let gone = old.steps.iter().enumerate().filter(|(_, step)| !sides.new.places.contains_key(&*step.path));
    let mut steps: Vec<StepComparison> = there.collect();
    steps.extend(gone.map(|(place, step)| sides.gone(place, step)));
    Comparison {
        workflow: new.name.clone(),
        params: params(&old.params, &new.params),
        schedule: (old.schedule != new.schedule && old.schedule != words::UNKNOWN)
            .then(|| format!("{} instead of {}", new.schedule, old.schedule)),
        steps,
    }
}

fn params(old: &[Param], new: &[Param]) -> Option<String> {
    (old != new).then(|| format!("takes ({}) instead of ({})", words::params(new), words::params(old)))
}

/// One of the two.
struct Side<'a> {
    outline: &'a Outline,
    meanings: Vec<Meaning>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Side<'a> {
    fn of(outline: &'a Outline) -> Self {
        let places = outline.steps.iter().enumerate().map(|(place, step)| (&*step.path, place));
        Self { outline, meanings: outline.meanings(), places: places.collect() }
    }

    fn named(&self, place: usize) -> &'a str {
        self.outline.steps.get(place).map_or("", |step| &step.name)
    }

    fn meaning(&self, place: usize) -> Option<Meaning> {
        self.meanings.get(place).copied()
    }

    /// Who needs a step: others of its region, and the step around it, or the
    /// workflow's result, where that is made of it.
    fn dependants(&self, place: usize) -> Vec<String> {
        let step = &self.outline.steps[place];
        let others = self.outline.steps.iter().filter(|other| other.needs.contains(&place));
        let mut dependants: Vec<String> = others.map(|other| other.path.clone()).collect();
        if step.yields {
            let around = step.around.and_then(|around| self.outline.steps.get(around));
            dependants.push(around.map_or(&self.outline.name, |around| &around.path).clone());
        }
        dependants
    }
}

struct Sides<'a> {
    old: Side<'a>,
    new: Side<'a>,
}

impl Sides<'_> {
    /// A step that there is.
    fn there(&self, place: usize, step: &OutlineStep) -> StepComparison {
        let (difference, dependants, kept, was_undone) = match self.old.places.get(&*step.path) {
            None => (Difference::Added, Vec::new(), false, false),
            Some(&before) => {
                let old = &self.old.outline.steps[before];
                let difference = if self.old.meaning(before).map(|meaning| meaning.asked)
                    == self.new.meaning(place).map(|meaning| meaning.asked)
                {
                    let remarks = remarks(old, step);
                    if remarks.is_empty() { Difference::Unchanged } else { Difference::Policy(remarks) }
                } else {
                    Difference::Changed(self.reasons(before, old, place, step))
                };
                let was_undone = self.old.outline.is_undone(before);
                (difference, self.old.dependants(before), old.keeps(), was_undone)
            }
        };
        let keeps = kept || step.keeps();
        let child = step.kind == StepKind::Workflow;
        StepComparison {
            path: step.path.clone(),
            difference,
            keeps,
            child,
            dependants,
            successor: None,
            undo_is_gone: was_undone && !self.new.outline.is_undone(place),
        }
    }

    fn gone(&self, place: usize, step: &OutlineStep) -> StepComparison {
        let is_new = |other: &&OutlineStep| !self.old.places.contains_key(&*other.path);
        // What a sleep is renamed to cannot be told: they are all alike.
        let child = step.kind == StepKind::Workflow;
        let named = (step.keeps() || child) && step.kind != StepKind::Sleep;
        let mut added = self.new.outline.steps.iter().filter(is_new);
        let successor = added.find(|other| named && other.kind == step.kind && other.names == step.names);
        StepComparison {
            path: step.path.clone(),
            difference: Difference::Removed,
            keeps: step.keeps(),
            child,
            dependants: self.old.dependants(place),
            successor: successor.map(|other| other.path.clone()),
            undo_is_gone: self.old.outline.is_undone(place),
        }
    }

    /// In what a step has changed.
    fn reasons(&self, before: usize, old: &OutlineStep, place: usize, new: &OutlineStep) -> Vec<String> {
        if old.kind != new.kind {
            return vec![format!("is {} and was {}", words::kind(new.kind), words::kind(old.kind))];
        }
        let mut reasons = Vec::new();
        reasons.extend(own_reason(old, new));
        if self.old.outline.turns(before) != self.new.outline.turns(place) {
            reasons.push("does something else in its turns".to_owned());
        }
        if old.fails_softly != new.fails_softly {
            reasons.push(match new.fails_softly {
                true => "has a failure that is a value, and failed the run before".to_owned(),
                false => "fails the run when it fails, and had a value then before".to_owned(),
            });
        }
        if old.always != new.always {
            reasons.push(match new.always {
                true => "is `#[always]` now".to_owned(),
                false => "is not `#[always]` any more".to_owned(),
            });
        }
        self.needs(old, new, &mut reasons);
        if let (Some(was), Some(is)) = (old.around, new.around)
            && self.old.meaning(was).map(|meaning| meaning.asked)
                != self.new.meaning(is).map(|meaning| meaning.asked)
        {
            reasons.push(format!("lies in `{}`, which has changed", self.new.named(is)));
        }
        if reasons.is_empty() {
            // All else has been looked at.
            reasons.push("is `#[always]`, and other steps of its region have changed".to_owned());
        }
        reasons
    }

    fn needs(&self, old: &OutlineStep, new: &OutlineStep, reasons: &mut Vec<String>) {
        let needs = |side: &Side<'_>, step: &OutlineStep| -> HashMap<String, usize> {
            step.needs.iter().map(|need| (side.named(*need).to_owned(), *need)).collect()
        };
        let (was, is) = (needs(&self.old, old), needs(&self.new, new));
        let named = |side: &Side<'_>, step: &OutlineStep| -> Vec<String> {
            step.needs.iter().map(|need| side.named(*need).to_owned()).collect()
        };
        for name in named(&self.new, new) {
            match was.get(&name) {
                None => reasons.push(format!("needs `{name}` too")),
                Some(before) => {
                    let now = is.get(&name).and_then(|now| self.new.meaning(*now));
                    if self.old.meaning(*before).map(|meaning| meaning.whole) != now.map(|now| now.whole) {
                        reasons.push(format!("needs `{name}`, which has changed"));
                    }
                }
            }
        }
        let gone = named(&self.old, old).into_iter().filter(|name| !is.contains_key(name));
        reasons.extend(gone.map(|name| format!("does not need `{name}` any more")));
    }
}

/// In what the step itself has changed: one reason, as the others follow from
/// it.
fn own_reason(old: &OutlineStep, new: &OutlineStep) -> Option<String> {
    if old.workflow != new.workflow {
        return Some(format!("belongs to workflow `{}` instead of `{}`", new.workflow, old.workflow));
    }
    let verb = words::verb(new.kind);
    if old.names != new.names {
        return Some(format!("{verb} `{}` instead of `{}`", new.names, old.names));
    }
    if old.version != new.version {
        return Some(format!("{verb} `{}` version {} instead of {}", new.names, new.version, old.version));
    }
    if let Some(takes) = params(&old.takes, &new.takes) {
        return Some(format!("{verb} `{}`, which {takes}", new.names));
    }
    (old.written != new.written).then(|| words::rewritten(new.kind).to_owned())
}

fn remarks(old: &OutlineStep, new: &OutlineStep) -> Vec<String> {
    // In a lock file there are none.
    if old.remarks.is_empty() || new.remarks.is_empty() {
        return Vec::new();
    }
    let of = |remarks: &[(String, String)], what: &str| {
        let found = remarks.iter().find(|(name, _)| name == what);
        found.map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&String> = new.remarks.iter().map(|(name, _)| name).collect();
    names.extend(old.remarks.iter().map(|(name, _)| name).filter(|name| !of_any(&new.remarks, name)));
    let words = names.into_iter().filter_map(|name| {
        let (was, is) = (of(&old.remarks, name), of(&new.remarks, name));
        (was != is).then(|| format!("{name} {is} instead of {was}"))
    });
    words.collect()
}

fn of_any(remarks: &[(String, String)], name: &str) -> bool {
    remarks.iter().any(|(other, _)| other == name)
}

impl Comparison {
    /// Whether every step means what it meant, and the parameters are the
    /// same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.params.is_none() && self.changed().next().is_none()
    }

    /// The static paths of the steps that mean something else, are new or are
    /// gone.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &str> {
        let same =
            |step: &&StepComparison| matches!(step.difference, Difference::Unchanged | Difference::Policy(_));
        self.steps.iter().filter(move |step| !same(step)).map(|step| &*step.path)
    }

    /// What has become of the step of a static path.
    #[must_use]
    pub fn step(&self, path: &str) -> Option<&StepComparison> {
        self.steps.iter().find(|step| step.path == path)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if let Some(params) = &self.params {
            lines.push(format!("~ {}: {params}", self.workflow));
        }
        if let Some(schedule) = &self.schedule {
            lines.push(format!("= {}: schedule {schedule}", self.workflow));
        }
        for StepComparison { path, difference, .. } in &self.steps {
            let each = |sign: char, words: &[String]| -> Vec<String> {
                words.iter().map(|words| format!("{sign} {path}: {words}")).collect()
            };
            match difference {
                Difference::Unchanged => {}
                Difference::Policy(words) => lines.extend(each('=', words)),
                Difference::Changed(words) => lines.extend(each('~', words)),
                Difference::Added => lines.push(format!("+ {path}: is new")),
                Difference::Removed => lines.push(format!("- {path}: is gone")),
            }
        }
        if lines.is_empty() {
            lines.push("nothing has changed".to_owned());
        }
        f.write_str(&lines.join("\n"))
    }
}
