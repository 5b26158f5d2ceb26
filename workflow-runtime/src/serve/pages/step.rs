//! A step: every attempt, what it was given and came to, what it said.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::act::of_step;
use super::finished;
use super::layout::{Here, layout};
use super::run::named;
use super::steps::{mark, note};
use super::words::{ago, block, class, shape, value, when};
use crate::history::{AttemptKind, Outcome};
use crate::inspect::time::{now, short};
use crate::inspect::view::{AttemptView, LineView, Mark};
use crate::run::Timestamp;
use crate::serve::console::Inner;
use crate::serve::query::encoded;
use crate::serve::safety::Role;
use crate::serve::view::StepPage;

pub(in crate::serve) fn step(inner: &Inner, page: &StepPage, role: Role) -> Response {
    let (step, now) = (&page.step, now());
    let mark = mark(step);
    let run = inner.at(&format!("/runs/{}", encoded(&page.run)));
    let body = html! {
        header.run {
            p.crumbs { a href=(inner.at("/")) { "Runs" } " / " a href=(run) { (page.workflow) " " span.id { (page.run) } } }
            h1.standing.(class(mark)) {
                span.shape aria-hidden="true" { (shape(mark)) }
                span { code { (step.path) } " " (note(step, now)) }
            }
            (of_step(inner, &page.run, step, role))
            dl.facts {
                div { dt { "Task" } dd { (step.task) } }
                div { dt { "Kind" } dd { (named(&step.kind)) } }
                div { dt { "So since" } dd { (ago(step.since, now)) } }
                @if let Some(started) = step.started_at {
                    div { dt { "Began" } dd { (when(started)) } }
                    div { dt { "Took" } dd { (short(step.ended_at.map_or(now, |at| at.0).since(started.0))) } }
                }
                @if step.losses > 0 { div { dt { "Lost in a row" } dd { (step.losses) } } }
            }
        }
        @if !step.attempts.is_empty() {
            section aria-labelledby="attempts" {
                h2 #attempts { "Attempts" }
                ol.attempts { @for one in &step.attempts { (attempt(one, now)) } }
            }
        }
        @if let Some(arguments) = &page.arguments {
            section aria-labelledby="arguments" { h2 #arguments { "Arguments" } (value(arguments)) }
        }
        @if let Some(output) = &page.output {
            section aria-labelledby="output" { h2 #output { "Output" } (value(output)) }
        }
        @if !page.lines.is_empty() {
            section aria-labelledby="logs" {
                h2 #logs { "Logs" }
                @if page.more_lines { p.help { "The newest " (page.lines.len()) " lines; " code { "logs" } " on the command line prints all." } }
                table.logs { tbody { @for said in &page.lines { (line(said)) } } }
            }
        }
    };
    finished(StatusCode::OK, layout(inner, Here::Elsewhere, &step.path, &body))
}

fn attempt(attempt: &AttemptView, now: Timestamp) -> Markup {
    let kind = match attempt.kind {
        AttemptKind::Task => "Attempt",
        AttemptKind::Undo => "Undo",
        AttemptKind::Reconcile => "Reconciliation",
    };
    let mark = match attempt.outcome {
        Outcome::Running => Mark::Running,
        Outcome::Ok | Outcome::Reused | Outcome::NotDone => Mark::Done,
        Outcome::Interrupted | Outcome::Cancelled => Mark::Gone,
        _ => Mark::Failed,
    };
    let took = short(attempt.ended_at.map_or(now, |at| at.0).since(attempt.started_at.0));
    html! {
        li {
            p {
                span.shape.(class(Some(mark))) aria-hidden="true" { (shape(Some(mark))) }
                strong { (kind) " " (attempt.number) } ": " (attempt.outcome)
                @if attempt.outcome == Outcome::Running { " for " } @else { " after " } (took)
                ", began at " (when(attempt.started_at))
                @if let Some(process) = attempt.process { " in process " (process) }
                @if attempt.left_behind { ", its code went on" }
            }
            @if let Some(failure) = &attempt.failure {
                @for message in &failure.messages { (block(message)) }
            }
        }
    }
}

fn line(line: &LineView) -> Markup {
    html! {
        tr.(line.level) {
            td.age { (when(line.at)) }
            td.level { (line.level) }
            td.age { "#" (line.attempt) @if line.undo { " undo" } }
            td.text { pre { (line.line) } }
        }
    }
}
