//! Tokens to syntax tree. Never fails as a whole: what does not parse is
//! reported and kept as it is, and parsing goes on at the next statement.

use proc_macro2::{Span, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident};

use crate::diagnostics::Errors;
use crate::workflow::ast::Workflow;
use attributes::Attributes;

mod attributes;
mod head;
mod recover;
mod schedule;
mod statement;
mod step;
mod value;

pub(crate) use attributes::without_numbered;
pub(crate) use head::type_text;

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
    let workflow = parser.parse2(tokens)?;
    attributes.report_unread(&workflow.body, errors);
    Ok(workflow)
}

/// A call whose last name is in lower case: a step, by the rules of the
/// language. Tuple structs and enum variants are in upper case.
pub(crate) fn is_step_call(call: &syn::ExprCall) -> bool {
    let Expr::Path(path) = &*call.func else { return false };
    path.qself.is_none()
        && path.path.segments.last().is_some_and(|segment| {
            let name = segment.ident.to_string();
            let name = name.strip_prefix("r#").unwrap_or(&name);
            !is_of_type_or_std(&path.path) && is_lower_case(name)
        })
}

/// Whether a name is one of functions and values, and not of types.
pub(crate) fn is_lower_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_lowercase() || c == '_')
}

/// Whether a path names an associated function or constant, such as `Vec::new`
/// and `u64::from`, or something of the standard library's.
pub(crate) fn is_of_type_or_std(path: &syn::Path) -> bool {
    const PRIMITIVES: [&str; 17] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32",
        "u64", "u128", "usize",
    ];
    let owner = path.segments.iter().rev().nth(1);
    let of_type = owner.is_some_and(|owner| {
        let name = owner.ident.to_string();
        name.starts_with(char::is_uppercase)
            || PRIMITIVES.contains(&name.as_str())
            || matches!(owner.arguments, syn::PathArguments::AngleBracketed(_))
    });
    of_type || (owner.is_some() && path.segments.first().is_some_and(|first| first.ident == "std"))
}

/// The name in an expression that is only a name.
pub(crate) fn path_ident(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => path.path.get_ident(),
        _ => None,
    }
}

/// Where an expression begins. On stable Rust a joined span is not to be had.
fn first_span(expr: &Expr) -> Span {
    use quote::ToTokens;
    expr.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
