//! What holds for every run: checked after each run of every test.

use std::collections::HashMap;

use workflow_runtime::RunEventKind;
use workflow_runtime::RunSnapshot;
use workflow_runtime::definition::{Graph, Kind, OnFailure, Region, Step};
use workflow_runtime::run::{RunState, StepState, Wait};
use workflow_runtime::testing::Trace;

/// Checks a run that nobody asked to stop, or somebody: a run that was not
/// cancelled may not say so, but for that use [`check_asked`].
#[track_caller]
pub fn check(graph: &'static Graph, trace: &Trace, snapshot: &RunSnapshot) {
    if let Err(broken) = find_broken(graph, trace, snapshot) {
        panic!("{broken}\n{trace}");
    }
}

/// The same, knowing whether the run was asked to stop.
#[track_caller]
pub fn check_asked(asked_to_stop: bool, graph: &'static Graph, trace: &Trace, snapshot: &RunSnapshot) {
    check(graph, trace, snapshot);
    let cancelled = snapshot.state == RunState::Cancelled;
    assert!(asked_to_stop || !cancelled, "nobody cancelled this run\n{trace}");
}

/// What is known of a step while the trace is read.
#[derive(Clone)]
struct Known<'a> {
    place: Place,
    state: StepState,
    attempt: u32,
    /// When it succeeded: the number of the event.
    succeeded: Option<usize>,
    undone: Option<usize>,
    failed: Option<usize>,
    path: &'a str,
}

/// Where a path leads in the static graph.
#[derive(Clone)]
struct Place {
    region: &'static Region,
    step: &'static Step,
    /// The path of the region around it.
    frame: String,
    /// The steps around it that are child workflows.
    children: Vec<String>,
    /// Whether it is a trigger of a `select!`.
    in_race: bool,
}

fn find_broken(graph: &'static Graph, trace: &Trace, snapshot: &RunSnapshot) -> Result<(), String> {
    let mut steps: HashMap<&str, Known<'_>> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    let mut last = None;
    let mut ended: Option<RunState> = None;
    let mut undoing: Vec<&str> = Vec::new();
    let mut before = None;
    let mut cancelling = None;
    for (number, event) in trace.events().iter().enumerate() {
        if before.is_some_and(|before| event.at < before) {
            return Err(format!("time runs backwards at event {number}"));
        }
        before = Some(event.at);
        if let Some(state) = ended {
            return Err(format!("the run is {state}, and then `{event}`"));
        }
        match &event.kind {
            RunEventKind::Run(state) => {
                if last == Some(*state) {
                    return Err(format!("the run is {state} twice"));
                }
                last = Some(*state);
                check_run_state(*state, &steps)?;
                ended = state.is_ended().then_some(*state);
                if *state == RunState::Cancelling {
                    cancelling = cancelling.or(Some(number));
                }
            }
            RunEventKind::Step { path, state, attempt, failure, .. } => {
                let words = failure.as_ref().map(ToString::to_string).unwrap_or_default();
                if words.contains("please report") {
                    return Err(format!("`{path}` met a bug of this project: {words}"));
                }
                let place = Place::find(graph, path).ok_or_else(|| format!("there is no step `{path}`"))?;
                let known = steps.get(path.as_str()).cloned();
                check_change(path, known.as_ref(), *state, *attempt, &place)?;
                let begins = known
                    .is_none_or(|known| matches!(known.state, StepState::Waiting(Wait::Dependencies)))
                    && matches!(state, StepState::Running | StepState::Waiting(_))
                    && *state != StepState::Waiting(Wait::Dependencies);
                if begins {
                    check_needs(path, &place, &steps)?;
                }
                let known = steps.entry(path).or_insert_with(|| {
                    order.push(path);
                    Known {
                        place,
                        state: *state,
                        attempt: 0,
                        succeeded: None,
                        undone: None,
                        failed: None,
                        path,
                    }
                });
                known.state = *state;
                known.attempt = *attempt;
                if matches!(state, StepState::Succeeded { .. }) {
                    known.succeeded = Some(number);
                }
                if *state == StepState::Failed {
                    known.failed = Some(number);
                }
                if *state == StepState::Undoing {
                    known.undone = Some(number);
                    undoing.push(path);
                }
            }
            RunEventKind::Progress { path, .. } => {
                // What a task says is throttled, and so may come late.
                if !steps.contains_key(path.as_str()) {
                    return Err(format!("`{path}` tells of progress and has not begun"));
                }
            }
            RunEventKind::Lagged(_) => return Err("the trace is not complete".to_owned()),
            other => return Err(format!("unknown event {other:?}")),
        }
    }
    let ended = ended.ok_or("the run has not ended")?;
    for path in &order {
        let known = &steps[path];
        if !known.state.is_ended() {
            return Err(format!("the run is {ended}, and `{path}` is {}", known.state));
        }
    }
    check_outcome(ended, cancelling, &steps)?;
    check_undo_order(&undoing, &steps)?;
    check_snapshot(ended, snapshot, &steps)
}

