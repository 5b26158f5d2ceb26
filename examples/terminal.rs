//! Progress in a terminal: a spinning line for each step under way, below
//! those of the steps that are done, which scroll away.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use workflow_runtime::run::Timestamp;

use crate::progress::{Mark, News, Progress};

/// How many steps under way are shown at once, the oldest first.
const LINES: usize = 20;

/// The lines at the bottom of a terminal.
pub(crate) struct Terminal {
    screen: MultiProgress,
    style: ProgressStyle,
    /// By the path of its step.
    lines: HashMap<String, ProgressBar>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner:.cyan} {prefix} {msg:.dim}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self { screen: MultiProgress::new(), style, lines: HashMap::new() }
    }

    /// Adds a line that stays.
    pub(crate) fn tell(&self, news: &News) {
        let mark = match news.mark {
            Mark::Good => "\x1b[32m✓\x1b[0m",
            Mark::Bad => "\x1b[31m✗\x1b[0m",
            Mark::Neutral => "·",
        };
        // A step that succeeded needs no word for it beside the tick.
        let text = news.to_string();
        let text = text.strip_prefix("succeeded ").unwrap_or(&text);
        self.say(&format!("{mark} {text}"));
    }

    /// Adds a line that stays, about the run.
    pub(crate) fn say(&self, text: &str) {
        // A terminal that is gone is no reason to stop the run.
        let _ = self.screen.println(text);
    }

    /// Brings the spinning lines up to date.
    pub(crate) fn draw(&mut self, progress: &Progress) {
        let now = now();
        let live = &progress.live()[..progress.live().len().min(LINES)];
        self.lines.retain(|path, line| {
            let goes_on = live.iter().any(|live| live.path == *path);
            if !goes_on {
                line.finish_and_clear();
            }
            goes_on
        });
        for live in live {
            let line = self.lines.entry(live.path.clone()).or_insert_with(|| {
                let line = self.screen.add(ProgressBar::new_spinner().with_style(self.style.clone()));
                line.with_prefix(live.path.clone())
            });
            line.set_message(live.note(now));
            line.tick();
        }
    }
}

fn now() -> Timestamp {
    Timestamp::default().after(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
