//! Names whose values are computed once. Expressions are evaluated where they are
//! used, each time anew; a name that is used twice and whose expression may give
//! something else each time is what it was first: in all of the run, also after
//! a restart where its type can be stored.

use std::borrow::{Borrow, ToOwned};
use std::cell::Cell as StdCell;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::faithful::to_json;
use crate::held::hold_in;
use crate::task::Env;
use crate::value::{Value, wrong_type};

/// What was computed just now and is to be stored: where, and the value.
pub(crate) type Computations = Mutex<Vec<(String, Vec<u8>)>>;

/// The values of a frame's names that are computed once, and those around it.
pub(crate) struct Onces {
    cells: Vec<OnceCell>,
    around: Option<Arc<Onces>>,
    /// `None` where nothing is stored.
    computed: Option<Arc<Computations>>,
}

/// The value of one name.
pub(crate) struct OnceCell {
    pub(crate) path: String,
    value: OnceLock<Value>,
    /// What was stored of it before.
    then: OnceLock<Vec<u8>>,
}

impl Onces {
    pub(crate) fn new(
        paths: impl Iterator<Item = String>,
        around: Option<Arc<Onces>>,
        computed: Option<Arc<Computations>>,
    ) -> Self {
        let cell = |path| OnceCell { path, value: OnceLock::new(), then: OnceLock::new() };
        Self { cells: paths.map(cell).collect(), around, computed }
    }

    /// The cells of the frame itself.
    pub(crate) fn cells(&self) -> &[OnceCell] {
        &self.cells
    }

    pub(crate) fn cell(&self, level: usize, number: usize) -> Option<(&Self, &OnceCell)> {
        let mut onces = self;
        for _ in 0..level {
            onces = onces.around.as_deref()?;
        }
        Some((onces, onces.cells.get(number)?))
    }

    /// The value of a cell: what was stored of it, or else what `compute` gives
    /// now, with what is to be stored of that.
    fn value<'e>(
        &self,
        cell: &'e OnceCell,
        read: impl FnOnce(&[u8]) -> Option<Value>,
        compute: impl FnOnce() -> (Value, Option<Vec<u8>>),
    ) -> &'e Value {
        let first = || {
            if let Some(value) = cell.then.get().and_then(|then| read(then)) {
                return value;
            }
            let (value, stored) = compute();
            if let (Some(stored), Some(computed)) = (stored, &self.computed) {
                let mut computed = computed.lock().unwrap_or_else(PoisonError::into_inner);
                computed.push((cell.path.clone(), stored));
            }
            value
        };
        cell.value.get_or_init(first)
    }

    /// A value as it is stored, where anything is.
    fn written<T: Serialize + ?Sized>(&self, value: &T) -> Option<Vec<u8>> {
        self.computed.as_ref().and_then(|_| to_json(value).ok())
    }
}

impl OnceCell {
    /// Whether its value is not known yet.
    pub(crate) fn is_open(&self) -> bool {
        self.value.get().is_none() && self.then.get().is_none()
    }

    /// Has it be what was stored before.
    pub(crate) fn restore(&self, then: Vec<u8>) {
        // Restored twice it is the same.
        let _ = self.then.set(then);
    }
}

/// An expression whose value is computed once. The type of that says how it is
/// kept: the methods of the traits below differ by how many references are before
/// it, and the first that fits wins.
pub struct Computed<T, F>(StdCell<Option<F>>, PhantomData<fn() -> T>);

impl<T, F: FnOnce() -> T> Computed<T, F> {
    #[doc(hidden)]
    #[must_use]
    pub fn new(compute: F) -> Self {
        Self(StdCell::new(Some(compute)), PhantomData)
    }

    fn compute(&self) -> T {
        // Generated code asks once.
        self.0.take().map_or_else(|| wrong_type::<T>(), |compute| compute())
    }
}

/// What is lent, and can be stored.
pub trait OnceLent<'v, U: ?Sized> {
    /// The value that it had first.
    fn __once<'e>(&self, env: &'e Env, level: usize, number: usize) -> &'e U
    where
        'v: 'e;
}

impl<'v, U, F> OnceLent<'v, U> for &&&Computed<&'v U, F>
where
    U: ToOwned + Serialize + ?Sized,
    U::Owned: DeserializeOwned + Send + Sync + 'static,
    F: FnOnce() -> &'v U,
{
    fn __once<'e>(&self, env: &'e Env, level: usize, number: usize) -> &'e U
    where
        'v: 'e,
    {
        let Some((onces, cell)) = env.once(level, number) else { return self.compute() };
        let value = onces.value(cell, read::<U::Owned>, || {
            let value = self.compute();
            (Value::new(value.to_owned()), onces.written(value))
        });
        owned::<U::Owned>(value).borrow()
    }
}

/// What can be stored.
pub trait OnceStored<T> {
    /// The value that it had first.
    fn __once(&self, env: &Env, level: usize, number: usize) -> T;
}

impl<T, F> OnceStored<T> for &&Computed<T, F>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    F: FnOnce() -> T,
{
    fn __once(&self, env: &Env, level: usize, number: usize) -> T {
        let Some((onces, cell)) = env.once(level, number) else { return self.compute() };
        let compute = || {
            let value = self.compute();
            let stored = onces.written(&value);
            // As a later process reads it.
            let again = stored.as_deref().and_then(read::<T>);
            (again.unwrap_or_else(|| Value::new(value)), stored)
        };
        owned::<T>(onces.value(cell, read::<T>, compute)).clone()
    }
}

/// What cannot be stored, and is the same in this process. In scope only where
/// the expression uses no other value, which it could lend.
pub trait OnceCloned<T> {
    /// The value that it had first.
    fn __once(&self, env: &Env, level: usize, number: usize) -> T;
}

impl<T: Clone + Send + Sync + 'static, F: FnOnce() -> T> OnceCloned<T> for &Computed<T, F> {
    fn __once(&self, env: &Env, level: usize, number: usize) -> T {
        let Some((onces, cell)) = env.once(level, number) else { return self.compute() };
        let compute = || (Value::new(self.compute()), None);
        owned::<T>(onces.value(cell, |_| None, compute)).clone()
    }
}

/// What may borrow, or cannot be copied: it is what it is now.
pub trait OnceNever<T> {
    /// The value.
    fn __once(&self, env: &Env, level: usize, number: usize) -> T;
}

impl<T, F: FnOnce() -> T> OnceNever<T> for Computed<T, F> {
    fn __once(&self, _: &Env, _: usize, _: usize) -> T {
        self.compute()
    }
}

fn read<T: DeserializeOwned + Send + Sync + 'static>(stored: &[u8]) -> Option<Value> {
    hold_in(stored);
    serde_json::from_slice::<T>(stored).ok().map(Value::new)
}

/// A cell is always of the type of its expression.
fn owned<T: Send + Sync + 'static>(value: &Value) -> &T {
    value.get::<T>().unwrap_or_else(|| wrong_type::<T>())
}
