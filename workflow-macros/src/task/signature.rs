//! What a task takes and returns, once the function is found fit to be one.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident};
use syn::{FnArg, GenericParam, Meta, Pat, PatType, ReturnType, Safety, Type};

use crate::diagnostics::Errors;
use crate::task::function::{Function, is_marker};
use crate::task::types;

/// A signature that a task can have.
pub(super) struct Signature {
    /// In the order of the function.
    pub(super) params: Vec<TaskParam>,
    pub(super) output: Output,
}

/// One parameter.
pub(super) struct TaskParam {
    pub(super) role: Role,
    pub(super) name: Ident,
    /// As written.
    pub(super) ty: Type,
}

/// Who fills a parameter.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// The workflow.
    Argument,
    /// The engine, with one of its resources.
    Resource,
    /// The engine, with the attempt's context.
    Context,
}

/// What the function returns.
pub(super) enum Output {
    /// Nothing: `()`.
    Unit,
    /// A value.
    Plain(Type),
    /// A `Result`, by its name. Where to point when the value or the error in
    /// it is wrong.
    Fallible { ty: Type, ok: TokenStream, error: TokenStream },
}

impl Signature {
    pub(super) fn arguments(&self) -> impl Iterator<Item = &TaskParam> {
        self.params.iter().filter(|param| param.role == Role::Argument)
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = &Type> {
        self.params.iter().filter(|param| param.role == Role::Resource).map(|param| referent(&param.ty))
    }

    /// Checks the whole function. `None` when a part of it, already reported,
    /// leaves no contract to speak of.
    pub(super) fn read(function: &Function, errors: &mut Errors) -> Option<Self> {
        let signature = &function.signature;
        // One check per line, all of them made: a user fixes them together.
        let fit = [
            check_qualifiers(signature, errors),
            check_generics(signature, errors),
            check_contexts(signature, errors),
        ];
        let params: Vec<_> = signature
            .inputs
            .iter()
            .enumerate()
            .map(|(index, input)| read_param(index, input, errors))
            .collect();
        let output = Output::read(&signature.output, errors);
        let params = params.into_iter().collect::<Option<_>>();
        if fit.contains(&false) {
            return None;
        }
        Some(Self { params: params?, output: output? })
    }
}

impl Output {
    /// Checks the return type.
    pub(super) fn read(output: &ReturnType, errors: &mut Errors) -> Option<Self> {
        let ReturnType::Type(_, ty) = output else { return Some(Output::Unit) };
        if let Some(span) = types::impl_trait(ty) {
            errors.at(
                span,
                "a task returns a type that has a name, not `impl Trait`\n\
             help: name the type\nnote: a run saves what tasks return, and reads it back after a crash",
            );
            return None;
        }
        if let Some(span) = types::elided_lifetime(ty) {
            errors.at(
                span,
                "a task returns a value of its own, not a reference\n\
             help: return an owned value, such as `String` for `&str`\n\
             note: a run saves what tasks return, and reads it back after a crash",
            );
            return None;
        }
        Some(match types::result(ty) {
            Some((_, ok, error)) => Output::Fallible { ty: Type::clone(ty), ok, error },
            None => Output::Plain(Type::clone(ty)),
        })
    }
}

/// `&T` is a resource of type `T`.
pub(super) fn referent(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        Type::Group(group) => referent(&group.elem),
        Type::Paren(paren) => referent(&paren.elem),
        other => other,
    }
}

pub(super) fn is_reference(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Group(group) => is_reference(&group.elem),
        Type::Paren(paren) => is_reference(&paren.elem),
        _ => false,
    }
}

/// As far as the tokens tell.
fn is_unsized(ty: &Type) -> bool {
    match ty {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Paren(paren) => is_unsized(&paren.elem),
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    }
}

fn check_qualifiers(signature: &syn::Signature, errors: &mut Errors) -> bool {
    let mut fit = true;
    let mut refuse = |tokens: TokenStream, message: &str| {
        errors.on(tokens, message);
        fit = false;
    };
    if let Some(token) = &signature.constness {
        refuse(token.to_token_stream(), "a task cannot be `const`\nhelp: remove `const`");
    }
    if let Safety::Unsafe(token) = &signature.safety {
        refuse(
            token.to_token_stream(),
            "a task cannot be `unsafe`\n\
             help: make the function safe, with the `unsafe` block inside it\n\
             note: the engine calls it with whatever arguments a workflow gives",
        );
    }
    if let Some(abi) = &signature.abi {
        refuse(
            abi.to_token_stream(),
            "a task cannot be `extern`\nhelp: call the foreign function from a task",
        );
    }
    if let Some(variadic) = &signature.variadic {
        refuse(variadic.to_token_stream(), "a task takes a fixed number of arguments\nhelp: take a `Vec`");
    }
    fit
}

