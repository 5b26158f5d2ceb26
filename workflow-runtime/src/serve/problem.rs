//! What went wrong with a request: a page for people, `problem+json` for
//! programs.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use crate::inspect::problem::{Code, Problem};
use crate::store::StoreError;

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    /// For programs; it never changes.
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) help: Vec<String>,
}

impl Trouble {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), help: Vec::new() }
    }

    pub(super) fn usage(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "this console asks for a token")
            .help("programs send `Authorization: Bearer TOKEN`")
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "refused", detail)
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail)
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// As RFC 9457 has it.
    pub(super) fn json(&self) -> Json {
        json!({
            "type": format!("urn:workflow-runtime:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "help": self.help,
        })
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        let Problem { code, message, details, help } = problem;
        let (status, code) = match code {
            Code::Usage => (StatusCode::BAD_REQUEST, "bad_request"),
            Code::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Code::Store => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            Code::Fine | Code::RunFailed | Code::Refused | Code::Interrupted => {
                (StatusCode::CONFLICT, "refused")
            }
        };
        let detail = details.into_iter().fold(message, |message, detail| message + "; " + &detail);
        Self { status, code, detail, help }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}
