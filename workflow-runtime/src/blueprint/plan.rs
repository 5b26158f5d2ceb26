//! The tables of `definition` once more, owned, and without functions. What a
//! field means is written there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy::{Policy, Rate, Schedule};

/// A whole workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workflow {
    pub name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub docs: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub line: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub params: Vec<Param>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub schedule: Option<Schedule>,
    #[serde(with = "hex")]
    pub fingerprint: u64,
    pub regions: Vec<Region>,
}

/// A parameter of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Param {
    pub name: String,
    #[serde(rename = "type")]
    pub ty: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Region {
    #[serde(default, skip_serializing_if = "is_default")]
    pub label: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub captures: Vec<u16>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub slots: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub result: Yield,
    #[serde(default, skip_serializing_if = "is_default")]
    pub carried: Vec<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Yield {
    #[default]
    Nothing,
    Slot(u16),
    /// Of the values of these slots.
    Compute(Vec<u16>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub name: String,
    /// Ascending, each once. The other direction follows from it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub needs: Vec<u16>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub output: u16,
    pub kind: Kind,
    /// Whether its failure is a value, and no failure of the run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fails_softly: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub always: bool,
    /// How many values it fills slots with, where they can be saved.
    #[serde(default, skip_serializing_if = "is_default")]
    pub values: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub line: u32,
    #[serde(with = "hex")]
    pub fingerprint: u64,
}

/// The slots that an expression reads.
pub(crate) type Reads = Vec<u16>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Kind {
    Task {
        task: Box<Task>,
        /// Where it is not the task's own.
        #[serde(default, skip_serializing_if = "is_default")]
        policy: Option<Policy>,
        #[serde(default, skip_serializing_if = "is_default")]
        reads: Reads,
        #[serde(default, skip_serializing_if = "is_default")]
        moves: Vec<u16>,
    },
    Signal {
        name: String,
        /// Where it is `keyed`.
        #[serde(default, skip_serializing_if = "is_default")]
        key: Option<Reads>,
        #[serde(default, skip_serializing_if = "is_default")]
        within: Option<Reads>,
    },
    Sleep {
        until: Reads,
    },
    For {
        items: Reads,
        region: u16,
        #[serde(default, skip_serializing_if = "is_default")]
        limit: Option<u32>,
    },
    While {
        initial: Reads,
        test: Reads,
        region: u16,
        limit: u32,
    },
    Branch {
        choose: Reads,
        arms: Vec<u16>,
    },
    Select {
        race: u16,
        arms: Vec<u16>,
    },
    Value {
        reads: Reads,
    },
    Check {
        reads: Reads,
    },
}

/// A task's contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    pub name: String,
    pub version: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub fallible: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub blocking: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub at_most_once: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub transaction: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: Policy,
    #[serde(default, skip_serializing_if = "is_default")]
    pub concurrency: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub rate: Option<Rate>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache: Option<Duration>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub undo: Option<Box<Task>>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reconcile: Option<Box<Task>>,
    /// For a workflow used as a step: its place in the blueprint's list.
    #[serde(default, skip_serializing_if = "is_default")]
    pub child: Option<u32>,
}

impl Workflow {
    /// Forgets what decides nothing about a run.
    pub fn forget_remarks(&mut self) {
        self.docs.clear();
        self.line = 0;
        self.schedule = None;
        self.regions.iter_mut().flat_map(|region| &mut region.steps).for_each(|step| step.line = 0);
    }
}

impl Kind {
    /// The regions that a step of this kind opens.
    pub fn regions(&self) -> Vec<u16> {
        match self {
            Self::For { region, .. } | Self::While { region, .. } => vec![*region],
            Self::Branch { arms, .. } => arms.clone(),
            Self::Select { race, arms } => std::iter::once(*race).chain(arms.iter().copied()).collect(),
            Self::Task { .. }
            | Self::Signal { .. }
            | Self::Sleep { .. }
            | Self::Value { .. }
            | Self::Check { .. } => Vec::new(),
        }
    }

    /// The workflow that a step of this kind runs.
    pub fn child(&self) -> Option<usize> {
        match self {
            Self::Task { task, .. } => task.child.map(|child| child as usize),
            _ => None,
        }
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A fingerprint as people see it everywhere else.
pub(crate) mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(|_| D::Error::custom("a fingerprint is a hexadecimal number"))
    }
}
