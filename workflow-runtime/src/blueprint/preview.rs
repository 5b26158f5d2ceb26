//! What something that an operator wants of a run makes of its steps, told
//! before it is done.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::Blueprint;
use super::adoption::{Adoption, Fate};
use super::outline::{Outline, OutlineStep};
use super::verdict::Obstacle;
use crate::view::StepKind;

/// What something that an operator wants of a run makes of its steps: what is
/// kept, what runs anew, and what is undone. What
/// [`Engine::preview`](crate::engine::Engine::preview) gives. Its `Display` is a
/// line for each step.
///
/// ```text
/// = shop/price: its result is kept
/// · shop/pay: has no result yet, and runs
/// ! shop/report: has finished, and runs again
/// < shop/reserve: is undone
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preview {
    /// The steps that runs keep results of, by their static paths, in the
    /// order they are written; then those that are gone. What the run does not
    /// come to, or does not come to any more, is left out.
    pub steps: Vec<StepPreview>,
    /// Why it would be refused, where it can be told all the same what becomes
    /// of the steps otherwise.
    pub refusals: Vec<Obstacle>,
}

/// What becomes of a step of a run, in all the items and turns that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepPreview {
    /// Its path without the numbers of items and turns.
    pub path: String,
    /// What becomes of it.
    pub fate: Fate,
    /// In how many places its result is kept.
    pub kept: usize,
    /// The paths under which it has finished and runs again, should the run come
    /// to it: what is decided anew may be decided otherwise. Sorted.
    pub again: Vec<String>,
    /// Why its task is not done a second time otherwise, where it has been done
    /// and would be.
    pub twice: Option<&'static str>,
}

impl Preview {
    /// The steps whose tasks are not done twice otherwise, such as those that are
    /// `at_most_once`, and which have been done and would be once more.
    pub fn twice(&self) -> impl Iterator<Item = &StepPreview> {
        self.steps.iter().filter(|step| step.twice.is_some())
    }

    /// What an adoption that is refused would make of the steps.
    pub(crate) fn refused(adoption: Adoption) -> Self {
        let step = |(path, fate)| StepPreview { path, fate, kept: 0, again: Vec::new(), twice: None };
        Self { steps: adoption.steps.into_iter().map(step).collect(), refusals: adoption.refusals }
    }

    /// Puts together what becomes of each step in each of its places. `old` is
    /// what was followed until now, where that is something else.
    pub(crate) fn of(old: Option<&Blueprint>, new: &Blueprint, places: &Places) -> Self {
        let (old, new) = (old.map(Outline::of), Outline::of(new));
        let mut counted: HashMap<&str, Count> = HashMap::new();
        for (path, (fixed, place)) in &places.steps {
            counted.entry(fixed).or_default().add(path, *place);
        }
        let seen = Seen { outline: &new, places };
        let mut steps = Vec::new();
        for (number, step) in new.steps.iter().enumerate().filter(|(_, step)| step.keeps()) {
            let mut count = counted.remove(&*step.path).unwrap_or_default();
            // What is in no item and no turn is there once.
            let is_all = !count.is_empty() && !seen.is_repeated(number);
            count.runs |= !is_all && seen.may_come_to(number);
            let is_new = old.as_ref().is_some_and(|old| old.steps.iter().all(|old| old.path != step.path));
            let Some(fate) = count.fate(is_new) else { continue };
            count.again.sort_unstable();
            steps.push(StepPreview {
                path: step.path.clone(),
                fate,
                kept: count.kept,
                twice: step.once.filter(|_| count.twice),
                again: count.again,
            });
        }
        // What is left of a step that is not there any more.
        let mut gone: Vec<&str> =
            counted.into_iter().filter(|(_, count)| count.was).map(|(path, _)| path).collect();
        gone.sort_unstable();
        steps.extend(gone.into_iter().map(|path| StepPreview {
            path: path.to_owned(),
            fate: Fate::Gone,
            kept: 0,
            again: Vec::new(),
            twice: None,
        }));
        Self { steps, refusals: Vec::new() }
    }
}

/// What becomes of a step in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Kept,
    /// It has come to something, and runs again; whether it has done something.
    Again {
        done: bool,
    },
    AgainAfterUndo,
    Undone,
    Runs,
}

