//! The list of runs.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::finished;
use super::layout::{Here, layout};
use super::words::{ago, brief, class, mark_of, said, shape, state, up_to};
use crate::inspect::time::{now, short};
use crate::inspect::view::Mark;
use crate::run::{RunState, Timestamp};
use crate::serve::console::Inner;
use crate::serve::query::{Listed, encoded};
use crate::serve::view::{ListedRun, Needs, RunList};

pub(in crate::serve) fn runs(inner: &Inner, listed: &Listed, list: &RunList) -> Response {
    let now = now();
    let is_all = *listed == Listed::default() || listed.address(None) == "/";
    let body = html! {
        h1.sr { "Runs" }
        (needs(inner, &list.needs))
        (form(inner, listed))
        @if list.runs.is_empty() {
            (none(is_all && listed.filter.before.is_none()))
        } @else {
            table.runs {
                thead {
                    tr {
                        th scope="col" { "State" }
                        th scope="col" { "Run" }
                        th scope="col" { "What it does" }
                        th scope="col" { "Began" }
                        th.number scope="col" { "Took" }
                    }
                }
                tbody {
                    @for run in &list.runs { (row(inner, run, now)) }
                }
            }
            p.pages {
                @if listed.filter.before.is_some() {
                    a href=(inner.at(&listed.address(None))) rel="first" { "Newest" }
                }
                @if let Some(next) = list.next {
                    a href=(inner.at(&listed.address(Some(next)))) rel="next" { "Older" }
                }
            }
        }
    };
    finished(StatusCode::OK, layout(inner, Here::Runs, "Runs", &body))
}

/// What needs a person, and what goes on by itself.
fn needs(inner: &Inner, needs: &Needs) -> Markup {
    let most = needs.counted_up_to;
    let all = [
        (needs.failed, "failed", "state=failed", Mark::Failed),
        (needs.blocked, "blocked", "state=blocked", Mark::Failed),
        (needs.suspected, "suspected", "suspected=true", Mark::Failed),
        (needs.paused, "paused", "state=paused", Mark::Waiting),
        (needs.waiting, "waiting", "state=waiting", Mark::Waiting),
        (needs.running, "running", "state=running&state=undoing&state=cancelling", Mark::Running),
    ];
    html! {
        ul.needs aria-label="What needs a person" {
            @for (count, word, query, mark) in all {
                li {
                    a.need.(class((count > 0).then_some(mark))) href=(inner.at(&format!("/?{query}"))) {
                        span.count { (up_to(count, most)) }
                        span.word { span.shape aria-hidden="true" { (shape((count > 0).then_some(mark))) } (word) }
                    }
                }
            }
        }
    }
}

fn form(inner: &Inner, listed: &Listed) -> Markup {
    let filter = &listed.filter;
    let is_one = |state: &RunState| filter.states == [*state];
    html! {
        form.filter method="get" action=(inner.at("/")) role="search" {
            label {
                span { "Workflow" }
                input name="workflow" list="workflows" value=[filter.workflow.as_deref()] autocomplete="off" maxlength="200";
            }
            datalist #workflows {
                @for graph in &inner.workflows { option value=(graph.name) {} }
            }
            label {
                span { "State" }
                select name="state" {
                    option value="" selected[filter.states.is_empty()] { "any" }
                    @for state in &RunState::ALL {
                        option value=(state) selected[is_one(state)] { (state) }
                    }
                }
            }
            label {
                span { "Key begins with" }
                input name="key" value=[filter.key_prefix.as_deref()] autocomplete="off" maxlength="200";
            }
            label {
                span { "Error contains" }
                input name="error" value=[listed.error.as_deref()] autocomplete="off" maxlength="200";
            }
            button type="submit" { "Filter" }
            @if listed.address(None) != "/" {
                a.clear href=(inner.at("/")) { "Clear" }
            }
        }
    }
}

fn none(is_all: bool) -> Markup {
    html! {
        section.empty {
            @if is_all {
                h2 { "No runs yet" }
                p { "A run is started by its program: " code { "PROGRAM start WORKFLOW" } ", by its schedule, or in code." }
            } @else {
                h2 { "No run is like that" }
                p { "Another filter may find some." }
            }
        }
    }
}

fn row(inner: &Inner, listed: &ListedRun, now: Timestamp) -> Markup {
    let run = &listed.run;
    let address = inner.at(&format!("/runs/{}", encoded(&run.id)));
    let took = short(run.ended_at.map_or(now, |at| at.0).since(run.created_at.0));
    html! {
        tr {
            td {
                @if run.stopped.is_some() { (state(Mark::Failed, "stopped")) }
                @else { (state(mark_of(run.state), &run.state.to_string())) }
            }
            td.what {
                a href=(address) { (brief(&run.workflow)) }
                @if let Some(key) = &run.key { span.key { (brief(key)) } }
                span.id { (run.id) }
            }
            td.standing {
                @if let Some(stopped) = &run.stopped { span.bad { (brief(stopped)) } }
                @else if run.suspected > 0 { span.bad { "may be what ends the process" } }
                @else if let Some(standing) = &listed.standing { (said(standing)) }
                @else if let Some(error) = &run.error { span.bad { (said(&error.to_string())) } }
            }
            td.age { (ago(run.created_at, now)) }
            td.number { (took) }
        }
    }
}
