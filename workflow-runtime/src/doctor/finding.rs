//! What is found wrong, in words.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::history::NotUndone;
use crate::store::StoredRun;

/// What was examined, and what is wrong with it. Printed, it is for people; as
/// JSON, for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How many runs there are.
    pub runs: usize,
    /// How many entries their journals have.
    pub entries: usize,
    /// The steps that wait for an operator, because they may be what ends the
    /// process. That is no illness of the store.
    pub suspected: Vec<Suspected>,
    /// What runs have done and not undone when they ended, but for what an
    /// operator has given up. That is no illness of the store.
    pub not_undone: Vec<Stands>,
    /// The runs of which only the rows could be looked at.
    pub not_followed: Vec<NotFollowed>,
    /// What is wrong. Empty in a store that is as it should be.
    pub findings: Vec<Finding>,
}

/// A step that was lost so often in a row that it is suspected to end the
/// process.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Suspected {
    /// The run's id.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// The path of the step.
    pub step: String,
    /// How often it was lost in a row.
    pub losses: u16,
}

/// Something that a run has done, and neither used nor undone when it ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stands {
    /// The run's id.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// Which step did it, and why it stands.
    #[serde(flatten)]
    pub step: NotUndone,
}

/// A run whose journal could not be followed, because neither the store nor
/// the program knows the workflow as it was. That is no illness.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct NotFollowed {
    /// The run's id.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// The hash of what it follows, as 16 digits.
    pub blueprint: String,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The id of the run; none where it is about a schedule, or about what
    /// belongs to no run.
    pub run: Option<String>,
    /// The name of the workflow or schedule, if it is about one.
    pub workflow: String,
    /// The path of the step.
    pub step: Option<String>,
    /// The number of the journal's entry.
    pub entry: Option<u64>,
    /// What kind of thing it is.
    pub problem: Problem,
    /// What is there.
    pub what: String,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The journal cannot be read, or an entry is missing or stands twice.
    Journal,
    /// An entry does not follow from those before it.
    Order,
    /// A blueprint is missing, damaged, or another one than its hash says.
    Blueprint,
    /// A value is missing, or cannot be read.
    Value,
    /// A step started before what it needs had ended.
    StartedEarly,
    /// A step succeeded again, or changed after it had ended.
    Repeated,
    /// Two attempts of a step were under way at once, or one that came later
    /// has an earlier epoch.
    Attempts,
    /// Nothing will ever happen to an unfinished step.
    Stuck,
    /// The run's row says something else than its journal.
    Row,
    /// A step of a run that has ended has not.
    LeftOpen,
    /// A sleeping run is not woken when it should be.
    Asleep,
    /// Two runs have one key.
    Key,
    /// A schedule's mark lies in the future.
    Schedule,
}

impl Problem {
    /// What it means, and what to do.
    #[must_use]
    pub fn means(self) -> &'static str {
        match self {
            Problem::Journal => {
                "the file is damaged, or something else wrote to it; the run cannot go on, so restore a backup, or cancel it"
            }
            Problem::Order => {
                "the workflow does not do what is stored, so the run cannot go on; \
                 go on with the program that wrote it, or cancel the run"
            }
            Problem::Blueprint => {
                "how the run went cannot be told any more, and it cannot go on under other code; restore a backup"
            }
            Problem::Value => "whoever needs the value blocks the run; `set` the step, or restore a backup",
            Problem::StartedEarly | Problem::Repeated | Problem::Attempts => {
                "the engine has broken a promise; please report it, with the run's journal"
            }
            Problem::Stuck => {
                "the run waits for ever; `retry` the step or cancel the run, and please report it"
            }
            Problem::Row => {
                "lists show the run as it is not; open the store with an engine, which corrects what it can"
            }
            Problem::LeftOpen => {
                "what the step did last is not known; please report it, with the run's journal"
            }
            Problem::Asleep => "the run goes on too late or never; anything that is asked of it wakes it",
            Problem::Key => "whoever starts that key again gets either of the runs; restore a backup",
            Problem::Schedule => {
                "the next engine begins it anew from its own time, and what has run does not run again"
            }
        }
    }
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes what is wrong with a run.
    pub(super) fn find(
        &mut self,
        stored: &StoredRun,
        step: Option<String>,
        entry: Option<u64>,
        problem: Problem,
        what: impl Into<String>,
    ) {
        let (run, workflow) = (Some(stored.id.clone()), stored.workflow.clone());
        self.findings.push(Finding { run, workflow, step, entry, problem, what: what.into() });
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run {
            Some(run) => write!(f, "run {run} of `{}`", self.workflow)?,
            None if self.workflow.is_empty() => f.write_str("the store")?,
            None => write!(f, "schedule `{}`", self.workflow)?,
        }
        if let Some(step) = &self.step {
            write!(f, ", step `{step}`")?;
        }
        if let Some(entry) = self.entry {
            write!(f, ", entry {entry}")?;
        }
        write!(f, ": {}\n  that means: {}", self.what, self.problem.means())
    }
}

impl fmt::Display for Suspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, workflow, step, losses } = self;
        let times = if *losses == 1 { "time" } else { "times" };
        write!(
            f,
            "run {run} of `{workflow}`, step `{step}`: suspected to end the process: it was lost {losses} {times} \
             in a row\n  that means: it waits for an operator; `show` tells when it was lost, and `retry`, `set` \
             and `cancel` go on"
        )
    }
}

impl fmt::Display for Stands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} of `{}`: {}", self.run, self.workflow, self.step)
    }
}

impl fmt::Display for NotFollowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, workflow, blueprint } = self;
        write!(
            f,
            "run {run} of `{workflow}` was not followed: nobody knows the workflow as it was ({blueprint})"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.suspected.iter().try_for_each(|step| writeln!(f, "{step}"))?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        self.not_undone.iter().try_for_each(|step| writeln!(f, "{step}"))?;
        self.not_followed.iter().try_for_each(|run| writeln!(f, "{run}"))?;
        let count =
            |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let found = match self.findings.len() {
            0 => "nothing is wrong".to_owned(),
            findings => count(findings, "thing is wrong", "things are wrong"),
        };
        let (runs, entries) = (count(self.runs, "run", "runs"), count(self.entries, "entry", "entries"));
        write!(f, "{runs} with {entries}: {found}")
    }
}

/// With what it means, for those who read it elsewhere.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Finding", 7)?;
        map.serialize_field("run", &self.run)?;
        map.serialize_field("workflow", &self.workflow)?;
        map.serialize_field("step", &self.step)?;
        map.serialize_field("entry", &self.entry)?;
        map.serialize_field("problem", &self.problem)?;
        map.serialize_field("what", &self.what)?;
        map.serialize_field("means", self.problem.means())?;
        map.end()
    }
}
