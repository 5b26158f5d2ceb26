//! What can be done to a run: what it would do, before it is done, with a form.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::finished;
use super::layout::{Here, layout};
use super::run::named;
use super::words::brief;
use crate::inspect::view::{PreviewView, RunView, StepView};
use crate::run::{RunState, StepState, Wait};
use crate::serve::acting::{ACTS, Act};
use crate::serve::console::Inner;
use crate::serve::problem::Trouble;
use crate::serve::query::encoded;
use crate::serve::safety::Role;
use crate::view::StepKind;

/// A form that asks for something, as far as it is filled in.
#[derive(Clone, Debug)]
pub(in crate::serve) struct ActForm {
    pub(in crate::serve) act: &'static Act,
    /// The run's id, and its workflow.
    pub(in crate::serve) run: String,
    pub(in crate::serve) workflow: String,
    pub(in crate::serve) step: Option<String>,
    pub(in crate::serve) signal: String,
    pub(in crate::serve) value: String,
    /// The type that the value is of, where that is known.
    pub(in crate::serve) value_type: Option<String>,
    pub(in crate::serve) reason: String,
    pub(in crate::serve) actor: String,
    /// What makes it this console's.
    pub(in crate::serve) form_token: Option<String>,
    /// What it would do, where that can be told before a value is given.
    pub(in crate::serve) preview: Option<Result<PreviewView, Trouble>>,
    /// Why it was not done.
    pub(in crate::serve) trouble: Option<Trouble>,
}

pub(in crate::serve) fn act(inner: &Inner, form: &ActForm) -> Response {
    let address = inner.at(&format!("/runs/{}", encoded(&form.run)));
    let refused = matches!(&form.preview, Some(Ok(preview)) if !preview.refusals.is_empty());
    let body = html! {
        header.run {
            p.crumbs { a href=(address) { (form.workflow) " " span.id { (form.run) } } }
            h1 {
                (form.act.label)
                @if form.act.name == "signal" { " " code { (brief(&form.signal)) } }
                @if let Some(step) = &form.step { " " code { (brief(step)) } }
            }
            p.help { (form.act.about) }
        }
        @if let Some(trouble) = &form.trouble {
            section.notice.failed role="alert" {
                h2 { "It was not done" }
                p { (brief(&trouble.detail)) }
                @for help in &trouble.help { p.help { "help: " (brief(help)) } }
            }
        }
        @match &form.preview {
            Some(Ok(preview)) => { (told(preview)) }
            Some(Err(trouble)) => { p.help { "What it would do cannot be told: " (brief(&trouble.detail)) } }
            None => {}
        }
        @if !refused {
            form.act method="post" action=(format!("{address}/act")) {
                input type="hidden" name="do" value=(form.act.name);
                input type="hidden" name="form" value=[form.form_token.as_deref()];
                @if let Some(step) = &form.step { input type="hidden" name="step" value=(step); }
                @if form.act.name == "signal" {
                    label { span { "Signal" } input name="signal" value=(form.signal) required; }
                }
                @if form.act.has_value {
                    label {
                        span { "Value, as JSON or as a text" @if let Some(of) = &form.value_type { ": " code { (of) } } }
                        textarea name="value" rows="3" spellcheck="false" { (form.value) }
                    }
                }
                label { span { "Why, for the record" } input name="reason" value=(form.reason) maxlength="2000" autocomplete="off"; }
                label { span { "Who" } input name="as" value=(form.actor) maxlength="200"; }
                p.buttons {
                    button.do type="submit" { (form.act.label) }
                    a href=(address) { "Leave it as it is" }
                }
            }
        }
    };
    let status = form.trouble.as_ref().map_or(StatusCode::OK, |trouble| trouble.status);
    finished(status, layout(inner, Here::Elsewhere, form.act.label, &body))
}

