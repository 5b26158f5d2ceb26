//! Journals and graphs in the making.

use serde_json::{Value as Json, json};

use crate::blueprint::Blueprint;
use crate::history::{History, Unreadable};
use crate::run::Timestamp;
use crate::store::{Payload, StoredEntry};
use crate::task::definition::Graph;

pub fn step(name: &str, needs: &[u16], kind: &Json) -> Json {
    json!({ "name": name, "needs": needs, "kind": kind, "fingerprint": "0" })
}

pub fn task(name: &str, needs: &[u16]) -> Json {
    task_with(name, needs, json!({}))
}

/// A task with more in its contract.
pub fn task_with(name: &str, needs: &[u16], more: Json) -> Json {
    let mut task = json!({ "name": name, "version": 1 });
    for (field, value) in more.as_object().into_iter().flatten() {
        task[field] = value.clone();
    }
    step(name, needs, &json!({ "task": { "task": task } }))
}

pub fn soft(mut step: Json) -> Json {
    step["fails_softly"] = json!(true);
    step
}

pub fn retried(attempts: u32) -> Json {
    json!({ "attempts": attempts, "backoff": { "fixed": { "secs": 10, "nanos": 0 } } })
}

pub fn blueprint(regions: &[(&str, Vec<Json>)]) -> Blueprint {
    let regions: Vec<Json> =
        regions.iter().map(|(label, steps)| json!({ "label": label, "steps": steps })).collect();
    let workflow = json!({ "name": "w", "fingerprint": "0", "regions": regions });
    Blueprint::parse(&json!({ "format": 1, "workflows": [workflow] }).to_string()).unwrap()
}

pub fn graph(regions: &[(&str, Vec<Json>)]) -> &'static Graph {
    blueprint(regions).graph()
}

/// A journal in the making: an entry a second.
#[derive(Clone, Default)]
pub struct Journal(pub Vec<StoredEntry>);

pub fn second(second: u64) -> Timestamp {
    Timestamp(second * 1_000_000_000)
}

impl Journal {
    pub fn begun() -> Self {
        Self::default().add(json!({ "event": "begun" }))
    }

    pub fn add(mut self, event: Json) -> Self {
        let seq = self.0.len() as u64;
        self.0.push(StoredEntry { seq, at: second(seq), event: event.to_string(), value: None });
        self
    }

    /// An event that brings a value.
    pub fn with(self, event: Json) -> Self {
        let mut journal = self.add(event);
        let value = Payload { type_name: "u8".into(), bytes: b"1".to_vec() };
        journal.0.last_mut().unwrap().value = Some(value);
        journal
    }

    /// The attempt of a step of the body succeeds.
    pub fn ok(self, step: u16, epoch: u32) -> Self {
        self.with(json!({ "event": "attempt_succeeded", "step": [0, 0, step], "epoch": epoch }))
    }

    pub fn failed(self, step: u16, epoch: u32) -> Self {
        let failure = json!({ "cause": "error", "messages": ["no route"] });
        let step = json!([0, 0, step]);
        self.add(json!({
            "event": "attempt_failed", "step": step, "epoch": epoch, "failure": failure, "retry": "retry",
            "roll": 0.5,
        }))
    }

    pub fn recalled(self, step: u16, recalled: Json, from: Option<u64>) -> Self {
        let mut event = json!({ "event": "recalled", "step": [0, 0, step], "recalled": recalled });
        if let Some(from) = from {
            event["from"] = json!(from);
        }
        self.add(event)
    }

    pub fn taken_up(self, why: &str, blueprint: &Blueprint, dropped: &[&str]) -> Self {
        self.add(json!({
            "event": "taken_up", "why": why, "before": 0, "blueprint": blueprint.hash(), "dropped": dropped,
            "by": { "actor": "ann", "reason": "mended" },
        }))
    }

    pub fn read(&self, graph: &'static Graph) -> History {
        self.read_with(graph, &[]).unwrap()
    }

    pub fn read_with(&self, graph: &'static Graph, known: &[&Blueprint]) -> Result<History, Unreadable> {
        let find = |hash| known.iter().find(|known| known.hash() == hash).map(|known| known.graph());
        History::read(graph, &self.0, &find)
    }

    pub fn unreadable(&self, graph: &'static Graph) -> String {
        self.read_with(graph, &[]).unwrap_err().to_string()
    }
}