/// What is known of a run that something is about to be done to.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// What becomes of steps, by their paths: their static paths, and that.
    pub(crate) steps: HashMap<String, (String, Place)>,
    /// The paths of those that the run does not come to any more.
    pub(crate) unreached: HashSet<String>,
    /// How the steps of open regions stand, by their static paths.
    pub(crate) open: HashMap<String, Standing>,
}

/// How a step stands in the regions that are open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// Somewhere it has not begun.
    pub(crate) waits: bool,
    /// Somewhere it is under way.
    pub(crate) runs: bool,
}

/// Which steps a run may yet come to.
struct Seen<'a> {
    outline: &'a Outline,
    places: &'a Places,
}

impl Seen<'_> {
    /// Whether a step may yet begin in a region that is not open.
    fn may_come_to(&self, number: usize) -> bool {
        let steps = &self.outline.steps;
        self.outwards(number).any(|(inner, around)| self.opens(&steps[around], &steps[inner].path))
    }

    /// Whether there may be several of a step.
    fn is_repeated(&self, number: usize) -> bool {
        let repeats = |step: &OutlineStep| matches!(step.kind, StepKind::For | StepKind::While);
        self.outwards(number).any(|(_, around)| repeats(&self.outline.steps[around]))
    }

    /// A step and the one around it, then that one and so on.
    fn outwards(&self, number: usize) -> impl Iterator<Item = (usize, usize)> {
        let outwards = |number: usize| Some((number, self.outline.steps[number].around?));
        std::iter::successors(outwards(number), move |(_, around)| outwards(*around))
    }

    /// Whether a step may yet open the region that a path is in.
    fn opens(&self, step: &OutlineStep, inner: &str) -> bool {
        let standing = self.places.open.get(&step.path).copied().unwrap_or_default();
        match step.kind {
            // Once more.
            StepKind::While => standing.waits || standing.runs,
            // One of its arms, once its race is decided.
            StepKind::Select if standing.runs => {
                let inside = |path: &str, with: char| {
                    path.strip_prefix(&*step.path).is_some_and(|rest| rest.starts_with(with))
                };
                inside(inner, '[') && self.places.open.keys().any(|path| inside(path, '/'))
            }
            _ => standing.waits,
        }
    }
}

/// What becomes of a step, over all its places.
#[derive(Default)]
struct Count {
    kept: usize,
    again: Vec<String>,
    twice: bool,
    after_undo: bool,
    undone: bool,
    runs: bool,
    /// Whether it has come to something before.
    was: bool,
}

impl Count {
    fn add(&mut self, path: &str, place: Place) {
        match place {
            Place::Kept => self.kept += 1,
            Place::Again { done } => {
                self.again.push(path.to_owned());
                self.twice |= done;
            }
            Place::AgainAfterUndo => self.after_undo = true,
            Place::Undone => self.undone = true,
            Place::Runs => self.runs = true,
        }
        self.was |= matches!(place, Place::Kept | Place::Again { .. });
    }

    /// Whether no place of it is known.
    fn is_empty(&self) -> bool {
        let Self { kept, again, twice: _, after_undo, undone, runs, was: _ } = self;
        *kept == 0 && again.is_empty() && !after_undo && !undone && !runs
    }

    fn fate(&self, is_new: bool) -> Option<Fate> {
        Some(match self {
            Self { undone: true, .. } => Fate::Undone,
            Self { again, .. } if !again.is_empty() => Fate::Again,
            Self { after_undo: true, .. } => Fate::AgainAfterUndo,
            Self { kept: 1.., runs: true, .. } => Fate::PartlyKept,
            Self { kept: 1.., .. } => Fate::Kept,
            Self { runs: true, .. } if is_new => Fate::New,
            Self { runs: true, .. } => Fate::Runs,
            _ => return None,
        })
    }
}

impl fmt::Display for StepPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, words) = self.fate.words();
        write!(f, "{sign} {}: {words}", self.path)?;
        if self.fate == Fate::Again {
            let many = self.again.len();
            match &*self.again {
                [place] if *place == self.path => {}
                [place] => write!(f, " as `{place}`")?,
                _ => write!(f, " in {many} places")?,
            }
            if self.kept > 0 {
                write!(f, "; {} more of its results are kept", self.kept)?;
            }
        }
        self.twice.map_or(Ok(()), |why| write!(f, "; it {why}, and is done a second time"))
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.steps.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
