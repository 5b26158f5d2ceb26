//! Which signal something is about.

use std::fmt;
use std::sync::Arc;

/// A signal of a run: its name, and its key where it has one, so that several
/// steps can wait for one name and each be meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId {
    /// The name.
    pub name: &'static str,
    /// The key, as text.
    pub key: Option<Arc<str>>,
}

/// As people read it: ``signal `approval`, key `17` ``.
impl fmt::Display for SignalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal `{}`", self.name)?;
        match &self.key {
            Some(key) => write!(f, ", key `{key}`"),
            None => Ok(()),
        }
    }
}