fn check_generics(signature: &syn::Signature, errors: &mut Errors) -> bool {
    let generics = &signature.generics;
    for param in &generics.params {
        match param {
            GenericParam::Lifetime(param) => errors.on(
                param,
                "a task has no lifetime parameters\nhelp: leave the lifetimes of its arguments out: `&T`, `Cow<'_, T>`",
            ),
            GenericParam::Type(param) => errors.on(
                &param.ident,
                format_args!(
                    "a task cannot be generic\n\
                     help: write a task for each type that `{}` stands for, all calling one generic function\n\
                     note: a run that resumes after a crash finds its tasks again by their names alone",
                    param.ident
                ),
            ),
            GenericParam::Const(param) => errors.on(
                &param.ident,
                format_args!(
                    "a task cannot be generic\nhelp: make `{}` an argument of the task",
                    param.ident
                ),
            ),
        }
    }
    if let (true, Some(clause)) = (generics.params.is_empty(), &generics.where_clause) {
        errors.on(clause, "a task has no `where` clause\nhelp: remove it");
        return false;
    }
    generics.params.is_empty()
}

fn check_contexts(signature: &syn::Signature, errors: &mut Errors) -> bool {
    let contexts = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => input.attrs.iter().find(|attribute| attribute.path().is_ident("context")),
        FnArg::Receiver(_) => None,
    });
    for second in contexts.skip(1) {
        errors.on(second, "a task has one context\nhelp: remove one of the two parameters");
    }
    // Nothing follows from a second one: it is filled like the first.
    true
}

fn read_param(index: usize, input: &FnArg, errors: &mut Errors) -> Option<TaskParam> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            errors.at(
                receiver.self_token.span,
                "a task takes no `self`\n\
                 help: make it a function outside of the `impl`; \
                 take what it needs as an argument, or as `#[resource] name: &T`",
            );
            return None;
        }
    };
    let role = read_role(input, errors);
    let name = read_name(index, input, errors);
    let fit = check_type(&input.ty, role?, errors);
    fit.then_some(())?;
    Some(TaskParam { role: role?, name: name?, ty: Type::clone(&input.ty) })
}

fn read_role(input: &PatType, errors: &mut Errors) -> Option<Role> {
    let mut role = Role::Argument;
    for attribute in &input.attrs {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            errors.on(
                attribute,
                "a task's parameter cannot be conditional\nhelp: write the task twice, each with a `#[cfg(..)]` above it",
            );
            return None;
        }
        if !is_marker(attribute) {
            continue;
        }
        if role != Role::Argument {
            errors.on(
                attribute,
                "a parameter is either a resource or the context\nhelp: remove one of the attributes",
            );
            return None;
        }
        role = if attribute.path().is_ident("resource") { Role::Resource } else { Role::Context };
        if !matches!(attribute.meta, Meta::Path(_)) {
            let name = attribute.path().to_token_stream();
            errors.on(attribute, format_args!("`{name}` takes no value\nhelp: write `#[{name}]`"));
        }
    }
    Some(role)
}

fn read_name(index: usize, input: &PatType, errors: &mut Errors) -> Option<Ident> {
    match &*input.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
        Pat::Wild(_) => Some(format_ident!("_{index}", span = Span::call_site())),
        pattern => {
            errors.on(
                pattern,
                "a task's parameter has a name, not a pattern\n\
                 help: name it, and take it apart with `let` in the function",
            );
            None
        }
    }
}

fn check_type(ty: &Type, role: Role, errors: &mut Errors) -> bool {
    if let Some(span) = types::impl_trait(ty) {
        errors.at(
            span,
            "a task's parameter has a type of its own, not `impl Trait`\n\
             help: name the type that workflows hand over",
        );
        return false;
    }
    if let Some(span) = types::mutable_reference(ty) {
        let help = match role {
            Role::Argument => "help: take the value by itself, change it and return it",
            Role::Resource => "help: take `&T`; to change a resource, keep it in a `Mutex`",
            Role::Context => "help: take `&Context`",
        };
        let note = match role {
            Role::Argument => {
                "\nnote: steps run in parallel and more than once, so a value that changes is a new value"
            }
            _ => "",
        };
        errors.at(span, format_args!("a task cannot take `&mut`\n{help}{note}"));
        return false;
    }
    match role {
        Role::Resource if !is_reference(ty) => {
            errors.on(
                ty,
                format_args!(
                    "a resource is borrowed from the engine\nhelp: write `&{}`",
                    ty.to_token_stream()
                ),
            );
            false
        }
        Role::Resource if is_unsized(referent(ty)) => {
            errors.on(
                referent(ty),
                "a resource is found by its type, so it has a type of its own\n\
                 help: wrap it, such as `struct Mailer(Box<dyn Mail>)`, and take `&Mailer`",
            );
            false
        }
        Role::Context if !is_reference(ty) => {
            errors.on(ty, "the context is borrowed from the engine\nhelp: write `&Context`");
            false
        }
        _ => true,
    }
}
