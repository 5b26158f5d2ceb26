//! The shape rules, one function each. All of them run; what they establish
//! is the type [`Checked`].

use std::collections::HashMap;

use proc_macro2::Span;
use syn::Ident;

use super::ast::Workflow;
use super::graph::{Graph, Kind, StepId};
use super::lower::plain;
use crate::diagnostics::{Errors, did_you_mean};

/// A graph that satisfies every rule: acyclic, with unique step names, with
/// limits where they are needed, and with `needs` that include `#[after]`.
pub(crate) struct Checked(Graph);

impl Checked {
    pub(crate) fn graph(&self) -> &Graph {
        &self.0
    }
}

/// The names that the workflow's type has besides its signals.
const RESERVED: [&str; 4] = ["GRAPH", "mermaid", "dot", "svg"];

/// Runs every rule. `None` if any mistake is known by now, be it from here or
/// from an earlier stage.
pub(crate) fn check(workflow: &Workflow, mut graph: Graph, errors: &mut Errors) -> Option<Checked> {
    check_not_empty(workflow, errors);
    check_names(workflow, &graph, errors);
    resolve_after(workflow, &mut graph, errors);
    check_cycles(workflow, &graph, errors);
    check_limits(&graph, errors);
    check_always(&graph, errors);
    check_signals(workflow, &graph, errors);
    super::schedule::check(workflow, errors);
    errors.is_empty().then_some(Checked(graph))
}

fn check_not_empty(workflow: &Workflow, errors: &mut Errors) {
    let name = &workflow.name;
    if workflow.body.statements.is_empty() {
        errors.at(name.span(), format!("workflow `{name}` is empty\nhelp: call a task: `let value = task(…)?;`, and end with `Ok(value)`"));
    } else if workflow.body.tail().is_none() {
        errors.at(name.span(), format!("workflow `{name}` ends without a result\nhelp: end it with `Ok(value)`, or `Ok(())` if there is nothing to return"));
    }
}

fn check_names(workflow: &Workflow, graph: &Graph, errors: &mut Errors) {
    for region in &graph.regions {
        let mut first: HashMap<&str, ()> = HashMap::new();
        for step in &region.steps {
            if first.insert(&step.name, ()).is_some() && !is_numbered(&step.kind, &step.name) {
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

/// Whether a step has the name of its keyword; such names get numbers.
pub(crate) fn is_numbered(kind: &Kind, name: &str) -> bool {
    match kind {
        Kind::Map { .. } => name == "for",
        Kind::Loop { .. } => name == "while",
        Kind::Branch { word, .. } => name == *word,
        Kind::Select { .. } => name == "select",
        Kind::Sleep { .. } => name == "sleep" || name == "sleep_until",
        _ => false,
    }
}

fn resolve_after(workflow: &Workflow, graph: &mut Graph, errors: &mut Errors) {
    for region in &mut graph.regions {
        let names: Vec<String> = region.steps.iter().map(|step| step.name.clone()).collect();
        for (id, step) in region.steps.iter_mut().enumerate() {
            for wanted in &step.after {
                let text = plain(wanted);
                match names.iter().position(|name| *name == text) {
                    Some(found) if found == id => {
                        errors.at(wanted.span(), format!("step `{text}` cannot run after itself"));
                    }
                    Some(found) => {
                        step.needs.insert(found);
                    }
                    None => {
                        let help = match did_you_mean(&text, names.iter().map(String::as_str)) {
                            Some(near) => format!("help: a step with a similar name exists: `{near}`"),
                            None => format!("help: the steps of this region are {}", list(&names)),
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

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
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
    steps: &[super::graph::Step],
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
fn cycle_span(cycle: &[StepId], steps: &[super::graph::Step]) -> Span {
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
    for region in &graph.regions {
        for step in region.steps.iter().filter(|step| step.always.is_none()) {
            if let Some(needed) = step.needs.iter().find(|id| region.steps[**id].always.is_some()) {
                let needed = &region.steps[*needed].name;
                errors.at(
                    step.span,
                    format!("step `{}` waits for `{needed}`, which is `#[always]` and so runs after all other steps\nhelp: make this step `#[always]` too, or `{needed}` an ordinary step", step.name),
                );
            }
        }
    }
}

fn check_signals(workflow: &Workflow, graph: &Graph, errors: &mut Errors) {
    for signal in &graph.signals {
        let name = plain(&signal.name);
        if RESERVED.contains(&name.as_str()) || name == plain(&workflow.name) {
            errors.at(signal.name.span(), format!("a signal cannot be called `{name}`, because the workflow's type has something of that name\nhelp: choose another name"));
        }
    }
    if let Some(param) = duplicate_param(workflow) {
        errors.at(param.span(), format!("parameter `{param}` is there twice"));
    }
}

fn duplicate_param(workflow: &Workflow) -> Option<&Ident> {
    let mut names: Vec<&Ident> = Vec::new();
    for param in &workflow.params {
        if names.contains(&&param.name) {
            return Some(&param.name);
        }
        names.push(&param.name);
    }
    None
}
