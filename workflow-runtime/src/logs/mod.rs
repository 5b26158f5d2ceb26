//! What tasks say by `tracing`, kept with their run, attempt by attempt.
//!
//! [`Capture`] is a layer for a `tracing_subscriber` registry. Where it is
//! installed, every engine with a store keeps what its attempts say, and
//! [`Store::logs`](crate::store::Store::logs), the view `logs` of the database
//! and the command `logs` of an [`App`](crate::app) tell it. An `App` installs
//! one by itself, which takes what is at least as important as `INFO`, unless
//! the program has set a subscriber of its own.
//!
//! ```
//! use std::sync::Arc;
//! use tracing_subscriber::prelude::*;
//! use workflow_runtime::logs::Capture;
//! use workflow_runtime::store::{LogFilter, Memory, Store};
//! use workflow_runtime::{Engine, Result, task, workflow};
//!
//! #[task]
//! async fn greet(name: String, password: String) -> String {
//!     tracing::info!(name, password, "a guest");
//!     format!("hello {name}")
//! }
//!
//! workflow! {
//!     fn greeting(name: String, password: String) -> Result<String> {
//!         let text = greet(name, password);
//!         Ok(text)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! tracing_subscriber::registry().with(Capture::new()).init();
//!
//! let store = Arc::new(Memory::new());
//! let engine = Engine::with_store(store.clone()).start().await?;
//! let run = engine.start(greeting("Ada".to_owned(), "hunter2".to_owned())).await?;
//! let id = run.id().to_owned();
//! run.await?;
//!
//! let run = store.find(&id)?.remove(0);
//! let said = store.logs(run.run, &LogFilter::default())?.remove(0).line;
//! assert_eq!((&*said.path, said.attempt), ("greeting/text", 1));
//! let text = String::from_utf8(said.text).unwrap();
//! assert!(text.ends_with(r#": a guest name="Ada" password=***"#), "{text}");
//! # Ok(())
//! # }
//! ```
//!
//! # What is captured
//!
//! Every event inside the span `attempt` that the engine enters for each
//! attempt, undos included: what the task says, what the libraries say that it
//! calls, in spans of their own too, and on the thread of a blocking task. A
//! line has its time, its level, its target, its message and its fields.
//!
//! A task that spawns another one has to hand the span on, by
//! `tracing::Instrument::in_current_span`; so does one that starts a thread.
//!
//! Which events there are is up to the filters of the subscriber, as for any
//! layer: `Capture::new().with_filter(LevelFilter::INFO)` is one for this
//! layer alone. A filter has to let the engine's own spans through, which are
//! those of the target `workflow_runtime` at the level `INFO`. The capture has
//! to stand in a stack of layers over a `Registry`; inside a `reload::Layer`
//! it is not found.
//!
//! # What is not seen
//!
//! Stored is `***` in place of
//!
//! - a field whose name contains `secret`, `password`, `passwd`, `token`,
//!   `authorization` or `api_key`, in whatever case, with or without `_` and
//!   `-`;
//! - a [`Secret`](crate::Secret), and a field or message that contains one as
//!   it is saved.
//!
//! Otherwise the words of a message are yours. In a store of an engine with
//! keys, lines are encrypted like any value.
//!
//! # What is bounded
//!
//! - A message, and the fields of an event together, have 8 KiB; the rest is
//!   cut off, and the line says how much that was.
//! - An attempt has 64 KiB. What comes after is dropped, and a last line says
//!   how many lines that were, once the attempt is over.
//! - At most 4096 lines of an engine are on their way to the store, or 8 MiB.
//!   What comes then is dropped, and counted by the last line too.
//!
//! # What is promised
//!
//! **A run never waits for its lines.** They are written between the commits
//! of runs, a few at a time, and without waiting for the disk.
//!
//! A line is stored about a twentieth of a second after it was said, or as
//! soon as the engine is shut down or dropped; under a load of commits it may
//! take longer. `kill -9` loses those that were not stored, a power cut also
//! those since the last commit of any run. No line is promised, and nothing is
//! ever restored from one. Lines are removed with their run.
//!
//! # What is not there
//!
//! The fields of the spans around an event, what is printed to standard
//! output, and what is said outside of attempts: by the engine itself, or by
//! an expression of a workflow. An engine in memory keeps nothing.

mod attempt;
mod line;

use std::fmt;
use std::sync::Arc;

use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

pub(crate) use self::attempt::{AttemptLog, Outbox, Sink};
use crate::store::LogLevel;

/// A layer that keeps what attempts say; see the [module](self).
///
/// It needs no engine: an engine finds it in the subscriber that its attempts
/// run under.
#[derive(Clone, Default)]
#[must_use = "a layer does nothing until it is installed in a subscriber"]
pub struct Capture {
    // Room for options.
    _private: (),
}

impl Capture {
    /// A layer that keeps what attempts say.
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

/// Has what is said inside a span of an attempt kept, if an engine captures it.
pub(crate) fn keep(span: &Span, log: impl FnOnce() -> AttemptLog) {
    span.with_subscriber(|(id, subscriber)| {
        let captured = subscriber.downcast_ref::<Capture>().is_some();
        let registry = subscriber.downcast_ref::<Registry>().filter(|_| captured);
        if let Some(span) = registry.and_then(|registry| registry.span(id)) {
            // It goes with the span: when no code can say anything more.
            span.extensions_mut().replace(Arc::new(log()));
        }
    });
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(spans) = context.event_scope(event) else { return };
        for span in spans {
            let log = span.extensions().get::<Arc<AttemptLog>>().cloned();
            if let Some(log) = log {
                return log.say(level(*event.metadata().level()), || line::of(event));
            }
        }
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}
