//! `ls`: the runs of a store.

use clap::ArgMatches;

use crate::app::ids::Runs;
use crate::app::line::{Line, columns, cut, plain};
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::short::{count, local, now, short};
use crate::app::style::Style;
use crate::app::suggest::similar;
use crate::app::trouble;
use crate::inspect::view::RunRow;
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
    let notice = reader.notice()?;
    let stopped = |run: &StoredRun| trouble::stopped(notice.as_ref(), run);
    if output.json {
        for run in &runs {
            output.json(&RunRow::of(run, stopped(run)));
        }
        return Ok(Code::Fine);
    }
    let width = |of: fn(&StoredRun) -> usize| runs.iter().map(of).max().unwrap_or_default();
    let workflows = width(|run| columns(&workflow(run)));
    // A run that cannot go on for now is in none of the stored states.
    let shown = |run: &StoredRun| match stopped(run) {
        Some(_) => ("stopped".to_owned(), Style::Bad),
        None => (run.state.to_string(), style(run.state)),
    };
    let states = runs.iter().map(|run| shown(run).0.len()).max().unwrap_or_default();
    for run in &runs {
        let workflow = workflow(run);
        let (state, style) = shown(run);
        let gap = " ".repeat(workflows - columns(&workflow));
        let line = Line::new().text(format_args!("{}  {workflow}{gap}  ", run.id));
        let line = line.styled(style, format_args!("{state:states$}"));
        let line = line.text(format_args!("  {}  ", local(run.created_at)));
        output.line(line.styled(Style::Dim, about(run)));
    }
    if let Some(run) = runs.iter().find(|run| run.suspected > 0) {
        let show = program.command(&["show", &run.id]);
        output.say(format!(
            "what is suspected waits for an operator; when it was lost, and what to do: `{show}`"
        ));
    }
    if let Some(blocked) = runs.iter().find(|run| run.state == RunState::Blocked) {
        let show = program.command(&["show", &blocked.id]);
        output.say(format!("why a run is blocked, and what can be done: `{show}`"));
    }
    if let Some(notice) = &notice {
        trouble::lines(notice).into_iter().for_each(|line| output.say(line));
    }
    if runs.is_empty() {
        output.say("no runs");
    } else if runs.len() == filter.at_most {
        output.say(format!("these are the newest {}; `--limit` shows more", runs.len()));
    }
    Ok(Code::Fine)
}

/// How much of a workflow's name, of a key and of an error fits into a line
/// among others, in columns. `show` has all of it.
const WORKFLOW: usize = 40;
const KEY: usize = 40;
const ERROR: usize = 100;

fn workflow(run: &StoredRun) -> String {
    cut(&plain(&run.workflow), WORKFLOW).into_owned()
}

/// What else there is to say of a run, in short.
fn about(run: &StoredRun) -> String {
    let mut parts = Vec::new();
    if run.suspected > 0 {
        parts.push(format!("suspected: {}", count(run.suspected as usize, "step")));
    }
    match &run.end {
        Some(end) => parts.push(short(end.at.since(run.created_at))),
        None => parts.push(format!("for {}", short(now().since(run.created_at)))),
    }
    parts.extend(run.key.as_ref().map(|key| format!("key {}", cut(&plain(key), KEY))));
    let error = run.end.as_ref().and_then(|end| end.error.as_ref());
    parts.extend(error.map(|error| cut(&plain(&error.to_string()), ERROR).into_owned()));
    parts.join(", ")
}

pub(super) fn style(state: RunState) -> Style {
    match state {
        RunState::Succeeded => Style::Good,
        RunState::Failed | RunState::Blocked => Style::Bad,
        RunState::Cancelled => Style::Dim,
        _ => Style::Busy,
    }
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
