//! What operators do in the middle of a run, with a process that dies at every
//! commit: each thing is done once, and all runs end as they would have.

use std::sync::Arc;

use serde_json::json;
use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::store::{Memory, RunFilter, Store};
use workflow_runtime::testing::block_on;
use workflow_runtime::{By, Context, Engine, Operation, RunSnapshot, doctor, task, workflow};

use crate::deadly::{Deadly, Death};

#[task(undo = release)]
async fn reserve(n: u64) -> u64 {
    n
}

#[task]
async fn release(_place: &u64) {}

#[task(retry(attempts = 2, backoff = fixed("1000d")))]
async fn insist(n: u64, #[context] cx: &Context) -> std::io::Result<u64> {
    if cx.attempt() < 2 { Err(std::io::Error::other("not now")) } else { Ok(n) }
}

#[task]
async fn small(n: u64) -> std::io::Result<u64> {
    if n < 10 { Ok(n) } else { Err(std::io::Error::other("too much")) }
}

#[task]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

workflow! {
    fn deal(n: u64) -> Result<u64> {
        let place = reserve(n);
        let word = signal::<u64>("word");
        let insisted = insist(word)?;
        let weighed = small(insisted + place)?;
        let sum = add(weighed, n);
        Ok(sum)
    }
}

/// One thing that is wanted.
struct Line {
    /// The line whose answer names the run; none of a start.
    of: Option<usize>,
    /// What the run looks like when it is wanted.
    when: fn(&RunSnapshot) -> bool,
    operation: Operation,
}

fn step(run: &RunSnapshot, path: &str) -> Option<StepState> {
    run.step(path).map(|step| step.state)
}

fn waits_for_signal(run: &RunSnapshot) -> bool {
    matches!(step(run, "deal/word"), Some(StepState::Waiting(Wait::Signal { .. })))
}

fn waits_for_backoff(run: &RunSnapshot) -> bool {
    matches!(step(run, "deal/insisted"), Some(StepState::Waiting(Wait::Backoff { .. })))
}

fn at_once(_: &RunSnapshot) -> bool {
    true
}

fn plan() -> Vec<Line> {
    let line = |of, when: fn(&RunSnapshot) -> bool, operation| Line { of: Some(of), when, operation };
    let path = |step: &str| format!("deal/{step}");
    let start = Operation::Start {
        workflow: "deal".to_owned(),
        params: [("n".to_owned(), json!(1))].into(),
        key: Some("the deal".to_owned()),
    };
    let word = |n: u64| Operation::Signal { name: "word".to_owned(), value: json!(n) };
    vec![
        Line { of: None, when: at_once, operation: start },
        line(0, waits_for_signal, Operation::Pause),
        line(0, at_once, word(40)),
        line(0, at_once, Operation::Resume),
        line(0, waits_for_backoff, Operation::Retry { step: Some(path("insisted")) }),
        // It fails, and what was reserved is given back.
        line(0, |run| run.state == RunState::Failed, Operation::Retry { step: None }),
        line(
            0,
            |run| run.state == RunState::Failed,
            Operation::Set { step: path("weighed"), value: json!(3) },
        ),
        line(0, |run| run.state == RunState::Succeeded, Operation::Fork { from: path("sum") }),
        line(0, at_once, Operation::Rerun),
        line(8, waits_for_signal, Operation::Set { step: path("word"), value: json!(5) }),
        line(8, waits_for_backoff, Operation::Cancel),
    ]
}

/// What the journals show of it, over all runs.
const HEARD: [(&str, usize); 7] = [
    ("paused", 1),
    ("resumed", 1),
    ("signalled", 1),
    ("retry_requested", 1),
    ("taken_up", 3),
    ("cancel_requested", 1),
    ("set", 1),
];

