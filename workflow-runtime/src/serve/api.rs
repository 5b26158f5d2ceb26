//! What programs are answered.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::problem::Trouble;
use crate::inspect::text::visible_json;

/// A document.
pub(super) fn json(document: &impl Serialize) -> Response {
    // It consists of texts, which can be written.
    let text = serde_json::to_string(document).unwrap_or_default();
    answer(StatusCode::OK, "application/json", &text)
}

/// A document about something that was made, and where that is.
pub(super) fn created(document: &impl Serialize, at: &str) -> Response {
    let mut response = json(document);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(at) = HeaderValue::from_str(at) {
        response.headers_mut().insert(LOCATION, at);
    }
    response
}

/// Why there is none.
pub(super) fn problem(trouble: &Trouble) -> Response {
    answer(trouble.status, "application/problem+json", &trouble.json().to_string())
}

fn answer(status: StatusCode, kind: &'static str, text: &str) -> Response {
    let mut response = Response::new(Body::from(visible_json(text).into_owned() + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
