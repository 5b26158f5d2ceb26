//! The steps of a run as lines: what is under way or went wrong in full, what
//! is done folded up. No terminal here.

use std::collections::HashMap;

use super::line::Line;
use super::short::{count, short};
use super::style::{Paint, Style};
use crate::run::{StepState, Timestamp, Wait};
use crate::view::{AwaitedSignal, Items, StepKind, StepSnapshot};

/// How many lines of one `for` are shown before the rest is counted.
const ITEMS: usize = 8;

/// How much of a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// Only what is under way or went wrong, and one line for each region
    /// that is done.
    Done,
    /// Everything.
    Nothing,
}

/// A line about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The step's path; empty for a word about some.
    pub(super) path: String,
    /// How deep it is indented.
    pub(super) depth: usize,
    pub(super) mark: Mark,
    /// The step's name within the step that opened its region.
    pub(super) label: String,
    /// What there is to say about it.
    pub(super) note: String,
    /// Why it failed.
    pub(super) why: Option<String>,
}

/// What to think of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Bad,
    /// An attempt is under way: the mark turns.
    Busy,
    Waiting,
    /// It did not happen.
    Gone,
    /// Not a step, but a word about some.
    None,
}

impl Row {
    /// The line. `turn` counts up while a spinner turns.
    pub(super) fn line(&self, paint: Paint, turn: usize) -> Line {
        let line = Line::new().text("  ".repeat(self.depth));
        let line = match self.mark {
            Mark::Good => line.styled(Style::Good, "✓"),
            Mark::Bad => line.styled(Style::Bad, "✗"),
            Mark::Busy if paint.0 => line.styled(Style::Busy, SPINNER[turn % SPINNER.len()]),
            Mark::Busy => line.text("▸"),
            Mark::Waiting => line.styled(Style::Busy, "·"),
            Mark::Gone => line.styled(Style::Dim, "-"),
            Mark::None => line.text(" "),
        };
        let gap = if self.note.is_empty() { "" } else { "  " };
        let line = line.text(" ").text(&self.label).text(gap).styled(Style::Dim, &self.note);
        match &self.why {
            Some(why) => line.text(": ").styled(Style::Bad, why),
            None => line,
        }
    }
}

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The lines of a run.
pub(super) fn rows(steps: &[StepSnapshot], now: Timestamp, fold: Fold) -> Vec<Row> {
    let mut children: HashMap<&str, Vec<&StepSnapshot>> = HashMap::new();
    for step in steps {
        children.entry(parent(&step.path)).or_default().push(step);
    }
    let root = steps.first().map_or("", |step| parent(&step.path));
    let mut tree = TreeRows { children, now, fold, rows: Vec::new() };
    tree.region(root, 0);
    tree.rows
}

/// The path of the step that opened the region that a step is in, without
/// which of its regions it is: `nightly/priced` for `nightly/priced[3]/quote`.
fn parent(path: &str) -> &str {
    let region = path.rsplit_once('/').map_or("", |(region, _)| region);
    match region.strip_suffix(']').and_then(|region| region.rsplit_once('[')) {
        Some((opener, _)) => opener,
        None => region,
    }
}

struct TreeRows<'a> {
    children: HashMap<&'a str, Vec<&'a StepSnapshot>>,
    now: Timestamp,
    fold: Fold,
    rows: Vec<Row>,
}

impl<'a> TreeRows<'a> {
    fn region(&mut self, opener: &str, depth: usize) {
        let steps = self.children.get(opener).cloned().unwrap_or_default();
        for step in steps {
            self.step(step, opener, depth);
        }
    }

    fn step(&mut self, step: &'a StepSnapshot, opener: &str, depth: usize) {
        if self.fold == Fold::Done && is_dull(step) {
            return;
        }
        let label = step.path.strip_prefix(opener).unwrap_or(&step.path).trim_start_matches('/');
        self.rows.push(Row {
            path: step.path.clone(),
            depth,
            mark: mark(step.state),
            label: label.to_owned(),
            note: self.note(step),
            why: step.failure.as_ref().filter(|_| is_bad(step)).map(ToString::to_string),
        });
        if self.fold == Fold::Nothing || !is_done(step.state) {
            if self.fold == Fold::Done && step.kind == StepKind::For {
                self.items(&step.path, depth + 1);
            } else {
                self.region(&step.path, depth + 1);
            }
        }
    }