fn told(preview: &PreviewView) -> Markup {
    html! {
        @if !preview.twice.is_empty() {
            section.notice.failed {
                h2 { span.shape aria-hidden="true" { "✗" } "Done a second time" }
                ul { @for path in &preview.twice { li { code { (brief(path)) } } } }
            }
        }
        @for refusal in &preview.refusals {
            section.notice.failed { h2 { "It would be refused" } p { (brief(refusal)) } }
        }
        @if preview.steps.is_empty() {
            p.help { "It changes nothing of what the steps have come to." }
        } @else {
            section aria-labelledby="preview" {
                h2 #preview { "What becomes of the steps" }
                table.preview {
                    thead { tr { th scope="col" { "Step" } th scope="col" { "What becomes of it" } } }
                    tbody {
                        @for step in &preview.steps {
                            tr {
                                td { code { (brief(&step.path)) } }
                                td {
                                    (named(&step.fate))
                                    @if let Some(kept) = step.kept { ", kept in " (kept) }
                                    @if !step.again.is_empty() { ", again in " (step.again.len()) }
                                    @if let Some(why) = step.twice { " " span.bad { "(" (why) ")" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How many waits for signals are offered on a run's page.
const SIGNALS: usize = 8;

/// What can be done to a run as it stands.
pub(super) fn of_run(inner: &Inner, run: &RunView, role: Role) -> Markup {
    let steps = run.steps.as_deref().unwrap_or_default();
    let signals: Vec<(&str, &str)> = steps
        .iter()
        .filter(|step| matches!(step.state, StepState::Waiting(Wait::Signal { .. })))
        .map(|step| (step.task.strip_prefix("signal ").unwrap_or(&step.task), step.path.as_str()))
        .collect();
    // Where several steps wait for one of this name, it is sent to one of them.
    let query = |signal: &str, step: &str| {
        let is_one = signals.iter().filter(|(other, _)| *other == signal).count() == 1;
        let step = if is_one { String::new() } else { format!("&step={}", encoded(step)) };
        format!("do=signal&signal={}{step}", encoded(signal))
    };
    let backs_off = steps
        .iter()
        .any(|step| matches!(step.state, StepState::Waiting(Wait::Backoff { .. }) | StepState::Suspected));
    let names: &[&str] = match run.state {
        RunState::Failed | RunState::Cancelled => &["retry", "rerun"],
        RunState::Succeeded => &["rerun"],
        RunState::Paused => &["resume", "cancel"],
        RunState::Blocked => &["adopt", "cancel"],
        RunState::Undoing => &["retry"],
        RunState::Cancelling => &[],
        _ if backs_off => &["retry", "pause", "cancel"],
        _ => &["pause", "cancel"],
    };
    html! {
        ul.actions aria-label="What can be done" {
            @for (signal, step) in signals.iter().take(SIGNALS).filter(|_| role >= Role::Operator) {
                li {
                    a.button.first href=(address(inner, &run.id, &query(signal, step))) {
                        "Send " code { (brief(signal)) }
                    }
                }
            }
            @for act in offered(names, role) {
                li { a.button href=(address(inner, &run.id, &format!("do={}", act.name))) { (act.label) } }
            }
        }
    }
}

/// What can be done to a step as it stands.
pub(super) fn of_step(inner: &Inner, run: &str, step: &StepView, role: Role) -> Markup {
    let names: &[&str] = match step.state {
        StepState::Undoing => &["retry", "undone", "give-up"],
        StepState::Suspected => &["retry", "set"],
        StepState::Waiting(Wait::Backoff { .. }) => &["retry", "set", "fork"],
        StepState::Failed | StepState::OutcomeUnknown => &["set", "fork"],
        StepState::Running | StepState::Succeeded { .. } => &["fork"],
        _ => &[],
    };
    let names: Vec<&str> = match step.kind {
        // They have no attempts of their own.
        kind if kind.is_region() || kind == StepKind::Value => {
            names.iter().copied().filter(|name| *name == "fork").collect()
        }
        _ => names.to_vec(),
    };
    let query = |act: &Act| format!("do={}&step={}", act.name, encoded(&step.path));
    html! {
        ul.actions aria-label="What can be done" {
            @for act in offered(&names, role) {
                li { a.button href=(address(inner, run, &query(act))) { (act.label) @if act.name == "retry" { " now" } } }
            }
        }
    }
}

fn offered<'a>(names: &'a [&str], role: Role) -> impl Iterator<Item = &'static Act> + 'a {
    let known = names.iter().filter_map(|name| ACTS.iter().find(|act| act.name == *name));
    known.filter(move |act| role >= act.role)
}

fn address(inner: &Inner, run: &str, query: &str) -> String {
    inner.at(&format!("/runs/{}/act?{query}", encoded(run)))
}
