//! Colours, where a terminal shows them.

use std::env;

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As it should be.
    Good,
    /// A failure.
    Bad,
    /// It wants attention.
    Busy,
    /// Of less interest.
    Dim,
    /// The heart of it.
    Strong,
}

/// Whether a stream is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    /// For a stream that is a terminal or not. `NO_COLOR` and a terminal that
    /// calls itself dumb have the last word.
    pub(super) fn of(is_terminal: bool) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(is_terminal && !dumb && !is_set("NO_COLOR"))
    }

    /// Only for a text that is [`plain`](super::line::plain).
    pub(super) fn text(self, style: Style, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let code = match style {
            Style::Good => 32,
            Style::Bad => 31,
            Style::Busy => 36,
            Style::Dim => 2,
            Style::Strong => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals() {
        assert_eq!(Paint(false).text(Style::Bad, "no"), "no");
        assert_eq!(Paint(true).text(Style::Bad, "no"), "\x1b[31mno\x1b[0m");
        assert!(!Paint::of(false).0);
    }
}
