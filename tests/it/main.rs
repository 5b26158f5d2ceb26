//! One module per promise.

mod engine;
mod examples;
mod language;
mod limits;
mod patterns;
mod properties;
mod retries;
mod task;
