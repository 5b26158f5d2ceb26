//! What an operator may do to a step, in every state that a step can have in
//! every state of a run: a table to be read, and the machine held against it.
//!
//! The pairs are found by trying all that can happen to a few small runs, so
//! none is missing; a state, a kind of step or an event that is new does not
//! compile here before it has its place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use super::graph::*;
use super::harness::*;
use crate::run::machine::frame::Activity;
use crate::run::{AttemptEnd, Event, Key, Recalled, Refused, RunState, SignalId, StepState, Timestamp, Wait};
use crate::task::Retryability;
use crate::task::definition::{Graph, Kind};

/// `yes`, or what the refusal says after "it". The letters are the states of a
/// run in which there are such steps: running, waiting, paused, cancelling,
/// undoing; succeeded, failed, cancelled. Of a run that has ended the machine
/// refuses all.
const ALLOWED: &str = "
step                                   | runs     | retry                                      | set                                            | give up its undo
region: cancelled                      | cuC      | is cancelled                               | is made of other steps                         | is cancelled
region: failed                         | uFC      | is failed                                  | is made of other steps                         | is failed
region: paused                         | p        | is paused                                  | is made of other steps                         | is paused
region: running                        | rwpc     | is running                                 | is made of other steps                         | is running
region: succeeded                      | rwpcuSFC | is succeeded                               | is made of other steps                         | is succeeded
region: upstream failed                | uF       | is upstream failed                         | is made of other steps                         | is upstream failed
region: waiting for other steps        | rwp      | is waiting for other steps                 | is made of other steps                         | is waiting for other steps
signal, sleep: cancelled               | cFC      | is cancelled                               | is cancelled                                   | is cancelled
signal, sleep: failed                  | wpSC     | is failed                                  | is failed                                      | is failed
signal, sleep: paused                  | p        | is paused                                  | yes                                            | is paused
signal, sleep: sleeping                | rwp      | is sleeping                                | yes                                            | is sleeping
signal, sleep: succeeded               | rwpcSFC  | is succeeded                               | is succeeded                                   | is succeeded
signal, sleep: waiting for a signal    | rwp      | is waiting for a signal                    | yes                                            | is waiting for a signal
signal, sleep: waiting for other steps | wp       | is waiting for other steps                 | is waiting for other steps                     | is waiting for other steps
task: cancelled                        | cuFC     | is cancelled                               | is cancelled                                   | is cancelled
task: failed                           | rwcuFC   | is failed                                  | is failed                                      | is failed
task: outcome unknown, for good        | cFC      | is outcome unknown                         | is outcome unknown                             | is outcome unknown
task: outcome unknown, its run ends    | rc       | belongs to what has failed or is cancelled | yes                                            | is outcome unknown
task: outcome unknown, to be settled   | rwpc     | yes                                        | yes                                            | is outcome unknown
task: paused                           | p        | is paused                                  | yes                                            | is paused
task: running                          | rpc      | is running                                 | is running                                     | is running
task: skipped                          | u        | is skipped                                 | is skipped                                     | is skipped
task: succeeded                        | rwpcuSFC | is succeeded                               | is succeeded                                   | is succeeded
task: succeeded (cached)               | rwpcuSFC | is succeeded (cached)                      | is succeeded (cached)                          | is succeeded (cached)
task: suspected                        | wpc      | yes                                        | yes                                            | is suspected
task: suspected, of its undo           | u        | yes                                        | yes                                            | yes
task: undoing                          | cu       | is being undone at this moment             | is being undone at this moment                 | yes
task: undoing, between two attempts    | cu       | yes                                        | yes                                            | yes
task: undone                           | rwcFC    | is undone                                  | is undone                                      | is undone
task: upstream failed                  | FC       | is upstream failed                         | is upstream failed                             | is upstream failed
task: waiting for a slot               | rw       | is waiting for a slot                      | yes                                            | is waiting for a slot
task: waiting for its next attempt     | wp       | yes                                        | yes                                            | is waiting for its next attempt
task: waiting for its turn             | rwc      | is waiting for its turn                    | yes                                            | is waiting for its turn
task: waiting for other steps          | rwpcu    | is waiting for other steps                 | is waiting for other steps                     | is waiting for other steps
value: cancelled                       | cC       | is cancelled                               | is an expression, which is evaluated by itself | is cancelled
value: paused                          | p        | is paused                                  | is an expression, which is evaluated by itself | is paused
value: succeeded                       | S        | is succeeded                               | is an expression, which is evaluated by itself | is succeeded
value: upstream failed                 | F        | is upstream failed                         | is an expression, which is evaluated by itself | is upstream failed
value: waiting for other steps         | rwp      | is waiting for other steps                 | is an expression, which is evaluated by itself | is waiting for other steps
";

