//! The head of a workflow: its schedule, name, parameters and result type.

use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Ident, Meta, Pat, Token, Type, Visibility};

use super::attributes::KNOWN;
use super::recover::parse_block;
use super::schedule::parse_schedule;
use crate::diagnostics::Errors;
use crate::workflow::ast::*;
use crate::workflow::tokens::type_text;

pub(super) fn parse_workflow(input: ParseStream, errors: &mut Errors) -> syn::Result<Workflow> {
    let mut attrs = input.call(Attribute::parse_outer)?;
    let mut schedule = None;
    attrs.retain(|attr| {
        let is_schedule = attr.path().is_ident("schedule");
        if is_schedule {
            let parsed = parse_schedule(attr, errors);
            if schedule.is_some() {
                errors.at(attr.path().span(), "a workflow has one `schedule`\nhelp: remove one of them, or write a second workflow that calls this one");
            } else {
                schedule = Some(parsed);
            }
        }
        !is_schedule && fits(attr, errors)
    });
    let vis: Visibility = input.parse()?;
    if input.peek(Token![async]) {
        let keyword: Token![async] = input.parse()?;
        errors.at(
            keyword.span,
            "a workflow is no `async` function\nhelp: remove `async`; steps run in parallel by themselves",
        );
    }
    input.parse::<Token![fn]>().map_err(|error| {
        syn::Error::new(
            error.span(),
            "expected a workflow\nhelp: write `fn name(parameter: Type) -> Result<Type> { … }`",
        )
    })?;
    let name: Ident = input.parse()?;
    if input.peek(Token![<]) {
        let generics: syn::Generics = input.parse()?;
        errors
            .at(generics.span(), "a workflow has no generic parameters: its graph is fixed when it compiles\nhelp: remove them, and name the types");
    }
    let (params, broken) = parse_params(input, errors)?;
    let result = parse_result(input, &name, errors)?;
    let body;
    let brace = syn::braced!(body in input);
    let body = parse_block(body.parse()?, brace.span.join(), true, errors);
    Ok(Workflow { attrs, schedule, vis, name, params, result, broken, body })
}

/// The attributes that mean something above a workflow's `fn`, besides those
/// of this macro.
const ABOVE: [&str; 7] = ["allow", "cfg", "deny", "deprecated", "doc", "must_use", "warn"];

/// Refuses what would be passed on to the function that makes an invocation,
/// which is not what its writer thinks of.
fn fits(attr: &Attribute, errors: &mut Errors) -> bool {
    let path = attr.path();
    let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
    match name.as_str() {
        known if ABOVE.contains(&known) => return true,
        "cfg_attr" if has_no_effect_of_its_own(attr) => return true,
        "cfg_attr" => errors.at(
            path.span(),
            "a workflow is the same in every build that has it\nhelp: write the `fn` twice, each with a `#[cfg(..)]` above it",
        ),
        "expect" | "forbid" => errors.at(
            path.span(),
            format!("a workflow becomes several items, of which each would have to fulfil `{name}`\nhelp: write `#[allow(..)]` or `#[deny(..)]`"),
        ),
        step if KNOWN.contains(&step) => errors.at(
            path.span(),
            format!("the attribute `{step}` belongs above a statement of the workflow\nhelp: move it to the statement that it is for"),
        ),
        _ => errors.on(
            path,
            format!(
                "a workflow has no attribute `{}`\nhelp: it can have `schedule`, {}",
                path.to_token_stream().to_string().replace(' ', ""),
                crate::diagnostics::list(&ABOVE)
            ),
        ),
    }
    false
}

/// Whether all that a `#[cfg_attr(..)]` gives is documentation or lints.
fn has_no_effect_of_its_own(attr: &Attribute) -> bool {
    let metas = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    metas.is_ok_and(|metas| {
        metas
            .iter()
            .skip(1)
            .all(|meta| ABOVE.iter().any(|known| *known != "cfg" && meta.path().is_ident(known)))
    })
}

