//! Whether a blueprint that was read is one that a graph can be made of, and
//! a machine can follow: what the macro guarantees of its own tables, and a
//! text does not.

use std::collections::HashSet;

use super::Blueprint;
use super::plan::{Kind, Region, Step, Task, Workflow};

/// How deep regions and workflows may lie in each other. What reads graphs
/// recurses; rustc itself stops sooner.
const DEPTH: u32 = 256;

/// How many steps there may be, those of a workflow counted wherever it is
/// used.
const STEPS: u64 = 1_000_000;

pub(super) fn check(blueprint: &Blueprint) -> Result<(), String> {
    if blueprint.workflows.is_empty() {
        return Err("it has no workflow".to_owned());
    }
    let mut sizes = vec![Size::default(); blueprint.workflows.len()];
    // From the inside out, so that the size of a child is known.
    for (place, workflow) in blueprint.workflows.iter().enumerate().rev() {
        let size = Checker { place, workflow, sizes: &sizes }.workflow();
        sizes[place] = size.map_err(|problem| format!("workflow `{}` {problem}", workflow.name))?;
    }
    Ok(())
}

/// How large a workflow or a region is, with all that lies in it.
#[derive(Clone, Copy, Default)]
struct Size {
    steps: u64,
    depth: u32,
}

struct Checker<'a> {
    place: usize,
    workflow: &'a Workflow,
    sizes: &'a [Size],
}

impl Checker<'_> {
    fn workflow(&self) -> Result<Size, String> {
        let regions = &self.workflow.regions;
        if regions.is_empty() {
            return Err("has no body".to_owned());
        }
        // A region is opened by one step; the body by none.
        let mut opened = vec![false; regions.len()];
        opened[0] = true;
        for region in regions {
            region.steps.iter().try_for_each(|step| self.step(region, step))?;
            let mut names = HashSet::new();
            if let Some(twice) = region.steps.iter().find(|step| !names.insert(&step.name)) {
                return Err(format!("has two steps `{}` in a region", twice.name));
            }
            if is_circular(region) {
                return Err("has steps that wait for each other".to_owned());
            }
            for number in region.steps.iter().flat_map(|step| step.kind.regions()) {
                match opened.get_mut(usize::from(number)) {
                    Some(opened) if !*opened => *opened = true,
                    Some(_) => return Err(format!("opens its region {number} twice")),
                    None => return Err(format!("has no region {number}")),
                }
            }
        }
        self.size(&regions[0], 0)
    }

    /// Each region is opened once, so this meets each at most once, and ends.
    fn size(&self, region: &Region, depth: u32) -> Result<Size, String> {
        if depth > DEPTH {
            return Err(format!("has regions that lie more than {DEPTH} deep"));
        }
        let mut size = Size { steps: region.steps.len() as u64, depth };
        for step in &region.steps {
            let mut add = |inner: Size| {
                size.steps = size.steps.saturating_add(inner.steps);
                size.depth = size.depth.max(inner.depth);
            };
            for number in step.kind.regions() {
                add(self.size(&self.workflow.regions[usize::from(number)], depth + 1)?);
            }
            if let Some(child) = step.kind.child() {
                let child = self.sizes[child];
                add(Size { depth: depth + 1 + child.depth, ..child });
            }
        }
        if size.steps > STEPS {
            return Err(format!("has more than {STEPS} steps"));
        }
        if size.depth > DEPTH {
            return Err(format!("has workflows that lie more than {DEPTH} deep"));
        }
        Ok(size)
    }

    fn step(&self, region: &Region, step: &Step) -> Result<(), String> {
        let of = |problem: &str| format!("has a step `{}` {problem}", step.name);
        let known = step.needs.iter().all(|need| usize::from(*need) < region.steps.len());
        if !known || !step.needs.is_sorted_by(|earlier, later| earlier < later) {
            return Err(of("whose needs are not steps of its region, ascending"));
        }
        match &step.kind {
            Kind::Task { task, .. } => self.task(task).map_err(of)?,
            Kind::Select { race, arms } => {
                let race = self.workflow.regions.get(usize::from(*race));
                if race.is_none_or(|race| race.steps.len() > arms.len()) {
                    return Err(of("with fewer arms than its race has steps"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn task(&self, task: &Task) -> Result<(), &'static str> {
        if let Some(child) = task.child {
            // Those that a workflow uses come after it, so none uses itself.
            if (child as usize) <= self.place || (child as usize) >= self.sizes.len() {
                return Err("that runs a workflow which is not there");
            }
        }
        let others = [&task.undo, &task.reconcile];
        others.into_iter().flatten().try_for_each(|task| self.task(task))
    }
}

/// Whether some steps of a region can never begin.
fn is_circular(region: &Region) -> bool {
    let mut pending: Vec<usize> = region.steps.iter().map(|step| step.needs.len()).collect();
    let mut ready: Vec<usize> = (0..pending.len()).filter(|step| pending[*step] == 0).collect();
    let mut begun = 0;
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); pending.len()];
    for (number, step) in region.steps.iter().enumerate() {
        step.needs.iter().for_each(|need| dependents[usize::from(*need)].push(number));
    }
    while let Some(step) = ready.pop() {
        begun += 1;
        for &dependent in &dependents[step] {
            pending[dependent] -= 1;
            if pending[dependent] == 0 {
                ready.push(dependent);
            }
        }
    }
    begun < region.steps.len()
}
