//! Durations, policies and schedules in words.

use std::time::Duration;

use super::plan::{Kind, Param, Task};
use super::policy::{Backoff, Due, Policy, Schedule};
use crate::task::definition::{Missed, Overlap};
use crate::view::StepKind;

/// What stands for a schedule where none is written down.
pub(super) const UNKNOWN: &str = "";

/// What decides when and how often a step runs, and not what it means: each
/// by what it is called, in words.
pub(super) fn remarks(kind: &Kind) -> Vec<(String, String)> {
    let mut remarks = Vec::new();
    let mut note = |what: &str, value: String| remarks.push((what.to_owned(), value));
    match kind {
        Kind::Task { task, policy, .. } => {
            note_policy(policy.as_ref().unwrap_or(&task.policy), &mut note);
            note_task(task, &mut note);
        }
        Kind::Signal { key, within, .. } => {
            note("a key", yes(key.is_some()));
            note("a time limit", yes(within.is_some()));
        }
        Kind::For { limit, .. } => note("limit", or_none(limit.map(|limit| limit.to_string()))),
        Kind::While { limit, .. } => note("limit", limit.to_string()),
        Kind::Sleep { .. }
        | Kind::Branch { .. }
        | Kind::Select { .. }
        | Kind::Value { .. }
        | Kind::Check { .. } => {}
    }
    remarks
}

fn note_policy(policy: &Policy, note: &mut impl FnMut(&str, String)) {
    note("attempts", policy.attempts.to_string());
    if policy.attempts > 1 {
        note("backoff", backoff(&policy.backoff));
        note("jitter", policy.jitter.to_string());
        note("budget", or_none(policy.budget.map(duration)));
    }
    note("timeout", or_none(policy.timeout.map(duration)));
    note("deadline", or_none(policy.deadline.map(duration)));
    note("losses", or_none((policy.losses > 0).then(|| policy.losses.to_string())));
}

fn note_task(task: &Task, note: &mut impl FnMut(&str, String)) {
    let name = |task: &Option<Box<Task>>| or_none(task.as_ref().map(|task| format!("`{}`", task.name)));
    let rate = task.rate.as_ref().map(|rate| format!("{} per {}", rate.count, duration(rate.per)));
    note("concurrency", or_none(task.concurrency.map(|limit| limit.to_string())));
    note("rate", or_none(rate));
    note("cache", or_none(task.cache.map(duration)));
    note("undo", name(&task.undo));
    note("reconcile", name(&task.reconcile));
    note("at_most_once", yes(task.at_most_once));
    note("transaction", yes(task.transaction));
    note("blocking", yes(task.blocking));
}

fn backoff(backoff: &Backoff) -> String {
    match backoff {
        Backoff::Fixed(delay) => format!("fixed {}", duration(*delay)),
        Backoff::Linear { start, step, max } => {
            format!("linear from {} by {} to {}", duration(*start), duration(*step), duration(*max))
        }
        Backoff::Exponential { start, factor, max } => {
            format!("exponential from {} by {factor} to {}", duration(*start), duration(*max))
        }
        Backoff::List(delays) => {
            let delays: Vec<String> = delays.iter().map(|delay| duration(*delay)).collect();
            format!("list {}", delays.join(" "))
        }
    }
}

pub(super) fn schedule(schedule: Option<&Schedule>) -> String {
    let Some(Schedule { when, timezone, missed, overlap }) = schedule else { return "none".to_owned() };
    let when = match when {
        Due::Cron(expression) => format!("`{expression}`"),
        Due::Every(period) => format!("every {}", duration(*period)),
    };
    let missed = match missed {
        Missed::Latest => "latest".to_owned(),
        Missed::None => "none".to_owned(),
        Missed::All(most) => format!("all({most})"),
    };
    let overlap = match overlap {
        Overlap::Skip => "skip",
        Overlap::Queue => "queue",
        Overlap::CancelOld => "cancel_old",
        Overlap::Allow => "allow",
    };
    format!("{when} in {timezone}, missed = {missed}, overlap = {overlap}")
}

/// Parameters as they are written.
pub(super) fn params(params: &[Param]) -> String {
    let params: Vec<String> = params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
    params.join(", ")
}

pub(super) fn kind(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Task => "a task",
        StepKind::Workflow => "a workflow",
        StepKind::Signal => "a signal",
        StepKind::Sleep => "a sleep",
        StepKind::For => "a `for`",
        StepKind::While => "a `while`",
        StepKind::Branch => "an `if` or `match`",
        StepKind::Select => "a `select!`",
        StepKind::Value => "an expression",
        StepKind::Check => "a check",
    }
}

/// What a step does with what it names.
pub(super) fn verb(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Workflow => "runs",
        StepKind::Signal => "waits for",
        _ => "calls",
    }
}

/// What it means that a step is written differently, though it names the same.
pub(super) fn rewritten(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Task | StepKind::Workflow => "is given other arguments, or what it calls by another path",
        StepKind::Signal => "takes a value of another type",
        StepKind::For => "goes over other items",
        StepKind::While => "has another condition",
        StepKind::Branch => "decides by something else",
        StepKind::Value => "computes something else",
        StepKind::Check => "checks something else",
        StepKind::Sleep | StepKind::Select => "is written differently",
    }
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn or_none(value: Option<String>) -> String {
    value.unwrap_or_else(|| "none".to_owned())
}

/// As durations are written in a workflow: `1h30m`.
fn duration(duration: Duration) -> String {
    let (mut rest, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if nanos > 0 || rest == 0 {
        return format!("{duration:?}");
    }
    let mut text = String::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_a_workflow() {
        let words = |millis| duration(Duration::from_millis(millis));
        assert_eq!(
            [words(0), words(250), words(90_000), words(259_200_000)],
            ["0ns", "250ms", "1m30s", "3d"]
        );
    }
}
