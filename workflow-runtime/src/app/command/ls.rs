//! `ls`: the runs of a store.

use clap::ArgMatches;
use serde_json::{Value as Json, json};

use super::super::ids::Runs;
use super::super::output::Output;
use super::super::problem::{Code, Problem};
use super::super::program::Program;
use super::super::short::{count, local, now, short, utc};
use super::super::style::{Style, plain};
use super::super::suggest::similar;
use crate::run::RunState;
use crate::store::{RunFilter, StoredRun};

/// Lists runs, the newest first, but for those with steps that are suspected to
/// end the process: they wait for an operator, and come before all others.
pub(super) fn ls(program: &Program, matches: &ArgMatches, output: &mut Output<'_>) -> Result<Code, Problem> {
    let states = matches.get_many::<String>("state").unwrap_or_default();
    let filter = RunFilter {
        workflow: matches.get_one::<String>("workflow").cloned(),
        states: states.map(|name| state(name)).collect::<Result<_, _>>()?,
        at_most: matches.get_one::<usize>("limit").copied().unwrap_or(20),
        ..RunFilter::default()
    };
    let reader = program.reader()?;
    let mut runs = reader.list(&RunFilter { suspected: true, ..filter.clone() })?;
    let suspected = runs.len();
    runs.extend(reader.list(&filter)?.into_iter().filter(|run| run.suspected == 0));
    runs.truncate(filter.at_most.max(suspected));
    if output.json {
        runs.iter().for_each(|run| output.json(&json(run)));
        return Ok(Code::Fine);
    }
    let width = |of: fn(&StoredRun) -> usize| runs.iter().map(of).max().unwrap_or_default();
    let workflows = width(|run| run.workflow.chars().count());
    let states = width(|run| run.state.to_string().len());
    for run in &runs {
        let padded = format!("{:states$}", run.state.to_string());
        let shown = output.paint.text(style(run.state), &padded);
        let about = about(run).map(|about| format!("  {}", output.paint.text(Style::Dim, &about)));
        output.line(&format!(
            "{}  {:workflows$}  {shown}  {}{}",
            run.id,
            plain(&run.workflow),
            local(run.created_at),
            about.unwrap_or_default()
        ));
    }
    if let Some(run) = runs.iter().find(|run| run.suspected > 0) {
        let show = program.command(&["show", &run.id]);
        output.say(&format!(
            "what is suspected waits for an operator; when it was lost, and what to do: `{show}`"
        ));
    }
    if let Some(blocked) = runs.iter().find(|run| run.state == RunState::Blocked) {
        let show = program.command(&["show", &blocked.id]);
        output.say(&format!("why a run is blocked, and what can be done: `{show}`"));
    }
    if runs.is_empty() {
        output.say("no runs");
    } else if runs.len() == filter.at_most {
        output.say(&format!("these are the newest {}; `--limit` shows more", runs.len()));
    }
    Ok(Code::Fine)
}

/// What else there is to say of a run, in short.
fn about(run: &StoredRun) -> Option<String> {
    let mut parts = Vec::new();
    if run.suspected > 0 {
        parts.push(format!("suspected: {}", count(run.suspected as usize, "step")));
    }
    match &run.end {
        Some(end) => parts.push(short(end.at.since(run.created_at))),
        None => parts.push(format!("for {}", short(now().since(run.created_at)))),
    }
    parts.extend(run.key.as_ref().map(|key| format!("key {}", plain(key))));
    let error = run.end.as_ref().and_then(|end| end.error.as_ref());
    parts.extend(error.map(|error| plain(&error.to_string())));
    Some(parts.join(", "))
}

pub(super) fn style(state: RunState) -> Style {
    match state {
        RunState::Succeeded => Style::Good,
        RunState::Failed | RunState::Blocked => Style::Bad,
        RunState::Cancelled => Style::Dim,
        _ => Style::Busy,
    }
}

/// A run as programs read it.
pub(super) fn json(run: &StoredRun) -> Json {
    let end = run.end.as_ref();
    json!({
        "id": run.id,
        "workflow": run.workflow,
        "key": run.key,
        "state": run.state,
        "suspected": run.suspected,
        "created_at": utc(run.created_at),
        "ended_at": end.map(|end| utc(end.at)),
        "error": end.and_then(|end| end.error.as_ref()),
        "parent": run.parent.as_ref().map(|parent| json!({ "id": parent.id, "how": parent.how })),
    })
}

fn state(name: &str) -> Result<RunState, Problem> {
    if let Some(state) = RunState::ALL.into_iter().find(|state| state.to_string() == name) {
        return Ok(state);
    }
    let names: Vec<String> = RunState::ALL.iter().map(ToString::to_string).collect();
    let problem = Problem::usage(format!("`{}` is no state of a run", plain(name)));
    Err(match similar(name, names.iter().map(String::as_str)) {
        Some(similar) => problem.help(format!("a similar one is `{similar}`")),
        None => problem.help(format!("the states are {}", names.join(", "))),
    })
}
