//! What an operator asks for, sealed: it is JSON still, and its kind can be
//! read, so that those who look at the requests see what was asked for.
//!
//! `{"signal":{..}}` becomes `{"signal":{"sealed":".."}}`, and `"cancel"`, which
//! holds nothing, stays as it is.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::text;
use crate::store::StoreError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Details {
    sealed: String,
}

/// A sealed operation.
pub(super) struct Sealed {
    pub(super) kind: String,
    pub(super) value: Vec<u8>,
}

/// The kind of an operation that holds something, and the empty one for what
/// is none. `None` for one that is a mere name.
pub(super) fn kind(operation: &str) -> Option<String> {
    match serde_json::from_str::<BTreeMap<String, IgnoredAny>>(operation) {
        Ok(map) if map.len() == 1 => map.into_keys().next(),
        _ if serde_json::from_str::<String>(operation).is_ok() => None,
        _ => Some(String::new()),
    }
}

pub(super) fn wrap(kind: String, sealed: &[u8]) -> String {
    let wrapped = BTreeMap::from([(kind, Details { sealed: text::to_base64(sealed) })]);
    // Texts are always JSON.
    serde_json::to_string(&wrapped).unwrap_or_default()
}

/// Takes a sealed operation apart. `None` for one in clear.
pub(super) fn sealed(operation: &str) -> Option<Sealed> {
    let wrapped: BTreeMap<String, Details> = serde_json::from_str(operation).ok()?;
    let (kind, Details { sealed }) = wrapped.into_iter().next()?;
    // What is no base64 does not open either.
    Some(Sealed { kind, value: text::from_base64(&sealed).unwrap_or_default() })
}

/// Stands in the place of an operation that cannot be read.
pub(super) fn unreadable(error: &StoreError) -> String {
    serde_json::json!({ "unreadable": error.to_string() }).to_string()
}