/// A step's states follow each other as they may, its attempts count up by
/// one, and never exceed its budget.
fn check_change(
    path: &str,
    known: Option<&Known<'_>>,
    state: StepState,
    attempt: u32,
    place: &Place,
) -> Result<(), String> {
    let from = known.map_or(StepState::Waiting(Wait::Dependencies), |known| known.state);
    let (was, budget) = match place.step.kind {
        Kind::Task(task) => (known.map_or(0, |known| known.attempt), task.policy.retry.attempts),
        _ => (known.map_or(0, |known| known.attempt), 1),
    };
    let fits = match (from, state) {
        (StepState::Waiting(_), StepState::Waiting(_)) => true,
        (StepState::Waiting(_), StepState::Running) => true,
        // A signal, a sleep, or what is given up while it waits.
        (StepState::Waiting(_), _) => {
            !matches!(state, StepState::Undoing | StepState::Undone | StepState::OutcomeUnknown)
        }
        (StepState::Running, StepState::Running) => false,
        (StepState::Running, StepState::Undoing | StepState::Undone) => false,
        (StepState::Running, _) => true,
        (StepState::Succeeded { .. }, StepState::Undoing) => true,
        (StepState::Undoing, StepState::Undone | StepState::Failed) => true,
        (_, _) => false,
    };
    if !fits {
        return Err(format!("`{path}` is {from}, and then {state}"));
    }
    let undoing = matches!(state, StepState::Undoing | StepState::Undone) || from == StepState::Undoing;
    if undoing {
        return Ok(());
    }
    if state == StepState::Running && attempt != was + 1 {
        // A region runs once; a signal or a sleep has begun before.
        let once = attempt == 1 && was == 1 && !matches!(place.step.kind, Kind::Task(_));
        if !once {
            return Err(format!("attempt {attempt} of `{path}` follows attempt {was}"));
        }
    }
    if attempt > budget {
        return Err(format!("`{path}` has {budget} attempts, and this is number {attempt}"));
    }
    Ok(())
}

/// No step begins before what it needs has ended, and left a value.
fn check_needs(path: &str, place: &Place, steps: &HashMap<&str, Known<'_>>) -> Result<(), String> {
    for need in place.step.needs {
        let need = &place.region.steps[usize::from(*need)];
        let need_path = format!("{}/{}", place.frame, need.name);
        let state = steps.get(need_path.as_str()).map(|known| known.state);
        let valued = match state {
            Some(StepState::Succeeded { .. }) => true,
            Some(StepState::Failed) => matches!(need.on_failure, OnFailure::Value(_)),
            // Cleaning up comes after what it uses, also once that is undone.
            Some(StepState::Undone) => place.step.always,
            _ => false,
        };
        if !valued {
            let state = state.map_or_else(|| "not even begun".to_owned(), |state| state.to_string());
            return Err(format!("`{path}` begins, and `{need_path}`, which it needs, is {state}"));
        }
    }
    Ok(())
}

/// The run's state is a function of its steps' states.
fn check_run_state(state: RunState, steps: &HashMap<&str, Known<'_>>) -> Result<(), String> {
    let at_work = |known: &&Known<'_>| {
        let task = matches!(known.place.step.kind, Kind::Task(task) if task.task.child.is_none());
        task && matches!(known.state, StepState::Running | StepState::Undoing)
    };
    match (state, steps.values().find(at_work)) {
        (RunState::Waiting, Some(step)) if step.state == StepState::Running => {
            Err(format!("the run waits, and `{}` is {}", step.path, step.state))
        }
        _ => Ok(()),
    }
}

fn check_outcome(
    ended: RunState,
    cancelling: Option<usize>,
    steps: &HashMap<&str, Known<'_>>,
) -> Result<(), String> {
    // Of a `select!` and of a child workflow only the whole counts.
    let body = steps.values().filter(|known| known.place.children.is_empty() && !known.place.in_race);
    let failed = |known: &&Known<'_>| {
        let handled = matches!(known.place.step.on_failure, OnFailure::Value(_));
        known.state == StepState::Failed && !handled && known.succeeded.is_none()
    };
    let mut failures = body.clone().filter(failed);
    match ended {
        RunState::Succeeded => {
            let bad = body.clone().find(|known| match known.state {
                StepState::Succeeded { .. } | StepState::Skipped => false,
                StepState::Failed => !matches!(known.place.step.on_failure, OnFailure::Value(_)),
                _ => !Place::lies_in_lost_region(known, steps),
            });
            bad.map_or(Ok(()), |known| {
                Err(format!("the run succeeded, and `{}` is {}", known.path, known.state))
            })
        }
        // The result itself may be what failed.
        RunState::Failed => Ok(()),
        RunState::Cancelled => failures
            // What fails while it is being stopped changes nothing.
            .find(|known| known.failed < cancelling && !Place::lies_in_lost_region(known, steps))
            .map_or(Ok(()), |known| Err(format!("`{}` failed, and the run was cancelled", known.path))),
        other => Err(format!("the run ended {other}")),
    }
}

