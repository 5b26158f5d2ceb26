//! What something that is wanted of a run would make of its steps.

use std::sync::Arc;

use super::live;
use super::rows::{Asked, Way};
use super::{find_stored, refused};
use crate::blueprint::{Place, Places, Preview};
use crate::engine::commit::Journal;
use crate::engine::handle::Engine;
use crate::engine::instance::{After, Identity, Inner, RunHost};
use crate::engine::recover::{
    AdoptWanted, GoOn, Life, TakeUp, Unread, adoption, blueprint_of, history_of, places,
};
use crate::engine::registry::{Known, Registry};
use crate::engine::shared::Core;
use crate::error::{Error, Result};
use crate::history::History;
use crate::operation::{By, ExactOperation, Operation};
use crate::resources::Resources;
use crate::run::Event;
use crate::store::{Store, StoredEntry, StoredRun};

impl<R: Resources> Engine<R> {
    /// What an operation would make of the steps of a run, before it is done with
    /// [`operate`](Self::operate): what is kept, what runs anew, what is undone.
    ///
    /// It is found out by the code that does it, on a copy of the run as its
    /// store has it. Nothing is written and no task runs; expressions of the
    /// workflow are evaluated. What the run does meanwhile can make it
    /// otherwise.
    ///
    /// ```
    /// # use workflow_runtime::{Engine, Operation, Result, task, workflow};
    /// # use workflow_runtime::blueprint::Fate;
    /// # use workflow_runtime::store::Memory;
    /// # #[task] async fn fetch() -> Result<u64> { Ok(7) }
    /// # #[task] async fn publish(page: u64) -> Result<(), std::fmt::Error> { let _ = page; Err(std::fmt::Error) }
    /// # workflow! { fn nightly() -> Result<()> { let page = fetch()?; publish(page)?; Ok(()) } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let engine = Engine::with_store(std::sync::Arc::new(Memory::new())).start().await?;
    /// let run = engine.start(nightly()).await?;
    /// run.wait().await;
    /// let preview = engine.preview(run.id(), Operation::Retry { step: None }).await?;
    /// let fates: Vec<_> = preview.steps.iter().map(|step| (&*step.path, step.fate)).collect();
    /// assert_eq!(fates, [("nightly/page", Fate::Kept), ("nightly/publish", Fate::Runs)]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such run, it is not kept in a store, or this cannot be
    /// done to it now: as [`operate`](Self::operate) would say it. An adoption
    /// that would be refused is told with its
    /// [`refusals`](Preview::refusals).
    pub async fn preview(&self, run: &str, operation: Operation) -> Result<Preview> {
        let (core, registry, operation) = (self.core(), self.registry(), operation.exact());
        let look = async {
            let (store, known, stored) = find_stored(core, registry, run).await?;
            preview(core, registry, store, known, stored, &operation).await
        };
        look.await.map_err(|error| registry.explain(error))
    }
}

/// What an operation would make of the steps of a run of the store.
pub(crate) async fn preview(
    core: &Arc<Core>,
    registry: &Arc<Registry>,
    store: Arc<dyn Store>,
    known: Arc<Known>,
    stored: StoredRun,
    operation: &ExactOperation,
) -> Result<Preview> {
    if let ExactOperation::Start { .. } | ExactOperation::Backfill { .. } = operation {
        return Err(refused(&stored.id, "is not what this is about: it starts another run"));
    }
    let (by, run) = (By { actor: String::new(), reason: None }, stored.run);
    let (journal, asked) = (store.clone(), (store.clone(), known.clone(), stored.clone()));
    let asked =
        Asked { core, registry, store: asked.0, known: asked.1, stored: asked.2, by: &by, request: None };
    let way = asked.way(operation).await?;
    let params = match way {
        Way::Another(_) | Way::Anew(_) => asked.params()?,
        Way::GoesOn => Vec::new(),
    };
    let (core, there, operation) = (core.clone(), core.clone(), operation.clone());
    let look = move || {
        let entries = journal.journal(run)?;
        let looker = Looker { core, store, known, stored, entries };
        Ok(match way {
            Way::Another(anew) => looker.another(anew, params),
            Way::Anew(anew) => looker.anew(*anew, params),
            Way::GoesOn => looker.goes_on(&operation),
        })
    };
    there.blocking(look).await?
}

/// What is needed to make a copy of a run.
struct Looker {
    core: Arc<Core>,
    store: Arc<dyn Store>,
    known: Arc<Known>,
    stored: StoredRun,
    entries: Vec<StoredEntry>,
}

impl Looker {
    /// A new run is made of it.
    fn another(&self, anew: Option<Box<TakeUp>>, params: Vec<crate::value::Value>) -> Result<Preview> {
        let (id, started_at) = (self.stored.id.clone(), self.core.clock.now());
        let identity = Identity { id, key: None, started_at };
        let journal = Some(Journal::new(self.store.clone()));
        let copy = RunHost::of(self.core.clone(), self.known.graph, identity, params, journal);
        self.told(&copy, Life::Another, |inner, after| {
            match anew {
                Some(anew) => copy.take_up(inner, after, anew.for_looks()),
                None => copy.handle(inner, after, Event::Begun, None),
            }
            Ok(())
        })
    }

