//! The wishes that this process stop: ctrl-c, a service manager's, and that its
//! terminal is gone.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The wishes that this process stop, one after the other. None is lost
/// between two of them.
pub(super) struct Interrupts {
    /// Ctrl-c, `SIGTERM` and ctrl-\.
    #[cfg(unix)]
    stops: [Option<Signal>; 3],
    /// The terminal is gone. It may say so more than once, and a service
    /// manager may say it right after its `SIGTERM`: the user is in no hurry,
    /// so it is only heard while there is no wish yet.
    #[cfg(unix)]
    hangup: Option<Signal>,
}

impl Interrupts {
    /// From now on, they no longer end the process by themselves.
    pub(super) fn new() -> Self {
        // Where one cannot be heard, it ends the process as ever.
        #[cfg(unix)]
        let hear = |kind| signal(kind).ok();
        // What `nohup` and shells have this process ignore stays so.
        #[cfg(unix)]
        let unless_ignored = |kind: SignalKind| if is_ignored(kind) { None } else { hear(kind) };
        Self {
            #[cfg(unix)]
            stops: [
                hear(SignalKind::interrupt()),
                hear(SignalKind::terminate()),
                unless_ignored(SignalKind::quit()),
            ],
            #[cfg(unix)]
            hangup: unless_ignored(SignalKind::hangup()),
        }
    }

    /// The same, but that a terminal that goes ends the process: where a wish
    /// means more than that.
    pub(super) fn without_hangup() -> Self {
        Self {
            #[cfg(unix)]
            hangup: None,
            ..Self::new()
        }
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, quit] = &mut self.stops;
        tokio::select! {
            () = hear(interrupt) => {}
            () = hear(terminate) => {}
            () = hear(quit) => {}
            () = hear(&mut self.hangup) => {}
        }
        self.hangup = None;
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

/// Whether the process was begun with this signal ignored, where the system
/// tells.
#[cfg(unix)]
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_ignored_in(&status, kind)
}

/// The mask has a bit for each signal, the lowest for signal 1.
#[cfg(unix)]
fn is_ignored_in(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let bit = kind.as_raw_value().saturating_sub(1);
    mask.checked_shr(bit.try_into().unwrap_or(u32::MAX)).is_some_and(|rest| rest & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_ignores_is_read_from_its_status() {
        let status = "Name:\tprogram\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored_in(status, SignalKind::hangup()));
        assert!(is_ignored_in(status, SignalKind::pipe()));
        assert!(!is_ignored_in(status, SignalKind::quit()));
        assert!(!is_ignored_in("", SignalKind::hangup()));
    }
}
