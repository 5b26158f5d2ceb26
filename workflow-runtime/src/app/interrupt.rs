//! Ctrl-c, and what a service manager sends.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The wishes that this process stop, one after the other. None is lost
/// between two of them.
pub(super) struct Interrupts {
    #[cfg(unix)]
    signals: [Option<Signal>; 2],
}

impl Interrupts {
    /// From now on, they no longer end the process by themselves.
    pub(super) fn new() -> Self {
        Self {
            // Where one cannot be heard, it ends the process as ever.
            #[cfg(unix)]
            signals: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()),
        }
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            () = hear(interrupt) => {}
            () = hear(terminate) => {}
        }
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
async fn hear(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}
