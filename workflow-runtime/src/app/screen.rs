//! Where a run is shown while it goes on: lines that move at the bottom of a
//! terminal, or plain lines, one for each thing worth telling, for pipes,
//! files and build servers.

use std::io::{IsTerminal, Write, stderr};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::line::Line;
use super::news::News;
use super::style::Paint;
use super::tree::{Fold, rows};
use crate::run::Timestamp;
use crate::view::RunSnapshot;

/// How many lines move at once.
const LINES: usize = 20;

/// What a run is shown on.
pub(super) enum Screen<'a> {
    Terminal(Terminal),
    Plain(&'a mut dyn Write),
}

impl<'a> Screen<'a> {
    /// Standard error, so that standard output is left to the result.
    pub(super) fn of(err: &'a mut dyn Write, live: bool) -> Self {
        if live { Screen::Terminal(Terminal::new()) } else { Screen::Plain(err) }
    }

    /// Whether standard error is a terminal.
    pub(super) fn is_live() -> bool {
        stderr().is_terminal() && Paint::of(true).0
    }

    /// Adds a line that stays, about the run.
    pub(super) fn say(&mut self, line: impl Into<Line>) {
        match self {
            Screen::Terminal(terminal) => terminal.say(&line.into()),
            // A stream that is gone is no reason to stop the run.
            Screen::Plain(err) => _ = writeln!(err, "{}", line.into().render(Paint(false))),
        }
    }

    /// Adds a line that stays, about a step. In a terminal the tree says it.
    pub(super) fn tell(&mut self, news: &News) {
        if let Screen::Plain(_) = self {
            self.say(news.to_string());
        }
    }

    /// Whether the lines that move have to be brought up to date.
    pub(super) fn moves(&self) -> bool {
        matches!(self, Screen::Terminal(_))
    }

    /// Brings the lines that move up to date.
    pub(super) fn draw(&mut self, run: &RunSnapshot, now: Timestamp) {
        if let Screen::Terminal(terminal) = self {
            terminal.draw(run, now);
        }
    }

    /// Leaves the lines as they are now.
    pub(super) fn end(&mut self, run: &RunSnapshot, now: Timestamp) {
        if let Screen::Terminal(terminal) = self {
            terminal.end(run, now);
        }
    }
}

/// The lines at the bottom of a terminal.
pub(super) struct Terminal {
    screen: MultiProgress,
    style: ProgressStyle,
    lines: Vec<ProgressBar>,
    turn: usize,
}

impl Terminal {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{wide_msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self { screen: MultiProgress::new(), style, lines: Vec::new(), turn: 0 }
    }

    fn say(&self, line: &Line) {
        let _ = self.screen.println(line.render(Paint(true)));
    }

    fn draw(&mut self, run: &RunSnapshot, now: Timestamp) {
        self.turn += 1;
        let mut texts: Vec<String> = rows(&run.steps, now, Fold::Done)
            .iter()
            .map(|row| row.line(Paint(true), self.turn).render(Paint(true)))
            .collect();
        if let Some(more) = texts.len().checked_sub(LINES).filter(|more| *more > 0) {
            // What is at the end is what the run is at.
            texts.drain(..=more);
            texts.insert(0, format!("  {} lines above", more + 1));
        }
        while self.lines.len() < texts.len() {
            self.lines.push(self.screen.add(ProgressBar::new_spinner().with_style(self.style.clone())));
        }
        for line in self.lines.drain(texts.len()..) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        for (line, text) in self.lines.iter().zip(texts) {
            line.set_message(text);
            line.tick();
        }
    }

    fn end(&mut self, run: &RunSnapshot, now: Timestamp) {
        let _ = self.screen.clear();
        self.lines.drain(..).for_each(|line| self.screen.remove(&line));
        for row in rows(&run.steps, now, Fold::Done) {
            self.say(&row.line(Paint(true), self.turn));
        }
    }
}
