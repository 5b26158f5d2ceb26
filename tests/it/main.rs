//! One module per promise.

mod task;
