//! `watch`: a run that another process works on, by reading its store.

use std::time::Duration;

use clap::ArgMatches;

use super::ending::{self, Ending};
use super::text;
use crate::app::interrupt::Interrupts;
use crate::app::news::Reporter;
use crate::app::operator;
use crate::app::output::Output;
use crate::app::problem::{Code, Problem};
use crate::app::program::{Duty, Program};
use crate::app::reader::StoreReader;
use crate::app::screen::Screen;
use crate::app::short::now;
use crate::app::story;
use crate::app::trouble;
use crate::engine::Engine;
use crate::run::RunState;
use crate::store::StoredRun;

/// How often the store is read. Each time is one transaction that keeps no
/// process waiting.
const LOOK: Duration = Duration::from_millis(200);

/// Shows a run until it ends.
pub(super) async fn watch(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let run = program.reader()?.find(text(matches, "run"))?;
    match show(program, &run.id, None, output).await? {
        EndOfWatch::Ended(run) => told(program, *run, RunState::Succeeded, output),
        EndOfWatch::Enough | EndOfWatch::Left(..) => {
            let help = format!("`{}` shows it again", program.command(&["watch", &run.id]));
            Err(Problem::new(Code::Interrupted, "the run goes on, unseen").help(help))
        }
    }
}

/// What became of a run that was to be shown until it ends.
pub(super) enum Watched {
    /// It has ended, and that was told.
    Told(Code),
    /// No other process works on it any more, and this process owns the store
    /// now.
    Left {
        /// What can go on with it.
        engine: Engine,
        /// Heard since before it was taken.
        interrupts: Interrupts,
    },
}

/// Shows a run that another process works on, until it ends or that process
/// does. A run that is cancelled is fine where that is `wanted`.
pub(super) async fn until_end(
    program: &mut Program,
    id: &str,
    owner: Option<u32>,
    wanted: RunState,
    output: &mut Output<'_>,
) -> Result<Watched, Problem> {
    match show(program, id, Some(owner), output).await? {
        EndOfWatch::Ended(run) => told(program, *run, wanted, output).map(Watched::Told),
        EndOfWatch::Left(engine, interrupts) => Ok(Watched::Left { engine, interrupts }),
        EndOfWatch::Enough => {
            let help = format!("`{}` shows it again", program.command(&["watch", id]));
            Err(Problem::new(Code::Interrupted, "the run goes on, unseen").help(help))
        }
    }
}

fn told(
    program: &Program,
    run: StoredRun,
    wanted: RunState,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let run = program.reader()?.open_run(run)?;
    ending::tell(program, &Ending::of_stored(&run), wanted, output)
}

/// What there was to see of a run.
enum EndOfWatch {
    Ended(Box<StoredRun>),
    /// Its process has gone, and this one has taken the store.
    Left(Engine, Interrupts),
    /// The user has seen enough.
    Enough,
}

/// Shows it. A command that has `asked` a process for it sees to it that it
/// goes on when that one has gone.
async fn show(
    program: &mut Program,
    id: &str,
    asked: Option<Option<u32>>,
    output: &mut Output<'_>,
) -> Result<EndOfWatch, Problem> {
    let reader = program.reader()?;
    let run = reader.run(id)?;
    output.say(format!("run {id} of {}", run.workflow));
    if asked.is_none() && run.end.is_none() && !reader.is_owned()? {
        output.say(format!("nobody works on it; `{}` does", program.command(&["work"])));
    }
    let live = output.live;
    let mut notes = output.notes();
    let mut screen = Screen::of(&mut notes, live);
    follow(program, &reader, id, asked, &mut screen).await
}

/// Shows what happens until the run ends, or the user has seen enough.
async fn follow(
    program: &mut Program,
    reader: &StoreReader,
    id: &str,
    mut asked: Option<Option<u32>>,
    screen: &mut Screen<'_>,
) -> Result<EndOfWatch, Problem> {
    let mut interrupts = Interrupts::new();
    let mut reporter = Reporter::default();
    let mut stopped = false;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {
                // Asked first: what its process has done by then is seen below.
                let (owner, seen) = (reader.owner()?, now());
                let run = reader.run(id)?;
                let snapshot = story::read(&program.workflows, reader, &run, false)?.snapshot;
                reporter.compare(&snapshot).iter().for_each(|news| screen.tell(news));
                if std::mem::replace(&mut stopped, snapshot.stopped.is_some()) != snapshot.stopped.is_some() {
                    screen.say(trouble::change(snapshot.stopped.as_deref()));
                }
                if run.end.is_some() {
                    screen.end(&snapshot, now());
                    return Ok(EndOfWatch::Ended(Box::new(run)));
                }
                screen.draw(&snapshot, now());
                match (&mut asked, owner) {
                    (None, _) => {}
                    (Some(asked), Some(owner)) => {
                        // Another process has the store, and not this run. One
                        // that is paused is to stay so.
                        if *asked != owner.pid && snapshot.state != RunState::Paused {
                            operator::take_up(reader, id)?;
                            *asked = owner.pid;
                        }
                    }
                    (Some(_), None) => {
                        if let Some(engine) = program.engine(Duty::OneRun).await? {
                            program.since = seen;
                            return Ok(EndOfWatch::Left(engine, interrupts));
                        }
                    }
                }
            }
            () = interrupts.next() => return Ok(EndOfWatch::Enough),
        }
    }
}