#[test]
fn whatever_operators_do_is_done_once_wherever_the_process_dies() {
    let plan = plan();
    let mut deaths = 0;
    for death in [Death::Before, Death::Unheard] {
        for write in 1.. {
            // The second process dies early too, three times in four.
            let again = [usize::MAX, 1, 2, 3][write % 4];
            let memory = Memory::new();
            let mut lives = [write, again].into_iter().chain(std::iter::repeat(usize::MAX));
            let mut died = 0;
            while !process(&memory, &plan, death, lives.next().unwrap()) {
                died += 1;
                assert!(died <= 2, "{death:?} {write} {again}: the third process does not end");
            }
            check(&memory, &plan, &format!("{death:?} at {write}, and again at {again}"));
            deaths += died;
            if died == 0 {
                break;
            }
        }
    }
    assert!(deaths > 60, "only {deaths} deaths");
}

/// One process, until all is done or it dies.
fn process(memory: &Memory, plan: &[Line], death: Death, write: usize) -> bool {
    let store = Deadly::new(Arc::new(memory.clone()), death, write);
    let ended = block_on(async {
        let live = async {
            go_on(&store, memory, plan).await;
            // A dead one gets nowhere.
            if store.is_dead() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = store.died() => false,
            () = live => true,
        }
    });
    let report = doctor::examine(memory, &[deal::GRAPH]).unwrap();
    assert!(report.is_healthy() && report.not_followed.is_empty(), "{death:?} {write}: {report}");
    ended
}

async fn go_on(store: &Arc<Deadly>, memory: &Memory, plan: &[Line]) {
    let Ok(engine) = Engine::with_store(store.clone()).register::<deal>().start().await else { return };
    // What the last process was asked for is done first. A thread sees to it.
    while !memory.open_requests().unwrap().is_empty() {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    let mut made = answers(memory);
    for Line { of, when, operation } in &plan[made.len()..] {
        let id = of.map(|line| made[line].clone());
        if let Some(id) = &id {
            until(&engine, id, when).await;
        }
        let by = By { actor: "ann".to_owned(), reason: None };
        match engine.operate(id.as_deref(), operation.clone(), by).await {
            Ok(id) => made.push(id),
            Err(_) if store.is_dead() => return,
            Err(error) => panic!("{operation:?}: {error}"),
        }
    }
    for id in &made {
        until(&engine, id, |run| run.state.is_ended()).await;
    }
}

/// Polled, since the run may be taken up anew in between.
async fn until(engine: &Engine, id: &str, when: impl Fn(&RunSnapshot) -> bool) {
    loop {
        match engine.run(id).await {
            Ok(run) if when(&run.snapshot()) => return,
            _ => tokio::task::yield_now().await,
        }
    }
}

/// The answers so far, in the order of the requests: the ids of runs.
fn answers(memory: &Memory) -> Vec<String> {
    let mut asked = memory.requests(None, 99).unwrap();
    asked.sort_by_key(|asked| asked.number);
    asked.into_iter().map(|asked| asked.answer.unwrap().result.unwrap()).collect()
}

fn check(memory: &Memory, plan: &[Line], place: &str) {
    let made = answers(memory);
    assert_eq!(made.len(), plan.len(), "{place}: each is asked for once");
    let runs = memory.list(&RunFilter::default()).unwrap();
    assert_eq!(runs.len(), 3, "{place}: one for each that was made");
    for (line, state, result) in [
        (0, RunState::Succeeded, Some("4")),
        (7, RunState::Succeeded, Some("4")),
        (8, RunState::Cancelled, None),
    ] {
        let run = runs.iter().find(|run| run.id == made[line]).unwrap();
        let found = run.end.as_ref().and_then(|end| end.result.as_ref());
        let found = found.map(|value| std::str::from_utf8(&value.bytes).unwrap());
        assert_eq!((run.state, found), (state, result), "{place}");
    }
    let journals: Vec<_> = runs.iter().flat_map(|run| memory.journal(run.run).unwrap()).collect();
    for (event, times) in HEARD {
        let named = format!("\"event\":\"{event}\"");
        let heard = journals.iter().filter(|entry| entry.event.contains(&named)).count();
        assert_eq!(heard, times, "{place}: {event} in {journals:#?}");
    }
}
