//! Steps that are suspected to end their process: what people are told of them
//! before anything else.

use super::line::Line;
use super::output::Output;
use super::program::Program;
use super::short::{count, local};
use super::style::Style;
use crate::history::{History, StepStory};
use crate::run::StepState;
use crate::store::StoredRun;

/// The suspected steps of a run.
fn suspected(history: &History) -> impl Iterator<Item = &StepStory> {
    history.steps.iter().filter(|step| step.state == StepState::Suspected)
}

/// Says of each which it is, when it was lost and in which process, and what to
/// do.
pub(super) fn tell(program: &Program, run: &StoredRun, history: &History, output: &mut Output<'_>) {
    for step in suspected(history) {
        output.line(Line::new().styled(Style::Bad, "suspected").text(format_args!(
            ": `{}` of run {} may be what ends the process: it was lost {} in a row",
            step.path,
            run.id,
            count(usize::from(step.losses), "time")
        )));
        for attempt in step.lost() {
            let process = attempt.process.map(|process| format!(" in process {process}")).unwrap_or_default();
            let found = attempt.ended_at.map(|at| format!(", found lost at {}", local(at)));
            let line =
                format!("  began at {}{process}{}", local(attempt.started_at), found.unwrap_or_default());
            output.line(Line::new().styled(Style::Dim, line));
        }
        let command = |words: &[&str]| program.command(words);
        let (id, path) = (run.id.as_str(), step.path.as_str());
        output.line(format!(" help: to try it again: `{}`", command(&["retry", id, "--step", path])));
        output.line(format!(" help: to settle it: `{}`", command(&["set", id, path, "VALUE"])));
        output.line(format!(" help: to stop the run: `{}`", command(&["cancel", id])));
    }
}
