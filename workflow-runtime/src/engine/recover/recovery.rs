//! Runs that a store has: found by callers that ask for them, and taken up when an
//! engine starts.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::attempts::Done;
use crate::engine::instance::RunHost;
use crate::engine::recover::advice::advised;
use crate::engine::recover::replay::{GoOn, Unread};
use crate::engine::recover::{reload, suspension};
use crate::engine::registry::{Adopted, Known, Passing, Registry};
use crate::engine::schedules::{advance_backfills, load_backfills};
use crate::engine::shared::Core;
use crate::error::Error;
use crate::run::RunState;
use crate::store::{Batch, RunFilter, Sleep, Store, StoreError, StoredEntry, StoredRun, Unfinished};
use crate::task::definition::Graph;

/// How many runs are read at a time when an engine starts: few at first, so
/// that also a process that lives for a moment gets on with some of them, and
/// twice as many each time.
const FIRST_PAGE: usize = 16;
const PAGE: usize = 1_000;

/// A run that the store has: as it is in this process, or read back.
pub(crate) async fn attach(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    known: &Arc<Known>,
    stored: StoredRun,
) -> Result<Arc<RunHost>, Error> {
    if let Some(host) = registry.find(&stored.id) {
        return Ok(host);
    }
    let (there, registry, store, known) = (core.clone(), registry.clone(), store.clone(), known.clone());
    let restored = core
        .pools
        .run_ours(move || restore_now(&there, &registry, &store, &known, &stored.id, Duration::ZERO));
    restored.await.unwrap_or(Err(Error::ShutDown))
}

/// Reads a run back as it is now, and goes on with it unless another caller
/// already does. Since it was found, another caller may have gone on with it, and have
/// let go of it because it sleeps again, or has ended. `set_back` is how far the
/// wall clock was set back while it slept.
fn restore_now(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    known: &Arc<Known>,
    id: &str,
    set_back: Duration,
) -> Result<Arc<RunHost>, Error> {
    let _alone = registry.read_alone(id);
    if let Some(host) = registry.find(id) {
        return Ok(host);
    }
    let now = store.find(id)?.into_iter().find(|run| run.id == id);
    match now {
        Some(stored) => {
            let read = read(core, store, known, &stored, store.journal(stored.run))?;
            read.host.lock().set_back = set_back;
            go_on(registry, read)
        }
        None => Err(Error::NoSuchRun { id: id.to_owned() }),
    }
}

/// A run that was read back and does nothing yet.
struct Read {
    host: Arc<RunHost>,
    go_on: GoOn,
    done: Done,
}

fn read(
    core: &Arc<Core>,
    store: &Arc<dyn Store>,
    known: &Arc<Known>,
    stored: &StoredRun,
    journal: Result<Vec<StoredEntry>, StoreError>,
) -> Result<Read, Error> {
    let not_read = |unread| {
        let reason = match unread {
            // What has ended cannot be adopted.
            Unread::Blocked(reason) if stored.end.is_some() => reason,
            Unread::Blocked(reason) => advised(known, &**store, stored, &reason),
            Unread::Store(error) => return Error::Store(error),
        };
        if stored.state != RunState::Blocked && stored.end.is_none() {
            mark_blocked(store, stored);
        }
        Error::Blocked { workflow: stored.workflow.clone(), id: stored.id.clone(), reason }
    };
    let (host, mut go_on) = RunHost::read_back(core, known, store, stored, journal).map_err(not_read)?;
    if core.again.has_stopped(&stored.id) {
        host.lock().uncommitted.came_back = true;
        // By this process, which goes on.
        if let GoOn::From(open) = &mut go_on {
            open.interrupted = true;
        }
    }
    let done = match &go_on {
        GoOn::From(open) => host.transacted(open),
        _ => Done::default(),
    };
    Ok(Read { host, go_on, done })
}

fn go_on(registry: &Arc<Registry>, read: Read) -> Result<Arc<RunHost>, Error> {
    let Read { host, go_on, done } = read;
    if let GoOn::Ended = go_on {
        if let Some(stopped) = registry.take_stopped(&host.id) {
            stopped.succeeded_by(&host);
        }
        return Ok(host);
    }
    // A caller that finds it from now on waits until it has gone on.
    let adopted = host.with(|inner, after| {
        let adopted = registry.adopt(&host);
        if matches!(adopted, Adopted::New) {
            registry.came(&host);
        }
        match (&adopted, go_on) {
            (Adopted::New, GoOn::From(open)) => host.go_on(inner, after, open, done),
            (Adopted::New, GoOn::Anew(anew)) => host.begin_anew(inner, after, *anew),
            _ => {}
        }
        adopted
    });
    match adopted {
        Adopted::New => Ok(host),
        Adopted::Known(known) => Ok(known),
        Adopted::Closed => Err(Error::ShutDown),
    }
}