/// What can be done to a run as a whole. `paused` is asked for beside the state:
/// what has failed or is cancelled ends in a pause too.
const RUN: &str = "
run        | paused | pause                              | resume                             | cancel            | signal
running    | no     | yes                                | the run does not expect this event | yes               | yes
running    | yes    | the run does not expect this event | yes                                | yes               | yes
waiting    | no     | yes                                | the run does not expect this event | yes               | yes
waiting    | yes    | the run does not expect this event | yes                                | yes               | yes
paused     | yes    | the run does not expect this event | yes                                | yes               | yes
cancelling | no     | yes                                | the run does not expect this event | yes               | yes
cancelling | yes    | the run does not expect this event | yes                                | yes               | yes
undoing    | no     | yes                                | the run does not expect this event | yes               | yes
undoing    | yes    | the run does not expect this event | yes                                | yes               | yes
succeeded  | no     | the run has ended                  | the run has ended                  | the run has ended | the run has ended
succeeded  | yes    | the run has ended                  | the run has ended                  | the run has ended | the run has ended
failed     | no     | the run has ended                  | the run has ended                  | the run has ended | the run has ended
failed     | yes    | the run has ended                  | the run has ended                  | the run has ended | the run has ended
cancelled  | no     | the run has ended                  | the run has ended                  | the run has ended | the run has ended
cancelled  | yes    | the run has ended                  | the run has ended                  | the run has ended | the run has ended
";

/// What an operator asks of a step.
#[derive(Clone, Copy)]
enum Operation {
    Retry,
    Set,
    GiveUp,
}

const OPERATIONS: [Operation; 3] = [Operation::Retry, Operation::Set, Operation::GiveUp];

impl Operation {
    fn event(self, key: Key) -> Event {
        match self {
            Self::Retry => Event::RetryRequested { key },
            Self::Set => Event::Set { key },
            Self::GiveUp => Event::UndoGivenUp { key },
        }
    }

    fn asked(self, run: &Run, key: Key) -> String {
        let answer = match self {
            Self::Retry => run.machine.may_retry(key),
            Self::Set => run.machine.may_set(key),
            Self::GiveUp => run.machine.may_give_up(key),
        };
        answer.map_or_else(|refusal| refusal.to_string(), |()| "yes".to_owned())
    }
}

/// Who has the machine hear an event. One that is new has to find its place here,
/// and a table above where an operator is it.
enum By {
    Driver,
    Operator(Operation, Key),
    OperatorOfRun,
}

fn by(event: &Event) -> By {
    match *event {
        Event::RetryRequested { key } => By::Operator(Operation::Retry, key),
        Event::Set { key } => By::Operator(Operation::Set, key),
        Event::UndoGivenUp { key } => By::Operator(Operation::GiveUp, key),
        Event::Paused | Event::Resumed { .. } | Event::CancelRequested | Event::Signalled { .. } => {
            By::OperatorOfRun
        }
        Event::Begun
        | Event::Answered { .. }
        | Event::Yielded { .. }
        | Event::Granted { .. }
        | Event::BudgetOver { .. }
        | Event::AttemptEnded { .. }
        | Event::TimerFired { .. }
        | Event::TimerFiredLate { .. }
        | Event::Recalled { .. }
        | Event::HeldRecalled { .. }
        | Event::MoreWanted { .. }
        | Event::GraceOver => By::Driver,
    }
}

