//! How a wish reaches a run, whichever process owns the store.
//!
//! Where no process owns it, this process takes the store for as long as it
//! needs. Where another process does, the wish is written beside the runs, and
//! that process sees to it; or this one, once that one has gone.

use std::time::{Duration, Instant};

use clap::ArgMatches;

use super::interrupt::Interrupts;
use super::problem::{Code, Problem};
use super::program::{Duty, Program};
use super::reader::StoreReader;
use super::short::now;
use super::trouble;
use super::user;
use crate::engine::{Engine, Wanted};
use crate::operation::{By, ExactOperation};
use crate::run::RunState;
use crate::store::{Answer, Request, StoreError};

/// Who wants something, as the command line says it.
pub(super) fn by(matches: &ArgMatches) -> By {
    by_name(matches.get_one::<String>("as").cloned(), matches.get_one::<String>("reason").cloned())
}

fn by_name(given: Option<String>, reason: Option<String>) -> By {
    let actor = given.filter(|name| !name.is_empty()).unwrap_or_else(user::name);
    By { actor, reason }.bounded()
}

/// Something that is wanted: of a run, unless it is to start one.
pub(super) struct Wish {
    pub(super) run: Option<String>,
    pub(super) operation: ExactOperation,
    pub(super) by: By,
}

/// Creates runs that the process that works on the store goes on with.
pub(super) enum Creator {
    /// Another process owns the store and starts them.
    There,
    /// This process owns the store, and begins none of them.
    Here(Engine),
}

impl Creator {
    pub(super) async fn of(program: &mut Program) -> Result<Self, Problem> {
        Ok(program.engine(Duty::Note).await?.map_or(Self::There, Self::Here))
    }

    /// Creates one, and returns its id.
    pub(super) async fn create(&mut self, program: &mut Program, wanted: Wanted) -> Result<String, Problem> {
        if let Self::Here(engine) = self {
            return Ok(engine.create_with(wanted).await?);
        }
        let wish = Wish { run: None, operation: wanted.operation(), by: wanted.by };
        match ask(program, wish, Duty::Note).await? {
            Done::There { id, .. } => Ok(id),
            Done::Here { engine, id, .. } => {
                *self = Self::Here(engine);
                Ok(id)
            }
        }
    }

    /// Lets go of the store.
    pub(super) async fn end(self) {
        if let Self::Here(engine) = self {
            leave(&engine).await;
        }
    }
}

/// Lets go of a store in which something was only noted. Who has asked for
/// something meanwhile need not wait until it owns the store.
pub(super) async fn leave(engine: &Engine) {
    if let Err(error) = engine.see_to_requests().await {
        tracing::warn!(%error, "requests of other processes wait");
    }
    engine.shutdown().await;
}

/// What became of a wish.
pub(super) enum Done {
    /// This process owns the store and has done it.
    Here {
        /// What goes on with the run.
        engine: Engine,
        /// Heard since before it did.
        interrupts: Interrupts,
        /// The run that it was done to, or that it made.
        id: String,
    },
    /// Another process owned the store and has done it. It may have gone since.
    There {
        /// The run that it was done to, or that it made.
        id: String,
        /// That process, where it is known.
        owner: Option<u32>,
    },
}

/// Has it done. Without an operation, the run is only to go on.
///
/// # Errors
/// When it is refused, or no process sees to it.
pub(super) async fn operate(
    program: &mut Program,
    run: &str,
    operation: Option<ExactOperation>,
    by: By,
    duty: Duty,
) -> Result<Done, Problem> {
    // Heard from before anything begins: an attempt is not cut off by the wish
    // that this process stop.
    let interrupts = Interrupts::new();
    let Some(engine) = program.engine(duty).await? else {
        let goes_on = operation.is_none();
        if goes_on && let Some(owner) = waits_for_its_store(program, run)? {
            return Ok(Done::There { id: run.to_owned(), owner });
        }
        let operation = operation.unwrap_or(ExactOperation::Resume);
        let asked = ask(program, Wish { run: Some(run.to_owned()), operation, by }, duty).await;
        return match asked {
            // It does there what was wanted of it.
            Err(_) if goes_on && is_going_on(program, run)? => {
                let owner = program.reader()?.owner()?.and_then(|owner| owner.pid);
                Ok(Done::There { id: run.to_owned(), owner })
            }
            asked => asked,
        };
    };
    let id = match operation {
        Some(operation) => match engine.operate_exactly(Some(run), operation, by).await {
            Ok(id) => id,
            Err(error) => {
                leave(&engine).await;
                return Err(error.into());
            }
        },
        None => run.to_owned(),
    };
    Ok(Done::Here { engine, interrupts, id })
}

