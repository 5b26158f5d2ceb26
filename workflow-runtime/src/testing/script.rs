//! Signals at the moment a run waits for them.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::codec::Durable;
use crate::engine::AnyRun;
use crate::observe::RunEventKind;
use crate::run::{StepState, Wait};
use crate::workflow::{Signal, SignalTarget};

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
pub struct Script {
    lines: VecDeque<ScriptedSignal>,
}

struct ScriptedSignal {
    signal: &'static str,
    key: Option<String>,
    delay: Duration,
    send: Box<dyn FnOnce(AnyRun, String) -> Sending + Send>,
}

/// What a wait means to the line of its signal.
enum Cue {
    /// It is sent.
    Now,
    /// It was sent by an earlier process.
    Past,
    /// It is not the one that the line is for.
    Other,
}

type Sending = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Script {
    /// A script without lines.
    pub fn new() -> Self {
        Self { lines: VecDeque::new() }
    }

    /// Sends `value` as soon as the run waits for the signal.
    pub fn signal<T: Durable, S>(self, signal: S, value: T) -> Self
    where
        S: SignalTarget<T> + Send + Sync + 'static,
    {
        self.signal_after(Duration::ZERO, signal, value)
    }

    /// Sends `value` once the run has waited for the signal this long.
    pub fn signal_after<T: Durable, S>(mut self, delay: Duration, signal: S, value: T) -> Self
    where
        S: SignalTarget<T> + Send + Sync + 'static,
    {
        self.lines.push_back(ScriptedSignal {
            signal: signal.name(),
            key: signal.key().map(str::to_owned),
            delay,
            send: Box::new(move |run, step| {
                Box::pin(async move {
                    // The run may end before the delay does; that is for the
                    // test to see in the run's result.
                    let _ = match signal.key() {
                        None => {
                            let aimed = Signal::<T>::new(signal.name()).at(step);
                            run.signal(aimed, value).await
                        }
                        Some(_) => run.signal(signal, value).await,
                    };
                })
            }),
        });
        self
    }

    /// Plays the script for a run, from its first event on, in a task of its
    /// own on the current runtime.
    pub fn play(self, run: &AnyRun) {
        self.play_on(run, HashMap::new());
    }

    /// Plays the script for a run that an earlier process began, as if it had
    /// been played from the beginning: `accepted` says how many signals of
    /// each name and key it has heard already.
    pub(super) fn play_on(self, run: &AnyRun, mut accepted: HashMap<(String, Option<String>), usize>) {
        self.play_lines(run, move |_, _, line| match accepted.get_mut(line) {
            Some(heard) if *heard > 0 => {
                *heard -= 1;
                Cue::Past
            }
            _ => Cue::Now,
        });
    }

    /// Plays the script for a run that an earlier process began, as if that
    /// had been no part of it: what was waited for then, and is not any more,
    /// is passed over.
    pub(super) fn play_from_now(self, run: &AnyRun) {
        self.play_lines(run, |run, path, _| {
            let state = run.snapshot().step(path).map(|step| step.state);
            if matches!(state, Some(StepState::Waiting(_))) { Cue::Now } else { Cue::Other }
        });
    }

    /// `cue` says what a wait, by its path, means to the line, by its signal's
    /// name and key, that is next for it.
    fn play_lines(
        mut self,
        run: &AnyRun,
        mut cue: impl FnMut(&AnyRun, &str, &(String, Option<String>)) -> Cue + Send + 'static,
    ) {
        let run = run.clone();
        drop(tokio::spawn(async move {
            let mut events = run.events();
            while let Some(event) = events.next().await {
                let RunEventKind::Step { path, task, state: StepState::Waiting(Wait::Signal { .. }), .. } =
                    event.kind
                else {
                    continue;
                };
                let name = task.strip_prefix("signal ").unwrap_or(&task);
                let Some(place) = self.lines.iter().position(|line| line.signal == name) else { continue };
                let line = &self.lines[place];
                let cue = cue(&run, &path, &(line.signal.to_owned(), line.key.clone()));
                if matches!(cue, Cue::Other) {
                    continue;
                }
                if let Some(line) = self.lines.remove(place).filter(|_| matches!(cue, Cue::Now)) {
                    let (run, due) = (run.clone(), run.instant(event.at.after(line.delay)));
                    drop(tokio::spawn(async move {
                        tokio::time::sleep_until(due).await;
                        (line.send)(run, path).await;
                    }));
                }
            }
        }));
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines.iter().map(|line| line.signal)).finish()
    }
}
