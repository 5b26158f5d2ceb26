//! What is written to a terminal. The one place where text becomes that.
//!
//! Most text comes from outside: what a task says of its failure, keys, names,
//! paths, what people typed. A terminal obeys some characters, moves others to
//! where they were not, and does not show others at all. So a stream takes
//! [`Line`]s, whose looks are data, and whatever is in them is made visible at
//! the end: no piece of text has to be known as harmless where it is used.

use std::fmt::Display;

use super::style::{Paint, Style};
pub(super) use crate::inspect::text::{columns, cut, plain, visible_json};

/// A line: pieces of text, with their looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<(Option<Style>, String)>);

impl Line {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds text that looks like any other.
    pub(super) fn text(mut self, text: impl Display) -> Self {
        self.0.push((None, text.to_string()));
        self
    }

    /// Adds text that looks so.
    pub(super) fn styled(mut self, style: Style, text: impl Display) -> Self {
        self.0.push((Some(style), text.to_string()));
        self
    }

    /// Adds another line's pieces.
    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// For a program, to which no character does anything.
    pub(super) fn unstyled(&self) -> String {
        self.0.iter().map(|(_, text)| &**text).collect()
    }

    /// As a terminal is given it, which is one line whatever is in it.
    pub(super) fn render(&self, paint: Paint) -> String {
        self.0.iter().fold(String::new(), |mut rendered, (style, text)| {
            match style {
                Some(style) => rendered += &paint.text(*style, &plain(text)),
                None => rendered += &plain(text),
            }
            rendered
        })
    }
}

impl<T: AsRef<str> + ?Sized> From<&T> for Line {
    fn from(text: &T) -> Self {
        Self::new().text(text.as_ref())
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new().text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_none_of_the_text() {
        let line = Line::new().text("\x1b[1m").styled(Style::Bad, "no\x1b[0m").text('\n');
        assert_eq!(line.render(Paint(true)), "\\u{1b}[1m\x1b[31mno\\u{1b}[0m\x1b[0m ");
        assert_eq!(line.render(Paint(false)), "\\u{1b}[1mno\\u{1b}[0m ");
    }
}
