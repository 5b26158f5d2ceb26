//! One module per promise.

mod crash;
mod durable;
mod engine;
mod examples;
mod language;
mod limits;
mod patterns;
mod properties;
mod retries;
mod task;
