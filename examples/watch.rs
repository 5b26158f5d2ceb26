//! Awaiting a run with open eyes.

use std::pin::pin;
use std::process;
use std::time::Duration;

use tokio::signal::ctrl_c;
use workflow_runtime::{Durable, Result, Run};

use crate::exit::INTERRUPTED;
use crate::progress::Progress;
use crate::screen::Screen;

/// How often the spinners turn.
const FRAME: Duration = Duration::from_millis(100);

/// Awaits a run and shows its progress on stderr, so that stdout is left to
/// the result.
///
/// Ctrl-c cancels the run: what is finished is undone, `#[always]` steps run,
/// and the result is [`Error::Cancelled`](workflow_runtime::Error::Cancelled).
/// A second ctrl-c ends the program on the spot.
///
/// # Errors
/// Those of the run.
pub async fn watch<T: Durable>(run: Run<T>) -> Result<T> {
    let mut screen = Screen::of_stderr();
    let mut progress = Progress::default();
    let mut events = run.events();
    let mut frames = tokio::time::interval(FRAME);
    let mut interrupt = pin!(ctrl_c());
    let mut interrupted = false;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => progress.take(event).iter().for_each(|news| screen.tell(news)),
                None => break,
            },
            _ = frames.tick() => screen.draw(&progress),
            Ok(()) = &mut interrupt => {
                if interrupted {
                    process::exit(INTERRUPTED.into());
                }
                interrupted = true;
                interrupt.set(ctrl_c());
                screen.say("cancelling; ctrl-c again stops at once and undoes nothing");
                // A run that has just ended needs no cancelling.
                let _ = run.cancel().await;
            }
        }
    }
    screen.draw(&progress);
    run.await
}
