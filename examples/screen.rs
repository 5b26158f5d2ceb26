//! Where progress is shown: a terminal, or plain lines on stderr for pipes,
//! files and build servers.

use std::io::{IsTerminal, stderr};

use crate::progress::{News, Progress};
use crate::terminal::Terminal;

/// What stderr is.
pub(crate) enum Screen {
    Terminal(Terminal),
    Plain,
}

impl Screen {
    pub(crate) fn of_stderr() -> Self {
        if stderr().is_terminal() { Screen::Terminal(Terminal::new()) } else { Screen::Plain }
    }

    /// Adds a line that stays.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Screen::Terminal(terminal) => terminal.say(text),
            Screen::Plain => eprintln!("{text}"),
        }
    }

    /// Adds a line that stays, about a step.
    pub(crate) fn tell(&self, news: &News) {
        match self {
            Screen::Terminal(terminal) => terminal.tell(news),
            Screen::Plain => eprintln!("{news}"),
        }
    }

    /// Brings the lines that move up to date.
    pub(crate) fn draw(&mut self, progress: &Progress) {
        if let Screen::Terminal(terminal) = self {
            terminal.draw(progress);
        }
    }
}
