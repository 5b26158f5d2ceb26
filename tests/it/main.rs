//! One module per promise.

mod crash;
mod durable;
mod engine;
mod everywhere;
mod examples;
mod faults;
mod faulty;
mod idle;
mod language;
mod limits;
mod patterns;
mod promises;
mod properties;
mod retries;
mod task;
