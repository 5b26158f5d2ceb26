//! `check`: what this program would do with every unfinished run of a store,
//! asked before it is deployed.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::app::line::Line;
use crate::app::outlook::{Looker, lines};
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::Program;
use crate::app::short::count;
use crate::app::style::Style;
use crate::engine::Outlook;
use crate::store::StoredRun;

/// How many runs are read at a time.
const PAGE: usize = 200;

/// Says what would become of every unfinished run. Exits with 4 when one would
/// be blocked.
pub(super) async fn check(program: &Program, output: &mut Output<'_>) -> Result<Code, Problem> {
    let reader = program.reader()?;
    let looker = Looker::of(&program.workflows, || program.reader()).await?;
    let (mut runs, mut blocked) = (0, 0);
    let mut alike = Alike::new();
    let mut after = None;
    loop {
        let page = reader.store.unfinished(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(last.run);
        for run in page {
            runs += 1;
            let outlook = looker.outlook(&run).await?;
            blocked += usize::from(matches!(outlook, Outlook::Blocked { .. }));
            let found = Forecast::of(&outlook);
            if output.json {
                output.json(&document(&run, &outlook));
            } else {
                alike.entry((found, run.workflow)).or_default().push(run.id);
            }
        }
    }
    looker.end().await;
    for ((found, workflow), ids) in alike {
        tell(&found, &workflow, &ids, output);
    }
    output.say(format!("{} unfinished, {blocked} would be blocked", count(runs, "run")));
    if blocked == 0 {
        return Ok(Code::Fine);
    }
    output.say("the program that started them can finish them; what else can be done stands with each");
    Ok(Code::Refused)
}

/// The runs of which the same is to be said: thousands wait, and few differ.
type Alike = BTreeMap<(Forecast, String), Vec<String>>;

/// What was found out about a run. In order: what is to be looked at comes
/// last, where it is seen.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Forecast {
    fate: Prospect,
    lines: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Prospect {
    GoesOn,
    Changes,
    Blocked,
}

impl Forecast {
    fn of(outlook: &Outlook) -> Self {
        let fate = match outlook {
            Outlook::GoesOn => Prospect::GoesOn,
            Outlook::Changes(_) => Prospect::Changes,
            Outlook::Blocked { .. } => Prospect::Blocked,
        };
        Self { fate, lines: lines(outlook) }
    }
}

fn document(run: &StoredRun, outlook: &Outlook) -> Json {
    let (name, changes, reason, adoption) = match outlook {
        Outlook::GoesOn => ("goes_on", None, None, None),
        Outlook::Changes(changes) => ("changes", Some(changes), None, None),
        Outlook::Blocked { reason, changes, adoption } => {
            ("blocked", changes.as_ref(), Some(reason), adoption.as_ref())
        }
    };
    let changes: Vec<String> = changes
        .iter()
        .flat_map(|changes| changes.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    json!({
        "id": run.id,
        "workflow": run.workflow,
        "outlook": name,
        "reason": reason,
        "changes": changes,
        "adopt": adoption.map(crate::app::outlook::json),
    })
}

/// A line for each run, and below them, once, what is to be said of them: a
/// line for each change, and for each part of a reason.
fn tell(found: &Forecast, workflow: &str, ids: &[String], output: &mut Output<'_>) {
    let (words, style) = match found.fate {
        Prospect::GoesOn => ("goes on", Style::Good),
        Prospect::Changes => ("goes on under the new graph", Style::Good),
        Prospect::Blocked => ("blocked", Style::Bad),
    };
    for id in ids {
        output.line(Line::new().text(format_args!("{id} {workflow} ")).styled(style, words));
    }
    for line in &found.lines {
        output.line(format!("  {line}"));
    }
}
