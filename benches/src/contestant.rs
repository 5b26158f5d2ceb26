//! Who takes part.

use std::pin::Pin;
use std::sync::Arc;

use crate::shape::Shape;

pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Makes one run of a shape and gives what it results in.
pub type Once = Arc<dyn Fn() -> Boxed<u64> + Send + Sync>;

pub struct Contestant {
    pub name: &'static str,
    /// Sets up what every run of a shape has in common, which is not measured;
    /// nothing where the shape cannot be expressed. Called inside of the
    /// runtime that the runs are made in.
    pub prepare: fn(Shape) -> Boxed<Option<Once>>,
}

pub fn once<F: Future<Output = u64> + Send + 'static>(run: impl Fn() -> F + Send + Sync + 'static) -> Once {
    Arc::new(move || Box::pin(run()))
}
