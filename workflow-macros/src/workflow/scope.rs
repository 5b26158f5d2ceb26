//! The names in scope. A name is looked up for every word of every expression,
//! so it is found without a walk over all the others.

use std::collections::HashMap;

/// Names and what they mean, innermost last.
pub(crate) struct Scope<T> {
    bound: Vec<(String, T)>,
    /// Where each name is bound, innermost last.
    places: HashMap<String, Vec<usize>>,
}

impl<T> Default for Scope<T> {
    fn default() -> Self {
        Self { bound: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Copy> Scope<T> {
    /// Binds a name, which hides an earlier one.
    pub(crate) fn push(&mut self, name: String, meaning: T) {
        self.places.entry(name.clone()).or_default().push(self.bound.len());
        self.bound.push((name, meaning));
    }

    /// What a name means here.
    pub(crate) fn find(&self, name: &str) -> Option<T> {
        let place = *self.places.get(name)?.last()?;
        Some(self.bound[place].1)
    }

    /// How many names are bound, for [`leave`](Self::leave).
    pub(crate) fn len(&self) -> usize {
        self.bound.len()
    }

    /// Forgets what was bound since then.
    pub(crate) fn leave(&mut self, outside: usize) {
        for (name, _) in self.bound.drain(outside..) {
            self.places.entry(name).and_modify(|places| {
                places.pop();
            });
        }
    }

    /// All of them, from the outermost.
    pub(crate) fn bound(&self) -> &[(String, T)] {
        &self.bound
    }
}
