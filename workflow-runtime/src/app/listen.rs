//! What a program's tasks say is kept.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

use crate::logs::Capture;

/// Keeps what is at least as important as `INFO`, unless the program has a
/// subscriber of its own: that one says what is kept.
pub(super) fn listen() {
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(Capture::new());
    // There is one already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
