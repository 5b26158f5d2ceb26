//! What an expression is by its spelling, which is all that a macro sees: a
//! step is a call of a name in lower case, a constructor one in upper case.

use syn::{Expr, Ident};

use crate::workflow::tokens::plain;

/// A call whose last name is in lower case: a step, by the rules of the
/// language. Tuple structs and enum variants are in upper case.
pub(crate) fn is_step_call(call: &syn::ExprCall) -> bool {
    let Expr::Path(path) = &*call.func else { return false };
    path.qself.is_none()
        && path
            .path
            .segments
            .last()
            .is_some_and(|segment| !is_of_type_or_std(&path.path) && is_lower_case(&plain(&segment.ident)))
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
    let of_std = |first: &syn::PathSegment| ["std", "core", "alloc"].iter().any(|name| first.ident == name);
    of_type || (owner.is_some() && path.segments.first().is_some_and(of_std))
}

/// The name in an expression that is only a name.
pub(crate) fn path_ident(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => path.path.get_ident(),
        _ => None,
    }
}

/// `Some`, `Report`, `Verdict::Approved`: what makes a value of its arguments.
pub(crate) fn is_constructor(func: &Expr) -> bool {
    let Expr::Path(path) = func else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident.to_string().starts_with(char::is_uppercase))
}
