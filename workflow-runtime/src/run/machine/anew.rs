//! Which steps of a run that was taken up again run anew: for those that take
//! it up once more.

use std::collections::BTreeMap;

use super::Machine;
use super::frame::{Frame, Fresh};
use crate::task::definition::Kind;
use crate::task::place::{FrameId, Key};

impl Machine {
    /// The steps of open frames that run anew, or will when their turn comes:
    /// something that they come after does.
    ///
    /// For taking up once more a run that was itself taken up again. What lives
    /// before this one have left of these steps, and of all steps below their
    /// paths, was made from values that are no more; only what this life has
    /// told and made of them is left. Of other steps, what an earlier life has
    /// left holds until a later one says something else.
    ///
    /// Empty for a run that was not taken up again. It can be asked of a run
    /// that has ended, too.
    #[must_use]
    pub fn anew(&self) -> Vec<Key> {
        let mut search = Search { machine: self, found: BTreeMap::new() };
        if self.resuming {
            while search.look_further() {}
        }
        let entirely = search.found.into_iter().filter(|(_, fresh)| *fresh == Fresh::Entirely);
        entirely.map(|(key, _)| key).collect()
    }
}

/// Goes on from the steps that have begun to those that have not.
struct Search<'a> {
    machine: &'a Machine,
    found: BTreeMap<Key, Fresh>,
}

impl Search<'_> {
    fn is_fresh(&self, frame: FrameId, step: u16) -> bool {
        self.found.contains_key(&Key { frame, step })
    }

    /// Adds a step; true when that is news.
    fn add(&mut self, key: Key, fresh: Fresh) -> bool {
        let known = self.found.get(&key).copied().unwrap_or(Fresh::Not);
        if fresh > known {
            self.found.insert(key, fresh);
        }
        fresh > known
    }

    /// Goes over all frames once; true when that brought news.
    fn look_further(&mut self) -> bool {
        let mut news = false;
        for (id, frame) in self.machine.frames.iter() {
            news |= self.look_into(id, frame);
            if let Some(fresh) = self.around(id, frame)
                && let Some(parent) = frame.parent
            {
                news |= self.add(parent, fresh);
            }
        }
        news
    }

    fn look_into(&mut self, id: FrameId, frame: &Frame) -> bool {
        let steps = || (0..).zip(frame.region.steps);
        let stirred =
            frame.stirred || steps().any(|(number, step)| !step.always && self.is_fresh(id, number));
        let mut news = false;
        for ((number, step), node) in steps().zip(&frame.nodes) {
            let has_begun = node.attempt > 0;
            let follows = step.needs.iter().any(|&need| self.is_fresh(id, need)) || (step.always && stirred);
            let entirely = frame.fresh || (follows && !has_begun);
            news |= self
                .add(Key { frame: id, step: number }, if entirely { Fresh::Entirely } else { node.fresh });
        }
        news
    }

    /// What a frame means to the step that opened it: the same that it does
    /// when a step of it begins.
    fn around(&self, id: FrameId, frame: &Frame) -> Option<Fresh> {
        let fresh = |number: usize| self.is_fresh(id, number as u16);
        let mut numbers = 0..frame.nodes.len();
        if !numbers.any(fresh) {
            return None;
        }
        if frame.race {
            // It may have been won by a step that was kept.
            let mut nodes = frame.nodes.iter().enumerate();
            let is_won = nodes.any(|(number, node)| node.valued && !fresh(number));
            return (!is_won).then_some(Fresh::Entirely);
        }
        let is_loop = matches!(self.machine.step(frame.parent?)?.kind, Kind::Loop { .. });
        Some(if is_loop { Fresh::Entirely } else { Fresh::Inside })
    }
}