    /// It begins another life.
    fn anew(&self, anew: TakeUp, params: Vec<crate::value::Value>) -> Result<Preview> {
        let copy = RunHost::stored(&self.core, self.known.graph, &self.store, &self.stored, params);
        self.told(&copy, Life::Another, |inner, after| {
            copy.take_up(inner, after, anew.for_looks());
            Ok(())
        })
    }

    /// It goes on, and hears of it; where it cannot go on, it may be adopted.
    fn goes_on(&self, operation: &ExactOperation) -> Result<Preview> {
        let journal = Ok(self.entries.clone());
        match RunHost::read_back(&self.core, &self.known, &self.store, &self.stored, journal) {
            Ok((copy, GoOn::From(_))) => self.told(&copy, Life::Same, |inner, after| {
                catch_up(&copy, inner, after);
                hear_of(&copy, inner, after, operation)
            }),
            Ok((copy, GoOn::Anew(anew))) => self.told(&copy, Life::Another, |inner, after| {
                copy.take_up(inner, after, *anew);
                hear_of(&copy, inner, after, operation)
            }),
            Ok((_, GoOn::Ended)) => Err(refused(&self.stored.id, "has ended")),
            Err(Unread::Store(error)) => Err(Error::Store(error)),
            Err(Unread::Blocked(reason)) => self.blocked(operation, reason),
        }
    }

    fn blocked(&self, operation: &ExactOperation, reason: String) -> Result<Preview> {
        let wanted = match operation {
            // Nothing of it is undone, since the code that would do it is gone.
            ExactOperation::Cancel => {
                let past = self.past()?;
                return Ok(self.put_together(&kept(&past)));
            }
            ExactOperation::Adopt => AdoptWanted::default(),
            ExactOperation::AdoptAgain { again, even_if_done } => {
                AdoptWanted { again, even_if_done: *even_if_done }
            }
            _ => {
                let (workflow, id) = (self.stored.workflow.clone(), self.stored.id.clone());
                return Err(Error::Blocked { reason, workflow, id });
            }
        };
        let adoption = self
            .read(adoption(&self.known, &*self.store, &self.stored, &self.entries, &wanted))
            .map(|(_, _, adoption)| adoption)?;
        if !adoption.refusals.is_empty() {
            return Ok(Preview::refused(adoption));
        }
        let by = By { actor: String::new(), reason: None };
        let anew = TakeUp::adopted(&self.known, &*self.store, &self.stored, &self.entries, &wanted, by);
        let anew = self.read(anew)?;
        let params = crate::execution::coded::decode_params(self.known.graph, &self.stored.params);
        self.anew(anew, params.map_err(|reason| refused(&self.stored.id, reason))?)
    }

    /// What becomes of the steps of a copy to which something happens.
    fn told(
        &self,
        copy: &Arc<RunHost>,
        life: Life,
        happens: impl FnOnce(&mut Inner, &mut After) -> Result<()>,
    ) -> Result<Preview> {
        let past = self.past()?;
        places(copy, &past, life, happens).map(|places| self.put_together(&places))
    }

    fn put_together(&self, places: &Places) -> Preview {
        let old = match self.known.is_followed_by(&self.stored) {
            true => None,
            false => blueprint_of(&*self.store, self.stored.fingerprint).ok(),
        };
        Preview::of(old.as_ref(), self.known.blueprint(), places)
    }

    fn past(&self) -> Result<History> {
        self.read(history_of(&self.known, &*self.store, &self.stored, &self.entries))
    }

    fn read<T>(&self, read: std::result::Result<T, Unread>) -> Result<T> {
        read.map_err(|unread| match unread {
            Unread::Blocked(reason) => refused(&self.stored.id, reason),
            Unread::Store(error) => Error::Store(error),
        })
    }
}

/// The copy goes on from where its journal ends. What is under way stays so.
fn catch_up(copy: &Arc<RunHost>, inner: &mut Inner, after: &mut After) {
    if inner.uncommitted.seq == 0 {
        copy.handle(inner, after, Event::Begun, None);
    } else if let Some((answer, value)) = inner.run.answers.pop_front() {
        copy.handle(inner, after, answer, value);
    }
}

/// The copy hears of what is wanted.
fn hear_of(
    copy: &Arc<RunHost>,
    inner: &mut Inner,
    after: &mut After,
    operation: &ExactOperation,
) -> Result<()> {
    // To be taken up is all that it needs.
    if matches!(operation, ExactOperation::Resume) && !inner.run.machine.is_paused() {
        return Ok(());
    }
    for (event, value) in live::events(copy, inner, operation)? {
        copy.handle(inner, after, event, value);
    }
    Ok(())
}

/// Nothing runs, and all that has come to something stays as it is.
fn kept(past: &History) -> Places {
    let mut places = Places::default();
    let kept = past.left.steps.iter().filter(|(_, left)| left.is_kept());
    places.steps.extend(kept.map(|(path, left)| (path.clone(), (left.static_path.clone(), Place::Kept))));
    places
}
