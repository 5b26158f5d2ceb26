//! How a wish reaches a run, whoever owns the store.
//!
//! Where another process owns it, the wish is written beside the runs, and
//! that process sees to it. Where nobody does, this process takes the store
//! for as long as it needs.

use std::env;
use std::time::{Duration, Instant};

use clap::ArgMatches;

use super::interrupt::Interrupts;
use super::problem::{Code, Problem};
use super::program::{Duty, Program};
use super::short::now;
use crate::engine::{Engine, Wanted};
use crate::operation::{By, ExactOperation};
use crate::store::Request;

/// Who wants something, as the command line says it.
pub(super) fn by(matches: &ArgMatches) -> By {
    let given = matches.get_one::<String>("as").cloned();
    let login = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| env::var(name).ok());
    let actor = given.or_else(login).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    By { actor, reason: matches.get_one::<String>("reason").cloned() }.bounded()
}

/// Creates runs that whoever works on the store goes on with.
pub(super) enum Creator {
    /// Another process owns the store and starts them.
    There,
    /// This process owns the store, and begins none of them.
    Here(Engine),
}

impl Creator {
    pub(super) async fn of(program: &mut Program) -> Result<Self, Problem> {
        Ok(if program.is_owned()? { Self::There } else { Self::Here(program.engine(Duty::Note).await?) })
    }

    /// Creates one, and returns its id.
    pub(super) async fn create(&self, program: &Program, wanted: Wanted) -> Result<String, Problem> {
        match self {
            Self::Here(engine) => Ok(engine.create_with(wanted).await?),
            Self::There => request(program, None, wanted.operation(), wanted.by).await,
        }
    }

    /// Lets go of the store.
    pub(super) async fn end(self) {
        if let Self::Here(engine) = self {
            engine.shutdown().await;
        }
    }
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
    /// Another process owns the store and has done it.
    There {
        /// The run that it was done to, or that it made.
        id: String,
    },
}

/// Has it done. Without an operation, the run is only to go on.
///
/// # Errors
/// When it is refused, or nobody sees to it.
pub(super) async fn operate(
    program: &mut Program,
    run: &str,
    operation: Option<ExactOperation>,
    by: By,
    duty: Duty,
) -> Result<Done, Problem> {
    if let Some(_owner) = program.reader()?.owner()? {
        let Some(operation) = operation else { return Ok(Done::There { id: run.to_owned() }) };
        let id = request(program, Some(run), operation, by).await?;
        return Ok(Done::There { id });
    }
    // Heard from before anything begins: an attempt is not cut off by the wish
    // that this process stop.
    let interrupts = Interrupts::new();
    let engine = program.engine(duty).await?;
    let id = match operation {
        Some(operation) => match engine.operate_exactly(Some(run), operation, by).await {
            Ok(id) => id,
            Err(error) => {
                engine.shutdown().await;
                return Err(error.into());
            }
        },
        None => run.to_owned(),
    };
    Ok(Done::Here { engine, interrupts, id })
}

/// How often this looks for an answer.
const LOOK: Duration = Duration::from_millis(50);

/// How long a request may go unanswered while its process lives. An operation
/// takes no longer than a commit.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the process that owns the store, and waits for its answer: the id of
/// the run that it was done to.
pub(super) async fn request(
    program: &Program,
    run: Option<&str>,
    operation: ExactOperation,
    by: By,
) -> Result<String, Problem> {
    let reader = program.reader()?;
    let operation = serde_json::to_string(&operation)
        .map_err(|error| Problem::usage(format!("the request cannot be written: {error}")))?;
    let run = run.map(str::to_owned);
    let By { actor, reason } = by;
    let number = reader.request(Request { run, operation, actor, reason, at: now() })?;
    let late = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = reader.answer_to(number)? {
            return answer.result.map_err(|refused| Problem::new(Code::Refused, refused));
        }
        if Instant::now() > late || reader.owner()?.is_none() {
            return Err(Problem::new(Code::Refused, "nobody has seen to it yet")
                .help(format!("it is kept: the next `{}` sees to it", program.command(&["work"]))));
        }
        tokio::time::sleep(LOOK).await;
    }
}
