//! What would become of a run's steps.

use serde::Serialize;

use crate::blueprint::{self, Fate};

/// What something that is wanted of a run would make of its steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PreviewView {
    /// The run.
    pub(crate) id: String,
    /// What becomes of each step.
    pub(crate) steps: Vec<PreviewStep>,
    /// The paths of steps whose tasks are not done twice otherwise, and would be.
    pub(crate) twice: Vec<String>,
    /// Why it would be refused.
    pub(crate) refusals: Vec<String>,
}

/// What would become of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PreviewStep {
    /// Its path without the numbers of items and turns.
    pub(crate) path: String,
    pub(crate) fate: Fate,
    /// In how many items and turns its result is kept. Nothing of a step that is
    /// in none, or kept in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<usize>,
    /// Under which paths it runs again, where these are others than its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) again: Vec<String>,
    /// Why it is not done twice otherwise, where it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) twice: Option<&'static str>,
}

impl PreviewView {
    pub(crate) fn of(id: &str, preview: &blueprint::Preview) -> Self {
        Self {
            id: id.to_owned(),
            steps: preview.steps.iter().map(PreviewStep::of).collect(),
            twice: preview.twice().map(|step| step.path.clone()).collect(),
            refusals: preview.refusals.iter().map(|refusal| refusal.reason.clone()).collect(),
        }
    }
}

impl PreviewStep {
    fn of(step: &blueprint::StepPreview) -> Self {
        let is_one = step.again.iter().all(|path| *path == step.path);
        Self {
            path: step.path.clone(),
            fate: step.fate,
            kept: Some(step.kept).filter(|kept| *kept > 0 && (*kept > 1 || step.fate != Fate::Kept)),
            again: if is_one { Vec::new() } else { step.again.clone() },
            twice: step.twice,
        }
    }
}
