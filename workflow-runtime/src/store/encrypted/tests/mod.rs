//! Tests of the layer: as a store, and of what it keeps from whoever has the
//! store below.

mod conforms;
mod disk;
mod moving;
mod opening;
mod support;
