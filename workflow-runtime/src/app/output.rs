//! Where a command writes.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::line::{Line, plain, visible_json};
use super::problem::{Code, Problem};
use super::style::Paint;

/// The two streams of a command. Results go to the first, everything about
/// them to the second.
///
/// Writing cannot fail: the reader may go away (`ls | head`), which is no
/// error, and any other error is told at the end.
pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// Whether results are written as JSON.
    pub(super) json: bool,
    /// Whether `out` and `err` are coloured.
    pub(super) paint: Paint,
    pub(super) err_paint: Paint,
    /// Whether `err` is a terminal that a person looks at, so that lines may
    /// move.
    pub(super) live: bool,
    /// The reader has gone.
    closed: bool,
    failed: Option<io::Error>,
}

impl<'a> Output<'a> {
    pub(super) fn new(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        let (paint, err_paint) = (Paint(false), Paint(false));
        Self { out, err, json: false, paint, err_paint, live: false, closed: false, failed: None }
    }

    /// A line of the result.
    pub(super) fn line(&mut self, line: impl Into<Line>) {
        self.write(&line.into().render(self.paint));
    }

    /// A text that may have several lines, such as a result or a script: they
    /// stay lines.
    pub(super) fn lines(&mut self, text: &str) {
        for line in text.split('\n') {
            let indent = line.len() - line.trim_start_matches('\t').len();
            self.write(&("\t".repeat(indent) + &plain(&line[indent..])));
        }
    }

    /// One JSON document, in one line.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        // It consists of texts, which can be written.
        self.write(&visible_json(&serde_json::to_string(value).unwrap_or_default()));
    }

    /// A line about the result.
    pub(super) fn say(&mut self, line: impl Into<Line>) {
        let line = line.into();
        // The reader has gone, and there is no other to be told.
        let _ = match self.json {
            true => write_note(self.err, &line.unstyled()),
            false => writeln!(self.err, "{}", line.render(self.err_paint)),
        };
    }

    /// The stream for what is about the result, line by line. What is written
    /// to it is rendered, as only a [`Screen`](super::screen::Screen) does.
    pub(super) fn notes(&mut self) -> Notes<'_> {
        Notes { err: self.err, json: self.json, line: Vec::new() }
    }

    /// From now on all is for programs, also what is about the result.
    pub(super) fn write_json(&mut self) {
        (self.json, self.live) = (true, false);
        (self.paint, self.err_paint) = (Paint(false), Paint(false));
    }

    /// Why the command failed.
    pub(super) fn problem(&mut self, problem: &Problem) {
        if self.json {
            let _ = writeln!(self.err, "{}", visible_json(&problem.json().to_string()));
            return;
        }
        problem.lines().into_iter().for_each(|line| self.say(line));
    }

    fn write(&mut self, rendered: &str) {
        if self.closed {
            return;
        }
        let written = writeln!(self.out, "{rendered}").and_then(|()| self.out.flush());
        self.note(written);
    }

    /// What became of the writing.
    pub(super) fn finish(&mut self) -> Result<(), Problem> {
        match self.failed.take() {
            Some(error) => Err(Problem::new(Code::Store, format!("the output cannot be written: {error}"))),
            None => Ok(()),
        }
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.closed = true;
            if error.kind() != ErrorKind::BrokenPipe {
                self.failed = Some(error);
            }
        }
    }
}

/// Where lines about the result are written. Where programs read, each is a
/// JSON document.
pub(super) struct Notes<'a> {
    err: &'a mut dyn Write,
    json: bool,
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
}

impl Write for Notes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.json {
            return self.err.write(bytes);
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.pop_if(|last| *last == b'\n').is_some() {
                let line = std::mem::take(&mut self.line);
                write_note(self.err, &String::from_utf8_lossy(&line))?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.err.flush()
    }
}

fn write_note(err: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(err, "{}", visible_json(&note(text).to_string()))
}

/// A line about the result, as data.
pub(super) fn note(text: &str) -> serde_json::Value {
    serde_json::json!({ "note": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_about_the_result_is_json_where_programs_read() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output::new(&mut out, &mut err);
        output.write_json();
        output.say("one\u{1b}[1m");
        let mut notes = output.notes();
        write!(notes, "two").unwrap();
        write!(notes, " words\nand").unwrap();
        writeln!(notes, " more").unwrap();
        assert_eq!(
            String::from_utf8(err).unwrap(),
            "{\"note\":\"one\\u001b[1m\"}\n{\"note\":\"two words\"}\n{\"note\":\"and more\"}\n"
        );
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error_and_a_full_disk_is() {
        for (kind, fine) in [(ErrorKind::BrokenPipe, true), (ErrorKind::StorageFull, false)] {
            let (mut out, mut err) = (Broken(kind), Vec::new());
            let mut output = Output::new(&mut out, &mut err);
            output.line("a line");
            output.line("nobody reads this");
            assert_eq!(output.finish().is_ok(), fine);
        }
    }
}
