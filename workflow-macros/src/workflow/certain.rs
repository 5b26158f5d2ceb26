//! Whether an expression surely gives the same value each time it is
//! evaluated: names, fields, literals, and what the language does with them.
//! The value of any other is kept where it was computed first, since the macro
//! does not see what a function reads, or in what order a map of hashes iterates.

use syn::punctuated::Punctuated;
use syn::{Expr, Lit, Token};

use crate::workflow::spelling::is_constructor;

/// Methods of the standard library that look at nothing but their arguments.
const CERTAIN: [&str; 44] = [
    "abs",
    "as_bytes",
    "as_deref",
    "as_ref",
    "as_slice",
    "as_str",
    "clone",
    "cloned",
    "contains",
    "contains_key",
    "copied",
    "div_ceil",
    "ends_with",
    "err",
    "expose",
    "get",
    "into",
    "is_empty",
    "is_err",
    "is_none",
    "is_ok",
    "is_some",
    "len",
    "max",
    "min",
    "ok",
    "pow",
    "repeat",
    "starts_with",
    "to_lowercase",
    "to_owned",
    "to_string",
    "to_uppercase",
    "to_vec",
    "trim",
    "trim_end",
    "trim_start",
    "unwrap_or",
    "unwrap_or_default",
    "saturating_add",
    "saturating_sub",
    "saturating_mul",
    "wrapping_add",
    "wrapping_mul",
];

/// Whether the expression is one of these.
pub(super) fn is_certain(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) | Expr::Path(_) => true,
        Expr::Paren(inner) => is_certain(&inner.expr),
        Expr::Group(inner) => is_certain(&inner.expr),
        Expr::Reference(inner) => is_certain(&inner.expr),
        Expr::Field(field) => is_certain(&field.base),
        Expr::Unary(unary) => is_certain(&unary.expr),
        Expr::Cast(cast) => is_certain(&cast.expr),
        Expr::Binary(binary) => is_certain(&binary.left) && is_certain(&binary.right),
        Expr::Index(index) => is_certain(&index.expr) && is_certain(&index.index),
        Expr::Range(range) => [&range.start, &range.end].into_iter().flatten().all(|end| is_certain(end)),
        Expr::Tuple(tuple) => tuple.elems.iter().all(is_certain),
        Expr::Array(array) => array.elems.iter().all(is_certain),
        Expr::Repeat(repeat) => is_certain(&repeat.expr),
        Expr::Struct(value) => {
            value.fields.iter().all(|field| is_certain(&field.expr))
                && value.rest.as_ref().is_none_or(|rest| is_certain(rest))
        }
        Expr::Call(call) => is_constructor(&call.func) && call.args.iter().all(is_certain),
        Expr::MethodCall(call) => {
            CERTAIN.contains(&call.method.to_string().as_str())
                && is_certain(&call.receiver)
                && call.args.iter().all(is_certain)
        }
        Expr::Macro(mac) => is_certain_macro(&mac.mac),
        _ => false,
    }
}

/// Whether these are surely the same items each time. That they have an order
/// is asked of their type.
pub(super) fn are_certain(items: &Expr) -> bool {
    const ITERATORS: [&str; 23] = [
        "bytes",
        "chain",
        "char_indices",
        "chars",
        "chunks",
        "chunks_exact",
        "cloned",
        "copied",
        "enumerate",
        "into_iter",
        "iter",
        "keys",
        "lines",
        "rchunks",
        "rev",
        "skip",
        "split",
        "split_whitespace",
        "step_by",
        "take",
        "values",
        "windows",
        "zip",
    ];
    match items {
        Expr::Paren(inner) => are_certain(&inner.expr),
        Expr::Reference(inner) => are_certain(&inner.expr),
        Expr::MethodCall(call) if ITERATORS.contains(&call.method.to_string().as_str()) => {
            are_certain(&call.receiver) && call.args.iter().all(are_certain)
        }
        items => is_certain(items),
    }
}

/// `vec![a, b]`, and a `format!` that prints nothing by its `Debug`, which
/// shows a map in an order of its own each time.
fn is_certain_macro(mac: &syn::Macro) -> bool {
    if !(mac.path.is_ident("format") || mac.path.is_ident("vec")) {
        return false;
    }
    let args = mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
    args.is_ok_and(|args| {
        args.iter().all(|arg| match arg {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => !text.value().contains("?}"),
            Expr::Assign(assign) => is_certain(&assign.right),
            arg => is_certain(arg),
        })
    })
}

/// The name of a function of the standard library, or of a widely used crate,
/// that gives another value each time or looks outside the program:
/// `Instant::now`, `fs::read_to_string`, `rand::random`.
pub(super) fn impure(func: &Expr) -> Option<String> {
    const CLOCKS: [&str; 8] =
        ["Instant", "SystemTime", "Utc", "Local", "Zoned", "Timestamp", "OffsetDateTime", "DateTime"];
    const MODULES: [&str; 4] = ["fs", "rand", "fastrand", "getrandom"];
    const ENVIRONMENT: [&str; 6] = ["var", "var_os", "vars", "args", "current_dir", "temp_dir"];
    const RANDOM: [&str; 3] = ["thread_rng", "random", "random_range"];
    let Expr::Path(path) = func else { return None };
    let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_impure = match names.as_slice() {
        [.., ty, "now" | "now_utc" | "now_local"] => CLOCKS.contains(ty),
        [.., "Uuid", how] => {
            ["new_v1", "new_v4", "new_v6", "new_v7", "now_v1", "now_v6", "now_v7"].contains(how)
        }
        [.., "env", what] => ENVIRONMENT.contains(what),
        [modules @ .., _] if modules.iter().any(|module| MODULES.contains(module)) => true,
        [.., what] => RANDOM.contains(what) && names.len() == 1,
        [] => false,
    };
    is_impure.then(|| names[names.len().saturating_sub(2)..].join("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expr(text: &str) -> Expr {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn what_the_language_does_is_certain_and_what_a_function_does_is_not() {
        for text in [
            "page",
            "&order.items[0]",
            "n + 1",
            "-1.5e3 as f32",
            "(a, [b, c])",
            "Some(page.clone())",
            "Report { page, ..Report::Empty }",
            "names.len().max(3)",
            "format!(\"{page} of {}\", pages.len())",
            "vec![a, b]",
            "1..n",
        ] {
            assert!(is_certain(&expr(text)), "{text}");
        }
        for text in [
            "now()",
            "total(&order)",
            "map.keys()",
            "order.total()",
            "Some(now())",
            "vec![now()]",
            "format!(\"{map:?}\")",
            "if a { b } else { c() }",
            "names.iter().map(|name| name.len()).sum()",
        ] {
            assert!(!is_certain(&expr(text)), "{text}");
        }
    }

    #[test]
    fn what_looks_outside_the_program_is_known() {
        let named = |text: &str| impure(&expr(text));
        assert_eq!(named("std::time::Instant::now").as_deref(), Some("Instant::now"));
        for text in [
            "SystemTime::now",
            "chrono::Utc::now",
            "std::env::var",
            "std::fs::read_to_string",
            "rand::random",
            "random",
            "Uuid::new_v4",
            "jiff::Zoned::now",
        ] {
            assert!(named(text).is_some(), "{text}");
        }
        for text in
            ["now", "clock::read", "env::prefix", "String::from", "Duration::from_secs", "game::random"]
        {
            assert_eq!(named(text), None, "{text}");
        }
    }
}
