//! The lock file: what the workflows of a program mean, committed beside their
//! code, so that a unit test tells when a change would touch runs in flight.
//!
//! A line for each step, so that the file's own differences can be read.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::compare::{Comparison, Difference, compare_outlines};
use super::outline::{Outline, OutlineStep};
use super::plan::{Param, hex, is_default};
use super::{Blueprint, words};
use crate::task::definition::Graph;
use crate::view::StepKind;

/// The number of the format that this version writes.
const FORMAT: u32 = 1;

/// The text of a lock file for some workflows.
///
/// It says what each step means, and nothing of retries, limits, schedules,
/// documentation or lines: what is no part of the meaning does not change it.
#[must_use]
pub fn lock_text(graphs: &[&'static Graph]) -> String {
    let mut workflows: Vec<Locked> = graphs.iter().map(|graph| Locked::of(&outline(graph))).collect();
    workflows.sort_by(|left, right| left.workflow.cmp(&right.workflow));
    let blocks: Vec<String> = workflows.iter().map(Locked::text).collect();
    format!("{{\n  \"format\": {FORMAT},\n  \"workflows\": [\n{}\n  ]\n}}\n", blocks.join(",\n"))
}

/// Compares a lock file with the workflows that a program has.
///
/// # Errors
/// When the text is no lock file, or when a step of a workflow means something
/// else than it says.
pub fn check_lock(text: &str, graphs: &[&'static Graph]) -> Result<(), LockProblem> {
    let file: File = serde_json::from_str(text).map_err(LockProblem::Foreign)?;
    if file.format > FORMAT {
        return Err(LockProblem::Newer { found: file.format, known: FORMAT });
    }
    let mut locked: BTreeMap<String, Locked> = BTreeMap::new();
    for workflow in file.workflows {
        locked.insert(workflow.workflow.clone(), workflow);
    }
    let mut changes = Vec::new();
    for graph in graphs {
        let Some(old) = locked.remove(graph.name) else {
            changes.push(LockChange::Added(graph.name.to_owned()));
            continue;
        };
        let comparison = compare_outlines(&old.outline(), &outline(graph));
        if !comparison.is_same() {
            changes.push(LockChange::Changed(comparison));
        }
    }
    changes.extend(locked.into_keys().map(LockChange::Removed));
    if changes.is_empty() { Ok(()) } else { Err(LockProblem::Changed(LockChanges(changes))) }
}

/// Why workflows do not agree with their lock file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockProblem {
    /// The file is no lock file.
    #[error("this is not a lock file of workflows: {0}")]
    Foreign(serde_json::Error),
    /// It was written by a later version.
    #[error(
        "the lock file has format {found}, and this version reads formats up to {known}; \
         use a newer version of workflow-runtime"
    )]
    Newer {
        /// The number of its format.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// Workflows have changed since the file was written.
    #[error("{0}")]
    Changed(LockChanges),
}

/// How workflows have changed since their lock file was written, and what that
/// means for runs in flight: its `Display`.
#[derive(Clone, Debug)]
pub struct LockChanges(Vec<LockChange>);

#[derive(Clone, Debug)]
enum LockChange {
    Added(String),
    Removed(String),
    Changed(Comparison),
}

impl fmt::Display for LockChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("workflows have changed since the lock file was written:")?;
        for change in &self.0 {
            match change {
                LockChange::Added(name) => write!(f, "\n\n{name} is new: no run of it is in flight")?,
                LockChange::Removed(name) => {
                    write!(f, "\n\n{name} is gone: its runs in flight wait for a program that has it")?;
                }
                LockChange::Changed(comparison) => {
                    write!(f, "\n\n{}", comparison.workflow)?;
                    comparison.to_string().lines().try_for_each(|line| write!(f, "\n  {line}"))?;
                    write!(f, "\n  a run in flight {}", consequence(comparison))?;
                }
            }
        }
        f.write_str(
            "\n\nif that is meant, write the lock file anew: with `lock` on the program's command line, or by \
             running this test with WORKFLOW_LOCK=overwrite",
        )
    }
}

