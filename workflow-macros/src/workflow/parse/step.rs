//! Calls: of tasks, and of the steps that the language has itself.

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Ident, Lit, Path, Token};

use crate::diagnostics::Errors;
use crate::workflow::ast::*;
use crate::workflow::spelling::{is_step_call, path_ident};

pub(super) fn call_value(call: syn::ExprCall, question: Option<Token![?]>, errors: &mut Errors) -> Value {
    let name = path_ident(&call.func).map(ToString::to_string);
    let built_in = matches!(name.as_deref(), Some("sleep" | "sleep_until")) || is_signal_path(&call.func);
    if built_in && let Some(question) = question {
        errors.at(question.span(), "this step cannot fail\nhelp: remove the `?`");
    }
    if is_signal_path(&call.func) {
        return match signal(call, errors) {
            Some(signal) => Value::Signal(signal),
            None => Value::Broken,
        };
    }
    match (name.as_deref(), call.args.len()) {
        (Some("sleep"), 1) | (Some("sleep_until"), 1) => {
            let keyword = path_ident(&call.func).cloned();
            let (Some(name), Some(arg)) = (keyword, call.args.into_iter().next()) else {
                return Value::Broken;
            };
            if name == "sleep" { Value::Sleep { name, arg } } else { Value::SleepUntil { name, arg } }
        }
        (Some(word @ ("sleep" | "sleep_until")), _) => {
            let example = if word == "sleep" { "sleep(\"10s\")" } else { "sleep_until(time)" };
            let at = call.args.iter().nth(1).map_or_else(|| call.func.span(), Spanned::span);
            errors.at(at, format!("`{word}` takes one argument: `{example}`"));
            Value::Broken
        }
        _ => Value::Call(step_call(call, question, errors)),
    }
}

pub(super) fn step_call(call: syn::ExprCall, question: Option<Token![?]>, errors: &mut Errors) -> Call {
    let paren = call.paren_token;
    let mut path = match *call.func {
        Expr::Path(path) => path.path,
        other => Path::from(Ident::new("unknown", other.span())),
    };
    if let Some(segment) = path.segments.last_mut()
        && !segment.arguments.is_none()
    {
        errors.on(&segment.arguments, "a task has no generic parameters\nhelp: remove them");
        segment.arguments = syn::PathArguments::None;
    }
    let args = call.args.into_iter().map(|arg| argument(arg, errors)).collect();
    Call { path, args, paren, question }
}

/// A step may stand where its value is used; it is named after its task.
pub(super) fn argument(arg: Expr, errors: &mut Errors) -> Arg {
    let (lend, inner) = match arg {
        Expr::Reference(reference) if reference.mutability.is_none() && is_step(&reference.expr) => {
            (Some(reference.and_token), *reference.expr)
        }
        other if is_step(&other) => (None, other),
        other => return Arg::Expr(other),
    };
    let (call, question) = match inner {
        Expr::Try(outer) => (*outer.expr, Some(outer.question_token)),
        call => (call, None),
    };
    match call {
        Expr::Call(call) => Arg::Step { lend, call: step_call(call, question, errors) },
        other => Arg::Expr(other),
    }
}

pub(super) fn is_step(expr: &Expr) -> bool {
    match expr {
        Expr::Try(outer) => matches!(&*outer.expr, Expr::Call(call) if is_step_call(call)),
        Expr::Call(call) => is_step_call(call),
        _ => false,
    }
}