/// The parameters, and whether one of them is so wrong that nothing can be
/// said of its uses.
pub(super) fn parse_params(input: ParseStream, errors: &mut Errors) -> syn::Result<(Vec<Param>, bool)> {
    let content;
    syn::parenthesized!(content in input);
    let mut params: Vec<Param> = Vec::new();
    let mut broken = false;
    for arg in content.parse_terminated(syn::FnArg::parse, Token![,])? {
        match arg {
            syn::FnArg::Receiver(receiver) => {
                errors.on(receiver, "a workflow is no method: it has no `self`\nhelp: remove it");
                broken = true;
            }
            syn::FnArg::Typed(arg) => {
                let ty = owned_type(*arg.ty, &mut broken, errors);
                match *arg.pat {
                    Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                        let name = pat.ident;
                        if let Some(mutability) = pat.mutability {
                            errors.at(
                                mutability.span,
                                format!("a parameter of a workflow does not change\nhelp: remove `mut`; for a loop, write `let mut changing: Type = {name};` in the body"),
                            );
                        }
                        if params.iter().any(|param| param.name == name) {
                            errors.at(
                                name.span(),
                                format!(
                                    "two parameters are called `{name}`\nhelp: give one of them another name"
                                ),
                            );
                        } else {
                            params.push(Param { name, ty });
                        }
                    }
                    other => {
                        errors.on(other, "a parameter of a workflow is a plain name\nhelp: take it apart in the body: `let (a, b) = name;`");
                        broken = true;
                    }
                }
            }
        }
    }
    Ok((params, broken))
}

/// The type of a parameter, which a run saves; a stand-in for one that no run
/// can save, so that the workflow's name still means something elsewhere.
pub(super) fn owned_type(ty: Type, broken: &mut bool, errors: &mut Errors) -> Type {
    match ty {
        Type::Reference(reference) => {
            let owned: Type = match *reference.elem {
                Type::Path(path) if path.path.is_ident("str") => syn::parse_quote!(::std::string::String),
                Type::Slice(slice) => {
                    let elem = slice.elem;
                    syn::parse_quote!(::std::vec::Vec<#elem>)
                }
                other => other,
            };
            let text = type_text(&owned).replace("::std::string::", "").replace("::std::vec::", "");
            errors.at(
                reference.and_token.span,
                format!("a workflow owns its parameters, since a run saves them\nhelp: write `{text}`"),
            );
            *broken = true;
            owned
        }
        Type::ImplTrait(ty) => {
            errors
                .on(ty, "a parameter of a workflow has one type, since a run saves it\nhelp: name the type");
            *broken = true;
            syn::parse_quote!(())
        }
        ty => ty,
    }
}

pub(super) fn parse_result(
    input: ParseStream,
    name: &Ident,
    errors: &mut Errors,
) -> syn::Result<Option<ResultType>> {
    if !input.peek(Token![->]) {
        errors.at(name.span(), format!("workflow `{name}` has no result type\nhelp: write `-> Result<T>` and end with `Ok(value)`, or `-> Result<()>` and `Ok(())`"));
        return Ok(None);
    }
    input.parse::<Token![->]>()?;
    let ty: Type = input.parse()?;
    if let Type::Path(path) = &ty
        && path.qself.is_none()
        && let Some(last) = path.path.segments.last()
        && last.ident == "Result"
        && let syn::PathArguments::AngleBracketed(args) = &last.arguments
        && args.args.len() == 1
        && let Some(syn::GenericArgument::Type(ok)) = args.args.first()
    {
        let mut alias = path.path.clone();
        if let Some(last) = alias.segments.last_mut() {
            last.arguments = syn::PathArguments::None;
        }
        return Ok(Some(ResultType { ty: ok.clone(), alias }));
    }
    errors.on(ty, "a workflow returns `Result<T>`, because any run can fail\nhelp: write `-> Result<T>`; the error type is the engine's");
    Ok(None)
}
