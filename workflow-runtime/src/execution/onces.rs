//! Names whose values are computed once, in the frames of a run: what was stored
//! of them, in this life or an earlier one, and what is to be.

use std::sync::{Arc, PoisonError};

use super::Execution;
use super::frames::Frame;
use crate::run::{FrameId, Key};
use crate::task::definition::Region;
use crate::task::once::Onces;

impl Execution {
    /// Has a frame that opens know its names that are computed once, and those
    /// around it.
    pub(super) fn know_onces(&mut self, frame: &mut Frame, around: Option<Arc<Onces>>) {
        let names = frame.scope.region.onces;
        if names.is_empty() {
            frame.onces = around;
            return;
        }
        if self.saves.is_some() {
            self.computed.get_or_insert_default();
        }
        let within = frame.scope.value_path();
        let paths = names.iter().map(|once| format!("{within}{}", once.name));
        let onces = Onces::new(paths, around, self.computed.clone());
        for cell in onces.cells() {
            if let Some(stored) = self.stored.get(&cell.path) {
                cell.restore(stored.bytes.clone());
            }
        }
        frame.onces = Some(Arc::new(onces));
    }

    /// What earlier lives have stored of the names around an expression that is
    /// about to be evaluated holds, where nothing that they are made of runs anew.
    pub(crate) fn recall_onces(&self, id: FrameId) {
        let Some(leftovers) = &self.leftovers else { return };
        let mut next = Some(id);
        while let Some(id) = next {
            let Some(frame) = self.frames.get(id) else { return };
            next = frame.parent.map(|parent| parent.frame);
            let region = frame.scope.region;
            let (Some(onces), false) = (&frame.onces, region.onces.is_empty()) else { continue };
            for (cell, once) in onces.cells().iter().zip(region.onces).filter(|(cell, _)| cell.is_open()) {
                let Some(stored) = leftovers.kept.computed(&cell.path) else { continue };
                if !self.machine.begins_anew(id) && once.reads.iter().all(|slot| self.stands(id, *slot)) {
                    cell.restore(stored.bytes.clone());
                }
            }
        }
    }

    /// Whether what is in a slot is what it was in the life before.
    fn stands(&self, id: FrameId, slot: u16) -> bool {
        let Some(frame) = self.frames.get(id) else { return false };
        let region = frame.scope.region;
        let made = (0..).zip(region.steps).filter(|(_, step)| step.output <= slot);
        let made = made.max_by_key(|(_, step)| step.output).map(|(step, _)| Key { frame: id, step });
        match (made, captured(region, slot), frame.parent) {
            (Some(key), ..) => self.machine.stands(key),
            (None, Some(outer), Some(parent)) => {
                !self.machine.begins_anew(id) && self.stands(parent.frame, outer)
            }
            // An item, a loop variable or a parameter.
            _ => !self.machine.begins_anew(id),
        }
    }

    /// What is to be stored of the names that were computed just now.
    pub(crate) fn take_computed(&self) -> Vec<(String, Vec<u8>)> {
        let Some(computed) = &self.computed else { return Vec::new() };
        std::mem::take(&mut *computed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The slot of the frame around that is in this one: the captures follow what the
/// step that opens the region brings, and come before what its steps make.
fn captured(region: &Region, slot: u16) -> Option<u16> {
    let made = region.steps.iter().map(|step| step.output).min().unwrap_or(region.slots);
    let first = usize::from(made).checked_sub(region.captures.len())?;
    region.captures.get(usize::from(slot).checked_sub(first)?).copied()
}
