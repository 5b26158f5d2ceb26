//! The events of a run as lines: those of the steps under way, and one for
//! each thing worth telling once. No terminal here.

use std::fmt;
use std::time::Duration;

use workflow_runtime::run::{StepState, Timestamp, Wait};
use workflow_runtime::{RunEvent, RunEventKind, StepKind};

use crate::short;

/// What a run is at, made of its events one by one.
#[derive(Debug, Default)]
pub struct Progress {
    live: Vec<Live>,
}

/// A step under way.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its path.
    pub path: String,
    /// Since when it has been under way, waits included.
    pub since: Timestamp,
    state: StepState,
    attempt: u32,
    done: Option<(u64, u64)>,
}

/// Something to tell once.
#[derive(Clone, Debug)]
pub struct News {
    /// Whether it is good.
    pub mark: Mark,
    /// What happened, such as `succeeded`.
    pub what: String,
    /// The path of the step it happened to.
    pub path: String,
    /// How long the step took, waits included; absent while it goes on.
    pub took: Option<Duration>,
    /// Why, where it is a failure; one line.
    pub why: Option<String>,
}

/// What to think of some news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should be.
    Good,
    /// A failure.
    Bad,
    /// Neither.
    Neutral,
}

impl Progress {
    /// The steps under way, the longest first.
    #[must_use]
    pub fn live(&self) -> &[Live] {
        &self.live
    }

    /// Takes an event in, and says what of it is worth telling.
    pub fn take(&mut self, event: RunEvent) -> Option<News> {
        match event.kind {
            RunEventKind::Step { path, kind, state, attempt, failure, .. } => {
                // Regions are under way as long as a step in them is, and only
                // say so again.
                if kind.is_region() || kind == StepKind::Value {
                    return None;
                }
                // The rest of a long message is for whoever reports the failure.
                let why =
                    failure.map(|failure| failure.to_string().lines().next().unwrap_or_default().to_owned());
                self.step(event.at, path, state, attempt, why)
            }
            RunEventKind::Progress { path, done, total } => {
                let live = self.live.iter_mut().find(|live| live.path == path);
                live?.done = Some((done, total));
                None
            }
            _ => None,
        }
    }

    fn step(
        &mut self,
        now: Timestamp,
        path: String,
        state: StepState,
        attempt: u32,
        why: Option<String>,
    ) -> Option<News> {
        let place = self.live.iter().position(|live| live.path == path);
        if state.is_ended() {
            let began = self.live.remove(place?).since;
            return Some(News {
                mark: mark(state),
                what: state.to_string(),
                path,
                took: Some(now.since(began)),
                why,
            });
        }
        if state == StepState::Waiting(Wait::Dependencies) {
            return None;
        }
        match place {
            Some(place) => {
                let live = &mut self.live[place];
                (live.state, live.attempt, live.done) = (state, attempt, None);
            }
            None => self.live.push(Live { path: path.clone(), since: now, state, attempt, done: None }),
        }
        let (mark, what, why) = match state {
            StepState::Waiting(Wait::Backoff { until }) => {
                let next = format!("{}; next in {}", why.unwrap_or_default(), short(until.since(now)));
                (Mark::Bad, format!("failed attempt {attempt} of"), Some(next))
            }
            StepState::Waiting(Wait::Signal { .. }) => (Mark::Neutral, state.to_string(), None),
            _ => return None,
        };
        Some(News { mark, what, path, took: None, why })
    }
}

fn mark(state: StepState) -> Mark {
    match state {
        StepState::Succeeded { .. } => Mark::Good,
        StepState::Failed | StepState::OutcomeUnknown => Mark::Bad,
        _ => Mark::Neutral,
    }
}

impl Live {
    /// The line of the step: how long it has been under way, and why it is
    /// not done.
    #[must_use]
    pub fn note(&self, now: Timestamp) -> String {
        let mut parts = vec![short(now.since(self.since))];
        if self.attempt > 1 {
            parts.push(format!("attempt {}", self.attempt));
        }
        match self.state {
            StepState::Running => {}
            StepState::Waiting(Wait::Backoff { until }) => {
                parts.push(format!("next attempt in {}", short(until.since(now))));
            }
            StepState::Waiting(Wait::Timer { until }) => {
                parts.push(format!("sleeping for another {}", short(until.since(now))));
            }
            StepState::Waiting(Wait::Signal { until: Some(until) }) => {
                parts.push(format!("waiting for a signal for another {}", short(until.since(now))));
            }
            state => parts.push(state.to_string()),
        }
        if let Some((done, total)) = self.done {
            parts.push(format!("{done}/{total}"));
        }
        parts.join(", ")
    }
}

/// `succeeded nightly/priced[3]/quote 12 ms`
impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.path)?;
        if let Some(took) = self.took {
            write!(f, " {}", short(took))?;
        }
        self.why.iter().try_for_each(|why| write!(f, ": {why}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use workflow_runtime::testing::block_on;
    use workflow_runtime::{Context, Engine, task, workflow};

    use super::*;

    #[task(retry(attempts = 3, backoff = fixed("1500ms")))]
    async fn fetch(#[context] cx: &Context) -> io::Result<u64> {
        match cx.attempt() {
            1 => Err(io::Error::other("busy\nand more that is left out")),
            _ => Ok(7),
        }
    }

    #[task]
    async fn count(word: String) -> usize {
        word.len()
    }

    workflow! {
        fn words(words: Vec<String>) -> Result<u64> {
            let number = fetch()?;
            let lengths: Vec<usize> = for word in words {
                if word.is_empty() { 0 } else { count(word) }
            };
            #[after(number, lengths)]
            sleep("1m");
            Ok(number + lengths.len() as u64)
        }
    }

    #[test]
    fn news_of_a_run() {
        block_on(async {
            let engine = Engine::in_memory().start().await.unwrap();
            let run = engine.start(words(vec!["word".to_owned(), String::new()])).await.unwrap();
            let mut events = run.events();
            let (mut progress, mut news, mut live) = (Progress::default(), Vec::new(), Vec::new());
            while let Some(event) = events.next().await {
                let now = event.at;
                news.extend(progress.take(event).map(|news| news.to_string()));
                live.extend(progress.live().iter().map(|live| format!("{} {}", live.path, live.note(now))));
            }
            assert_eq!(run.await.unwrap(), 9);
            assert!(progress.live().is_empty());
            // Beside each other, so in no order.
            news[..2].sort();
            assert_eq!(
                news,
                [
                    "failed attempt 1 of words/number: busy; next in 1.5 s",
                    "succeeded words/lengths[0]/if[else]/count 0 µs",
                    "succeeded words/number 1.5 s",
                    "succeeded words/sleep 1 min 0 s",
                ]
            );
            for line in ["words/number 1.5 s, attempt 2", "words/sleep 0 µs, sleeping for another 1 min 0 s"]
            {
                assert!(live.iter().any(|seen| seen == line), "{line} is not in {live:#?}");
            }
        });
    }
}