/// What kind of step it is, as far as it matters here.
fn kind(run: &Run, key: Key) -> &'static str {
    match run.machine.step(key).expect("an open step").kind {
        Kind::Task(task) if task.task.child.is_none() => "task",
        Kind::Signal { .. } | Kind::Sleep(_) => "signal, sleep",
        Kind::Compute(_) => "value",
        Kind::Check(_) => "check",
        Kind::Task(_) | Kind::Map { .. } | Kind::Loop { .. } | Kind::Branch { .. } | Kind::Select { .. } => {
            "region"
        }
    }
}

/// The state of a step, and what else an answer depends on.
fn state(run: &Run, key: Key) -> String {
    let node = run.machine.frames.node(key).expect("an open step");
    let halted = run.machine.frames.at(key.frame.index).halted && !run.machine.step(key).unwrap().always;
    let of = match node.state {
        StepState::Waiting(
            Wait::Dependencies
            | Wait::Slot
            | Wait::Turn
            | Wait::Timer { .. }
            | Wait::Signal { .. }
            | Wait::Backoff { .. }
            | Wait::Paused,
        )
        | StepState::Running
        | StepState::Succeeded { .. }
        | StepState::Failed
        | StepState::Skipped
        | StepState::UpstreamFailed
        | StepState::Cancelled
        | StepState::Undone => "",
        StepState::OutcomeUnknown => match (node.unresolved, halted) {
            (true, false) => ", to be settled",
            (true, true) => ", its run ends",
            (false, _) => ", for good",
        },
        StepState::Suspected if run.machine.is_undo(key) => ", of its undo",
        StepState::Suspected => "",
        StepState::Undoing if node.activity == Activity::Idle => ", between two attempts",
        StepState::Undoing => "",
    };
    format!("{}{of}", node.state)
}

/// A run as what has happened to it.
type Story = Vec<(Timestamp, Event)>;

/// A run to start from: a graph, what is left of its steps, and whether that is
/// held.
struct Start {
    graph: &'static Graph,
    left: Vec<(&'static str, Recalled)>,
    held: bool,
}

impl Start {
    fn new(graph: &'static Graph) -> Self {
        Self { graph, left: Vec::new(), held: false }
    }

