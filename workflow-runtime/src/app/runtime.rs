//! The tokio runtime that a command runs on.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread::{Builder as ThreadBuilder, available_parallelism};

use tokio::runtime::{Builder, Runtime};

use super::problem::Problem;
use crate::error::Error;

/// How many threads an engine has beside those of its runtime.
const OURS: usize = 4;

/// Starts it.
///
/// Tokio panics where it cannot have one of its threads, and then waits for
/// ever for those that it has. So they are tried first.
pub(super) fn start() -> Result<Runtime, Problem> {
    let threads = threads();
    let no_thread = |error: &io::Error| Problem::from(Error::no_thread(error));
    can_be_had(threads + OURS).map_err(|error| no_thread(&error))?;
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| no_thread(&error))
}

/// As many as tokio would start by itself.
fn threads() -> usize {
    let set = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|number| number.parse().ok());
    set.filter(|number| *number > 0).unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

/// Whether there can be so many threads at the same time.
fn can_be_had(threads: usize) -> io::Result<()> {
    // Each waits until this side of its channel is dropped.
    let (ends, waits): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::channel::<()>()).unzip();
    let wait = |wait: Receiver<()>| ThreadBuilder::new().spawn(move || _ = wait.recv());
    let mut had = Vec::with_capacity(threads);
    let all = waits.into_iter().try_for_each(|waits| wait(waits).map(|thread| had.push(thread)));
    drop(ends);
    // Waited for, so that they do not count any more.
    had.into_iter().for_each(|thread| drop(thread.join()));
    all
}
