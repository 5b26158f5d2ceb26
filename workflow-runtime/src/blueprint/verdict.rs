//! Whether a run in flight can go on under a changed workflow by itself.

use std::fmt;

use super::compare::{Comparison, Difference, StepComparison};

/// What a run has made of a step, in all the places where it has one: a step
/// of a `for` is there once for each item. Made by whoever asks, so what is told
/// here is all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Somewhere it has a result, or it is unknown whether it has: something
    /// that would be lost if it ran anew.
    pub kept: bool,
    /// Somewhere it may still begin or is under way.
    pub open: bool,
}

impl Progress {
    /// Not begun.
    pub const NOT_BEGUN: Self = Self { kept: false, open: true };
    /// Finished, everywhere.
    pub const FINISHED: Self = Self { kept: true, open: false };
}

/// Something that keeps a run from going on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// The static path of the step; none where it is about the whole workflow.
    pub path: Option<String>,
    /// What is in the way, in words.
    pub reason: String,
}

/// Whether a run in flight can go on under a changed workflow by itself. Its
/// `Display` says why not, and what to do.
///
/// What has a result keeps it, and so may not have changed; nothing may run a
/// second time under another name. Everything else just follows the new graph.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What is in the way; nothing, when the run can go on.
    pub obstacles: Vec<Obstacle>,
    /// The static paths of steps that changed before they had a result. What
    /// they waited for does not hold any more.
    pub anew: Vec<String>,
}

impl Verdict {
    /// Judges by what the run has made of each step, by its static path.
    #[must_use]
    pub fn of(comparison: &Comparison, progress: impl Fn(&str) -> Progress) -> Self {
        let mut verdict = Self { obstacles: Vec::new(), anew: Vec::new() };
        if let Some(params) = &comparison.params {
            let reason = format!("`{}` {params}", comparison.workflow);
            verdict.obstacles.push(Obstacle { path: None, reason });
        }
        // A step that is made of others has no result of its own to lose:
        // where it has changed, so have those in it and those that need it.
        // But the failure of a workflow may be a value.
        for step in comparison.steps.iter().filter(|step| step.keeps || step.child) {
            let kept = progress(&step.path).kept;
            let reason = match &step.difference {
                _ if !kept && step.child => None,
                Difference::Unchanged | Difference::Policy(_) if step.child => inside(comparison, step),
                Difference::Changed(_) if !kept => {
                    verdict.anew.push(step.path.clone());
                    None
                }
                Difference::Changed(words) => Some(format!("now {}", words.join(", "))),
                Difference::Removed if kept => gone(comparison, step, &progress),
                Difference::Unchanged | Difference::Policy(_) if kept && step.undo_is_gone => {
                    Some("has no `undo` any more, so nothing would undo what it did".to_owned())
                }
                _ => None,
            };
            verdict.obstacles.extend(reason.map(|reason| Obstacle {
                reason: match step.child {
                    true => format!("workflow `{}` has failed, which is a value, and {reason}", step.path),
                    false => format!("step `{}` has finished, and {reason}", step.path),
                },
                path: Some(step.path.clone()),
            }));
        }
        verdict
    }

    /// Whether the run can go on by itself.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.obstacles.is_empty()
    }
}

/// What has changed in a workflow whose failure is kept.
fn inside(comparison: &Comparison, workflow: &StepComparison) -> Option<String> {
    let within = |path: &str| path.strip_prefix(&*workflow.path).is_some_and(|rest| rest.starts_with('/'));
    let changed = comparison.changed().find(|path| within(path))?;
    Some(format!("`{changed}` in it has changed"))
}

/// Why a run minds that a finished step is gone, if it does.
fn gone(
    comparison: &Comparison,
    step: &StepComparison,
    progress: &impl Fn(&str) -> Progress,
) -> Option<String> {
    // The run has not ended, so its result is open.
    let is_open = |path: &&String| **path == comparison.workflow || progress(path).open;
    if let Some(dependant) = step.dependants.iter().find(is_open) {
        return Some(match *dependant == comparison.workflow {
            true => {
                "is gone, though the workflow's result is made of it; has it another name now?".to_owned()
            }
            false => format!("is gone, though `{dependant}` still needs it; has it another name now?"),
        });
    }
    // Nothing needs it, but what it did would be done again.
    if let Some(successor) = &step.successor {
        return Some(format!("is gone, while `{successor}` is new and does the same; is that its new name?"));
    }
    step.undo_is_gone.then(|| "is gone, so nothing would undo what it did".to_owned())
}

/// What an adoption does, in words.
pub(crate) const KEEPS: &str = "`adopt` goes on and keeps every result whose step still has its path";

impl Verdict {
    /// What is in the way, in words.
    pub(crate) fn reasons(&self) -> String {
        let reasons: Vec<&str> = self.obstacles.iter().map(|obstacle| &*obstacle.reason).collect();
        format!("its workflow has changed: {}", reasons.join("; "))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.goes_on() {
            return f.write_str("the run can go on by itself");
        }
        write!(f, "{}; {KEEPS}, `rerun` starts a new run, `cancel` ends this one", self.reasons())
    }
}
