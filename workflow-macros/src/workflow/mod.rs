//! `workflow!`: a small compiler. Its stages are in this folder, each in the
//! file or folder of its name, and each takes what the one before established.
//!
//! ```text
//! tokens ──parse──▶ ast ──lower──▶ graph ──check──▶ Checked ──expand──▶ items
//!                    └───────────────────mirror───────────────────────▶ a function
//! ```

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::Errors;

mod ast;
mod certain;
mod check;
mod expand;
mod graph;
mod lower;
mod mirror;
mod parse;
mod pattern;
mod picture;
mod rewrite;
mod schedule;
mod scope;
mod spelling;
mod tasks;
mod tokens;

#[cfg(test)]
mod tests;

/// Compiles one workflow.
pub(crate) fn compile(tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let workflow = match parse::parse(tokens, &mut errors) {
        Ok(workflow) => workflow,
        Err(error) => {
            errors.add(error);
            return quote!(#errors);
        }
    };
    let graph = lower::lower(&workflow, &mut errors);
    let checked = check::check(&workflow, graph, &mut errors);
    // The mirror of a workflow with mistakes still finds others.
    let mirror = mirror::mirror(&workflow, !errors.is_empty());
    let items = match &checked {
        Ok(checked) => expand::workflow(&workflow, checked),
        Err(graph) => expand::stub(&workflow, graph),
    };

    // The mirror comes before the tables: an editor shows what it meets first.
    let items = quote!(#mirror #items);
    let items = if errors.is_empty() { items } else { parse::without_numbered(items) };
    quote!(#errors #items)
}
