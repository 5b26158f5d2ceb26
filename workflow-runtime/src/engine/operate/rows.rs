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

impl Asked<'_> {
    /// Does what is done to the rows of a run, or has it go on.
    pub(crate) async fn in_rows(self, operation: &ExactOperation) -> Result<InRows> {
        let done = match operation {
            ExactOperation::Rerun => self.rerun().await,
            ExactOperation::Fork { from } => self.fork(from).await,
            ExactOperation::Retry { .. } if self.stored.end.is_some() => self.retry().await,
            ExactOperation::Set { step, value } if self.stored.end.is_some() => self.set(step, value).await,
            ExactOperation::Adopt | ExactOperation::AdoptAgain { .. } if self.stored.end.is_some() => {
                Err(self.refused("has ended; `retry` goes on with it, `rerun` runs it again"))
            }
            _ if self.stored.end.is_some() => {
                Err(self.refused(format!("has ended: it is {}", self.stored.state)))
            }
            operation => {
                let stored = self.stored.clone();
                match attach(self.core, self.registry, &self.store, &self.known, stored).await {
                    Ok(host) => return Ok(InRows::Awake(AnyRun::new(host))),
                    Err(Error::Blocked { .. }) if matches!(operation, ExactOperation::Cancel) => {
                        self.cancel_blocked().await
                    }
                    Err(Error::Blocked { .. }) if matches!(operation, ExactOperation::Adopt) => {
                        self.adopt(AdoptWanted::default()).await
                    }
                    Err(Error::Blocked { reason, workflow, id }) => match operation {
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

    fn params(&self) -> Result<Vec<Value>> {
        decode_params(self.known.graph, &self.stored.params).map_err(|reason| {
            self.refused(format!("cannot go on under today's code: {reason}; start a new run"))
        })
    }

    async fn rerun(self) -> Result<String> {
        let parent = Some(Parent { id: self.stored.id.clone(), how: "rerun".into() });
        let request = self.request;
        let beginning = Beginning { params: self.params()?, parent, request, ..Beginning::default() };
        self.create(beginning).await
    }

    async fn fork(self, from: &str) -> Result<String> {
        if find_step(self.known.graph, from).is_none() {
            return Err(self.refused(format!("has no step `{from}`; `show` lists its steps")));
        }
        let entries = self.entries().await?;
        let anew = TakeUp::fork(&self.known, &*self.store, &self.stored, &entries, from, self.by.clone());
        let anew = Some(anew.map_err(|unread| self.not_read(unread))?);
        let parent = Some(Parent { id: self.stored.id.clone(), how: "fork".into() });
        let request = self.request;
        let beginning = Beginning { params: self.params()?, parent, request, anew, ..Beginning::default() };
        self.create(beginning).await
    }

    async fn create(&self, beginning: Beginning) -> Result<String> {
        let graph = self.known.graph;
        let host = create_run(self.core, self.registry, &self.store, graph, beginning).await?;
        Ok(host.id.clone())
    }

    async fn retry(self) -> Result<String> {
        if self.stored.state == RunState::Succeeded {
            return Err(self.refused("has succeeded; `rerun` runs it again, `fork` a part of it"));
        }
        let entries = self.entries().await?;
        let anew =
            TakeUp::again(&self.known, &*self.store, &self.stored, &entries, Why::Retried, self.by.clone());
        self.take_up(anew).await
    }

    async fn set(self, step: &str, value: &RawValue) -> Result<String> {
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
        let anew = anew.map(|mut anew| {
            anew.set(step, stored);
            anew
        });
        self.take_up(anew).await
    }

    async fn adopt(self, wanted: AdoptWanted<'_>) -> Result<String> {
        let entries = self.entries().await?;
        let anew =
            TakeUp::adopted(&self.known, &*self.store, &self.stored, &entries, &wanted, self.by.clone());
        self.take_up(anew).await
    }

    /// Begins a new life of the run.
    async fn take_up(self, anew: std::result::Result<TakeUp, Unread>) -> Result<String> {
        let anew = anew.map_err(|unread| self.not_read(unread))?;
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
