//! A run of this process, shown while it goes on.

use std::io::{Write, stderr};
use std::process;
use std::time::Duration;

use super::interrupt::Interrupts;
use super::news::Reporter;
use super::problem::Code;
use super::screen::Screen;
use super::short::now;
use super::trouble;
use crate::codec::Durable;
use crate::engine::Events;
use crate::engine::{AnyRun, Run};
use crate::error::Result;
use crate::run::Timestamp;

/// How often the spinners turn.
const FRAME: Duration = Duration::from_millis(100);

/// Awaits a run and shows its progress on standard error, so that standard
/// output is left to the result: a tree in a terminal, and plain lines
/// elsewhere.
///
/// Ctrl-c cancels the run: what is finished is undone, `#[always]` steps run,
/// and the result is [`Error::Cancelled`](crate::Error::Cancelled). A second
/// ctrl-c ends the program on the spot, with exit code 130.
///
/// # Errors
/// Those of the run.
pub async fn watch<T: Durable>(run: Run<T>) -> Result<T> {
    let mut err = stderr();
    let mut follower = Follower::of((*run).clone(), &mut err, Screen::is_live(), Timestamp::default());
    // A terminal that is closed is no reason to undo what is done.
    let mut interrupts = Interrupts::without_hangup();
    let mut interrupted = false;
    while let Followed::Interrupted = follower.follow(&mut interrupts).await {
        if interrupted {
            process::exit(i32::from(Code::Interrupted as u8));
        }
        interrupted = true;
        follower.screen.say("cancelling; ctrl-c again stops at once and undoes nothing");
        // A run that has just ended needs no cancelling.
        let _ = run.cancel().await;
    }
    drop(follower);
    run.await
}

/// What became of following.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// The run has ended, or its engine has.
    Ended,
    /// Somebody wants this to stop.
    Interrupted,
}

/// Shows a run.
pub(super) struct Follower<'a> {
    run: AnyRun,
    events: Events,
    reporter: Reporter,
    pub(super) screen: Screen<'a>,
    /// What happened before was told by an earlier process.
    from: Timestamp,
    /// Whether it was told that the run has stopped for now.
    stopped: bool,
}

impl<'a> Follower<'a> {
    pub(super) fn of(run: AnyRun, err: &'a mut dyn Write, live: bool, from: Timestamp) -> Self {
        let screen = Screen::of(err, live);
        Self { events: run.events(), run, reporter: Reporter::default(), screen, from, stopped: false }
    }

    /// Shows what happens until the run ends. May be called again after an
    /// interrupt.
    pub(super) async fn follow(&mut self, interrupts: &mut Interrupts) -> Followed {
        let mut frames = tokio::time::interval(FRAME);
        let moves = self.screen.moves();
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => {
                        let old = event.at < self.from;
                        if let Some(news) = self.reporter.take(event).filter(|_| !old) {
                            self.screen.tell(&news);
                        }
                    }
                    None => {
                        self.screen.end(&self.run.snapshot(), now());
                        return Followed::Ended;
                    }
                },
                _ = frames.tick() => {
                    self.tell_stop();
                    if moves {
                        self.screen.draw(&self.run.snapshot(), now());
                    }
                }
                () = interrupts.next() => return Followed::Interrupted,
            }
        }
    }

    /// Says once that the run has stopped for now, and once that it goes on.
    fn tell_stop(&mut self) {
        let why = self.run.why_stopped();
        if std::mem::replace(&mut self.stopped, why.is_some()) == why.is_some() {
            return;
        }
        self.screen.say(trouble::change(why.as_deref()));
    }

    /// Leaves what is shown as it is now.
    pub(super) fn leave(&mut self) {
        self.screen.end(&self.run.snapshot(), now());
    }
}
