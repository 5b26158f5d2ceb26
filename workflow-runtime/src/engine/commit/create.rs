//! Runs that a store is about to have: a run is created together with its
//! first steps, in one commit.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::codec::Durable;
use crate::engine::commit::params::{encode_params, same_arguments};
use crate::engine::commit::queue::{Journal, Outgoing, Then};
use crate::engine::instance::{After, Identity, RunEnd, RunHost, aimed};
use crate::engine::key;
use crate::engine::recover::{TakeUp, attach, make_known};
use crate::engine::registry::{Adopted, Known, Registry};
use crate::engine::shared::Core;
use crate::engine::time::Hold;
use crate::error::Error;
use crate::execution::Aim;
use crate::execution::coded::coded;
use crate::lookup::KnownSignal;
use crate::run::{Event, RunState};
use crate::store::{self, Answer, Created, NewRun, Parent, RunRef, Store, StoreError, StoredRun, Tick};
use crate::task::definition::Graph;
use crate::value::Value;
use crate::workflow::SignalTarget;

/// A run that begins.
#[derive(Default)]
pub(crate) struct Beginning {
    pub(crate) key: Option<String>,
    pub(crate) params: Vec<Value>,
    /// The tick that starts it.
    pub(crate) tick: Option<Tick>,
    /// The run that it is made of.
    pub(crate) parent: Option<Parent>,
    /// The request that wants it.
    pub(crate) request: Option<i64>,
    /// What it takes over from that one.
    pub(crate) anew: Option<TakeUp>,
    /// What it is sent with the same commit, or the run that is there.
    pub(crate) signals: Vec<Sent>,
}

/// A signal that a run is sent as it begins.
pub(crate) struct Sent {
    pub(crate) known: KnownSignal,
    pub(crate) aim: Aim,
    /// The value as it is written: a run that is there gets it too.
    pub(crate) value: Vec<u8>,
}

impl Sent {
    /// Of a handle, for a run of the graph.
    pub(crate) fn of<T: Durable, S: SignalTarget<T>>(
        graph: &'static Graph,
        signal: &S,
        value: T,
    ) -> Result<Self, Error> {
        let (known, aim) = aimed(graph, signal)?;
        match coded(|| (known.codec.encode)(&Value::new(value))) {
            Ok(value) => Ok(Self { known, aim, value }),
            Err(failure) => Err(Error::Unsaved {
                workflow: graph.name.to_owned(),
                reason: format!("signal `{}`: {failure}", known.name),
            }),
        }
    }

    fn read(&self, graph: &Graph) -> Result<Value, Error> {
        coded(|| (self.known.codec.decode)(&self.value)).map_err(|failure| Error::Unsaved {
            workflow: graph.name.to_owned(),
            reason: format!("signal `{}`: {failure}", self.known.name),
        })
    }

    /// Sends it to a run that goes on.
    pub(crate) async fn to(&self, host: &Arc<RunHost>) -> Result<(), Error> {
        host.signal(&self.known, &self.aim, self.read(host.graph)?, None).await
    }
}

/// Creates a run in the store, or finds the one that has the key.
pub(crate) async fn start(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
    beginning: Beginning,
) -> Result<Arc<RunHost>, Error> {
    if registry.is_closed() {
        return Err(Error::ShutDown);
    }
    let known = make_known(core, registry, store, graph).await?;
    let (mut new, params) = beginning.new_run(core, &known, graph)?;
    let keyed = Keyed::of(&new);
    let Beginning { key, anew, signals, .. } = beginning;
    let journal = Some(Journal::new(store.clone()));
    let identity = Identity { id: new.id.clone(), key, started_at: new.created_at };
    let host = RunHost::of(core.clone(), graph, identity, params, journal);
    host.lock().run.log.holds = true;
    let mut first = host.decide_begin(anew, &signals)?;
    new.state = first.then.state.filter(|state| !state.is_ended()).unwrap_or(RunState::Running);
    new.entries = std::mem::take(&mut first.batch.entries);
    // Known before it is created: a caller that finds it in the store, before we hear
    // of that, gets this one.
    if let Adopted::Closed = registry.adopt(&host) {
        return Err(Error::ShutDown);
    }
    let (answer, answered) = oneshot::channel();
    // All that follows is done there and not by the caller that asked: it may
    // have stopped waiting, and the next caller with the same key must find
    // the run.
    let hold = core.clock.hold(&**store, &core.runtime);
    let begun = Some((host, first, answer));
    let creation = Creation { registry: registry.clone(), begun, _hold: hold };
    store.create(new, Box::new(move |created| creation.hear(created)));
    let created = answered.await.unwrap_or(Err(Error::Store(StoreError::Closed)));
    match created.map_err(|error| registry.explain(error))? {
        Ok(host) => Ok(host),
        Err(stored) => {
            keyed.check(graph, &stored)?;
            let host = attach(core, registry, store, &known, *stored).await?;
            for signal in &signals {
                signal.to(&host).await?;
            }
            Ok(host)
        }
    }
}

/// A run that has been created and has not begun, or the one that was there.
pub(crate) struct Queued {
    pub(crate) id: String,
    pub(crate) is_new: bool,
}

/// Creates a run in the store without beginning it, or finds the one that has
/// the key. Returns its id: the engine that goes on with the store begins it.
pub(crate) async fn queue(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
    beginning: Beginning,
) -> Result<Queued, Error> {
    let (known, _) = registry.introduce(graph);
    let (new, _) = beginning.new_run(core, &known, graph)?;
    let (id, keyed) = (new.id.clone(), Keyed::of(&new));
    let (answer, answered) = oneshot::channel();
    store.create(new, Box::new(move |created| _ = answer.send(created)));
    let created = answered.await.unwrap_or(Err(StoreError::Closed));
    match created.map_err(|error| registry.explain(error.into()))? {
        Created::New(_) => Ok(Queued { id, is_new: true }),
        Created::Existing(stored) => {
            keyed.check(graph, &stored).map(|()| Queued { id: stored.id, is_new: false })
        }
    }
}

