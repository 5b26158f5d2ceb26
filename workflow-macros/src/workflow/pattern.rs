//! Patterns: the names they bind, and what they must not hold.

use syn::spanned::Spanned;
use syn::{Ident, Pat};

/// The names a pattern binds, in order.
pub(crate) fn pattern_names(pat: &Pat, names: &mut Vec<Ident>) {
    match pat {
        Pat::Ident(pat) => {
            // `None` and `MAX` are constants, not bindings.
            let text = pat.ident.to_string();
            if pat.subpat.is_some() || !text.starts_with(char::is_uppercase) {
                names.push(pat.ident.clone());
            }
            if let Some((_, inner)) = &pat.subpat {
                pattern_names(inner, names);
            }
        }
        Pat::Or(pat) => {
            // Every case binds the same names.
            if let Some(first) = pat.cases.first() {
                pattern_names(first, names);
            }
        }
        Pat::Paren(pat) => pattern_names(&pat.pat, names),
        Pat::Guard(pat) => pattern_names(&pat.pat, names),
        Pat::Reference(pat) => pattern_names(&pat.pat, names),
        Pat::Slice(pat) => pat.elems.iter().for_each(|pat| pattern_names(pat, names)),
        Pat::Struct(pat) => pat.fields.iter().for_each(|field| pattern_names(&field.pat, names)),
        Pat::Tuple(pat) => pat.elems.iter().for_each(|pat| pattern_names(pat, names)),
        Pat::TupleStruct(pat) => pat.elems.iter().for_each(|pat| pattern_names(pat, names)),
        Pat::Type(pat) => pattern_names(&pat.pat, names),
        _ => {}
    }
}

/// A pattern without the `&`s in it.
pub(crate) fn without_references(pat: &Pat) -> Pat {
    struct Remove;
    impl syn::visit_mut::VisitMut for Remove {
        fn visit_pat_mut(&mut self, pat: &mut Pat) {
            if let Pat::Reference(reference) = pat {
                *pat = (*reference.pat).clone();
            }
            syn::visit_mut::visit_pat_mut(self, pat);
        }
    }
    let mut pat = pat.clone();
    syn::visit_mut::VisitMut::visit_pat_mut(&mut Remove, &mut pat);
    pat
}

/// Refuses the parts of a pattern that make no sense for shared values. Only
/// the one name of a `let` may be `mut`: a `while` may assign it.
pub(crate) fn check_pattern(pat: &Pat, mutable: bool, errors: &mut Vec<syn::Error>) {
    if let Pat::Ident(syn::PatIdent { mutability: Some(mutability), ident, .. }) = pat
        && !mutable
    {
        let message = format!(
            "`{ident}` does not change, so a pattern has no `mut`\nhelp: remove it; for a loop, write `let mut changing: Type = {ident};`"
        );
        errors.push(syn::Error::new(mutability.span, message));
    }
    match pat {
        Pat::Ident(pat) => {
            if let Some(by_ref) = &pat.by_ref {
                let message = "a pattern of a workflow has no `ref`\nhelp: remove it and lend the name with `&` where it is used";
                errors.push(syn::Error::new(by_ref.span(), message));
            }
            if let Some((_, inner)) = &pat.subpat {
                check_pattern(inner, false, errors);
            }
        }
        Pat::Reference(pat) => {
            let message = "a pattern of a workflow has no `&` here: values between steps are owned\nhelp: remove the `&`";
            errors.push(syn::Error::new(pat.and_token.span(), message));
        }
        Pat::Or(pat) => pat.cases.iter().for_each(|pat| check_pattern(pat, false, errors)),
        Pat::Paren(pat) => check_pattern(&pat.pat, false, errors),
        Pat::Slice(pat) => pat.elems.iter().for_each(|pat| check_pattern(pat, false, errors)),
        Pat::Struct(pat) => pat.fields.iter().for_each(|field| check_pattern(&field.pat, false, errors)),
        Pat::Tuple(pat) => pat.elems.iter().for_each(|pat| check_pattern(pat, false, errors)),
        Pat::TupleStruct(pat) => pat.elems.iter().for_each(|pat| check_pattern(pat, false, errors)),
        Pat::Type(pat) => check_pattern(&pat.pat, false, errors),
        _ => {}
    }
}
