//! What is done to a run as the store has it.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{refused, value_for};
use crate::engine::commit::{Beginning, create_run};
use crate::engine::instance::{AnyRun, RunHost};
use crate::engine::recover::{AdoptWanted, TakeUp, Unread, attach};
use crate::engine::registry::{Adopted, Known, Registry};
use crate::engine::shared::Core;
use crate::error::{Error, Result};
use crate::execution::coded::decode_params;
use crate::execution::coded::payload;
use crate::execution::output_codec;
use crate::journal::{StoredEvent, Why};
use crate::lookup::find_step;
use crate::operation::{By, ExactOperation};
use crate::run::RunState;
use crate::store::{Answer, Batch, Entry, Parent, RunEnd, Store, StoreError, StoredEntry, StoredRun};
use crate::task::definition::Kind;
use crate::value::Value;

/// Something that is wanted of a run that the store has.
pub(crate) struct Asked<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) registry: &'a Arc<Registry>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) known: Arc<Known>,
    pub(crate) stored: StoredRun,
    pub(crate) by: &'a By,
    pub(crate) request: Option<i64>,
}

/// What became of something that is wanted of a run of the store.
pub(crate) enum InRows {
    Done(String),
    /// It can be done now that the run goes on here. Held, so that it does not
    /// fall asleep again in between.
    Awake(AnyRun),
}

/// How something is done to a run of the store.
pub(crate) enum Way {
    /// A new run is made of it, and takes this over.
    Another(Option<Box<TakeUp>>),
    /// It begins another life.
    Anew(Box<TakeUp>),
    /// It goes on, and hears of it.
    GoesOn,
}

