//! What a task can ask about the attempt it is running in.

use std::any::TypeId;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use crate::task::Shared;
use crate::task::definition::TaskDef;
use crate::task::place::{Key, Scope};
use crate::value::Value;

/// The attempt a task is running in, asked for with `#[context]`.
///
/// ```
/// use workflow_runtime::{Context, task};
///
/// #[task]
/// async fn charge(cents: u64, #[context] cx: &Context) -> u64 {
///     // The same key on every attempt: the bank books it once.
///     println!("{} cents, key {}", cents, cx.idempotency_key());
///     cents
/// }
/// ```
pub struct Context {
    host: Arc<dyn Host>,
    key: Key,
    epoch: u32,
    attempt: u32,
    undo: bool,
    /// Where the step is. An attempt that lost a `select!` may outlive its
    /// region, and the run does not know the step any more then.
    scope: Option<Arc<Scope>>,
}

/// Looks a result up.
pub(crate) type Remembered<'a> = Pin<Box<dyn Future<Output = Option<Value>> + Send + 'a>>;

/// What the engine does for an attempt. Implemented by the engine's run; a
/// trait, so that tasks know nothing of engines.
pub(crate) trait Host: Send + Sync {
    fn run_id(&self) -> &str;
    fn path(&self, key: Key) -> String;
    fn resource(&self, id: TypeId) -> Option<&Shared>;
    fn mock(&self, id: TypeId) -> Option<&Shared>;
    /// The result that was left under a key, if it may still be used. Ready at
    /// once for a task that blocks its thread.
    fn remembered<'a>(&'a self, key: &'a [u8], task: &'static TaskDef) -> Remembered<'a>;
    /// Whether the attempt was asked to stop; wakes `waker` when it is.
    fn poll_cancelled(&self, key: Key, epoch: u32, cx: Option<&mut std::task::Context<'_>>) -> Poll<()>;
    /// How often the step did something in earlier lives of its run that an
    /// attempt, or an undo, is not about: it was undone, or runs anew.
    fn earlier(&self, path: &str, undo: bool) -> u32;
    fn progress(&self, key: Key, epoch: u32, done: u64, total: u64);
    fn heartbeat(&self, key: Key, epoch: u32);
}

impl Context {
    pub(crate) fn new(host: Arc<dyn Host>, key: Key, epoch: u32, attempt: u32) -> Self {
        Self { host, key, epoch, attempt, undo: false, scope: None }
    }

    /// The context of an attempt in another process than its run's.
    pub(crate) fn elsewhere(host: Arc<dyn Host>, key: Key, epoch: u32, attempt: u32, undo: bool) -> Self {
        Self { host, key, epoch, attempt, undo, scope: None }
    }

    /// The context of the next attempt, or undo, of the same run. It names its
    /// step also when its region is gone.
    pub(crate) fn renew(&mut self, key: Key, epoch: u32, attempt: u32, undo: bool, scope: &Arc<Scope>) {
        (self.key, self.epoch, self.attempt, self.undo) = (key, epoch, attempt, undo);
        if self.scope.as_ref().is_none_or(|known| !Arc::ptr_eq(known, scope)) {
            self.scope = Some(scope.clone());
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn is_undo(&self) -> bool {
        self.undo
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        self.host.run_id()
    }

    /// The step's path, such as `nightly/priced[3]/quote`.
    #[must_use]
    pub fn step(&self) -> String {
        match &self.scope {
            Some(scope) => scope.path(self.key.step),
            None => self.host.path(self.key),
        }
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// A text that is the same for every attempt of this step and differs
    /// from that of every other step of every run: what a payment service or
    /// a database wants, to do the same thing only once. The undo of a step
    /// has a key of its own.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let step = self.step();
        // What was undone or is done anew is something else to the world.
        let again = match self.host.earlier(&step, self.undo) {
            0 => String::new(),
            times => format!("#{}", times + 1),
        };
        format!("{}/{step}{again}{}", self.run_id(), if self.undo { "/undo" } else { "" })
    }

    /// Whether the attempt was asked to stop: its run is cancelled, or
    /// another arm of its `select!` was faster. After a grace time the engine
    /// drops the task's future at its next `.await`.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.host.poll_cancelled(self.key, self.epoch, None).is_ready()
    }

    /// Ends once the attempt is asked to stop.
    pub async fn cancelled(&self) {
        poll_fn(|cx| self.host.poll_cancelled(self.key, self.epoch, Some(cx))).await;
    }

    /// Tells observers how far the attempt is, in units of the task's choice.
    pub fn progress(&self, done: u64, total: u64) {
        self.host.progress(self.key, self.epoch, done, total);
    }

    /// Tells observers that the attempt is alive.
    pub fn heartbeat(&self) {
        self.host.heartbeat(self.key, self.epoch);
    }

    /// The engine's resource of type `T`. The compiler has checked that the
    /// engine has it.
    #[doc(hidden)]
    #[must_use]
    pub fn resource<T: 'static>(&self) -> &T {
        match self.host.resource(TypeId::of::<T>()).and_then(|resource| resource.downcast_ref()) {
            Some(resource) => resource,
            None => panic!("the engine has no resource `{}`; please report this", std::any::type_name::<T>()),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("run_id", &self.run_id())
            .field("step", &self.step())
            .field("attempt", &self.attempt)
            .finish()
    }
}
