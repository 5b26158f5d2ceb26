//! Signals at the moment a run waits for them.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::codec::Durable;
use crate::engine::Run;
use crate::observe::RunEventKind;
use crate::run::{StepState, Wait};
use crate::workflow::Signal;

/// Who sends a run its signals in a test: each is sent when the run starts to
/// wait for it, not before. Several of one name are sent to one wait after
/// the other, in order.
///
/// ```no_run
/// # use workflow_runtime::{Run, Signal, testing::Script};
/// # async fn test(run: Run<u64>, review: Signal<String>) {
/// use std::time::Duration;
///
/// Script::new()
///     .signal(review, "looks good".to_owned())
///     .signal_after(Duration::from_secs(3600), review, "but slow".to_owned())
///     .play(&run);
/// # }
/// ```
#[must_use = "a script does nothing until it is played"]
pub struct Script<T> {
    lines: VecDeque<Line<T>>,
}

struct Line<T> {
    signal: &'static str,
    delay: Duration,
    send: Box<dyn FnOnce(Run<T>) -> Sending + Send>,
}

type Sending = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<T: 'static> Script<T> {
    /// A script without lines.
    pub fn new() -> Self {
        Self { lines: VecDeque::new() }
    }

    /// Sends `value` as soon as the run waits for the signal.
    pub fn signal<S: Durable>(self, signal: Signal<S>, value: S) -> Self {
        self.signal_after(Duration::ZERO, signal, value)
    }

    /// Sends `value` once the run has waited for the signal this long.
    pub fn signal_after<S: Durable>(mut self, delay: Duration, signal: Signal<S>, value: S) -> Self {
        self.lines.push_back(Line {
            signal: signal.name(),
            delay,
            send: Box::new(move |run| {
                Box::pin(async move {
                    // The run may end before the delay does; that is for the
                    // test to see in the run's result.
                    let _ = run.signal(signal, value).await;
                })
            }),
        });
        self
    }

    /// Plays the script for a run, from its first event on, in a task of its
    /// own on the current runtime.
    pub fn play(self, run: &Run<T>) {
        self.play_on(run, HashMap::new());
    }

    /// Plays the script for a run that an earlier process began: `accepted`
    /// says how many signals of each name it has heard already.
    pub(super) fn play_on(mut self, run: &Run<T>, mut accepted: HashMap<String, usize>) {
        let run = run.clone();
        drop(tokio::spawn(async move {
            let mut events = run.events();
            while let Some(event) = events.next().await {
                let RunEventKind::Step { task, state: StepState::Waiting(Wait::Signal { .. }), .. } =
                    event.kind
                else {
                    continue;
                };
                let name = task.strip_prefix("signal ").unwrap_or(&task);
                let place = self.lines.iter().position(|line| line.signal == name);
                if let Some(line) = place.and_then(|place| self.lines.remove(place)) {
                    if let Some(heard) = accepted.get_mut(name).filter(|heard| **heard > 0) {
                        *heard -= 1;
                        continue;
                    }
                    let (run, due) = (run.clone(), run.instant(event.at.after(line.delay)));
                    drop(tokio::spawn(async move {
                        tokio::time::sleep_until(due).await;
                        (line.send)(run).await;
                    }));
                }
            }
        }));
    }
}

impl<T: 'static> Default for Script<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Script<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines.iter().map(|line| line.signal)).finish()
    }
}