/// `signal::<T>("name")` with what is said behind it: `.keyed(..)`, `.within(..)`.
pub(super) fn signal_with(
    method: syn::ExprMethodCall,
    question: Option<Token![?]>,
    errors: &mut Errors,
) -> Value {
    let mut options = Vec::new();
    let mut next = Expr::MethodCall(method);
    let call = loop {
        next = match next {
            Expr::MethodCall(method) => {
                let receiver = *method.receiver;
                options.push((method.method, method.turbofish, method.args));
                receiver
            }
            Expr::Call(call) => break call,
            _ => return Value::Broken,
        };
    };
    let Some(mut signal) = signal(call, errors) else {
        return Value::Broken;
    };
    for (name, turbofish, args) in options.into_iter().rev() {
        let (slot, example) = match &*name.to_string() {
            "within" => (&mut signal.within, "`.within(\"3d\")`"),
            "keyed" => (&mut signal.key, "`.keyed(order.id)`"),
            _ => {
                errors.at(
                    name.span(),
                    "a signal has the options `keyed` and `within`\nhelp: write `signal::<T>(\"name\").keyed(key).within(\"3d\")`, and the rest in a statement of its own",
                );
                return Value::Broken;
            }
        };
        if slot.is_some() {
            errors.at(name.span(), format!("`{name}` is given twice\nhelp: remove one of them"));
        }
        if let Some(generics) = &turbofish {
            errors.on(generics, format!("`{name}` takes a value, and no type\nhelp: write {example}"));
        }
        if args.len() != 1 {
            errors.at(name.span(), format!("`{name}` takes one thing\nhelp: write {example}"));
        }
        *slot = args.into_iter().next();
    }
    signal.question = question;
    Value::Signal(signal)
}

/// `signal::<T>("name")`
pub(super) fn signal(call: syn::ExprCall, errors: &mut Errors) -> Option<SignalCall> {
    let Expr::Path(path) = *call.func else { return None };
    let segment = path.path.segments.into_iter().next()?;
    let keyword = segment.ident;
    let mut types = match segment.arguments {
        syn::PathArguments::AngleBracketed(args) => args.args.into_iter(),
        _ => Punctuated::<_, Token![,]>::new().into_iter(),
    };
    let ty = match types.next() {
        Some(syn::GenericArgument::Type(ty)) => Some(ty),
        _ => None,
    };
    if let Some(second) = types.next() {
        errors.on(second, "a signal has one type\nhelp: write `signal::<T>(\"name\")`; several values are a tuple or a struct");
    }
    let Some(ty) = ty else {
        errors.at(keyword.span(), "a signal has a type\nhelp: write `signal::<T>(\"name\")`, with the type of the value that is sent");
        return None;
    };
    let mut args = call.args.into_iter();
    let name = args.next();
    if let Some(second) = args.next() {
        errors.on(second, "a signal takes its name, and nothing else\nhelp: write a time limit as `signal::<T>(\"name\").within(\"3d\")`, and a key as `.keyed(key)`");
    }
    match name {
        Some(Expr::Lit(syn::ExprLit { lit: Lit::Str(name), .. })) => {
            Some(SignalCall { keyword, ty, name, key: None, within: None, question: None })
        }
        other => {
            let span = other.map_or(keyword.span(), |other| other.span());
            errors.at(span, "a signal has a name, written as a text\nhelp: write `signal::<T>(\"name\")`");
            None
        }
    }
}

/// Whether it is a signal, or what a method made of one.
pub(super) fn is_of_signal(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => is_signal_path(&call.func),
        Expr::MethodCall(method) => is_of_signal(&method.receiver),
        _ => false,
    }
}

pub(super) fn is_signal_path(func: &Expr) -> bool {
    matches!(func, Expr::Path(path) if path.path.segments.len() == 1 && path.path.segments[0].ident == "signal")
}

pub(super) fn is_ok(call: &syn::ExprCall) -> bool {
    path_ident(&call.func).is_some_and(|ident| ident == "Ok")
}

pub(super) fn is_err(call: &syn::ExprCall) -> bool {
    path_ident(&call.func).is_some_and(|ident| ident == "Err")
}

/// `fail!("no page of {day}")`, or `fail!(error)`.
pub(super) fn fail(mac: syn::Macro, errors: &mut Errors) -> Value {
    let keyword = mac.path.span();
    let words = matches!(mac.tokens.clone().into_iter().next(), Some(proc_macro2::TokenTree::Literal(_)));
    if words {
        return Value::Fail(Fail { keyword, with: FailWith::Words(mac) });
    }
    match mac.parse_body::<Expr>() {
        Ok(error) => Value::Fail(Fail { keyword, with: FailWith::Error(error) }),
        Err(_) => {
            errors.at(
                keyword,
                "`fail!` takes the words that say why, or an error\nhelp: write `fail!(\"no page of {day}\")`",
            );
            Value::Broken
        }
    }
}