impl Asked<'_> {
    /// Does what is done to the rows of a run, or has it go on.
    pub(crate) async fn in_rows(self, operation: &ExactOperation) -> Result<InRows> {
        let done = match self.way(operation).await? {
            Way::Another(anew) => self.another(operation, anew.map(|anew| *anew)).await,
            Way::Anew(anew) => self.take_up(*anew).await,
            Way::GoesOn => {
                let stored = self.stored.clone();
                match attach(self.core, self.registry, &self.store, &self.known, stored).await {
                    Ok(host) => return Ok(InRows::Awake(AnyRun::new(host))),
                    Err(Error::Blocked { reason, workflow, id }) => match operation {
                        ExactOperation::Cancel => self.cancel_blocked().await,
                        ExactOperation::Adopt => self.adopt(AdoptWanted::default()).await,
                        ExactOperation::AdoptAgain { again, even_if_done } => {
                            self.adopt(AdoptWanted { again, even_if_done: *even_if_done }).await
                        }
                        _ => Err(Error::Blocked { reason, workflow, id }),
                    },
                    Err(error) => Err(error),
                }
            }
        };
        done.map(InRows::Done)
    }

    /// How it is done, with all that this needs. Nothing is done yet.
    pub(crate) async fn way(&self, operation: &ExactOperation) -> Result<Way> {
        let is_over = self.stored.end.is_some();
        Ok(match operation {
            ExactOperation::Rerun => Way::Another(None),
            ExactOperation::Fork { from } => Way::Another(Some(Box::new(self.fork(from).await?))),
            ExactOperation::Retry { .. } if is_over => Way::Anew(Box::new(self.retry().await?)),
            ExactOperation::Set { step, value } if is_over => {
                Way::Anew(Box::new(self.set(step, value).await?))
            }
            ExactOperation::Adopt | ExactOperation::AdoptAgain { .. } if is_over => {
                return Err(self.refused("has ended; `retry` goes on with it, `rerun` runs it again"));
            }
            _ if is_over => return Err(self.refused(format!("has ended: it is {}", self.stored.state))),
            _ => Way::GoesOn,
        })
    }

    fn refused(&self, reason: impl Into<String>) -> Error {
        refused(&self.stored.id, reason)
    }

    fn not_read(&self, unread: Unread) -> Error {
        match unread {
            Unread::Blocked(reason) => self.refused(reason),
            Unread::Store(error) => Error::Store(error),
        }
    }

    async fn entries(&self) -> Result<Vec<StoredEntry>> {
        let (store, run) = (self.store.clone(), self.stored.run);
        self.core.blocking(move || store.journal(run)).await
    }

    pub(super) fn params(&self) -> Result<Vec<Value>> {
        decode_params(self.known.graph, &self.stored.params).map_err(|reason| {
            self.refused(format!("cannot go on under today's code: {reason}; start a new run"))
        })
    }

    /// Makes a new run of it.
    async fn another(&self, operation: &ExactOperation, anew: Option<TakeUp>) -> Result<String> {
        let how = if let ExactOperation::Rerun = operation { "rerun" } else { "fork" };
        let parent = Some(Parent { id: self.stored.id.clone(), how: how.into() });
        let request = self.request;
        let beginning = Beginning { params: self.params()?, parent, request, anew, ..Beginning::default() };
        let graph = self.known.graph;
        let host = create_run(self.core, self.registry, &self.store, graph, beginning).await?;
        Ok(host.id.clone())
    }

    async fn fork(&self, from: &str) -> Result<TakeUp> {
        if find_step(self.known.graph, from).is_none() {
            return Err(self.refused(format!("has no step `{from}`; `show` lists its steps")));
        }
        let entries = self.entries().await?;
        TakeUp::fork(&self.known, &*self.store, &self.stored, &entries, from, self.by.clone())
            .map_err(|unread| self.not_read(unread))
    }

    async fn retry(&self) -> Result<TakeUp> {
        if self.stored.state == RunState::Succeeded {
            return Err(self.refused("has succeeded; `rerun` runs it again, `fork` a part of it"));
        }
        let entries = self.entries().await?;
        TakeUp::again(&self.known, &*self.store, &self.stored, &entries, Why::Retried, self.by.clone())
            .map_err(|unread| self.not_read(unread))
    }

    async fn set(&self, step: &str, value: &RawValue) -> Result<TakeUp> {
        if self.stored.state == RunState::Succeeded {
            return Err(self.refused("has succeeded; `fork` runs a part of it again"));
        }
        let Some(found) = find_step(self.known.graph, step) else {
            return Err(self.refused(format!("has no step `{step}`; `show` lists its steps")));
        };
        let codec = match found.kind {
            Kind::Sleep(_) => None,
            _ => Some(output_codec(found).ok_or_else(|| {
                self.refused(format!("cannot set `{step}`: it is made of other steps; set those"))
            })?),
        };
        let value = value_for(&self.stored.id, step, codec, value)?;
        let stored = codec.map(|codec| payload(codec, &value, self.core.largest_value)).transpose();
        let stored = stored.map_err(|failure| self.refused(failure.to_string()))?.map(|(payload, _)| payload);
        let entries = self.entries().await?;
        let anew =
            TakeUp::again(&self.known, &*self.store, &self.stored, &entries, Why::Set, self.by.clone());
        let mut anew = anew.map_err(|unread| self.not_read(unread))?;
        anew.set(step, stored);
        Ok(anew)
    }

    async fn adopt(self, wanted: AdoptWanted<'_>) -> Result<String> {
        let entries = self.entries().await?;
        let anew =
            TakeUp::adopted(&self.known, &*self.store, &self.stored, &entries, &wanted, self.by.clone());
        let anew = anew.map_err(|unread| self.not_read(unread))?;
        self.take_up(anew).await
    }

    /// Begins a new life of the run.
    async fn take_up(self, anew: TakeUp) -> Result<String> {
        let host = RunHost::stored(self.core, self.known.graph, &self.store, &self.stored, self.params()?);
        match host.begun_anew(self.registry, anew, self.request).await? {
            Adopted::New => {}
            Adopted::Known(_) => return Err(self.refused("goes on already")),
            Adopted::Closed => return Err(Error::ShutDown),
        }
        Ok(self.stored.id)
    }

    /// Ends a run that no engine can go on with. Nothing of it is undone, since
    /// the code that would do it is gone.
    async fn cancel_blocked(self) -> Result<String> {
        let first_seq = self.entries().await?.len() as u64;
        let at = self.core.clock.now();
        let event = crate::journal::text(&StoredEvent::CancelRequested { by: Some(self.by.clone()) });
        let entries = vec![Entry { at, event, value: None, changes: Vec::new() }];
        let end = Some(RunEnd { state: RunState::Cancelled, at, result: None, error: None });
        let answer = self.request.map(|number| (number, Answer { at, result: Ok(self.stored.id.clone()) }));
        let batch = Batch { run: self.stored.run, first_seq, entries, end, answer, ..Batch::default() };
        let (done, hear) = tokio::sync::oneshot::channel();
        self.store.append(batch, Box::new(move |result| _ = done.send(result)));
        hear.await.unwrap_or(Err(StoreError::Closed))?;
        Ok(self.stored.id)
    }
}
