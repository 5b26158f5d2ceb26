//! The console: its pages and its API, asked of the router itself.

mod acting;
mod pages;
mod safety;
mod same;
mod serving;
mod world;
