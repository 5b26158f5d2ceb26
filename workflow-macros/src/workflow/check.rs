//! The shape rules, one function each. All of them run; what they establish
//! is the type [`Checked`].

use std::collections::HashMap;

use proc_macro2::Span;
use syn::Ident;

use crate::diagnostics::{Errors, did_you_mean, list};
use crate::workflow::ast::Workflow;
use crate::workflow::graph::{Form, Graph, Kind, RegionValue, Slot, StepId};
use crate::workflow::tokens::plain;

/// A graph that satisfies every rule: acyclic, with unique step names, with
/// limits where they are needed, and with `needs` that include `#[after]`.
pub(crate) struct Checked(Graph);

impl Checked {
    pub(crate) fn graph(&self) -> &Graph {
        &self.0
    }
}

/// The names that the workflow's type has besides its signals.
const RESERVED: [&str; 5] = ["GRAPH", "call", "mermaid", "dot", "svg"];

/// Whether the workflow's type has something else of this name.
pub(crate) fn is_reserved(workflow: &Workflow, signal: &Ident) -> bool {
    let name = plain(signal);
    RESERVED.contains(&name.as_str()) || name == plain(&workflow.name)
}

/// Runs every rule. The graph comes back as it is if any mistake is known by
/// now, be it from here or from an earlier stage.
pub(crate) fn check(workflow: &Workflow, mut graph: Graph, errors: &mut Errors) -> Result<Checked, Graph> {
    check_not_empty(workflow, errors);
    check_names(workflow, &graph, errors);
    resolve_after(workflow, &mut graph, errors);
    check_cycles(workflow, &graph, errors);
    check_limits(&graph, errors);
    check_always(&graph, errors);
    check_signals(workflow, &graph, errors);
    crate::workflow::schedule::check(workflow, errors);
    if errors.is_empty() { Ok(Checked(graph)) } else { Err(graph) }
}

fn check_not_empty(workflow: &Workflow, errors: &mut Errors) {
    let name = &workflow.name;
    if workflow.body.statements.is_empty() {
        errors.at(name.span(), format!("workflow `{name}` is empty\nhelp: call a task: `let value = task(…)?;`, and end with `Ok(value)`"));
    } else if workflow.body.tail().is_none() && workflow.result.is_some() {
        errors.at(name.span(), format!("workflow `{name}` ends without a result\nhelp: end it with `Ok(value)`, or `Ok(())` if there is nothing to return"));
    }
}

fn check_names(workflow: &Workflow, graph: &Graph, errors: &mut Errors) {
    for region in &graph.regions {
        let mut first: HashMap<&str, ()> = HashMap::new();
        for step in &region.steps {
            if !step.name.is_empty() && first.insert(&step.name, ()).is_some() && !step.is_numbered() {
                errors.at(
                    step.span,
                    format!(
                        "two steps of workflow `{}` are called `{}`\nnote: a step's name is its identity in stored runs\nhelp: bind this one to another name, or write `#[name = \"…\"]` above it",
                        workflow.name, step.name
                    ),
                );
            }
        }
    }
}

fn resolve_after(workflow: &Workflow, graph: &mut Graph, errors: &mut Errors) {
    let all: Vec<String> =
        graph.regions.iter().flat_map(|region| &region.steps).map(|step| step.name.clone()).collect();
    for region in &mut graph.regions {
        let names: Vec<String> = region.steps.iter().map(|step| step.name.clone()).collect();
        for (id, step) in region.steps.iter_mut().enumerate() {
            for wanted in &step.after {
                let text = plain(wanted);
                match names.iter().position(|name| *name == text) {
                    Some(found) if found == id => {
                        errors.at(wanted.span(), format!("step `{text}` cannot run after itself\nhelp: remove `{text}` from this `after`"));
                    }
                    Some(found) => {
                        step.needs.insert(found);
                    }
                    None => {
                        let help = if workflow.params.iter().any(|param| param.name == *wanted) {
                            "help: remove it; a parameter is there from the start".to_owned()
                        } else if all.contains(&text) {
                            "help: name the step that opens the other region: the `for`, `if` or `match` around it".to_owned()
                        } else if let Some(near) = did_you_mean(&text, names.iter().map(String::as_str)) {
                            format!("help: a step with a similar name exists: `{near}`")
                        } else {
                            let names: Vec<&str> = names.iter().map(String::as_str).collect();
                            format!("help: the steps of this region are {}", list(&names))
                        };
                        let workflow = &workflow.name;
                        errors.at(
                            wanted.span(),
                            format!(
                                "cannot find step `{text}` in this region of workflow `{workflow}`\n{help}"
                            ),
                        );
                    }
                }
            }
        }
    }
}

