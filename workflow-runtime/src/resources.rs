//! What the process owns and tasks borrow: pools, clients, configuration.

use std::any::{Any, TypeId};

/// The resources of an engine: a struct of the user's, each field one
/// resource by its type. Derived, never written by hand.
///
/// ```
/// use workflow_runtime::Resources;
///
/// struct Pool;
/// struct Client;
///
/// #[derive(Resources)]
/// struct App { db: Pool, http: Client }
/// ```
pub trait Resources: Send + Sync + 'static {
    /// The resource of this type.
    fn find(&self, id: TypeId) -> Option<&(dyn Any + Send + Sync)>;
}

/// The engine has a resource of type `T`.
#[diagnostic::on_unimplemented(
    message = "the engine has no resource `{T}`",
    label = "a task of this workflow takes `#[resource] &{T}`",
    note = "the engine's resources are the fields of `{Self}`",
    note = "add a field of type `{T}` to a struct with `#[derive(Resources)]`, and give it to the engine with `.resources(..)`"
)]
pub trait Provides<T>: Resources {}

/// The resources of an engine that was given none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoResources;

impl Resources for NoResources {
    fn find(&self, _: TypeId) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}