    fn after(&self, story: &Story) -> Run {
        let mut run = match (self.left.is_empty(), self.held) {
            (true, _) => Run::begin(self.graph),
            (false, true) => Run::holding(self.graph, &self.left),
            (false, false) => Run::resuming(self.graph, &self.left),
        };
        for (now, event) in story {
            run.now = *now;
            run.event(event.clone()).expect("it has happened before");
        }
        run
    }
}

/// All that may happen next, whether or not it fits.
fn next(run: &Run) -> Story {
    let mut events = Vec::new();
    for key in run.machine.steps().map(|view| view.key) {
        events.extend(OPERATIONS.map(|operation| (run.now, operation.event(key))));
        let Some((epoch, at)) = run.told(key) else { continue };
        let later = run.now.max(at);
        events.push((later, Event::TimerFired { key, epoch }));
        events.push((run.now, Event::Granted { key, epoch }));
        let ends = [
            AttemptEnd::Ok,
            AttemptEnd::Reused,
            AttemptEnd::NotDone,
            AttemptEnd::Failed(failure("no luck"), Retryability::Retry),
            AttemptEnd::Failed(failure("no way"), Retryability::Fatal),
            AttemptEnd::Lost,
            AttemptEnd::Interrupted,
            AttemptEnd::Cancelled,
        ];
        let ended = |end| (run.now, Event::AttemptEnded { key, epoch, end, roll: 0.5 });
        events.extend(ends.into_iter().map(ended));
    }
    let run_events = [
        Event::Paused,
        Event::Resumed { over_budget: Vec::new() },
        Event::CancelRequested,
        Event::GraceOver,
        Event::Signalled { signal: SignalId { name: "go", key: None }, step: None },
    ];
    events.extend(run_events.into_iter().map(|event| (run.now, event)));
    events
}

/// What tells one moment of a run from another here.
fn moment(run: &Run) -> String {
    let mut text = format!("{} {} ", run.run_state(), run.machine.is_paused());
    for view in run.machine.steps() {
        write!(text, "{:?} {} {}, ", view.key, state(run, view.key), view.losses.min(1)).unwrap();
    }
    text
}

/// What has become of an event at a moment.
type Tried = Vec<(Event, Result<(), Refused>)>;

/// Calls `look` with every moment that a run can come to, and what becomes of
/// all events there.
fn every_moment(start: &Start, mut look: impl FnMut(&Run, &Tried)) {
    let mut known = BTreeSet::new();
    let mut open = VecDeque::from([Story::new()]);
    while let Some(story) = open.pop_front() {
        let run = start.after(&story);
        let here = moment(&run);
        if !known.insert(here.clone()) {
            continue;
        }
        assert!(known.len() < 5000, "such a run has too many moments; take a smaller one");
        let mut tried = Tried::new();
        for (now, event) in next(&run) {
            let mut run = start.after(&story);
            run.now = now;
            let heard = run.event(event.clone());
            let there = moment(&run);
            assert!(heard.is_ok() || there == here, "{event:?} is refused and changes {here} to {there}");
            if heard.is_ok() && !known.contains(&there) {
                open.push_back([story.clone(), vec![(now, event.clone())]].concat());
            }
            tried.push((event, heard));
        }
        look(&run, &tried);
    }
}

fn starts() -> Vec<Start> {
    let inner = graph("inner", vec![region(vec![task("x").undo(1)])]);
    let undoable = || task("a").undo(2).attempts(2).losses(2);
    vec![
        Start::new(flat(vec![undoable(), task("b").needs(&["a"])])),
        Start::new(flat(vec![task("a").limited(), task("b")])),
        Start::new(flat(vec![
            task("a").undo(1).reconciled(2),
            task("b"),
            task("c").needs(&["a"]).always().losses(1),
        ])),
        Start::new(flat(vec![task("a").at_most_once().always(), task("b")])),
        Start::new(flat(vec![signal_within("a", "go").value(), sleep("b").needs(&["a"]), signal("c", "go")])),
        Start::new(flat(vec![task("a"), compute("b").needs(&["a"])])),
        Start::new(graph("w", vec![region(vec![child("a", inner), task("b").needs(&["a"])])])),
        Start::new(graph(
            "w",
            vec![
                region(vec![task("a"), branch("b", &[1, 2]).needs(&["a"])]),
                region(vec![task("x")]),
                region(vec![]),
            ],
        )),
        Start::new(graph(
            "w",
            vec![
                region(vec![select("s", 1, &[2, 3])]),
                region(vec![signal("x", "go"), task("y")]),
                labelled("0", vec![task("won")]),
                labelled("1", vec![]),
            ],
        )),
        Start {
            left: vec![("c[then]/x", Recalled::Value)],
            held: true,
            ..Start::new(graph(
                "w",
                vec![
                    region(vec![task("risk"), branch("c", &[1]).needs(&["risk"])]),
                    labelled("then", vec![task("x").undo(1), task("y")]),
                ],
            ))
        },
        Start {
            left: vec![("a", Recalled::Unknown), ("b", Recalled::Until(Timestamp(9)))],
            ..Start::new(flat(vec![task("a").at_most_once(), sleep("b")]))
        },
    ]
}

/// The states of a run, in the order of the table's letters.
fn letter(state: RunState) -> Option<Letter> {
    match state {
        // Nothing has begun; the machine has no such state.
        RunState::Queued | RunState::Blocked => None,
        RunState::Running => Some((0, 'r')),
        RunState::Waiting => Some((1, 'w')),
        RunState::Paused => Some((2, 'p')),
        RunState::Cancelling => Some((3, 'c')),
        RunState::Undoing => Some((4, 'u')),
        RunState::Succeeded => Some((5, 'S')),
        RunState::Failed => Some((6, 'F')),
        RunState::Cancelled => Some((7, 'C')),
    }
}

/// A state of a run: its place in the table, and its letter.
type Letter = (usize, char);

/// By kind and state of a step: what is answered, and in which states of a run.
type Steps = BTreeMap<(&'static str, String), ([String; 3], BTreeSet<Letter>)>;

/// By state of a run, and whether it is paused: what is answered.
type Runs = BTreeMap<(Letter, bool), (RunState, [String; 4])>;

#[test]
fn what_an_operator_may_do_is_as_the_tables_say() {
    let (mut steps, mut runs) = (Steps::new(), Runs::new());
    for start in starts() {
        every_moment(&start, |run, tried| {
            let of_run = letter(run.run_state()).expect("a state of the machine");
            let mut whole = Vec::new();
            for (event, heard) in tried {
                let asked = match by(event) {
                    By::Driver => continue,
                    By::OperatorOfRun => {
                        whole.push(heard.clone().map_or_else(|no| no.to_string(), |()| "yes".to_owned()));
                        continue;
                    }
                    By::Operator(operation, key) => operation.asked(run, key),
                };
                let expected = match asked.as_str() {
                    _ if run.run_state().is_ended() => Err(Refused::Ended),
                    "yes" => Ok(()),
                    _ => Err(Refused::Unexpected),
                };
                assert_eq!(*heard, expected, "{event:?} where it {asked}, in {}", moment(run));
            }
            for key in run.machine.steps().map(|view| view.key) {
                let asked = OPERATIONS.map(|operation| operation.asked(run, key));
                let row = (kind(run, key), state(run, key));
                let (known, states) = steps.entry(row).or_insert_with(|| (asked.clone(), BTreeSet::new()));
                assert_eq!(*known, asked, "the table needs another column for {}", moment(run));
                states.insert(of_run);
            }
            let whole: [String; 4] = whole.try_into().expect("four of them");
            let row = (of_run, run.machine.is_paused());
            let (_, known) = runs.entry(row).or_insert_with(|| (run.run_state(), whole.clone()));
            assert_eq!(*known, whole, "the table needs another column for {}", moment(run));
        });
    }
    let mut table = "step | runs | retry | set | give up its undo\n".to_owned();
    for ((kind, state), ([retry, set, give_up], states)) in &steps {
        let states = states.iter().map(|(_, letter)| letter).collect::<String>();
        writeln!(table, "{kind}: {state} | {states} | {retry} | {set} | {give_up}").unwrap();
    }
    assert_eq!(aligned(&table), ALLOWED.trim(), "\n{}\n", aligned(&table));
    let mut table = "run | paused | pause | resume | cancel | signal\n".to_owned();
    for ((_, paused), (state, [pause, resume, cancel, signal])) in &runs {
        let paused = if *paused { "yes" } else { "no" };
        writeln!(table, "{state} | {paused} | {pause} | {resume} | {cancel} | {signal}").unwrap();
    }
    assert_eq!(aligned(&table), RUN.trim(), "\n{}\n", aligned(&table));
}

/// The cells of each column below one another.
fn aligned(table: &str) -> String {
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(" | ").collect()).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let line = |row: &Vec<&str>| {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:0$}", width(column)));
        cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