/// The process that goes on with a run once its store can be written again:
/// there is nothing that it could be asked for.
fn waits_for_its_store(program: &Program, run: &str) -> Result<Option<Option<u32>>, Problem> {
    let reader = program.reader()?;
    let stopped = trouble::stopped(reader.notice()?.as_ref(), &reader.run(run)?);
    if stopped.is_none() || !is_going_on(program, run)? {
        return Ok(None);
    }
    Ok(reader.owner()?.map(|owner| owner.pid))
}

fn is_going_on(program: &Program, run: &str) -> Result<bool, Problem> {
    Ok(!matches!(program.reader()?.run(run)?.state, RunState::Blocked | RunState::Paused))
}

/// Has the process that owns the store now go on with a run that another one
/// was asked for. The answer is not waited for: that it goes on there already
/// is one too.
pub(super) fn take_up(reader: &StoreReader, run: &str) -> Result<(), StoreError> {
    let operation = serde_json::to_string(&ExactOperation::Resume).unwrap_or_default();
    let By { actor, reason } = by_name(None, Some("the process that had it has ended".to_owned()));
    let run = Some(run.to_owned());
    reader.request(Request { run, operation, actor, reason, at: now() }).map(drop)
}

/// How often this looks for an answer.
const LOOK: Duration = Duration::from_millis(10);

/// How long a request may go unanswered while its process lives. An operation
/// takes no longer than a commit; but that process may be reading what it owns,
/// or be about to end, and give what runs there its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks the process that owns the store, and waits for its answer. Where that
/// one goes before it has seen to it, this one takes the store and does.
///
/// A request whose asker gives up is taken back, so that the next to ask does
/// not ask twice.
pub(super) async fn ask(program: &mut Program, wish: Wish, duty: Duty) -> Result<Done, Problem> {
    let mut interrupts = Interrupts::new();
    let Wish { run, operation, by } = wish;
    let reader = loop {
        if let Some(reader) = program.reader_if_made()? {
            break reader;
        }
        // The process that was about to make it has not come that far.
        if let Some(engine) = program.engine(duty).await? {
            return match engine.operate_exactly(run.as_deref(), operation, by).await {
                Ok(id) => Ok(Done::Here { engine, interrupts, id }),
                Err(error) => {
                    leave(&engine).await;
                    Err(error.into())
                }
            };
        }
    };
    let By { actor, reason } = by;
    let operation = serde_json::to_string(&operation)
        .map_err(|error| Problem::usage(format!("the request cannot be written: {error}")))?;
    let number = reader.request(Request { run, operation, actor, reason, at: now() })?;
    let (mut late, mut owner) = (Instant::now() + PATIENCE, None);
    loop {
        let seen = reader.owner()?;
        if let Some(answer) = reader.answer_to(number)? {
            return there(answer, owner);
        }
        owner = seen.and_then(|seen| seen.pid).or(owner);
        if seen.is_none() {
            late = Instant::now() + PATIENCE;
            if let Some(engine) = program.engine(duty).await? {
                let seen_to = match engine.see_to_request(number).await {
                    Ok(Some(id)) => Ok(id),
                    // With the last commit of the owner.
                    Ok(None) => answered(&reader, number),
                    Err(error) => Err(error.into()),
                };
                if seen_to.is_err() {
                    leave(&engine).await;
                }
                return seen_to.map(|id| Done::Here { engine, interrupts, id });
            }
        }
        let given_up = if Instant::now() > late {
            let owner = match owner {
                Some(pid) => format!("process {pid}, which owns the store,"),
                None => "the process that owns the store".to_owned(),
            };
            let seconds = PATIENCE.as_secs();
            Problem::new(Code::Refused, format!("{owner} has not seen to it in {seconds} s"))
        } else {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => continue,
                () = interrupts.next() => Problem::new(Code::Interrupted, "nobody has seen to it yet"),
            }
        };
        let given_up = match reader.notice()? {
            Some(notice) => given_up.help(trouble::lines(&notice).join("; ")),
            None => given_up,
        };
        return match reader.withdraw(number)? {
            Some(answer) => there(answer, owner),
            None => Err(given_up.help("it is withdrawn: nothing was done, and it can be asked for again")),
        };
    }
}

fn there(answer: Answer, owner: Option<u32>) -> Result<Done, Problem> {
    let id = answer.result.map_err(|refused| Problem::new(Code::Refused, refused))?;
    Ok(Done::There { id, owner })
}

fn answered(reader: &StoreReader, number: i64) -> Result<String, Problem> {
    match reader.answer_to(number)? {
        Some(answer) => answer.result.map_err(|refused| Problem::new(Code::Refused, refused)),
        None => Err(Problem::new(Code::Refused, "the request is not there any more")),
    }
}
