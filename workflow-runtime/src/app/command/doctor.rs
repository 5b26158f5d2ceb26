//! `doctor`: is the store as it should be?

use serde_json::json;

use crate::app::line::Line;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::reader::StoreReader;
use crate::app::short::count;
use crate::app::style::Style;
use crate::app::trouble;
use crate::doctor::{Clock, Finding, Problem as Kind, Report, examine_by};
use crate::store::{LogFilter, Notice, Owner, RunFilter, Sqlite, Store, StoreError};

/// How many runs are read at a time.
const PAGE: usize = 200;

/// Examines the store. Exits with 5 when something is wrong.
pub(super) fn doctor(program: &Program, output: &mut Output<'_>) -> Result<Code, Problem> {
    let reader = program.reader()?;
    let owner = reader.owner()?;
    let Examined { mut report, damage } = look(program, &reader, owner)?;
    report.findings.extend(unreadable(&reader)?);
    let unfinished = unfinished(&reader)?;
    let waiting = reader.store.open_requests()?.len();
    let notice = reader.notice()?;
    let healthy = notice.is_none() && report.is_healthy() && damage.as_ref().is_none_or(Vec::is_empty);
    if output.json {
        let mut document = serde_json::to_value(&report).unwrap_or_default();
        document["healthy"] = json!(healthy);
        document["damage"] = json!(damage);
        document["unfinished"] = json!(unfinished);
        document["requests"] = json!(waiting);
        document["trouble"] = json!(notice.as_ref().map(trouble::json));
        document["owner"] = json!(owner.map(|owner| json!({ "pid": owner.pid })));
        output.json(&document);
    } else {
        tell(&report, damage.as_deref(), notice.as_ref(), output);
    }
    let held = match owner {
        Some(Owner { pid: Some(pid) }) => format!("owned by process {pid}"),
        Some(Owner { pid: None }) => "owned by another process".to_owned(),
        None => "owned by nobody".to_owned(),
    };
    output.say(format!(
        "{}, {unfinished} unfinished; {} not seen to; {held}",
        count(report.runs, "run"),
        count(waiting, "request")
    ));
    if damage.is_none() {
        output.say(
            "the file itself was left out: that takes the store for itself; ask again when nobody owns it",
        );
    }
    if (unfinished > 0 || waiting > 0) && owner.is_none() {
        output.say(format!("nobody works on them; `{}` does", program.command(&["work"])));
    }
    Ok(if healthy { Code::Fine } else { Code::Store })
}

/// What was found.
struct Examined {
    report: Report,
    /// What is wrong with the file; none where it was not looked at.
    damage: Option<Vec<String>>,
}

/// Looks at the file too where this process may own it for a moment.
fn look(program: &Program, reader: &StoreReader, owner: Option<Owner>) -> Result<Examined, Problem> {
    if owner.is_none() {
        match Sqlite::open(&program.place.path) {
            Ok(store) => {
                let damage = store.check()?;
                let report = examine_by(&store, &program.workflows, Clock::System)?;
                store.close();
                return Ok(Examined { report, damage: Some(damage) });
            }
            // Another process was quicker.
            Err(StoreError::InUse { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Examined { report: examine_by(&reader.store, &program.workflows, Clock::System)?, damage: None })
}

/// The runs with values that the program's keys do not open.
fn unreadable(reader: &StoreReader) -> Result<Vec<Finding>, Problem> {
    let mut findings = Vec::new();
    for (run, error) in if reader.is_clear() { Vec::new() } else { reader.unreadable()? } {
        let run = run.and_then(|run| reader.numbered(run).ok());
        findings.push(Finding {
            workflow: run.as_ref().map(|run| run.workflow.clone()).unwrap_or_default(),
            run: run.map(|run| run.id),
            step: None,
            entry: None,
            problem: Kind::Value,
            what: error.to_string(),
        });
    }
    let mut before = None;
    loop {
        // Values in clear were looked at already.
        let filter = RunFilter { before, at_most: PAGE, ..RunFilter::default() };
        let page = if reader.is_clear() { Vec::new() } else { reader.store.list(&filter)? };
        let Some(last) = page.last() else { return Ok(findings) };
        before = Some(last.run);
        for run in page {
            let opened = reader.open_run(run.clone()).and_then(|_| reader.journal(&run));
            let opened = opened.and_then(|_| reader.logs(&run, &LogFilter::default()));
            // It is being removed.
            if opened.is_err() && reader.store.find(&run.id)?.is_empty() {
                continue;
            }
            findings.extend(opened.err().map(|error| Finding {
                run: Some(run.id),
                workflow: run.workflow,
                step: None,
                entry: None,
                problem: Kind::Value,
                what: error.to_string(),
            }));
        }
    }
}

fn unfinished(reader: &StoreReader) -> Result<usize, Problem> {
    let (mut unfinished, mut after) = (0, None);
    loop {
        let page = reader.store.unfinished(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(unfinished) };
        after = Some(last.run);
        unfinished += page.len();
    }
}

fn tell(report: &Report, damage: Option<&[String]>, notice: Option<&Notice>, output: &mut Output<'_>) {
    let mut found = |text: &str| {
        for (number, line) in text.lines().enumerate() {
            output.line(match number {
                0 => Line::new().styled(Style::Bad, line),
                _ => Line::from(line),
            });
        }
    };
    notice.iter().for_each(|notice| found(&trouble::lines(notice).join("\n")));
    report.suspected.iter().for_each(|step| found(&step.to_string()));
    damage.unwrap_or_default().iter().for_each(|damage| found(damage));
    report.findings.iter().for_each(|finding| found(&finding.to_string()));
    report.not_undone.iter().for_each(|step| output.line(step.to_string()));
    for run in &report.not_followed {
        output.line(run.to_string());
    }
    if notice.is_none() && report.is_healthy() && damage.is_none_or(<[String]>::is_empty) {
        output.line("nothing is wrong");
    }
}
