//! What there is in a graph: steps by their paths, `nightly/priced[3]/quote`,
//! and signals by their names.

use crate::task::definition::{Graph, Kind, Step};
use crate::task::place::{HeldStep, Within};
use crate::value::Codec;

/// The step of a graph that a path leads to.
pub(crate) fn find_step(graph: &'static Graph, path: &str) -> Option<&'static Step> {
    let (workflow, parts) = path.split_once('/')?;
    if workflow != graph.name {
        return None;
    }
    follow(graph, parts).last()?.1
}

/// The static path that a path of a step stands for: without the numbers of
/// items and turns. What leads nowhere stays as it is.
pub(crate) fn static_path(graph: &'static Graph, path: &str) -> String {
    let Some((workflow, parts)) = path.split_once('/') else { return path.to_owned() };
    let mut written = workflow.to_owned();
    for (part, step) in follow(graph, parts) {
        written.push('/');
        written.push_str(match step.map(|step| &step.kind) {
            Some(Kind::Map { .. } | Kind::Loop { .. }) => named(part).0,
            _ => part,
        });
    }
    written
}

/// The step that a path below the body of a graph leads to, and the regions on
/// the way.
pub(crate) fn step_below(mut graph: &'static Graph, path: &str) -> Option<HeldStep> {
    let mut region = graph.regions.first()?;
    let mut within = Vec::new();
    let mut parts = path.split('/').peekable();
    loop {
        let (name, label) = named(parts.next()?);
        let (number, step) = (0_u16..).zip(region.steps).find(|(_, step)| step.name == name)?;
        if parts.peek().is_none() {
            return Some(HeldStep { within, step: number });
        }
        let is_labelled =
            |arm: &&u16| graph.regions.get(usize::from(**arm)).is_some_and(|arm| arm.label == label);
        let (inner, index) = match step.kind {
            Kind::Map { region, .. } | Kind::Loop { region, .. } => (region, label.parse().ok()?),
            Kind::Select { race, .. } if label.is_empty() => (race, 0),
            Kind::Branch { arms, .. } | Kind::Select { arms, .. } => (*arms.iter().find(is_labelled)?, 0),
            Kind::Task(task) => {
                graph = task.task.child?;
                (0, 0)
            }
            _ => return None,
        };
        within.push(Within { step: number, region: inner, index });
        region = graph.regions.get(usize::from(inner))?;
    }
}

/// Each part of a path below its workflow, with its step while it leads to one.
fn follow<'p>(
    mut graph: &'static Graph,
    parts: &'p str,
) -> impl Iterator<Item = (&'p str, Option<&'static Step>)> {
    let mut region = graph.regions.first();
    parts.split('/').map(move |part| {
        let (name, label) = named(part);
        let step = region.and_then(|region| region.steps.iter().find(|step| step.name == name));
        let numbered = |number: &u16| graph.regions.get(usize::from(*number));
        let labelled = |arms: &[u16]| arms.iter().filter_map(numbered).find(|arm| arm.label == label);
        region = match step.map(|step| &step.kind) {
            Some(Kind::Map { region, .. } | Kind::Loop { region, .. }) => numbered(region),
            Some(Kind::Select { race, .. }) if label.is_empty() => numbered(race),
            Some(Kind::Branch { arms, .. } | Kind::Select { arms, .. }) => labelled(arms),
            Some(Kind::Task(task)) => task.task.child.and_then(|child| {
                graph = child;
                child.regions.first()
            }),
            _ => None,
        };
        (part, step)
    })
}

/// The name in a part of a path, and what stands in brackets after it: an item,
/// a turn or an arm.
fn named(part: &str) -> (&str, &str) {
    let bracketed = part.strip_suffix(']').and_then(|part| part.split_once('['));
    bracketed.unwrap_or((part, ""))
}

/// A signal that a graph has, in itself or in a workflow that it uses.
#[derive(Clone, Copy)]
pub(crate) struct KnownSignal {
    /// The graph's own copy of its name.
    pub(crate) name: &'static str,
    /// How its values are written.
    pub(crate) codec: &'static Codec,
    /// Whether each that is sent has a key.
    pub(crate) keyed: bool,
}

/// The first signal of a name.
pub(crate) fn find_signal(graph: &'static Graph, wanted: &str) -> Option<KnownSignal> {
    find_signal_where(graph, &|name, _| name == wanted)
}

/// The same of the first signal that is the wanted one.
pub(crate) fn find_signal_where(
    graph: &'static Graph,
    is_wanted: &dyn Fn(&str, &Codec) -> bool,
) -> Option<KnownSignal> {
    let mut steps = graph.regions.iter().flat_map(|region| region.steps);
    steps.find_map(|step| match step.kind {
        Kind::Signal { name, codec, key, .. } if is_wanted(name, codec) => {
            Some(KnownSignal { name, codec, keyed: key.is_some() })
        }
        Kind::Task(task) => find_signal_where(task.task.child?, is_wanted),
        _ => None,
    })
}
