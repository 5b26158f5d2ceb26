//! `show`: the story of a run.

use std::collections::{BTreeMap, HashMap};

use clap::ArgMatches;
use serde_json::{Value as Json, json};

use super::ending::{readable, value};
use super::{ls, text};
use crate::app::line::{Line, cut, plain};
use crate::app::outlook::{Looker, is_doubtful, lines};
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::reader::StoreReader;
use crate::app::short::{local, now, short, utc};
use crate::app::story::{self, Story};
use crate::app::style::Style;
use crate::app::suspected;
use crate::app::tree::{Fold, rows};
use crate::app::trouble;
use crate::engine::Outlook;
use crate::exact::Exact;
use crate::history::{AttemptKind, AttemptStory, History, Life, Outcome, StepStory};
use crate::run::RunState;
use crate::secret::{redact_exact, redacted};
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
    let Story { snapshot, history } = story::read(program, &reader, &run, !all && !output.json)?;
    let lost = reader.store.lost(run.run)?;
    let outlook = outlook(program, &run).await?;
    // The oldest first, like everything else that happened.
    let mut requests = reader.requests(&run.id, REQUESTS)?;
    requests.reverse();
    if output.json {
        let told = (history.as_ref().ok(), outlook.as_ref());
        let mut document = document(program, &run, &snapshot, told, &requests);
        let lost: Json = lost.iter().map(ToString::to_string).collect();
        document.set("lost", Exact::from(&lost));
        output.json(&document);
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
        Ok(history) => lives(history, output),
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
    for (name, value) in params(program, run) {
        fact("with", format!("{name}={}", cut(&plain(&value.to_string()), SHOWN)));
    }
}

/// How long a value may be where it is one of several, in columns.
const SHOWN: usize = 200;

/// The parameters by name, or by number where this program has no such
/// workflow, or has it with others.
fn params(program: &Program, run: &StoredRun) -> BTreeMap<String, Exact> {
    let values = match value(&run.params) {
        Exact::List(values) => values,
        _ => Vec::new(),
    };
    let graph = program.workflows.iter().find(|graph| graph.name == run.workflow);
    let graph = graph.filter(|graph| graph.params.len() == values.len());
    let name = |number: usize| match graph {
        Some(graph) => graph.params[number].name.to_owned(),
        None => number.to_string(),
    };
    values.into_iter().enumerate().map(|(number, value)| (name(number), value)).collect()
}

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

/// An operation in a few words: `fork from nightly/report`.
fn wish(wanted: &str) -> String {
    match operation(wanted) {
        // What it is started with is told at the top.
        Some(Exact::Object(fields)) if fields.contains_key("start") => "start".to_owned(),
        Some(Exact::Object(fields)) => {
            let mut words = Vec::new();
            for (name, about) in fields {
                words.push(name);
                match about {
                    Exact::Object(about) => words.extend(
                        about.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
                            let text = value.as_str().unwrap_or_else(|| value.to_string());
                            format!("{name}={}", cut(&plain(&text), SHOWN))
                        }),
                    ),
                    other => words.extend(readable(&other)),
                }
            }
            words.join(" ")
        }
        Some(name) => name.as_str().unwrap_or_else(|| name.to_string()),
        None => redacted(wanted.as_bytes()),
    }
}

/// An operation without its secrets; nothing where it is no JSON.
fn operation(wanted: &str) -> Option<Exact> {
    let mut operation = Exact::parse(wanted).ok()?;
    redact_exact(&mut operation);
    Some(operation)
}

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
    if !is_doubtful(program, run) {
        return Ok(None);
    }
    let looker = Looker::of(program).await?;
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

fn document(
    program: &Program,
    run: &StoredRun,
    snapshot: &RunSnapshot,
    (history, outlook): (Option<&History>, Option<&Outlook>),
    requests: &[StoredRequest],
) -> Exact {
    let mut document = ls::json(run);
    let result = run.end.as_ref().and_then(|end| end.result.as_ref()).map(|result| value(&result.bytes));
    document["state"] = json!(snapshot.state);
    document["stopped"] = json!(snapshot.stopped);
    document["blocked"] = match outlook {
        Some(Outlook::Blocked { reason, .. }) => json!(reason),
        _ => Json::Null,
    };
    document["steps"] = match history {
        Some(history) => history.steps.iter().map(step).collect(),
        None => Json::Null,
    };
    document["suspected"] = history
        .map(|history| suspected::suspected(history).map(suspected::json).collect())
        .unwrap_or_default();
    document["lives"] = history.map(|history| history.lives.iter().map(life).collect()).unwrap_or_default();
    let mut document = Exact::from(&document);
    document.set("params", Exact::Object(params(program, run)));
    document.set("result", result.unwrap_or_else(Exact::null));
    document.set("requests", Exact::List(requests.iter().map(request).collect()));
    document
}

fn step(step: &StepStory) -> Json {
    json!({
        "path": step.path,
        "task": step.task,
        "kind": step.kind,
        "state": step.state,
        "since": utc(step.since),
        "started_at": step.started_at.map(utc),
        "ended_at": step.ended_at.map(utc),
        "failure": step.failure,
        "items": step.items,
        "next_attempt_at": step.next_attempt_at.map(utc),
        "losses": step.losses,
        "attempts": step.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(attempt: &AttemptStory) -> Json {
    json!({
        "kind": attempt.kind,
        "number": attempt.number,
        "started_at": utc(attempt.started_at),
        "ended_at": attempt.ended_at.map(utc),
        "outcome": attempt.outcome,
        "process": attempt.process,
        "failure": attempt.failure,
        "left_behind": attempt.left_behind,
    })
}

fn life(life: &Life) -> Json {
    json!({ "at": utc(life.at), "why": life.why, "by": life.by })
}

fn request(request: &StoredRequest) -> Exact {
    let asked = &request.request;
    let mut document = Exact::from(&json!({
        "at": utc(asked.at),
        "actor": asked.actor,
        "reason": asked.reason,
        "answered_at": request.answer.as_ref().map(|answer| utc(answer.at)),
        "made": request.answer.as_ref().and_then(|answer| answer.result.as_ref().ok()),
        "refused": request.answer.as_ref().and_then(|answer| answer.result.as_ref().err()),
    }));
    document.set("operation", operation(&asked.operation).unwrap_or_else(Exact::null));
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_a_few_words() {
        assert_eq!(wish(r#""cancel""#), "cancel");
        assert_eq!(
            wish(r#"{"signal":{"name":"review","value":"approved"}}"#),
            "signal name=review value=approved"
        );
        assert_eq!(wish(r#"{"retry":{"step":null}}"#), "retry");
        assert_eq!(wish(r#"{"set":{"step":"w/a","value":[1,2]}}"#), "set step=w/a value=[1,2]");
        assert_eq!(wish(r#"{"start":{"workflow":"w","params":{"a":1},"key":null}}"#), "start");
        assert_eq!(wish("not json"), "not json");
    }
}
