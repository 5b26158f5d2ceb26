//! `show`: the story of a run.

use std::collections::HashMap;

use clap::ArgMatches;

use super::{ls, text};
use crate::app::line::{Line, cut, plain};
use crate::app::outlook::{Looker, is_doubtful, lines};
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::reader::StoreReader;
use crate::app::short::{local, now, short};
use crate::app::story::{self, Story};
use crate::app::style::Style;
use crate::app::suspected;
use crate::app::tree::{Fold, rows};
use crate::app::trouble;
use crate::engine::Outlook;
use crate::history::{AttemptKind, AttemptStory, History, Outcome, StepStory};
use crate::inspect::view::{RunView, Told, params, readable, value, wish};
use crate::lookup::find_signal;
use crate::run::RunState;
use crate::store::{StoredRequest, StoredRun};
use crate::view::RunSnapshot;

/// How many of the operators' wishes are told.
const REQUESTS: usize = 100;

/// Explains a run.
pub(super) async fn show(
    program: &Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let reader = program.reader()?;
    let run = reader.open_run(reader.find(text(matches, "run"))?)?;
    let all = matches.get_flag("all");
    // Where every step is shown, none is only counted.
    let Story { snapshot, history, .. } =
        story::read(&program.workflows, &reader, &run, !all && !output.json)?;
    let lost = reader.store.lost(run.run)?;
    let outlook = outlook(program, &run).await?;
    // The oldest first, like everything else that happened.
    let mut requests = reader.requests(&run.id, REQUESTS)?;
    requests.reverse();
    if output.json {
        let told = Told {
            run: &run,
            snapshot: &snapshot,
            history: history.as_ref().ok(),
            outlook: outlook.as_ref(),
            requests: &requests,
            lost: &lost,
        };
        output.json(&RunView::of(&program.workflows, &told));
        return Ok(Code::Fine);
    }
    if let Ok(history) = &history {
        suspected::tell(program, &run, history, output);
    }
    header(program, &run, &snapshot, output);
    let fold = if all { Fold::Nothing } else { Fold::Done };
    let rows = rows(&snapshot.steps, now(), fold);
    if !rows.is_empty() {
        output.line("");
    }
    let stories = history.as_ref().map_or(&[][..], |history| &history.steps);
    let stories: HashMap<&str, &StepStory> = stories.iter().map(|story| (&*story.path, story)).collect();
    for row in &rows {
        output.line(row.line(output.paint, 0));
        let step = stories.get(&*row.path);
        for attempt in
            step.map(|step| &*step.attempts).filter(|attempts| is_told(attempts)).unwrap_or_default()
        {
            let line = format!("{}  {}", "  ".repeat(row.depth), told(attempt));
            output.line(Line::new().styled(Style::Dim, line));
        }
    }
    match &history {
        Ok(history) => {
            not_undone(history, output);
            lives(history, output);
        }
        Err(reason) => output.say(format!("its steps cannot be told: {reason}")),
    }
    if !requests.is_empty() {
        output.line("");
        requests.iter().for_each(|request| output.line(asked(request, &run)));
    }
    if !lost.is_empty() {
        output.line("");
    }
    for lost in &lost {
        output.line(output.paint.text(Style::Bad, &format!("lost: {}", plain(&lost.to_string()))));
    }
    // What is told may be behind what has happened, whichever run it is.
    if let Some(notice) = reader.notice()?.filter(|_| run.end.is_none()) {
        output.line("");
        trouble::lines(&notice).into_iter().for_each(|line| output.line(line));
    }
    if run.end.is_none() {
        awaited(program, &run, &snapshot, output);
    }
    ending(program, &reader, &run, outlook.as_ref(), output)
}

/// Whether a step's attempts have lines of their own: a single one is what the
/// line of the step is about.
fn is_told(attempts: &[AttemptStory]) -> bool {
    attempts.len() > 1 || attempts.iter().any(|attempt| attempt.left_behind)
}

/// `attempt 2 at 2026-11-21 10:02:11: error after 12 ms: no route`
fn told(attempt: &AttemptStory) -> String {
    let what = match attempt.kind {
        AttemptKind::Undo => "undo",
        AttemptKind::Reconcile => "reconciliation",
        _ => "attempt",
    };
    let outcome = name(&attempt.outcome);
    let took = attempt.ended_at.map(|ended| format!(" after {}", short(ended.since(attempt.started_at))));
    let left = if attempt.left_behind && attempt.failure.is_none() { ", its code went on" } else { "" };
    let why = attempt.failure.as_ref().map(|failure| format!(": {failure}"));
    // Of what went with its process, which one it was.
    let lost = attempt.process.filter(|_| attempt.outcome == Outcome::Lost);
    let process = lost.map(|process| format!(" with process {process}"));
    format!(
        "{what} {} at {}: {outcome}{}{}{left}{}",
        attempt.number,
        local(attempt.started_at),
        process.unwrap_or_default(),
        took.unwrap_or_default(),
        why.unwrap_or_default()
    )
}

/// What has a name in JSON, by that name.
fn name(named: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(named).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}

/// What the run has done, and neither uses nor has undone.
fn not_undone(history: &History, output: &mut Output<'_>) {
    if !history.not_undone.is_empty() {
        output.line("");
    }
    for step in &history.not_undone {
        output.line(Line::new().styled(Style::Bad, "not undone").text(": ").text(step));
    }
}

/// When and why the run was taken up again.
fn lives(history: &History, output: &mut Output<'_>) {
    let again: Vec<_> = history.lives.iter().filter_map(|life| Some((life, life.why?))).collect();
    if !again.is_empty() {
        output.line("");
    }
    for (life, why) in again {
        output.line(format!("{} taken up again: {}", local(life.at), name(&why)));
    }
}

