//! What operators want of the runs, from another process than the one that
//! owns the store, if there is one.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;

use serde_json::json;
use workflow_runtime::Operation;
use workflow_runtime::run::Timestamp;
use workflow_runtime::store::{Cipher, KeyRing, Request, Visitor};

use crate::files::look;

/// The store, as another process than its owner asks it.
pub struct Outside {
    visitor: Visitor,
    /// Where values are encrypted.
    cipher: Option<Cipher>,
}

impl Outside {
    /// None while the store is not ready to be asked.
    pub fn of(database: &Path, keys: Option<&KeyRing>) -> Option<Self> {
        let visitor = Visitor::open(database).ok()?;
        let sealed = visitor.keys().unwrap();
        if keys.is_some() && sealed.is_empty() {
            return None;
        }
        let cipher = keys.map(|keys| Cipher::open(&sealed, keys).unwrap());
        Some(Self { visitor, cipher })
    }

    fn request(&self, request: Request) -> i64 {
        let request = match &self.cipher {
            Some(cipher) => cipher.seal_request(request).unwrap(),
            None => request,
        };
        self.visitor.request(request).unwrap()
    }
}

/// What is seen of the store at a moment.
pub struct Seen {
    runs: HashMap<String, String>,
    /// State and what is waited for, by run and path.
    steps: HashMap<(String, String), (String, Option<String>)>,
}

impl Seen {
    pub fn of(database: &Path) -> Option<Self> {
        let db = look(database)?;
        let mut runs = db.prepare("SELECT id, state FROM runs").ok()?;
        let runs = runs.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
        let mut steps = db.prepare("SELECT id, path, state, waits_for FROM steps").ok()?;
        let steps =
            steps.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))).ok()?;
        Some(Self {
            runs: runs.collect::<Result<_, _>>().ok()?,
            steps: steps.collect::<Result<_, _>>().ok()?,
        })
    }

    /// The state of a step.
    pub fn state(&self, id: &str, path: &str) -> Option<&str> {
        self.steps.get(&(id.to_owned(), path.to_owned())).map(|(state, _)| &**state)
    }

    /// The steps that are done, by run and path.
    pub fn succeeded(&self) -> impl Iterator<Item = &(String, String)> {
        self.steps.iter().filter(|(_, (state, _))| state == "succeeded").map(|(step, _)| step)
    }
}

/// When a line of a plan is due.
enum Cue {
    Now,
    /// The run has this state.
    Run(&'static str),
    /// The step has this state, and waits for this.
    Step(&'static str, &'static str, Option<&'static str>),
}

impl Cue {
    fn is_met(&self, id: &str, seen: &Seen) -> bool {
        match self {
            Cue::Now => true,
            Cue::Run(state) => seen.runs.get(id).is_some_and(|now| now == state),
            Cue::Step(path, state, waits_for) => seen
                .steps
                .get(&(id.to_owned(), (*path).to_owned()))
                .is_some_and(|now| now.0 == *state && now.1.as_deref() == *waits_for),
        }
    }
}

/// A run, and what is wanted of it.
pub struct Client {
    pub workflow: &'static str,
    pub number: u64,
    plan: VecDeque<(Cue, Operation)>,
    /// The request that is not answered yet.
    asked: Option<i64>,
    pub id: Option<String>,
    /// How the run ends, and with which result.
    pub end: (&'static str, Option<u64>),
    /// How many requests were made, and what the journal has to show for them.
    pub requests: usize,
    pub heard: Vec<(&'static str, usize)>,
}

impl Client {
    pub fn new(workflow: &'static str, number: u64, end: (&'static str, Option<u64>)) -> Self {
        let (plan, heard) = plan(workflow, number);
        Self { workflow, number, plan: plan.into(), asked: None, id: None, end, requests: 0, heard }
    }

    /// Goes on as far as it can; true when the run has ended as it should.
    pub fn go_on(&mut self, folder: &Path, outside: &Outside, seen: &Seen) -> bool {
        if let Some(number) = self.asked {
            let Some(answer) = outside.visitor.answer_to(number).unwrap() else { return false };
            let id = answer.result.unwrap_or_else(|why| panic!("{} {}: {why}", self.workflow, self.number));
            self.id.get_or_insert(id);
            self.asked = None;
            // What is seen is from before it.
            return false;
        }
        let id = self.id.clone();
        let named = id.as_deref().unwrap_or_default();
        if let Some((_, operation)) = self.plan.pop_front_if(|(cue, _)| cue.is_met(named, seen)) {
            if matches!(operation, Operation::Retry { step: None }) {
                fs::write(folder.join(format!("door-{}", self.number)), "").unwrap();
            }
            self.ask(outside, id.as_deref(), &operation);
            return false;
        }
        // Nobody knows whether it was done: somebody has looked, and it was.
        let lost = Cue::Step("errand/wired", "outcome_unknown", None);
        if lost.is_met(named, seen) {
            let value = json!(super::wired(self.number));
            self.ask(outside, id.as_deref(), &Operation::Set { step: "errand/wired".to_owned(), value });
            return false;
        }
        self.plan.is_empty() && Cue::Run(self.end.0).is_met(named, seen)
    }

    fn ask(&mut self, outside: &Outside, run: Option<&str>, operation: &Operation) {
        let request = Request {
            run: run.map(str::to_owned),
            operation: serde_json::to_string(operation).unwrap(),
            actor: "bob".to_owned(),
            reason: None,
            at: Timestamp(1),
        };
        self.asked = Some(outside.request(request));
        self.requests += 1;
    }
}

type Plan = (Vec<(Cue, Operation)>, Vec<(&'static str, usize)>);

fn plan(workflow: &str, number: u64) -> Plan {
    let params = [("number".to_owned(), json!(number))].into();
    let key = Some(format!("{workflow} {number}"));
    let start = (Cue::Now, Operation::Start { workflow: workflow.to_owned(), params, key });
    let signal = |name: &str, value| Operation::Signal { name: name.to_owned(), value };
    let waits_for_signal = |path| Cue::Step(path, "waiting", Some("signal"));
    let (rest, heard) = match workflow {
        "asked" => (
            vec![
                (waits_for_signal("asked/word"), Operation::Pause),
                (Cue::Now, signal("word", json!(super::errands::page(number)))),
                (Cue::Now, Operation::Resume),
                (waits_for_signal("asked/more"), signal("more", json!(7))),
            ],
            vec![("paused", 1), ("resumed", 1), ("signalled", 2)],
        ),
        // Half of them are helped through the door, the others around it.
        "stuck" if number.is_multiple_of(2) => {
            (vec![(Cue::Run("failed"), Operation::Retry { step: None })], vec![("taken_up", 1)])
        }
        "stuck" => {
            let by_hand = Operation::Set { step: "stuck/passed".to_owned(), value: json!(number + 1) };
            (vec![(Cue::Run("failed"), by_hand)], vec![("taken_up", 1)])
        }
        "endless" => {
            (vec![(waits_for_signal("endless/never"), Operation::Cancel)], vec![("cancel_requested", 1)])
        }
        "patient" => {
            let retry = Operation::Retry { step: Some("patient/insisted".to_owned()) };
            (
                vec![(Cue::Step("patient/insisted", "waiting", Some("backoff")), retry)],
                vec![("retry_requested", 1)],
            )
        }
        _ => (vec![], vec![]),
    };
    (std::iter::once(start).chain(rest).collect(), heard)
}
