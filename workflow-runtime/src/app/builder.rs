//! How a program is set up.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::panic;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use super::cli;
use super::command;
use super::keys::Keys;
use super::output::{Output, note};
use super::problem::{Code, Problem};
use super::program::{Duty, Program, StoreFile};
use super::runtime;
use super::screen::Screen;
use super::style::Paint;
use crate::engine::EngineBuilder;
use crate::resources::{NoResources, Resources};
#[cfg(feature = "encryption")]
use crate::store::KeyRing;
use crate::task::RunsOn;
use crate::task::definition::Graph;
use crate::workflow::Workflow;

/// Where runs are kept unless something else is said.
const STORE: &str = "runs.db";

/// A program that is its own command line; see the [module](crate::app).
#[must_use = "a program does nothing until `main` is called"]
pub struct App<R = NoResources> {
    store: PathBuf,
    workflows: Vec<&'static Graph>,
    /// In the same order.
    pictures: Vec<&'static str>,
    keys: Keys,
    /// What is made of an engine's builder by all that was said so far.
    /// Resources may take time to make, so only commands that run tasks ask.
    build: Build<R>,
}

type Build<R> = Box<dyn FnOnce(EngineBuilder) -> Building<R>>;
type Building<R> = Pin<Box<dyn Future<Output = Result<EngineBuilder<R>, Problem>>>>;

impl App {
    /// A program without workflows, which keeps its runs in `runs.db`.
    pub fn new() -> Self {
        let build = |engine| -> Building<NoResources> { Box::pin(async { Ok(engine) }) };
        Self {
            store: PathBuf::from(STORE),
            workflows: Vec::new(),
            pictures: Vec::new(),
            keys: Keys::default(),
            build: Box::new(build),
        }
    }

    /// Gives the tasks what they borrow: a struct with `#[derive(Resources)]`.
    /// Before [`register`](Self::register), which checks that every resource
    /// of a workflow is there.
    pub fn resources<R: Resources>(self, resources: R) -> App<R> {
        self.resources_with(async || Ok::<_, std::convert::Infallible>(resources))
    }

