//! Random workflows.

use super::chance::Chance;
use crate::run::machine::tests::graph::*;
use crate::task::definition::{Graph, Region};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const LABELS: [&str; 3] = ["0", "1", "2"];

/// The limit of every `while`.
pub const TURNS: u32 = 3;

struct Planner<'a> {
    chance: &'a mut Chance,
    regions: Vec<Option<Region>>,
    /// Whether the order of events may decide what happens.
    races: bool,
}

/// A random workflow.
pub fn graph(chance: &mut Chance, races: bool) -> &'static Graph {
    let depth = chance.below(4);
    workflow(chance, races, depth)
}

fn workflow(chance: &mut Chance, races: bool, depth: u64) -> &'static Graph {
    let mut planner = Planner { chance, regions: Vec::new(), races };
    planner.region("", depth, false);
    let regions = planner.regions.into_iter().map(|region| region.expect("a planned region")).collect();
    crate::run::machine::tests::graph::graph("w", regions)
}

impl Planner<'_> {
    /// Plans a region and those below it; `race` for that of a `select!`.
    fn region(&mut self, label: &'static str, depth: u64, race: bool) -> u16 {
        let number = self.regions.len();
        self.regions.push(None);
        let count = if race { 2 + self.chance.below(2) } else { self.chance.below(6) } as usize;
        let mut steps: Vec<Spec> = (0..count).map(|step| self.step(NAMES[step], depth, race)).collect();
        if !race {
            self.tie(&mut steps);
        }
        self.regions[number] = Some(labelled(label, steps));
        number as u16
    }

    /// Makes some steps `#[always]` and gives all of them needs, backwards in
    /// an order that has nothing to do with how they are written.
    fn tie(&mut self, steps: &mut [Spec]) {
        let mut order: Vec<usize> = (0..steps.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, self.chance.below(last as u64 + 1) as usize);
        }
        for &step in &order {
            steps[step].always = self.chance.once_in(6);
        }
        for (place, &step) in order.iter().enumerate() {
            for &earlier in &order[..place] {
                let allowed = steps[step].always || !steps[earlier].always;
                if allowed && self.chance.once_in(3) {
                    let need = steps[earlier].name;
                    steps[step].needs.push(need);
                }
            }
        }
        // Also needs upon later normal steps are fine for an `#[always]` step.
        for step in 0..steps.len() {
            let other = self.chance.below(steps.len() as u64) as usize;
            let name = steps[other].name;
            if steps[step].always && !steps[other].always && !steps[step].needs.contains(&name) {
                steps[step].needs.push(name);
            }
        }
    }

    fn step(&mut self, name: &'static str, depth: u64, race: bool) -> Spec {
        let chance = &mut *self.chance;
        let mut step = match chance.below(if depth == 0 { 6 } else { 12 }) {
            0 => sleep(name),
            1 if chance.once_in(2) => keyed(name, "aimed"),
            1 => signal(name, "go"),
            2 if race || chance.once_in(4) => signal_within(name, "late"),
            3 if !race => compute(name),
            6 if !race => {
                each(name, self.region("", depth - 1, false), [None, Some(1), Some(2)][self.pick(3)])
            }
            7 if !race => turns(name, self.region("", depth - 1, false), TURNS),
            8 if !race => {
                let arms: Vec<u16> =
                    LABELS.iter().map(|label| self.region(label, depth - 1, false)).collect();
                branch(name, &arms)
            }
            9 if !race && self.races => {
                let race = self.region("", depth - 1, true);
                let arms: Vec<u16> =
                    LABELS.iter().map(|label| self.region(label, depth - 1, false)).collect();
                select(name, race, &arms)
            }
            10 | 11 if depth > 0 => child(name, workflow(self.chance, self.races, depth - 1)),
            _ => self.task(name),
        };
        step.value = self.chance.once_in(3);
        step
    }

    fn pick(&mut self, count: u64) -> usize {
        self.chance.below(count) as usize
    }

    fn task(&mut self, name: &'static str) -> Spec {
        let chance = &mut *self.chance;
        let mut step = task(name).attempts(1 + chance.below(3) as u32);
        step = step.losses(chance.below(4) as u16);
        if chance.once_in(4) {
            step = step.limited();
        }
        if chance.once_in(3) {
            step = step.undo(1 + chance.below(2) as u32);
        }
        if self.races {
            if chance.once_in(6) {
                step = step.at_most_once();
            } else if chance.once_in(6) {
                step = step.reconciled(1 + chance.below(2) as u32);
            }
            if chance.once_in(6) {
                step = step.deadline(1 + chance.below(3));
            }
            if chance.once_in(6) {
                step = step.budget(1 + chance.below(3));
            }
        }
        step
    }
}
