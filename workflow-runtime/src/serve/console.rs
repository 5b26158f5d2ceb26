//! What a console is made of.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::safety::{Access, Role};
use crate::inspect::keys::Keys;
use crate::inspect::problem::Problem;
use crate::inspect::reader::StoreReader;
#[cfg(feature = "encryption")]
use crate::store::KeyRing;
use crate::task::definition::Graph;
use crate::workflow::Workflow;

/// A console over the runs of a store. [`router`](super::router) makes pages of
/// it.
#[must_use = "a console shows nothing until `router` has made pages of it"]
#[derive(Clone)]
pub struct Console {
    pub(super) inner: Arc<Inner>,
}

#[derive(Clone)]
pub(super) struct Inner {
    store: PathBuf,
    pub(super) workflows: Vec<&'static Graph>,
    keys: Keys,
    /// What the addresses of pages begin with.
    pub(super) base: String,
    pub(super) access: Access,
}

impl Console {
    /// A console over the store in a file. It need not be there yet, and may
    /// belong to any process.
    pub fn open(store: impl Into<PathBuf>) -> Self {
        let inner = Inner {
            store: store.into(),
            workflows: Vec::new(),
            keys: Keys::default(),
            base: String::new(),
            access: Access::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Tells it of a workflow, so that it knows the names of its parameters.
    /// Runs of others are shown too.
    pub fn register<W: Workflow>(self) -> Self {
        self.with(|inner| {
            if !inner.workflows.iter().any(|known| std::ptr::eq(*known, W::GRAPH)) {
                inner.workflows.push(W::GRAPH);
            }
        })
    }

    /// The keys that the store's values are encrypted with.
    #[cfg(feature = "encryption")]
    pub fn encrypt(self, keys: KeyRing) -> Self {
        self.with(|inner| inner.keys = Keys::new(keys))
    }

    /// What the addresses of its pages begin with, where the router is nested:
    /// `/workflows`. Nothing unless set.
    pub fn under(self, base: impl Into<String>) -> Self {
        let base: String = base.into();
        let base = base.trim_matches('/');
        let base = if base.is_empty() { String::new() } else { format!("/{base}") };
        self.with(|inner| inner.base = base)
    }

    /// Asks for a token, and lets whoever has this one do everything: browsers
    /// by a page where it is entered, programs by `Authorization: Bearer TOKEN`.
    /// Without any token, the console is open to requests that name this
    /// machine (`localhost`, `127.0.0.1` or `[::1]`), and to no others.
    pub fn token(self, token: impl AsRef<str>) -> Self {
        self.with(|inner| inner.access.add(token.as_ref(), Role::Admin))
    }

    /// Lets whoever has this token start runs, send signals, and have runs stop
    /// and go on; not say what became of a step.
    pub fn operator_token(self, token: impl AsRef<str>) -> Self {
        self.with(|inner| inner.access.add(token.as_ref(), Role::Operator))
    }

    /// Lets whoever has this token look.
    pub fn viewer_token(self, token: impl AsRef<str>) -> Self {
        self.with(|inner| inner.access.add(token.as_ref(), Role::Viewer))
    }

    pub(crate) fn known(self, workflows: Vec<&'static Graph>, keys: Keys) -> Self {
        self.with(|inner| (inner.workflows, inner.keys) = (workflows, keys))
    }

    fn with(mut self, set: impl FnOnce(&mut Inner)) -> Self {
        set(Arc::make_mut(&mut self.inner));
        self
    }
}

impl Inner {
    /// The store, to read it: nothing where there is none yet.
    pub(super) fn reader(&self) -> Result<Option<StoreReader>, Problem> {
        StoreReader::open_made(&self.store, &self.keys)
    }

    /// An address of this console.
    pub(super) fn at(&self, path: &str) -> String {
        // A nested router is at its own address without a slash.
        let is_root = path.len() == 1 || path.starts_with("/?");
        let path = if is_root && !self.base.is_empty() { &path[1..] } else { path };
        format!("{}{path}", self.base)
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workflows: Vec<_> = self.inner.workflows.iter().map(|graph| graph.name).collect();
        let (store, base) = (&self.inner.store, &self.inner.base);
        f.debug_struct("Console")
            .field("store", store)
            .field("workflows", &workflows)
            .field("base", base)
            .finish_non_exhaustive()
    }
}