/// Data alone cannot make a cycle, since a name is bound before it is used;
/// `#[after]` can.
fn check_cycles(workflow: &Workflow, graph: &Graph, errors: &mut Errors) {
    for region in &graph.regions {
        let mut state = vec![Visit::New; region.steps.len()];
        let mut path = Vec::new();
        for start in 0..region.steps.len() {
            if let Some(cycle) = find_cycle(start, &region.steps, &mut state, &mut path) {
                let names: Vec<&str> = cycle.iter().map(|id| region.steps[*id].name.as_str()).collect();
                let span = cycle_span(&cycle, &region.steps);
                errors.at(
                    span,
                    format!(
                        "the steps of workflow `{}` wait for each other in a circle\nnote: {} → {}\nhelp: remove one of these dependencies",
                        workflow.name,
                        names.join(" → "),
                        names[0]
                    ),
                );
                break;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

/// Depth first along `needs`. Recursion is as deep as the longest chain of
/// steps, so it uses a stack of its own.
fn find_cycle(
    start: StepId,
    steps: &[crate::workflow::graph::Step],
    state: &mut [Visit],
    path: &mut Vec<StepId>,
) -> Option<Vec<StepId>> {
    let mut open = vec![(start, false)];
    while let Some((id, leaving)) = open.pop() {
        if leaving {
            state[id] = Visit::Done;
            path.pop();
            continue;
        }
        match state[id] {
            Visit::Done => {}
            Visit::Open => {
                let from = path.iter().position(|step| *step == id)?;
                return Some(path[from..].to_vec());
            }
            Visit::New => {
                state[id] = Visit::Open;
                path.push(id);
                open.push((id, true));
                open.extend(steps[id].needs.iter().rev().map(|need| (*need, false)));
            }
        }
    }
    None
}

/// The `after` that closes the circle: the user can remove that one.
fn cycle_span(cycle: &[StepId], steps: &[crate::workflow::graph::Step]) -> Span {
    for id in cycle {
        for wanted in &steps[*id].after {
            if cycle.iter().any(|other| steps[*other].name == plain(wanted)) {
                return wanted.span();
            }
        }
    }
    steps[cycle[0]].span
}

fn check_limits(graph: &Graph, errors: &mut Errors) {
    for step in graph.regions.iter().flat_map(|region| &region.steps) {
        if let Kind::Loop { limit: None, .. } = &step.kind {
            errors.at(step.span, "a `while` needs a limit, so that a mistake cannot make it run for ever\nhelp: write `#[limit(20)]` above it: the most turns that make sense");
        }
    }
}

fn check_always(graph: &Graph, errors: &mut Errors) {
    for (id, region) in graph.regions.iter().enumerate() {
        for step in region.steps.iter().filter(|step| step.always.is_none()) {
            if let Some(needed) = step.needs.iter().find(|id| region.steps[**id].always.is_some()) {
                let needed = &region.steps[*needed].name;
                errors.at(
                    step.span,
                    format!("step `{}` waits for `{needed}`, which is `#[always]` and so runs after all other steps\nhelp: make this step `#[always]` too, or `{needed}` an ordinary step", step.name),
                );
            }
        }
        let slots = match &region.result {
            RegionValue::Nothing => Vec::new(),
            RegionValue::Slot(slot) => vec![*slot],
            RegionValue::Compute { code, .. } => {
                let used = graph.closure(&code.uses).into_iter().map(|used| &graph.bindings[used]);
                let slots =
                    used.filter(|binding| binding.region == id).filter_map(|binding| match &binding.form {
                        Form::Slot { slot, .. } => Some(*slot),
                        Form::Pure { .. } => None,
                    });
                slots.collect()
            }
        };
        let always = |slot: &Slot| match slot {
            Slot::Output(output) => {
                let step = region.outputs.get(*output).map(|step| &region.steps[*step]);
                step.filter(|step| step.always.is_some())
            }
            Slot::Extra(_) | Slot::Capture(_) => None,
        };
        if let Some(step) = region.carried.iter().find_map(always) {
            errors.at(
                step.span,
                format!("step `{}` is `#[always]` and so runs after the turn's other steps, while the next turn begins with its value\nhelp: remove `#[always]`", step.name),
            );
        }
        if let Some(step) = slots.iter().find_map(always) {
            errors.at(
                step.span,
                format!("step `{}` is `#[always]` and so runs after the result is known\nhelp: remove `#[always]`, or end with another value", step.name),
            );
        }
    }
}

fn check_signals(workflow: &Workflow, graph: &Graph, errors: &mut Errors) {
    for signal in &graph.signals {
        let name = plain(&signal.name);
        if is_reserved(workflow, &signal.name) {
            errors.at(signal.name.span(), format!("a signal cannot be called `{name}`, because the workflow's type has something of that name\nhelp: choose another name"));
        }
    }
}
