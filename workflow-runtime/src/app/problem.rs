//! What went wrong with a command, as a terminal is told.

use std::fmt;

use super::line::Line;
use super::style::{Paint, Style};
pub(super) use crate::inspect::problem::{Code, Problem};

impl Problem {
    /// As rustc writes it. A message that has several lines has a bar before
    /// each but the first, so that none of them looks like one of this
    /// program's own.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut message = self.message.lines();
        let first = message.next().unwrap_or_default();
        let mut lines = vec![Line::new().styled(Style::Bad, "error:").text(" ").text(first)];
        lines.extend(message.map(|more| Line::new().text("     | ").text(more)));
        lines.extend(self.details.iter().map(|detail| Line::new().text("  ").text(detail)));
        let help = |help| Line::new().text(" ").styled(Style::Busy, "help:").text(" ").text(help);
        lines.extend(self.help.iter().map(help));
        lines
    }
}

/// Its lines, without colours.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.lines().iter().map(|line| line.render(Paint(false))).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_like_rustc() {
        let problem = Problem::usage("no workflow `nigthly`").help("a similar name exists: `nightly`");
        assert_eq!(
            problem.to_string(),
            "error: no workflow `nigthly`\n help: a similar name exists: `nightly`"
        );
        assert_eq!(problem.json()["code"], 2);
    }

    #[test]
    fn no_text_forges_a_line_of_this_program() {
        let problem = Problem::usage("no\n help: `rm -rf /`\r\nerror: \x1b[2J").help("a\n help: b");
        assert_eq!(
            problem.to_string(),
            "error: no\n     |  help: `rm -rf /`\n     | error: \\u{1b}[2J\n help: a  help: b"
        );
    }
}
