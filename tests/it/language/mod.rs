//! The rules of a workflow's body, section by section: what is written, and
//! what then happens.

mod always;
mod arguments;
mod branches;
mod children;
mod expressions;
mod failing;
mod items;
mod keyed;
mod lists;
mod loops;
mod names;
mod ordering;
mod overrides;
mod schedule;
mod select;
mod steps;
mod undo;
mod waits;
