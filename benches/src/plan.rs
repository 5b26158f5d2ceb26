//! The graphs of the shapes, as data: the floors and the peers run them, and
//! `build.rs` writes them down as workflows.

use std::ops::Range;

/// A graph: what each step needs. Needs come before those who need them; the
/// first step is the source, the last one the join.
pub struct Plan {
    pub needs: Vec<Vec<usize>>,
    pub work: Work,
}

/// What the steps between the first and the last do with the sum of what they
/// need. The first and the last always add one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    Add,
    Collatz,
    Compute,
}

impl Plan {
    /// What a step does.
    pub fn work(&self, step: usize) -> Work {
        if step == 0 || step + 1 == self.needs.len() { Work::Add } else { self.work }
    }

    /// Chains of equal length between a source and a join. With `crossed`,
    /// a step needs its neighbour's predecessor too.
    fn between(width: usize, length: usize, crossed: bool, work: Work) -> Self {
        let mut needs = vec![vec![]];
        for layer in 0..length {
            for place in 0..width {
                let above = |place: usize| 1 + (layer - 1) * width + place % width;
                needs.push(match layer {
                    0 => vec![0],
                    _ if crossed => vec![above(place), above(place + 1)],
                    _ => vec![above(place)],
                });
            }
        }
        let last = 1 + (length - 1) * width;
        needs.push((last..last + width).collect());
        Self { needs, work }
    }

    pub fn chain(steps: usize) -> Self {
        Self::between(1, steps - 2, false, Work::Add)
    }

    pub fn fan_out(width: usize) -> Self {
        Self::between(width, 1, false, Work::Add)
    }

    pub fn layered(layers: usize, width: usize, work: Work) -> Self {
        Self::between(width, layers, true, work)
    }

    /// The steps, layer by layer: each layer after all of what it needs.
    #[allow(dead_code, reason = "nothing for `build.rs`")]
    pub fn layers(&self) -> Vec<Range<usize>> {
        let mut layers: Vec<Range<usize>> = Vec::new();
        for (step, needs) in self.needs.iter().enumerate() {
            match layers.last_mut() {
                Some(layer) if needs.iter().all(|need| *need < layer.start) => layer.end = step + 1,
                _ => layers.push(step..step + 1),
            }
        }
        layers
    }

    #[allow(dead_code, reason = "nothing for `build.rs`")]
    pub fn loops(items: usize, turns: usize) -> Self {
        Self::between(items, turns, false, Work::Collatz)
    }
}