    /// The same for resources that take time to make, or may not be there: a
    /// pool of connections. They are made by commands that run tasks, and not
    /// for a look at what ran.
    pub fn resources_with<R: Resources, E: StdError>(
        self,
        make: impl AsyncFnOnce() -> Result<R, E> + 'static,
    ) -> App<R> {
        let Self { store, workflows, pictures, keys, build } = self;
        let build = |engine| -> Building<R> {
            Box::pin(async move {
                let made = make().await.map_err(|error| {
                    Problem::new(Code::Refused, format!("the program's resources cannot be made: {error}"))
                })?;
                Ok(build(engine).await?.resources(made))
            })
        };
        App { store, workflows, pictures, keys, build: Box::new(build) }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Resources> App<R> {
    /// The file that runs are kept in, `runs.db` unless set. The environment
    /// variable `WORKFLOW_STORE` and the option `--store` have the last word.
    pub fn store(mut self, path: impl Into<PathBuf>) -> Self {
        self.store = path.into();
        self
    }

    /// Sets up the engine further: its grace time, the size of values, mocks.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_runtime::App;
    ///
    /// let app = App::new().configure(|engine| engine.grace(Duration::from_secs(5)));
    /// # let _ = app;
    /// ```
    pub fn configure(self, set: impl FnOnce(EngineBuilder<R>) -> EngineBuilder<R> + 'static) -> Self {
        let Self { store, workflows, pictures, keys, build } = self;
        let build = |engine| -> Building<R> { Box::pin(async move { Ok(set(build(engine).await?)) }) };
        Self { store, workflows, pictures, keys, build: Box::new(build) }
    }

    /// Encrypts every value that is stored, as
    /// [`EngineBuilder::encrypt`](crate::EngineBuilder::encrypt) says. What is
    /// shown is decrypted, but for what is [`Secret`](crate::Secret).
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    /// use workflow_runtime::App;
    /// use workflow_runtime::store::{Key, KeyRing};
    ///
    /// fn main() -> ExitCode {
    ///     match Key::from_env("WORKFLOW_KEY") {
    ///         Ok(key) => App::new().encrypt(KeyRing::new("2026-11", key)).main(),
    ///         Err(error) => {
    ///             eprintln!("error: {error}");
    ///             ExitCode::from(5)
    ///         }
    ///     }
    /// }
    /// ```
    #[cfg(feature = "encryption")]
    pub fn encrypt(mut self, keys: KeyRing) -> Self {
        self.keys = Keys::new(keys.clone());
        self.configure(|engine| engine.encrypt(keys))
    }

    /// Adds a workflow.
    pub fn register<W: Workflow + RunsOn<R>>(mut self) -> Self {
        if !self.workflows.iter().any(|known| std::ptr::eq(*known, W::GRAPH)) {
            self.workflows.push(W::GRAPH);
            self.pictures.push(W::SVG);
        }
        self.configure(EngineBuilder::register::<W>)
    }

    /// Does what the command line says, on a tokio runtime of its own.
    pub fn main(self) -> ExitCode {
        let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
        let painted = Paint::of(out.is_terminal());
        let mut output = Output::new(&mut out, &mut err);
        (output.paint, output.err_paint, output.live) =
            (painted, Paint::of(Screen::is_live()), Screen::is_live());
        let args: Vec<OsString> = std::env::args_os().collect();
        if args.iter().any(|arg| arg == "--json") {
            // A task that panics says so on the stream that programs read.
            panic::set_hook(Box::new(|info| eprintln!("{}", note(&info.to_string()))));
        }
        ExitCode::from(self.obey(args.into_iter(), &mut output) as u8)
    }

    /// Does what `args` say, the first of which is the program's name, and
    /// gives the exit code: for a test of the whole program.
    ///
    /// ```
    /// use workflow_runtime::App;
    ///
    /// let (mut out, mut err) = (Vec::new(), Vec::new());
    /// let code = App::new().run(["program", "show", "@last"], &mut out, &mut err);
    /// assert_eq!(code, 3, "{}", String::from_utf8_lossy(&err));
    /// ```
    pub fn run<A: Into<OsString>>(
        self,
        args: impl IntoIterator<Item = A>,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> u8 {
        self.obey(args.into_iter().map(Into::into), &mut Output::new(out, err)) as u8
    }

    fn obey(self, args: impl Iterator<Item = OsString>, output: &mut Output<'_>) -> Code {
        let args: Vec<OsString> = args.collect();
        let matches = match cli::parse(&self.workflows, &args, output) {
            Ok(matches) => matches,
            Err(code) => return code,
        };
        if matches.get_flag("json") {
            output.write_json();
        }
        let name =
            args.first().map_or_else(|| "program".to_owned(), |name| name.to_string_lossy().into_owned());
        let mut program =
            Program::new(name, self.workflows, self.pictures, StoreFile::of(&matches, self.store), self.keys);
        let build = self.build;
        program.opens_with(Box::new(move |owned, duty, listener| {
            Box::pin(async move {
                let (all, notes) = (duty == Duty::Everything, duty == Duty::Note);
                let engine = EngineBuilder::owned(owned).recover(all).begins(!notes).heard_by(listener);
                let engine = build(engine).await?;
                // Once the program has had every chance to set its own.
                #[cfg(feature = "logs")]
                super::listen::listen();
                Ok(engine.start().await?.any())
            })
        }));
        let runtime = match runtime::start() {
            Ok(runtime) => runtime,
            Err(problem) => {
                output.problem(&problem);
                return problem.code;
            }
        };
        let done = runtime.block_on(command::run(&mut program, &matches, output));
        // What blocks cannot be stopped, and nothing waits for it.
        runtime.shutdown_background();
        match done.and_then(|code| output.finish().map(|()| code)) {
            Ok(code) => code,
            Err(problem) => {
                output.problem(&problem);
                problem.code
            }
        }
    }
}

impl<R> fmt::Debug for App<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workflows: Vec<_> = self.workflows.iter().map(|graph| graph.name).collect();
        f.debug_struct("App")
            .field("store", &self.store)
            .field("workflows", &workflows)
            .finish_non_exhaustive()
    }
}
