//! A value as it may be seen.

use crate::exact::Exact;
use crate::held::hold_in;
use crate::secret::redact_exact;

/// A value as its codec wrote it, without its secrets; what is not JSON by its
/// length alone.
pub(crate) fn value(bytes: &[u8]) -> Exact {
    hold_in(bytes);
    let mut value = Exact::of_bytes(bytes);
    redact_exact(&mut value);
    value
}

/// A value for people: a text as it is, and nothing for nothing.
pub(crate) fn readable(value: &Exact) -> Option<String> {
    if value.is_null() {
        return None;
    }
    Some(value.as_str().unwrap_or_else(|| value.pretty()))
}
