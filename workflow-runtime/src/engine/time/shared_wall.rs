//! The wall clock of a test, which all its engines share.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::engine::time::clock::Set;
use crate::run::Timestamp;

/// The wall clock of a test, which all engines share that start within it.
struct SteeredWall {
    set: Arc<Set>,
    /// What it showed when it was first read.
    began: Option<(Timestamp, Instant)>,
}

thread_local! {
    static STEERED: RefCell<Option<SteeredWall>> = const { RefCell::new(None) };
}

/// Gives the engines that start on this thread one wall clock, as long as
/// what this returns is there.
pub(crate) struct SharedWall(Option<SteeredWall>);

impl SharedWall {
    pub(crate) fn new() -> Self {
        let wall = SteeredWall { set: Arc::default(), began: None };
        Self(STEERED.with_borrow_mut(|steered| steered.replace(wall)))
    }

    /// Sets it; `None` where there is none.
    pub(crate) fn set(by: i64) -> Option<()> {
        STEERED.with_borrow(|steered| {
            let set = &steered.as_ref()?.set;
            set.is(set.by().saturating_add(by));
            Some(())
        })
    }

    /// What it shows, at a moment of tokio's clock at which it was not set,
    /// and by how much it has been.
    pub(super) fn read() -> Option<(Timestamp, Instant, Arc<Set>)> {
        STEERED.with_borrow_mut(|steered| {
            let steered = steered.as_mut()?;
            let now = || (Timestamp::from(SystemTime::now()), Instant::now());
            let (wall, anchor) = *steered.began.get_or_insert_with(now);
            Some((wall, anchor, steered.set.clone()))
        })
    }
}

impl Drop for SharedWall {
    fn drop(&mut self) {
        STEERED.set(self.0.take());
    }
}
