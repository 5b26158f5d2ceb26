//! Tokens to syntax tree. Never fails as a whole: what does not parse is
//! reported and kept as it is, and parsing goes on at the next statement.

use proc_macro2::{Span, TokenStream};
use syn::Expr;
use syn::parse::{ParseStream, Parser};

use crate::diagnostics::Errors;
use crate::workflow::ast::Workflow;
use attributes::Attributes;

mod attributes;
mod head;
mod hoist;
mod inside;
mod recover;
mod schedule;
mod statement;
mod step;
mod value;

pub(crate) use attributes::without_numbered;
pub(crate) use inside::step_in;

pub(crate) const ITEM_INSIDE: &str =
    "a workflow holds steps, no items\nhelp: put the item outside the `workflow!`";

/// Parses the tokens of one `workflow!`, or says why there is not even the
/// head of one.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> syn::Result<Workflow> {
    let (tokens, attributes) = Attributes::number(tokens, errors);
    let parser = |input: ParseStream| {
        let workflow = head::parse_workflow(input, errors)?;
        if !input.is_empty() {
            errors.at(
                input.span(),
                "one `workflow!` holds one workflow\nhelp: give the next one a `workflow!` of its own",
            );
            input.parse::<TokenStream>()?;
        }
        Ok(workflow)
    };
    let mut workflow = parser.parse2(tokens.clone())?;
    hoist::hoist(&mut workflow.body, &tokens, errors);
    attributes.report_unread(&workflow.body, errors);
    Ok(workflow)
}

/// Where an expression begins. On stable Rust a joined span is not to be had.
fn first_span(expr: &Expr) -> Span {
    use quote::ToTokens;
    expr.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
