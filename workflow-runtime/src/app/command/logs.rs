//! `logs`: what the attempts of a run said.

use std::time::Duration;

use clap::ArgMatches;

use super::text;
use crate::app::interrupt::Interrupts;
use crate::app::line::Line;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::reader::StoreReader;
use crate::app::short::local;
use crate::app::style::Style;
use crate::inspect::view::LineView;
use crate::inspect::wishes::path;
use crate::secret::redacted;
use crate::store::{LogFilter, LogLevel, LogLine, StoredRun};

/// How often the store is read while the run goes on. Longer than a line is on
/// its way, so that one look after the run's end sees the last ones.
const LOOK: Duration = Duration::from_millis(200);

/// How many lines are read at a time.
const PAGE: usize = 1000;

/// Prints the lines of a run.
pub(super) async fn logs(
    program: &Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let reader = program.reader()?;
    let run = reader.find(text(matches, "run"))?;
    let step = matches.get_one::<String>("step").map(|step| path(&run, step));
    let attempt = matches.get_one::<u32>("attempt").copied();
    let mut lines = Unprinted {
        reader: &reader,
        run: &run,
        filter: LogFilter { path: step, attempt, after: None, at_most: PAGE },
        any: false,
    };
    if matches.get_flag("follow") {
        return follow(program, lines, output).await;
    }
    lines.print(output)?;
    if !lines.any {
        output.say(if lines.filter.path.is_some() || attempt.is_some() {
            "no lines; `logs` without `--step` and `--attempt` prints those of all attempts"
        } else {
            "no lines: no attempt of the run said anything by `tracing` that was kept"
        });
    }
    Ok(Code::Fine)
}

/// Prints lines until the run has ended, or the user has seen enough.
async fn follow(
    program: &Program,
    mut lines: Unprinted<'_>,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let (reader, id) = (lines.reader, &lines.run.id);
    if lines.run.end.is_none() && reader.owner()?.is_none() {
        output.say(format!("nobody works on it; `{}` does", program.command(&["work"])));
    }
    let mut interrupts = Interrupts::new();
    let mut looks = tokio::time::interval(LOOK);
    let mut ended = false;
    loop {
        tokio::select! {
            _ = looks.tick() => {
                lines.print(output)?;
                if ended {
                    return Ok(Code::Fine);
                }
                // Once more after that: the last lines may be on their way.
                ended = reader.run(id)?.end.is_some();
            }
            () = interrupts.next() => return Ok(Code::Interrupted),
        }
    }
}

/// The lines of a run, as far as they were not printed.
struct Unprinted<'a> {
    reader: &'a StoreReader,
    run: &'a StoredRun,
    filter: LogFilter,
    /// Whether there were any.
    any: bool,
}

impl Unprinted<'_> {
    fn print(&mut self, output: &mut Output<'_>) -> Result<(), Problem> {
        loop {
            let page = self.reader.logs(self.run, &self.filter)?;
            let Some(last) = page.last() else { return Ok(()) };
            self.filter.after = Some(last.number);
            self.any = true;
            for stored in &page {
                if output.json {
                    output.json(&LineView::of(stored));
                } else {
                    print(&stored.line, output);
                }
            }
        }
    }
}

/// `2026-11-21 10:02:11 INFO  nightly/load#1 shop: late order=17`
fn print(line: &LogLine, output: &mut Output<'_>) {
    let (style, level) = match line.level {
        LogLevel::Error => (Style::Bad, "ERROR"),
        LogLevel::Warn => (Style::Busy, "WARN "),
        LogLevel::Info => (Style::Good, "INFO "),
        LogLevel::Debug => (Style::Dim, "DEBUG"),
        LogLevel::Trace => (Style::Dim, "TRACE"),
    };
    let undo = if line.undo { " undo" } else { "" };
    let text = redacted(&line.text);
    let mut rows = text.lines();
    let told = Line::new().text(format_args!("{} ", local(line.at))).styled(style, level).text(" ");
    let told = told.styled(Style::Dim, format_args!("{}#{}{undo}", line.path, line.attempt));
    output.line(told.text(" ").text(rows.next().unwrap_or_default()));
    // The rest of a line that has several.
    rows.for_each(|row| output.line(format!("    {row}")));
}
