//! `run` and `start`.

use std::io::stdin;
use std::process;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tokio::time::Instant;

use super::ending::{self, Ending};
use super::text;
use super::watch::Watched;
use crate::app::interrupt::Interrupts;
use crate::app::operator::{self, Creator, Done, Wish};
use crate::app::output::Output;
use crate::app::params;
use crate::app::problem::{Code, Problem};
use crate::app::program::{Duty, Program};
use crate::app::watch::{Followed, Follower};
use crate::engine::{AnyRun, Engine, Wanted};
use crate::run::RunState;

/// `run`: starts a run and shows it until it ends.
pub(super) async fn run(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let wanted = wanted(program, matches)?;
    let mut interrupts = Interrupts::new();
    let Some(engine) = program.engine(Duty::OneRun).await? else {
        let wish = Wish { run: None, operation: wanted.operation(), by: wanted.by };
        let done = operator::ask(program, wish, Duty::OneRun).await?;
        return show_done(program, done, RunState::Succeeded, output).await;
    };
    match engine.start_with(wanted).await {
        Ok(run) => show_until_end(program, &engine, run, RunState::Succeeded, &mut interrupts, output).await,
        Err(error) => {
            operator::leave(&engine).await;
            Err(error.into())
        }
    }
}

/// Shows the run of a wish that was seen to, until it ends.
pub(super) async fn show_done(
    program: &mut Program,
    done: Done,
    wanted: RunState,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let (engine, mut interrupts, id) = match done {
        Done::Here { engine, interrupts, id } => (engine, interrupts, id),
        Done::There { id, owner } => {
            match super::watch::until_end(program, &id, owner, wanted, output).await? {
                Watched::Told(code) => return Ok(code),
                // The process that had it has gone, and no other goes on.
                Watched::Left { engine, interrupts } => (engine, interrupts, id),
            }
        }
    };
    match engine.run(&id).await {
        Ok(run) => show_until_end(program, &engine, run, wanted, &mut interrupts, output).await,
        Err(error) => {
            operator::leave(&engine).await;
            Err(error.into())
        }
    }
}

/// `start`: creates a run and leaves it to the process that works on the store.
pub(super) async fn start(
    program: &mut Program,
    matches: &ArgMatches,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let wanted = wanted(program, matches)?;
    let workflow = wanted.graph.name;
    let mut creator = Creator::of(program).await?;
    let created = creator.create(program, wanted).await;
    let here = matches!(creator, Creator::Here(_));
    creator.end().await;
    started(&created?, workflow, output);
    if here {
        output.say(format!("`{}` goes on with it", program.command(&["work"])));
    }
    Ok(Code::Fine)
}

fn started(id: &str, workflow: &str, output: &mut Output<'_>) {
    if output.json {
        output.json(&json!({ "id": id, "workflow": workflow }));
    } else {
        output.line(id);
    }
}

fn wanted(program: &Program, matches: &ArgMatches) -> Result<Wanted, Problem> {
    let graph = program.graph(text(matches, "workflow"))?;
    let args: Vec<String> = matches.get_many::<String>("params").unwrap_or_default().cloned().collect();
    let params = params::read(graph, &args, &mut stdin().lock())?;
    let key = matches.get_one::<String>("key").cloned();
    Ok(params.wanted(graph, key, operator::by(matches)))
}

/// Shows a run of this process until it ends or the user stops it, and tells
/// its result. A run that is cancelled is fine where that is `wanted`.
/// Interrupts are heard from before the run began: one that came earlier would
/// end the process in the middle of an attempt.
pub(super) async fn show_until_end(
    program: &Program,
    engine: &Engine,
    run: AnyRun,
    wanted: RunState,
    interrupts: &mut Interrupts,
    output: &mut Output<'_>,
) -> Result<Code, Problem> {
    let id = run.id().to_owned();
    output.say(format!("run {id} of {}", run.workflow()));
    let live = output.live;
    let mut notes = output.notes();
    let mut follower = Follower::of(run.clone(), &mut notes, live, program.since);
    if follower.follow(interrupts).await == Followed::Interrupted {
        follower.screen.say("stopping: what runs is given time to end; ctrl-c again stops at once");
        stop(engine, interrupts).await;
        follower.leave();
        drop(follower);
        run.wait().await;
        return ending::tell(program, &Ending::of(&run), wanted, output);
    }
    drop(follower);
    run.wait().await;
    let told = ending::tell(program, &Ending::of(&run), wanted, output);
    hand_over(engine, interrupts, output).await;
    told
}

/// Lets go of the store. Runs that other commands have asked this process for
/// are given their time to end; what is left of them then is taken up by the
/// commands that show them.
async fn hand_over(engine: &Engine, interrupts: &mut Interrupts, output: &mut Output<'_>) {
    let (since, mut said) = (Instant::now(), false);
    let left = async {
        // Processes that ask meanwhile are answered.
        while engine.has_work(since) {
            if !std::mem::replace(&mut said, true) {
                output.say("what other commands have asked for ends here; ctrl-c does not wait for that");
            }
            tokio::time::sleep(LOOK).await;
        }
        engine.shutdown().await;
    };
    tokio::select! {
        () = left => {}
        () = interrupts.next() => {}
    }
}

/// How often it looks whether that is over.
const LOOK: Duration = Duration::from_millis(20);

/// Lets what runs end, unless the user cannot wait for it: then it is
/// interrupted, and the store hears of that, as it would be lost otherwise.
pub(super) async fn stop(engine: &Engine, interrupts: &mut Interrupts) {
    tokio::select! {
        () = engine.shutdown() => return,
        () = interrupts.next() => {}
    }
    tokio::select! {
        () = engine.shutdown_at_once() => {}
        () = tokio::time::sleep(AT_ONCE) => {}
        () = interrupts.next() => {}
    }
    process::exit(i32::from(Code::Interrupted as u8));
}

/// How long it may take to write down that what ran was interrupted.
const AT_ONCE: Duration = Duration::from_secs(2);
