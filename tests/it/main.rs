//! One module per promise.

mod examples;
mod task;
