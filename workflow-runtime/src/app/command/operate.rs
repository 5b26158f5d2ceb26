//! The commands that change a run.

use clap::ArgMatches;
use serde_json::json;

use super::run::show_done;
use super::text;
use crate::app::line::plain;
use crate::app::operator::{self, Done};
use crate::app::outlook::Looker;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::{Duty, Program};
use crate::inspect::view;
use crate::inspect::wishes::Wish;
use crate::operation::ExactOperation;
use crate::run::RunState;
use crate::store::StoredRun;

/// Does one of them.
pub(super) async fn operate(
    program: &mut Program,
    name: &str,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let run = program.reader()?.find(text(matches, "run"))?;
    let operation = operation(program, name, matches, &run)?;
    let dry_run =
        matches.try_get_one::<bool>("dry-run").is_ok_and(|dry_run| dry_run.copied().unwrap_or(false));
    if (name == "adopt" || dry_run) && foretell(program, &run, &operation, dry_run, output).await? {
        return Ok(Code::Fine);
    }
    // Makes a run go on, so that there is something to see.
    let shows = matches!(name, "cancel" | "resume" | "retry" | "rerun" | "fork" | "adopt");
    let shows = shows && !matches.get_flag("detach");
    // What was interrupted and not paused has only to be taken up.
    let resumes =
        matches!(operation, ExactOperation::Resume) && run.state != RunState::Paused && run.end.is_none();
    let operation = Some(operation).filter(|_| !resumes);
    let wanted = if name == "cancel" { RunState::Cancelled } else { RunState::Succeeded };
    let by = operator::by(matches);
    let duty = if shows { Duty::OneRun } else { Duty::Note };
    let done = operator::operate(program, &run.id, operation, by, duty).await?;
    if shows {
        return show_done(program, done, wanted, output).await;
    }
    match done {
        Done::Here { engine, id, .. } => {
            operator::leave(&engine).await;
            told(name, &id, output);
            // What it needed may have been all that was left to do.
            if name != "pause" && program.reader()?.run(&id)?.end.is_none() {
                output.say(format!("`{}` goes on with it", program.command(&["work"])));
            }
        }
        Done::There { id, .. } => told(name, &id, output),
    }
    Ok(Code::Fine)
}

/// Says what is kept, what runs and what is undone before it is done. Whether
/// that is all: nothing is to be done, then.
async fn foretell(
    program: &Program,
    run: &StoredRun,
    operation: &ExactOperation,
    dry_run: bool,
    output: &mut Output<'_>,
) -> Result<bool, Problem> {
    let looker = Looker::of(&program.workflows, || program.reader()).await?;
    let preview = looker.preview(run, operation).await;
    looker.end().await;
    let preview = match preview {
        // What is done says so itself.
        Err(problem) => return if dry_run { Err(problem) } else { Ok(false) },
        Ok(preview) => preview,
    };
    let mut lines: Vec<String> = preview.steps.iter().map(ToString::to_string).collect();
    let twice: Vec<_> = preview.twice().map(|step| format!("`{}`", step.path)).collect();
    if !twice.is_empty() {
        lines.push(format!("done a second time: {}", twice.join(", ")));
    }
    match (dry_run, output.json) {
        (true, true) => output.json(&json!(view::PreviewView::of(&run.id, &preview))),
        (true, false) => lines.iter().for_each(|line| output.line(line)),
        (false, true) => {}
        (false, false) => lines.iter().for_each(|line| output.say(line)),
    }
    if !preview.refusals.is_empty() {
        let reasons: Vec<_> = preview.refusals.iter().map(|refusal| plain(&refusal.reason)).collect();
        let message = format!("run {} cannot be adopted: {}", run.id, reasons.join("; "));
        return Err(Problem::new(Code::Refused, message));
    }
    Ok(dry_run)
}

fn told(name: &str, id: &str, output: &mut Output<'_>) {
    if output.json {
        output.json(&json!({ "id": id, "operation": name }));
    } else {
        output.line(id);
    }
}

/// What is wanted, as data.
fn operation(
    program: &Program,
    name: &str,
    matches: &ArgMatches,
    run: &StoredRun,
) -> Result<ExactOperation, Problem> {
    let given = |name: &str| matches.try_get_one::<String>(name).ok().flatten().map(String::as_str);
    let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().is_some_and(|flag| *flag);
    let again = matches.try_get_many::<String>("again").ok().flatten().unwrap_or_default();
    let wish = Wish {
        name: if name == "set" && flag("undone") { "undone" } else { name },
        step: given(if name == "fork" { "from" } else { "step" }),
        signal: given("name").unwrap_or_default(),
        key: given("key"),
        value: given("value").unwrap_or_default(),
        again: again.map(String::as_str).collect(),
        even_if_done: flag("even-if-done"),
    };
    wish.operation(&program.workflows, run)
}
