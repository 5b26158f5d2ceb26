//! Pages: functions from what is known to markup.
//!
//! Text from outside is text: maud escapes what markup would obey, and what a
//! reader could not see is made visible in the finished page, so that no piece
//! of text has to be known as harmless where it is used.

mod act;
mod graph;
mod layout;
mod run;
mod runs;
mod step;
mod steps;
mod words;

pub(super) use act::{ActForm, act};
pub(super) use run::run;
pub(super) use runs::runs;
pub(super) use step::step;
pub(super) use steps::Shown;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use maud::{Markup, html};

use self::layout::{Here, layout};
use super::console::Inner;
use super::problem::Trouble;
use crate::inspect::text::visible_lines;

/// A finished page.
fn finished(status: StatusCode, page: Markup) -> Response {
    let mut response = Response::new(Body::from(visible_lines(&page.into_string()).into_owned()));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

/// Why there is no page.
pub(super) fn problem(inner: &Inner, trouble: &Trouble) -> Response {
    let title = trouble.status.canonical_reason().unwrap_or("Problem");
    let body = html! {
        section.problem {
            h1 { (title) }
            p { (trouble.detail) }
            @for help in &trouble.help {
                p.help { "help: " (help) }
            }
            p { a href=(inner.at("/")) { "All runs" } }
        }
    };
    finished(trouble.status, layout(inner, Here::Elsewhere, title, &body))
}

/// Where a token is entered.
pub(super) fn login(inner: &Inner, status: StatusCode) -> Response {
    let body = html! {
        section.login {
            h1 { "Sign in" }
            @if status != StatusCode::OK {
                p.bad role="alert" { "That is not the token of this console." }
            }
            form method="post" action=(inner.at("/login")) {
                label for="token" { "Token" }
                input #token name="token" type="password" autocomplete="current-password" required autofocus;
                button type="submit" { "Open the console" }
            }
            p.help { "The process that serves it has printed the token when it began, unless it was given one." }
        }
    };
    finished(status, layout(inner, Here::Elsewhere, "Sign in", &body))
}