/// What a change means to a run in flight.
fn consequence(comparison: &Comparison) -> String {
    if comparison.params.is_some() {
        return "is blocked, since it was started with other parameters".to_owned();
    }
    let touched = |step: &&super::StepComparison| {
        step.keeps && matches!(step.difference, Difference::Changed(_) | Difference::Removed)
    };
    let touched: Vec<String> =
        comparison.steps.iter().filter(touched).map(|step| format!("`{}`", step.path)).collect();
    match &touched[..] {
        [] => "goes on by itself, with the new steps".to_owned(),
        [one] => format!("is blocked if {one} has finished in it, and goes on by itself otherwise"),
        [first, others @ ..] => format!(
            "is blocked if {first} or one of {} others has finished in it, and goes on by itself otherwise",
            others.len()
        ),
    }
}

#[derive(Deserialize)]
struct File {
    format: u32,
    workflows: Vec<Locked>,
}

/// What a lock file says of a workflow.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    workflow: String,
    takes: Vec<Param>,
    steps: Vec<LockedStep>,
}

/// What it says of a step.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockedStep {
    step: String,
    kind: StepKind,
    #[serde(default, skip_serializing_if = "is_default")]
    names: String,
    #[serde(default, skip_serializing_if = "is_default")]
    version: u32,
    #[serde(with = "hex")]
    written: u64,
    /// By their names.
    #[serde(default, skip_serializing_if = "is_default")]
    needs: Vec<String>,
    /// The workflow it is written in, where that is another one.
    #[serde(default, skip_serializing_if = "is_default")]
    of: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    takes: Vec<Param>,
    #[serde(default, skip_serializing_if = "is_default")]
    fails_softly: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    always: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    yields: bool,
}

fn outline(graph: &Graph) -> Outline {
    Outline::of(&Blueprint::of(graph))
}

impl Locked {
    fn of(outline: &Outline) -> Self {
        let name =
            |place: &usize| outline.steps.get(*place).map(|step| step.name.clone()).unwrap_or_default();
        let steps = outline.steps.iter().map(|step| LockedStep {
            step: step.path.clone(),
            kind: step.kind,
            names: step.names.clone(),
            version: step.version,
            written: step.written,
            needs: step.needs.iter().map(name).collect(),
            of: (step.workflow != outline.name).then(|| step.workflow.clone()),
            takes: step.takes.clone(),
            fails_softly: step.fails_softly,
            always: step.always,
            yields: step.yields,
        });
        Self { workflow: outline.name.clone(), takes: outline.params.clone(), steps: steps.collect() }
    }

    /// A line a step.
    fn text(&self) -> String {
        let line = |step: &LockedStep| format!("        {}", json(step));
        let steps: Vec<String> = self.steps.iter().map(line).collect();
        let steps =
            if steps.is_empty() { "[]".to_owned() } else { format!("[\n{}\n      ]", steps.join(",\n")) };
        format!(
            "    {{\n      \"workflow\": {},\n      \"takes\": {},\n      \"steps\": {steps}\n    }}",
            json(&self.workflow),
            json(&self.takes)
        )
    }

    fn outline(self) -> Outline {
        let place_of: BTreeMap<String, usize> =
            self.steps.iter().enumerate().map(|(place, step)| (step.step.clone(), place)).collect();
        let steps = self.steps.into_iter().map(|step| {
            let (around, name) = split(&step.step);
            let (prefix, name) = (around.to_owned(), name.to_owned());
            let needs =
                step.needs.iter().filter_map(|need| place_of.get(&format!("{prefix}/{need}")).copied());
            OutlineStep {
                needs: needs.collect(),
                given: Vec::new(),
                data: Vec::new(),
                once: None,
                is_match: false,
                around: place_of.get(&prefix).or_else(|| place_of.get(unlabelled(&prefix))).copied(),
                path: step.step,
                name,
                workflow: step.of.unwrap_or_else(|| self.workflow.clone()),
                kind: step.kind,
                names: step.names,
                version: step.version,
                takes: step.takes,
                fails_softly: step.fails_softly,
                always: step.always,
                written: step.written,
                yields: step.yields,
                remarks: Vec::new(),
            }
        });
        let steps = steps.collect();
        // A lock file does not speak of schedules, and so of no difference.
        Outline { name: self.workflow, params: self.takes, schedule: words::UNKNOWN.to_owned(), steps }
    }
}

/// A path's last name, and what comes before it.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The path of a step without the label of one of its arms.
fn unlabelled(path: &str) -> &str {
    match path.rfind('[') {
        Some(at) if path.ends_with(']') => &path[..at],
        _ => path,
    }
}

/// Texts, numbers and lists, which JSON can write.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
