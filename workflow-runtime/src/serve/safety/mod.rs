//! Who may open the console, and what a browser may do with its pages.

mod access;
mod headers;

pub(super) use access::{Access, Role, Session, is_from_elsewhere};
pub(super) use headers::guarded;