fn header(program: &Program, run: &StoredRun, snapshot: &RunSnapshot, output: &mut Output<'_>) {
    output.line(Line::new().styled(Style::Strong, &run.workflow).text(" ").text(&run.id));
    let mut state = Line::new().styled(ls::style(run.state), snapshot.state);
    if snapshot.stopped.is_some() {
        state = state.styled(Style::Bad, ", stopped for now");
    }
    let mut tell = |name: &str, line: Line| {
        output.line(Line::new().styled(Style::Dim, format_args!("{name:9}")).text(" ").then(line));
    };
    tell("state", state);
    let mut fact = |name: &str, text: String| tell(name, Line::from(text));
    fact("started", local(run.created_at));
    if let Some(end) = &run.end {
        fact("ended", format!("{} after {}", local(end.at), short(end.at.since(run.created_at))));
    }
    if let Some(key) = &run.key {
        fact("key", key.clone());
    }
    if let Some(parent) = &run.parent {
        let made_by = match &*parent.how {
            "backfill" => format!("backfill, {} at a time", parent.id),
            how => format!("{how} of {}", parent.id),
        };
        fact("made by", made_by);
    }
    for (name, value) in params(&program.workflows, run) {
        fact("with", format!("{name}={}", cut(&plain(&value.to_string()), SHOWN)));
    }
}

/// How long a value may be where it is one of several, in columns.
const SHOWN: usize = 200;

/// `2026-11-21 10:02:11 ada: signal review "approved" (looks fine): done`
fn asked(request: &StoredRequest, run: &StoredRun) -> String {
    let asked = &request.request;
    let why = asked.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let became = match &request.answer {
        None => "not seen to yet".to_owned(),
        Some(answer) => match &answer.result {
            Ok(id) if *id == run.id => "done".to_owned(),
            Ok(id) => format!("made {id}"),
            Err(refused) => format!("refused: {refused}"),
        },
    };
    format!("{} {}: {}{why}: {became}", local(asked.at), asked.actor, wish(&asked.operation))
}

/// How what the run waits for is sent.
fn awaited(program: &Program, run: &StoredRun, snapshot: &RunSnapshot, output: &mut Output<'_>) {
    let awaited: Vec<_> =
        snapshot.steps.iter().filter_map(|step| Some((&*step.path, step.awaits.as_ref()?))).collect();
    let graph = program.workflows.iter().find(|graph| graph.name == run.workflow);
    for (path, signal) in awaited.iter().take(LISTED) {
        let known = graph.and_then(|graph| find_signal(graph, &signal.name));
        let value = known.map_or("VALUE", |known| (known.codec.type_name)());
        let is_one_of_several = awaited.iter().filter(|(_, other)| *other == *signal).count() > 1;
        let mut words = vec!["signal", &*run.id, &*signal.name];
        match &signal.key {
            _ if is_one_of_several => words.extend(["--step", path]),
            Some(key) => words.extend(["--key", &**key]),
            None => {}
        }
        // Not a word for the shell: it stands for what is typed there.
        let command = program.command(&words);
        output.say(format!("to send {signal}: `{command} <{value}>`"));
    }
    if awaited.len() > LISTED {
        output.say(format!("and {} more wait for a signal", awaited.len() - LISTED));
    }
}

/// How many waits are told how to end.
const LISTED: usize = 3;

/// What is at the end of the story, and what can be done.
fn ending(
    program: &Program,
    reader: &StoreReader,
    run: &StoredRun,
    outlook: Option<&Outlook>,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let hint = |what: &str, command: &str| format!("{what}: `{}`", program.command(&[command, &run.id]));
    match &run.end {
        Some(end) => {
            if let Some(text) = end.result.as_ref().and_then(|result| readable(&value(&result.bytes))) {
                output.line("");
                output.lines(&text);
            }
            if let Some(error) = &end.error {
                output.line("");
                output.line(Line::new().styled(Style::Bad, "error").text(": ").text(error));
            }
            if end.state != RunState::Succeeded {
                output.say(hint("to go on from where it ended", "retry"));
            }
        }
        None if outlook.is_some_and(|outlook| matches!(outlook, Outlook::Blocked { .. })) => {
            blocked(program, run, outlook, output);
        }
        None if run.state == RunState::Blocked => {
            output.say("another program could not go on with it, and this one can");
            output.say(hint("to go on", "resume"));
        }
        None if run.state == RunState::Paused => output.say(hint("to go on", "resume")),
        None if reader.owner()?.is_none() => output.say(hint("nobody works on it; to go on", "resume")),
        None => {}
    }
    Ok(Code::Fine)
}

/// What this program would do with the run, where that is not plain.
async fn outlook(program: &Program, run: &StoredRun) -> Result<Option<Outlook>, Problem> {
    if !is_doubtful(&program.workflows, run) {
        return Ok(None);
    }
    let looker = Looker::of(&program.workflows, || program.reader()).await?;
    let outlook = looker.outlook(run).await?;
    looker.end().await;
    Ok(Some(outlook))
}

/// Why the run does not go on, and what can be done: the same that `check`
/// says.
fn blocked(program: &Program, run: &StoredRun, outlook: Option<&Outlook>, output: &mut Output<'_>) {
    let by = match run.state {
        RunState::Blocked => "it is blocked:",
        _ => "this program would not go on with it:",
    };
    output.line("");
    output.line(by);
    let lines = outlook.map(lines).unwrap_or_default();
    lines.iter().for_each(|line| output.line(format!("  {line}")));
    let Some(Outlook::Blocked { adoption: Some(adoption), .. }) = outlook else { return };
    if adoption.refusals.is_empty() {
        let adopt = program.command(&["adopt", &run.id]);
        output.say(format!("to go on under this program's code: `{adopt}`"));
    }
}
