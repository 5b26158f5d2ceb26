//! The steps of a run, as a table.

use maud::{Markup, html};

use super::words::{brief, class, shape};
use crate::inspect::time::{count, short};
use crate::inspect::view::{Mark, RunView, StepView};
use crate::run::{StepState, Timestamp, Wait};
use crate::serve::console::Inner;
use crate::serve::query::encoded;

/// How many are shown at a time.
const PAGE: usize = 200;

/// Which steps are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct Shown {
    /// Also those of which nothing is to be said, where there are very many.
    pub(in crate::serve) all: bool,
    /// Only those that are written here, the worst first.
    pub(in crate::serve) under: Option<String>,
    /// From which on.
    pub(in crate::serve) from: usize,
}

pub(super) fn steps(inner: &Inner, run: &RunView, shown: &Shown, now: Timestamp) -> Markup {
    let Some(steps) = &run.steps else { return html! {} };
    let mut chosen: Vec<&StepView> = steps.iter().collect();
    let (mut told, is_few) = (String::new(), steps.len() <= PAGE);
    if let Some(under) = &shown.under {
        chosen.retain(|step| is_under(&step.static_path, under));
        chosen.sort_by_key(|step| worst_first(step.state));
        told = format!("{} of `{under}`, what went wrong first.", count(chosen.len(), "step"));
    } else if !is_few && !shown.all {
        chosen.retain(|step| is_live(step.state));
        told = format!("{}; these {} are under way or went wrong.", count(steps.len(), "step"), chosen.len());
    }
    let (from, all) = (shown.from.min(chosen.len()), chosen.len());
    let page = &chosen[from..all.min(from + PAGE)];
    let at = |query: &str| inner.at(&format!("/runs/{}?{query}#steps", encoded(&run.id)));
    let kept = match &shown.under {
        Some(under) => format!("under={}", encoded(under)),
        None if shown.all => "all=1".to_owned(),
        None => String::new(),
    };
    html! {
        section aria-labelledby="steps" {
            h2 #steps { "Steps" }
            @if !told.is_empty() || shown.all {
                p.help {
                    (told)
                    @if shown.under.is_some() { " " a href=(at("")) { "All steps" } }
                    @else if !is_few && !shown.all { " " a href=(at("all=1")) { "Show all" } }
                    @else if shown.all { (from + 1) "–" (from + page.len()) " of " (all) ". " a href=(at("")) { "Only what is under way or went wrong" } }
                }
            }
            table.steps {
                thead {
                    tr {
                        th scope="col" { "Step" }
                        th scope="col" { "State" }
                        th.number scope="col" { "Attempts" }
                        th.number scope="col" { "Took" }
                    }
                }
                tbody { @for step in page { (row(inner, &run.id, step, shown.under.is_some(), now)) } }
            }
            p.pages {
                @if from > 0 { a href=(at(&format!("{kept}&from={}", from.saturating_sub(PAGE)))) { "Before" } }
                @if from + page.len() < all { a href=(at(&format!("{kept}&from={}", from + PAGE))) { "After" } }
            }
        }
    }
}

fn row(inner: &Inner, run: &str, step: &StepView, is_alone: bool, now: Timestamp) -> Markup {
    let mark = mark(step);
    let depth = step.path.matches('/').count().saturating_sub(1).min(8);
    let own = step.path.split_once('/').map_or(&*step.path, |(_, rest)| rest);
    // The last two parts say where it is: the indent says the rest.
    let name = match own.rsplit_once('/') {
        Some((around, last)) if !is_alone => match around.rfind('[') {
            Some(item) if around.ends_with(']') => format!("{}/{last}", &around[item..]),
            _ => last.to_owned(),
        },
        _ => own.to_owned(),
    };
    let took = step.started_at.filter(|_| step.state != StepState::Skipped);
    let took = took.map(|started| short(step.ended_at.map_or(now, |at| at.0).since(started.0)));
    let address = inner.at(&format!("/runs/{}/step?path={}", encoded(run), encoded(&step.path)));
    html! {
        tr.(class(mark)) {
            td.step.(format!("d{}", if is_alone { 0 } else { depth })) {
                span.shape.(class(mark)) aria-hidden="true" { (shape(mark)) }
                a href=(address) title=(step.path) { (brief(&name)) }
                @if !name.ends_with(&*step.task) { span.task { (brief(&step.task)) } }
            }
            td.note {
                (note(step, now))
                @if let Some(failure) = step.failure.as_ref().filter(|_| is_bad(step.state)) {
                    ": " span.bad { (brief(&failure.to_string())) }
                }
            }
            td.number { @if !step.attempts.is_empty() { (step.attempts.len()) } }
            td.number { (took.unwrap_or_default()) }
        }
    }
}

/// The step's state in words, and until when it is that.
pub(super) fn note(step: &StepView, now: Timestamp) -> String {
    let left = |until: Timestamp| short(until.since(now));
    let said = match step.state {
        StepState::Waiting(Wait::Backoff { until }) => format!("next attempt in {}", left(until)),
        StepState::Waiting(Wait::Timer { until }) => format!("sleeping for another {}", left(until)),
        StepState::Waiting(Wait::Signal { until: Some(until) }) => {
            format!("waiting for a signal for another {}", left(until))
        }
        StepState::Undoing => match step.next_attempt_at {
            Some(at) => format!("undoing, next attempt in {}", left(at.0)),
            None => "undoing".to_owned(),
        },
        state => state.to_string(),
    };
    match step.items {
        Some(items) => format!("{said}, {} of {} items done", items.done, items.all),
        None => said,
    }
}

/// What to think of a step. One that only waits for others has not begun.
pub(super) fn mark(step: &StepView) -> Option<Mark> {
    match step.state {
        StepState::Waiting(Wait::Dependencies) => None,
        state => Some(Mark::of(state)),
    }
}

fn is_under(static_path: &str, under: &str) -> bool {
    static_path.strip_prefix(under).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}

fn worst_first(state: StepState) -> u8 {
    match Mark::of(state) {
        Mark::Failed => 0,
        Mark::Running => 1,
        Mark::Waiting => 2,
        Mark::Done => 3,
        Mark::Gone => 4,
    }
}

/// Whether there is something to say of a step where there are very many.
fn is_live(state: StepState) -> bool {
    state != StepState::Waiting(Wait::Dependencies) && worst_first(state) < 3
}

/// Whether the latest failure is what the step is about now.
fn is_bad(state: StepState) -> bool {
    matches!(
        state,
        StepState::Failed
            | StepState::OutcomeUnknown
            | StepState::Suspected
            | StepState::Waiting(Wait::Backoff { .. })
            | StepState::Undoing
    )
}
