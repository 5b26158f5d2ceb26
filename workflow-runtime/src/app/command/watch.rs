//! `watch`: a run that another process works on, by reading its store.

use std::time::Duration;

use clap::ArgMatches;

use super::super::interrupt::Interrupts;
use super::super::news::Reporter;
use super::super::output::Output;
use super::super::problem::{Code, Problem};
use super::super::program::Program;
use super::super::reader::Reader;
use super::super::screen::Screen;
use super::super::short::now;
use super::super::story;
use super::ending::{self, Ending};
use super::text;
use crate::run::RunState;
use crate::store::StoredRun;
use crate::view::RunSnapshot;

/// How often the store is read. Each time is one transaction that keeps nobody
/// waiting.
const LOOK: Duration = Duration::from_millis(200);

/// Shows a run until it ends.
pub(super) async fn watch(
    program: &Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let run = program.reader()?.find(text(matches, "run"))?;
    watch_id(program, &run.id, RunState::Succeeded, output).await
}

/// The same by id. A run that is cancelled is fine where that is `wanted`.
pub(super) async fn watch_id(
    program: &Program,
    id: &str,
    wanted: RunState,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let reader = program.reader()?;
    let run = reader.run(id)?;
    output.say(format!("run {id} of {}", run.workflow));
    if run.end.is_none() && reader.owner()?.is_none() {
        output.say(format!("nobody works on it; `{}` does", program.command(&["work"])));
    }
    let live = output.live;
    let mut notes = output.notes();
    let mut screen = Screen::of(&mut notes, live);
    let followed = follow(program, &reader, id, &mut screen).await;
    let Some((run, snapshot)) = followed? else {
        let help = format!("`{}` shows it again", program.command(&["watch", id]));
        return Err(Problem::new(Code::Interrupted, "the run goes on, unseen").help(help));
    };
    screen.end(&snapshot, now());
    drop(screen);
    ending::tell(program, &Ending::of_stored(&reader.open_run(run)?), wanted, output)
}

/// Shows what happens until the run ends, or somebody has seen enough.
async fn follow(
    program: &Program,
    reader: &Reader,
    id: &str,
    screen: &mut Screen<'_>,
) -> Result<Option<(StoredRun, RunSnapshot)>, Problem> {
    let mut interrupts = Interrupts::new();
    let mut reporter = Reporter::default();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {
                let run = reader.run(id)?;
                let snapshot = story::read(program, reader, &run, false)?.snapshot;
                reporter.compare(&snapshot).iter().for_each(|news| screen.tell(news));
                if run.end.is_some() {
                    return Ok(Some((run, snapshot)));
                }
                screen.draw(&snapshot, now());
            }
            () = interrupts.next() => return Ok(None),
        }
    }
}
