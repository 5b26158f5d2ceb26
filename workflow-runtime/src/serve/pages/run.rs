//! A run: how it stands, its picture, its steps, its operators.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::act::of_run;
use super::finished;
use super::graph::graph;
use super::layout::{Here, layout};
use super::steps::{Shown, steps};
use super::words::{LINE, ago, block, brief, class, mark_of, said, shape, value, when};
use crate::inspect::time::{count, now, short};
use crate::inspect::view::{Asked, Mark, RunView, SuspectView, in_words};
use crate::run::Timestamp;
use crate::serve::console::Inner;
use crate::serve::query::encoded;
use crate::serve::safety::Role;
use crate::serve::view::RunPage;

/// More steps than are drawn.
const DRAWN: usize = 400;

pub(in crate::serve) fn run(inner: &Inner, page: &RunPage, shown: &Shown, role: Role) -> Response {
    let (run, now) = (&page.run, now());
    let mark = if run.stopped.is_some() { Mark::Failed } else { mark_of(run.state) };
    let body = html! {
        header.run {
            p.crumbs { a href=(inner.at(&format!("/?workflow={}", encoded(&run.workflow)))) { (run.workflow) } " / " span.id { (run.id) } }
            h1.standing.(class(Some(mark))) {
                span.shape aria-hidden="true" { (shape(Some(mark))) }
                span { (said(&page.standing)) }
            }
            (of_run(inner, run, role))
            (facts(inner, page, now))
        }
        @for suspect in run.suspected.iter().flatten() { (suspected(suspect)) }
        (why(page))
        @if let Some(picture) = &page.picture {
            section aria-labelledby="graph" {
                h2 #graph { "Graph" }
                @if picture.size() > DRAWN {
                    p.help { "It has " (count(picture.size(), "step")) ", too many to be drawn." }
                } @else {
                    (graph(inner, &run.id, picture))
                }
            }
        }
        (steps(inner, run, shown, now))
        (values(run))
        (operators(run, now))
    };
    let title = format!("{} {}", run.workflow, run.state);
    finished(StatusCode::OK, layout(inner, Here::Elsewhere, &title, &body))
}

fn facts(inner: &Inner, page: &RunPage, now: Timestamp) -> Markup {
    let run = &page.run;
    html! {
        dl.facts {
            div { dt { "State" } dd { (run.state) } }
            div { dt { "Began" } dd { (ago(run.created_at, now)) } }
            @if let Some(ended) = run.ended_at {
                div { dt { "Ended" } dd { (ago(ended, now)) } }
            }
            div { dt { "Took" } dd { (short(run.ended_at.map_or(now, |at| at.0).since(run.created_at.0))) } }
            @if let Some(key) = &run.key {
                div { dt { "Key" } dd { (brief(key)) } }
            }
            @if let Some(parent) = &run.parent {
                div {
                    dt { "Made by" }
                    dd {
                        @if parent.how == "backfill" { "backfill, " (parent.id) " at a time" }
                        @else { (parent.how) " of " a href=(inner.at(&format!("/runs/{}", encoded(&parent.id)))) { (parent.id) } }
                    }
                }
            }
            @if run.ended_at.is_none() {
                div {
                    dt { "Worked on by" }
                    dd {
                        @match page.owner {
                            Some(Some(process)) => { "process " (process) }
                            Some(None) => { "another process" }
                            None => { span.bad { "nobody" } }
                        }
                    }
                }
            }
            @for (name, value) in &run.params {
                div { dt { code { (brief(name)) } } dd { code { (brief(&value.to_string())) } } }
            }
        }
    }
}

fn suspected(suspect: &SuspectView) -> Markup {
    html! {
        section.notice.failed {
            h2 { span.shape aria-hidden="true" { "✗" } "Suspected: " code { (suspect.path) } }
            p { "It may be what ends the process: it was lost " (count(usize::from(suspect.losses), "time")) " in a row, and waits for an operator." }
            ul {
                @for lost in &suspect.lost {
                    li {
                        "began at " (when(lost.began_at))
                        @if let Some(process) = lost.process { " in process " (process) }
                        @if let Some(found) = lost.found_at { ", found lost at " (when(found)) }
                    }
                }
            }
        }
    }
}

/// What went wrong, where the sentence at the top has not said all of it.
fn why(page: &RunPage) -> Markup {
    let run = &page.run;
    html! {
        @if let Some(error) = run.error.as_ref().filter(|error| !is_said(&error.to_string())) {
            section.notice.failed {
                h2 { span.shape aria-hidden="true" { "✗" } "Error in " code { (error.step()) } }
                (block(&error.to_string()))
            }
        }
        @if let Some(reason) = &run.blocked {
            section.notice.failed {
                h2 { span.shape aria-hidden="true" { "✗" } "This program would not go on with it" }
                ul { @for reason in reason.split("; ") { li { (reason) } } }
            }
        }
        @if let Some(untold) = &page.untold {
            section.notice.failed { h2 { "Its steps cannot be told" } p { (untold) } }
        }
        @for lost in &run.lost {
            section.notice.failed { p { "A value is lost: " (lost) } }
        }
    }
}

/// Whether the sentence at the top has all of it.
fn is_said(error: &str) -> bool {
    error.chars().count() <= LINE && !error.contains('\n')
}

fn values(run: &RunView) -> Markup {
    html! {
        @if !run.result.is_null() {
            section aria-labelledby="result" {
                h2 #result { "Result" }
                (value(&run.result))
            }
        }
    }
}

fn operators(run: &RunView, now: Timestamp) -> Markup {
    let lives = run.lives.iter().flatten().filter(|life| life.why.is_some());
    let lives: Vec<_> = lives.collect();
    html! {
        @if !lives.is_empty() || !run.requests.is_empty() {
            section aria-labelledby="operators" {
                h2 #operators { "Operators" }
                ul.acts {
                    @for life in lives {
                        li {
                            (ago(life.at, now)) ": taken up again, "
                            (life.why.map(|why| named(&why)).unwrap_or_default())
                            @if let Some(by) = &life.by { " by " (brief(&by.actor)) }
                        }
                    }
                    @for asked in &run.requests { (request(asked, run, now)) }
                }
            }
        }
    }
}

fn request(asked: &Asked, run: &RunView, now: Timestamp) -> Markup {
    html! {
        li {
            (ago(asked.at, now)) ": " strong { (brief(&asked.actor)) } " asked for "
            code { (brief(&in_words(asked.operation.clone()))) }
            @if let Some(reason) = &asked.reason { " (" (brief(reason)) ")" }
            ": "
            @match (&asked.made, &asked.refused) {
                (Some(made), _) if *made == run.id => { "done" }
                (Some(made), _) => { "made " (made) }
                (None, Some(refused)) => { span.bad { "refused: " (brief(refused)) } }
                (None, None) => { "not seen to yet" }
            }
        }
    }
}

/// What has a name in JSON, by that name.
pub(super) fn named(named: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(named).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}