/// What is undone is undone in the reverse order of its success. A child
/// workflow that fails undoes its own steps when it does, which may be while
/// others go on.
fn check_undo_order(undoing: &[&str], steps: &HashMap<&str, Known<'_>>) -> Result<(), String> {
    for (index, first) in undoing.iter().enumerate() {
        for second in &undoing[index + 1..] {
            let (first, second) = (&steps[first], &steps[second]);
            if first.succeeded > second.succeeded
                || scope_of_undo(first, steps) != scope_of_undo(second, steps)
            {
                continue;
            }
            return Err(format!("`{}` is undone before `{}`, which finished later", first.path, second.path));
        }
    }
    Ok(())
}

/// The outermost workflow that failed with the step in it: it undoes it. The
/// innermost failed one does so first.
fn scope_of_undo<'a>(known: &'a Known<'_>, steps: &HashMap<&str, Known<'_>>) -> Option<&'a str> {
    let failed = |path: &&String| {
        let state = steps.get(path.as_str()).map(|known| known.state);
        !matches!(state, Some(StepState::Succeeded { .. }))
    };
    known.place.children.iter().rev().find(failed).map(String::as_str)
}

/// A snapshot says what the events say.
fn check_snapshot(
    ended: RunState,
    snapshot: &RunSnapshot,
    steps: &HashMap<&str, Known<'_>>,
) -> Result<(), String> {
    if snapshot.state != ended || snapshot.ended_at.is_none() {
        return Err(format!("the run is {ended}, and its snapshot says {}", snapshot.state));
    }
    for step in &snapshot.steps {
        match steps.get(step.path.as_str()) {
            Some(known) if known.state != step.state => {
                return Err(format!(
                    "`{}` is {}, and the snapshot says {}",
                    step.path, known.state, step.state
                ));
            }
            None if !matches!(
                step.state,
                StepState::Skipped | StepState::Cancelled | StepState::UpstreamFailed
            ) =>
            {
                return Err(format!(
                    "the snapshot says `{}` is {}, and no event does",
                    step.path, step.state
                ));
            }
            _ => {}
        }
    }
    for path in steps.keys() {
        if snapshot.step(path).is_none() {
            return Err(format!("the snapshot does not have `{path}`"));
        }
    }
    Ok(())
}

impl Place {
    /// Follows a path such as `nightly/priced[3]/quote`.
    fn find(graph: &'static Graph, path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix(graph.name)?.strip_prefix('/')?.split('/').peekable();
        let (mut graph, mut region) = (graph, graph.regions.first()?);
        let mut frame = graph.name.to_owned();
        let (mut children, mut in_race) = (Vec::new(), false);
        loop {
            let part = parts.next()?;
            let (name, label) = match part.split_once('[') {
                Some((name, label)) => (name, Some(label.strip_suffix(']')?)),
                None => (part, None),
            };
            let step = region.steps.iter().find(|step| step.name == name)?;
            if parts.peek().is_none() {
                return Some(Self { region, step, frame, children, in_race });
            }
            let arm = |arms: &'static [u16]| {
                let mut regions = arms.iter().map(|arm| &graph.regions[usize::from(*arm)]);
                regions.find(|region| Some(region.label) == label)
            };
            region = match step.kind {
                Kind::Map { region, .. } | Kind::Loop { region, .. } => &graph.regions[usize::from(region)],
                Kind::Branch { arms, .. } => arm(arms)?,
                Kind::Select { race, .. } if label.is_none() => {
                    in_race = true;
                    &graph.regions[usize::from(race)]
                }
                Kind::Select { arms, .. } => arm(arms)?,
                Kind::Task(task) => {
                    children.push(format!("{frame}/{name}"));
                    graph = task.task.child?;
                    graph.regions.first()?
                }
                _ => return None,
            };
            frame = format!("{frame}/{part}");
        }
    }

    /// Whether the step belongs to something whose failure was handled, or to
    /// a trigger that lost: its own state says nothing of the run's.
    fn lies_in_lost_region(known: &Known<'_>, steps: &HashMap<&str, Known<'_>>) -> bool {
        known.place.in_race
            || steps.values().any(|around| {
                known.path.len() > around.path.len()
                    && known.path.starts_with(around.path)
                    && matches!(around.place.step.on_failure, OnFailure::Value(_))
            })
    }
}