/// Makes the workflows of the program known.
pub(crate) fn introduce(registry: &Registry, workflows: &[&'static Graph]) {
    workflows.iter().for_each(|graph| _ = registry.introduce(graph));
}

/// Goes on with every unfinished run of the workflows that this program has,
/// but for those that sleep.
pub(crate) fn recover(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
) -> Result<(), Error> {
    load_backfills(core, store.as_ref())?;
    recover_all(core, registry, store, None)?;
    suspension::wake(core, registry);
    advance_backfills(core, registry);
    Ok(())
}

/// Starting a workflow registers it: its unfinished runs go on.
pub(crate) async fn make_known(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    graph: &'static Graph,
) -> Result<Arc<Known>, Error> {
    let (known, new) = registry.introduce(graph);
    if !new {
        return Ok(known);
    }
    let (there, registry, store) = (core.clone(), registry.clone(), store.clone());
    let recovered = core.pools.run_ours(move || {
        recover_all(&there, &registry, &store, Some(graph.name))?;
        suspension::wake(&there, &registry);
        advance_backfills(&there, &registry);
        Ok(known)
    });
    recovered.await.unwrap_or(Err(Error::ShutDown))
}

/// Goes on with every unfinished run that does not sleep, and looks again at
/// those that are blocked; of one workflow, or of all that are known.
fn recover_all(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    only: Option<&str>,
) -> Result<(), Error> {
    let known = |stored: &StoredRun| {
        if only.is_some_and(|only| only != stored.workflow) {
            return None;
        }
        let known = registry.known(&stored.workflow);
        if known.is_none() {
            tracing::warn!(
                run = stored.id,
                workflow = stored.workflow,
                "an unfinished run waits: its workflow is not registered with this engine"
            );
        }
        known
    };
    let recover = |page: Vec<StoredRun>| {
        let ours = page.into_iter().filter_map(|stored| Some((known(&stored)?, stored)));
        if only.is_some() {
            return ours.for_each(|(known, stored)| {
                recover_one(core, registry, store, &known, &stored.id, Duration::ZERO);
            });
        }
        // As the engine starts, no other caller goes on with any run. All are read
        // before the first goes on: a store that is written to meanwhile is
        // slower to read.
        let ours: Vec<_> = ours.collect();
        let numbers: Vec<_> = ours.iter().map(|(_, stored)| stored.run).collect();
        let mut next = ours.iter();
        let mut ready = Vec::with_capacity(ours.len());
        store.journals(&numbers, &mut |run, journal| {
            let Some((known, stored)) = next.find(|(_, stored)| stored.run == run) else { return };
            let read = || read(core, store, known, stored, journal);
            ready.extend(told(core, registry, known, &stored.id, read));
        });
        // Where the engine shuts down meanwhile, the next one goes on.
        ready.into_iter().for_each(|read| drop(go_on(registry, read)));
    };
    let (mut after, mut at_most) = (None, FIRST_PAGE);
    loop {
        let page = store.unfinished_where(Unfinished::Awake(core.clock.now()), after, at_most)?;
        let Some(last) = page.last() else { break };
        after = Some(last.run);
        at_most = PAGE.min(2 * at_most);
        let goes_on = |stored: &StoredRun| {
            stored.state != RunState::Blocked && !core.backfills.is_waiting(&stored.workflow, &stored.id)
        };
        recover(page.into_iter().filter(goes_on).collect());
    }
    let mut before = None;
    loop {
        let states = vec![RunState::Blocked];
        let page = store.list(&RunFilter { states, before, at_most: PAGE, ..RunFilter::default() })?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.run);
        recover(page);
    }
}

/// Goes on with a run that has been found.
pub(crate) fn recover_one(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: &Arc<dyn Store>,
    known: &Arc<Known>,
    id: &str,
    set_back: Duration,
) {
    told(core, registry, known, id, || restore_now(core, registry, store, known, id, set_back));
}

/// Does something with a run that is not here yet. No caller waits for it, so it
/// is logged where that does not succeed.
fn told<T>(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    known: &Arc<Known>,
    id: &str,
    restore: impl FnOnce() -> Result<T, Error>,
) -> Option<T> {
    let restored = if registry.find(id).is_some() { Ok(None) } else { restore().map(Some) };
    if let Err(Error::Store(error)) = &restored
        && !matches!(error, StoreError::Closed)
    {
        reload::later(core, registry, known, id, error);
        return None;
    }
    match &restored {
        Ok(_) => core.again.read(registry, id),
        Err(_) => {
            core.again.over(registry, id);
            if let Some(stopped) = registry.take_stopped(id) {
                stopped.stop_for_good();
            }
        }
    }
    match restored {
        Ok(restored) => restored,
        // The next engine goes on with it.
        Err(Error::ShutDown | Error::Store(_)) => None,
        Err(error) => {
            tracing::error!(run = id, %error, "an unfinished run does not go on");
            let (id, workflow) = (id.to_owned(), known.graph.name.to_owned());
            registry.tell(|| Passing::Stuck { id, workflow, why: error });
            None
        }
    }
}

/// Has the store say so, for those who read it. What goes on with the run
/// later says that too.
fn mark_blocked(store: &Arc<dyn Store>, stored: &StoredRun) {
    let Ok(entries) = store.journal(stored.run) else { return };
    let first_seq = entries.last().map_or(0, |last| last.seq.saturating_add(1));
    // No time wakes it; the next engine looks at it again.
    let (state, sleep) = (Some(RunState::Blocked), Sleep::Until(None));
    let batch = Batch { run: stored.run, first_seq, state, sleep, ..Batch::default() };
    let id = stored.id.clone();
    let done = move |result: Result<(), StoreError>| {
        if let Err(error) = result {
            tracing::warn!(run = id, %error, "the store does not say that the run is blocked");
        }
    };
    store.append(batch, Box::new(done));
}
