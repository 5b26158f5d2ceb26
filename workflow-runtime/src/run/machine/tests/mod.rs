//! Tests of the machine: its rules by example, a file for each module, and
//! all of them at once by random workflows.

mod graph;
mod harness;
mod held;

mod allowed;
mod attempts;
mod losses;
mod operator;
mod pause;
mod random;
mod recall;
mod reconcile;
mod regions;
mod signals;
mod stopping;
mod undoing;
mod views;