    /// Of a `for`, only what people may want to know about.
    fn items(&mut self, opener: &str, depth: usize) {
        let steps = self.children.get(opener).cloned().unwrap_or_default();
        let live: Vec<_> = steps.into_iter().filter(|step| is_live(step)).collect();
        let more = live.len().saturating_sub(ITEMS);
        for step in live.into_iter().take(ITEMS) {
            self.step(step, opener, depth);
        }
        if more > 0 {
            let label = format!("and {more} more");
            let (mark, note) = (Mark::None, String::new());
            self.rows.push(Row { path: String::new(), depth, mark, label, note, why: None });
        }
    }

    fn note(&self, step: &StepSnapshot) -> String {
        let mut parts = Vec::new();
        let undo_due = step.next_attempt_at.filter(|_| step.state == StepState::Undoing);
        let state = match step.state {
            StepState::Succeeded { cached: false } | StepState::Running => None,
            StepState::Waiting(wait) => Some(self.wait(wait, step.awaits.as_ref())),
            // The mark and the failure say it.
            StepState::Failed if step.failure.is_some() => None,
            state => Some(state.to_string()),
        };
        parts.extend(state);
        parts.extend(undo_due.map(|at| format!("next attempt in {}", short(at.since(self.now)))));
        if step.kind.is_region() {
            parts.extend(self.of_region(step));
        }
        if step.attempt > 1 {
            parts.push(format!("attempt {}", step.attempt));
        }
        if let Some(progress) = step.progress.filter(|progress| progress.total > 0 && !step.state.is_ended())
        {
            parts.push(format!("{}/{}", progress.done, progress.total));
        }
        if let Some(started) = step.started_at.filter(|_| step.state != StepState::Skipped) {
            parts.push(short(step.ended_at.unwrap_or(self.now).since(started)));
        }
        parts.join(", ")
    }

    fn wait(&self, wait: Wait, awaits: Option<&AwaitedSignal>) -> String {
        let left = |until: Timestamp| short(until.since(self.now));
        match wait {
            Wait::Backoff { until } => format!("next attempt in {}", left(until)),
            Wait::Timer { until } => format!("sleeping for another {}", left(until)),
            Wait::Signal { until } => {
                let which = awaits.map(|signal| format!(", {signal},")).unwrap_or_default();
                let wait = format!("waiting for a signal{which}");
                match until {
                    Some(until) => format!("{wait} for another {}", left(until)),
                    None => wait.trim_end_matches(',').to_owned(),
                }
            }
            wait => StepState::Waiting(wait).to_string(),
        }
    }

    /// How far a region is, by the steps in it.
    fn of_region(&self, step: &StepSnapshot) -> Option<String> {
        if step.kind == StepKind::For {
            let none = Vec::new();
            let inside = self.children.get(step.path.as_str()).unwrap_or(&none);
            if inside.is_empty() && step.items.is_none() {
                return None;
            }
            // By item: its number is what follows the step's path.
            let mut items: Vec<(&str, bool)> = Vec::new();
            for inner in inside {
                let item = inner.path[step.path.len()..].split('/').next().unwrap_or_default();
                match items.last_mut().filter(|last| last.0 == item) {
                    Some(last) => last.1 &= inner.state.is_ended(),
                    None => items.push((item, inner.state.is_ended())),
                }
            }
            let done = items.iter().filter(|(_, done)| *done).count();
            return Some(match step.items {
                folded if step.state.is_ended() => {
                    count(items.len() + folded.map_or(0, |folded| folded.done as usize), "item")
                }
                Some(Items { done, all }) => format!("{done} of {all} done"),
                None => format!("{done} of {} done", items.len()),
            });
        }
        None
    }
}

fn mark(state: StepState) -> Mark {
    match state {
        StepState::Succeeded { .. } => Mark::Good,
        StepState::Failed | StepState::OutcomeUnknown | StepState::Suspected => Mark::Bad,
        StepState::Running | StepState::Undoing => Mark::Busy,
        StepState::Waiting(_) => Mark::Waiting,
        StepState::Skipped | StepState::UpstreamFailed | StepState::Cancelled | StepState::Undone => {
            Mark::Gone
        }
    }
}

fn is_done(state: StepState) -> bool {
    matches!(state, StepState::Succeeded { .. } | StepState::Skipped)
}

/// Whether the latest failure is what the step is about now.
fn is_bad(step: &StepSnapshot) -> bool {
    matches!(
        step.state,
        StepState::Failed
            | StepState::OutcomeUnknown
            | StepState::Suspected
            | StepState::Waiting(Wait::Backoff { .. })
            | StepState::Undoing
    )
}