impl Beginning {
    /// The run as a store creates it, before it has done anything, and its
    /// parameters as they are read back from there.
    fn new_run(
        &self,
        core: &Core,
        known: &Known,
        graph: &'static Graph,
    ) -> Result<(NewRun, Vec<Value>), Error> {
        self.key.as_deref().map_or(Ok(()), key::fits)?;
        let (params, values) = encode_params(graph, &self.params, core.largest_value)?;
        let now = core.clock.now();
        let id = core.random.run_id(now);
        let answer = |number| (number, Answer { at: now, result: Ok(id.clone()) });
        let new = NewRun {
            workflow: graph.name.to_owned(),
            key: self.key.clone(),
            fingerprint: known.hash(),
            blueprint: Some(known.text()),
            params,
            created_at: now,
            state: RunState::Queued,
            parent: self.parent.clone(),
            tick: self.tick.clone(),
            answer: self.request.map(answer),
            id,
            ..NewRun::default()
        };
        Ok((new, values))
    }
}

/// What the key of a run stands for, if it has one: this workflow with these
/// arguments. A run without a key finds none but itself.
struct Keyed(Option<(String, Vec<u8>)>);

impl Keyed {
    fn of(new: &NewRun) -> Self {
        Self(new.key.clone().map(|key| (key, new.params.clone())))
    }

    fn check(&self, graph: &'static Graph, stored: &StoredRun) -> Result<(), Error> {
        let Some((key, params)) = &self.0 else { return Ok(()) };
        let same = || same_arguments(graph, &stored.params, params);
        key::check(key, &stored.workflow, stored.workflow == graph.name, same)
    }
}

/// The run that was created, or the one that has its key.
type Outcome = Result<Result<Arc<RunHost>, Box<StoredRun>>, Error>;

/// Waits for the store to create a run. A store that drops it without
/// answering has failed.
struct Creation {
    registry: Arc<Registry>,
    begun: Option<(Arc<RunHost>, Outgoing, oneshot::Sender<Outcome>)>,
    _hold: Option<Hold>,
}

impl Creation {
    fn hear(mut self, created: Result<Created, StoreError>) {
        self.end(created);
    }

    fn end(&mut self, created: Result<Created, StoreError>) {
        let Some((host, first, answer)) = self.begun.take() else { return };
        let outcome = match created {
            Ok(Created::New(run)) => {
                self.registry.came(&host);
                host.created(run, first).map(|()| Ok(host))
            }
            Ok(Created::Existing(stored)) => {
                self.registry.disown(&host);
                drop((host, first));
                Ok(Err(stored))
            }
            Err(error) => {
                self.registry.disown(&host);
                // Another caller may have found it, if it was written all the same.
                host.committed(first.number, first.then, Err(error.clone()));
                Err(Error::Store(error))
            }
        };
        let _ = answer.send(outcome);
    }
}

impl Drop for Creation {
    fn drop(&mut self) {
        self.end(Err(StoreError::Closed));
    }
}

impl RunHost {
    /// Has a new run decide how it begins, and hear what it is sent with that.
    fn decide_begin(self: &Arc<Self>, anew: Option<TakeUp>, signals: &[Sent]) -> Result<Outgoing, Error> {
        let mut after = After::default();
        let first = {
            let mut inner = self.lock();
            match anew {
                Some(anew) => self.take_up(&mut inner, &mut after, anew),
                None => self.handle(&mut inner, &mut after, Event::Begun, None),
            }
            for signal in signals {
                let event = inner.run.aim(&signal.known, &signal.aim);
                let event = event.map_err(|reason| Error::Refused { id: self.id.clone(), reason })?;
                let value = self.save_sent(&mut inner, &event, Some(signal.read(self.graph)?))?;
                self.handle(&mut inner, &mut after, event, value);
            }
            // The caller that starts it is about to hold it.
            self.take_uncommitted(&mut inner, false)
        };
        self.settle(&mut after);
        // A fresh machine takes its first event.
        Ok(first.unwrap_or_default())
    }

    /// The store has created the run. Where the engine has shut down
    /// meanwhile, the next one begins it.
    fn created(self: &Arc<Self>, run: RunRef, first: Outgoing) -> Result<(), Error> {
        let Outgoing { number, batch, mut then } = first;
        if let Some(journal) = &self.journal {
            // Only ever created once.
            let _ = journal.run.set(run);
        }
        if let Some(end) = batch.end {
            // A store creates no run that has ended; the end comes next.
            let last = Then {
                end: then.end.take(),
                state: then.state.take(),
                told: std::mem::take(&mut then.told),
                ..Then::default()
            };
            self.end_next(end, last);
        }
        self.committed(number, then, Ok(()));
        match self.lock().end {
            Some(RunEnd::Interrupted) => Err(Error::ShutDown),
            _ => Ok(()),
        }
    }

    fn end_next(&self, end: store::RunEnd, then: Then) {
        let mut inner = self.lock();
        let uncommitted = &mut inner.uncommitted;
        let number = uncommitted.next_number();
        let first_seq = uncommitted.seq;
        let batch = store::Batch { first_seq, end: Some(end), ..store::Batch::default() };
        uncommitted.outbox.push_back(Outgoing { number, batch, then });
    }
}
