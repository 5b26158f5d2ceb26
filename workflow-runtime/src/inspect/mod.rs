//! A store as somebody looks at it, whichever process owns it: what a program's
//! command line and its console have in common. They read runs here, in the
//! same words and as the same data.
//!
//! Never here: a terminal, a page, or anything that changes a run.

pub(crate) mod ids;
pub(crate) mod keys;
pub(crate) mod outlook;
pub(crate) mod params;
pub(crate) mod problem;
pub(crate) mod read_only;
pub(crate) mod reader;
#[cfg(feature = "serve")]
pub(crate) mod standing;
pub(crate) mod story;
pub(crate) mod suggest;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod trouble;
pub(crate) mod user;
pub(crate) mod view;
pub(crate) mod wishes;