/// Not worth a line as long as all is well.
fn is_dull(step: &StepSnapshot) -> bool {
    step.state == StepState::Skipped
        || matches!(step.kind, StepKind::Value | StepKind::Check) && !is_bad(step)
}

fn is_live(step: &StepSnapshot) -> bool {
    !is_done(step.state) && step.state != StepState::Waiting(Wait::Dependencies)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::{Cause, Failure};

    fn step(path: &str, kind: StepKind, state: StepState) -> StepSnapshot {
        StepSnapshot {
            path: path.to_owned(),
            task: "task".to_owned(),
            kind,
            state,
            attempt: 1,
            started_at: Some(Timestamp(0)),
            ended_at: state.is_ended().then_some(Timestamp(2_000_000)),
            failure: None,
            progress: None,
            items: None,
            next_attempt_at: None,
            awaits: None,
        }
    }

    const DONE: StepState = StepState::Succeeded { cached: false };
    const NOW: Timestamp = Timestamp(3_000_000_000);

    fn text(steps: &[StepSnapshot], fold: Fold) -> Vec<String> {
        rows(steps, NOW, fold).iter().map(|row| row.line(Paint(false), 0).render(Paint(false))).collect()
    }

    /// Two items of a `for` are done, one is under way, one has failed.
    fn priced() -> Vec<StepSnapshot> {
        let mut failed = step("nightly/priced[3]/quote", StepKind::Task, StepState::Failed);
        failed.failure = Some(Failure { cause: Cause::Error, messages: vec!["no\nroute".to_owned()] });
        vec![
            step("nightly/orders", StepKind::Task, DONE),
            // One at a time, so that the last has not been opened.
            StepSnapshot {
                items: Some(Items { done: 3, all: 5 }),
                ..step("nightly/priced", StepKind::For, StepState::Running)
            },
            step("nightly/priced[0]/quote", StepKind::Task, DONE),
            step("nightly/priced[1]/quote", StepKind::Task, DONE),
            step("nightly/priced[2]/quote", StepKind::Task, StepState::Running),
            failed,
            step("nightly/total", StepKind::Value, DONE),
            step("nightly/if", StepKind::Branch, DONE),
            step("nightly/if[then]/review", StepKind::Signal, StepState::Skipped),
            step("nightly/if[else]/approve", StepKind::Task, DONE),
        ]
    }

    #[test]
    fn what_is_done_is_folded_up() {
        assert_eq!(
            text(&priced(), Fold::Done),
            [
                "✓ orders  2 ms",
                "▸ priced  3 of 5 done, 3.0 s",
                "  ▸ [2]/quote  3.0 s",
                "  ✗ [3]/quote  2 ms: no route",
                "✓ if  2 ms",
            ]
        );
    }

    #[test]
    fn everything_is_there_when_it_is_wanted() {
        let all = text(&priced(), Fold::Nothing);
        assert_eq!(all.len(), priced().len());
        assert_eq!(all[2], "  ✓ [0]/quote  2 ms");
        assert_eq!(all[8..], ["  - [then]/review  skipped", "  ✓ [else]/approve  2 ms"]);
    }

    #[test]
    fn a_for_over_many_is_counted() {
        let mut steps = vec![step("w/all", StepKind::For, StepState::Running)];
        for item in 0..50 {
            steps.push(step(&format!("w/all[{item}]/one"), StepKind::Task, StepState::Running));
        }
        let text = text(&steps, Fold::Done);
        assert_eq!(text.len(), 1 + ITEMS + 1);
        assert_eq!(text[1 + ITEMS], "    and 42 more");
    }

    #[test]
    fn a_wait_says_for_what_and_how_long() {
        let until = Timestamp(63_000_000_000);
        let mut retried = step("w/fetch", StepKind::Task, StepState::Waiting(Wait::Backoff { until }));
        retried.failure = Some(Failure::from_error(Cause::Error, &io::Error::other("busy")));
        retried.attempt = 2;
        let signal = step("w/review", StepKind::Signal, StepState::Waiting(Wait::Signal { until: None }));
        assert_eq!(
            text(&[retried, signal], Fold::Done),
            [
                "· fetch  next attempt in 1 min 0 s, attempt 2, 3.0 s: busy",
                "· review  waiting for a signal, 3.0 s",
            ]
        );
    }
}
