//! Compile errors: how they are collected, and how they suggest.
//!
//! A message is `what is wrong`, then `\nhelp: what to change`, then
//! `\nnote: why`, in lower case and without a final full stop. Never here: a
//! rule about tasks or workflows.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// All mistakes found so far. They are reported together, so nothing stops at
/// the first.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Reports at a token.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.add(syn::Error::new(span, message));
    }

    /// Reports at several tokens, from the first to the last.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    /// Reports what a parser found.
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The messages, in the order they were reported.
    #[cfg(test)]
    pub(crate) fn messages(self) -> Vec<String> {
        self.0.into_iter().flatten().map(|error| error.to_string()).collect()
    }
}

impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(errors) = &self.0 {
            tokens.extend(errors.to_compile_error());
        }
    }
}

/// The help after "unknown …": the nearest name, or all of them where none is
/// near. `kind` is the word for one of them, such as `option`.
pub(crate) fn help_with_names(word: &str, names: &[&str], kind: &str) -> String {
    match did_you_mean(word, names.iter().copied()) {
        Some(near) => format!("help: there is {} {kind} with a similar name: `{near}`", article(kind)),
        None => format!("help: {}s are {}", kind, list(names)),
    }
}

/// The name nearest to `word`, if it is near enough to be meant: one letter
/// in three may differ.
pub(crate) fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) =
        names.into_iter().map(|name| (distance(word, name), name)).min_by_key(|near| near.0)?;
    (distance <= word.chars().count().max(3) / 3).then_some(name)
}

/// `a`, `b` and `c`, each in backticks.
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and `{last}`", first.join(", "))
        }
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// How many letters must be inserted, removed, changed or swapped with their
/// neighbour. A swap counts once, since it is the commonest slip.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_is_near() {
        let names = ["retry", "timeout", "deadline"];
        assert_eq!(did_you_mean("retyr", names), Some("retry"));
        assert_eq!(did_you_mean("time_out", names), Some("timeout"));
        assert_eq!(did_you_mean("dedline", names), Some("deadline"));
        assert_eq!(did_you_mean("colour", names), None);
    }
}
