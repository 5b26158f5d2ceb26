//! The wait between attempts: `backoff = exponential("200ms", factor = 2)`.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Lit, LitStr};

use super::number;
use crate::diagnostics::{Errors, help_with_names};
use crate::duration::{duration, expand_duration, positive_duration};
use crate::entries::{self, Entry};
use crate::private::Private;

/// Mirrors the runtime's type of this name.
#[derive(Debug, PartialEq)]
pub(crate) enum Backoff {
    Fixed(Duration),
    Linear { start: Duration, step: Duration, max: Option<Duration> },
    Exponential { start: Duration, factor: f64, max: Option<Duration> },
    List(Vec<Duration>),
}

/// `kind(arguments)`
struct BackoffCall {
    kind: Ident,
    arguments: TokenStream,
}

impl Parse for BackoffCall {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let kind = input.parse()?;
        let arguments;
        syn::parenthesized!(arguments in input);
        Ok(Self { kind, arguments: arguments.parse()? })
    }
}

impl Backoff {
    /// Reads `backoff = ..`.
    pub(crate) fn read(entry: &Entry, errors: &mut Errors) -> Option<Self> {
        const KINDS: [&str; 4] = ["fixed", "linear", "exponential", "list"];
        let example = "backoff = exponential(\"200ms\", factor = 2, max = \"30s\")";
        let call: BackoffCall = entry.parse("how the wait grows", example, errors)?;
        let kind = call.kind.to_string();
        let (plain, named) = entries::split(call.arguments);
        let (known, example): (&[&str], _) = match kind.as_str() {
            "fixed" => (&[], "fixed(\"1s\")"),
            "linear" => (&["step", "max"], "linear(\"1s\", step = \"2s\", max = \"30s\")"),
            "exponential" => (&["factor", "max"], "exponential(\"200ms\", factor = 2, max = \"30s\")"),
            "list" => (&[], "list(\"1s\", \"5s\", \"30s\")"),
            _ => {
                let help = help_with_names(&kind, &KINDS, "kind");
                errors.at(call.kind.span(), format_args!("unknown kind of backoff `{kind}`\n{help}"));
                return None;
            }
        };
        let waits: Vec<Option<(Duration, Span)>> = plain
            .iter()
            .map(|value| {
                let literal: LitStr =
                    entries::parse(value, &call.kind, "durations in quotes", example, errors)?;
                duration(&literal, errors).map(|wait| (wait, literal.span()))
            })
            .collect();
        let named = match known {
            [] => {
                for entry in &named {
                    errors.at(
                        entry.name.span(),
                        format_args!("`{kind}` has no option `{}`\nhelp: write `{example}`", entry.name),
                    );
                }
                Vec::new()
            }
            _ => entries::check_names(named, known, &format!("`{kind}`"), errors),
        };
        if waits.is_empty() || (kind != "list" && waits.len() > 1) {
            let takes = if kind == "list" { "one or more durations" } else { "one duration" };
            errors.at(call.kind.span(), format_args!("`{kind}` takes {takes}\nhelp: write `{example}`"));
            return None;
        }
        let mut step = None;
        let mut factor = None;
        let mut max = None;
        for entry in &named {
            match entry.name.to_string().as_str() {
                "factor" => factor = read_factor(entry, errors),
                "step" => {
                    step = entry
                        .duration_literal("step = \"2s\"", errors)
                        .and_then(|literal| duration(&literal, errors));
                }
                _ => {
                    max = entry.duration_literal("max = \"30s\"", errors).and_then(|literal| {
                        Some((positive_duration(&literal, "max", errors)?, literal.span()))
                    });
                }
            }
        }
        // A bad wait is reported already, and hides what follows from it.
        let waits: Vec<_> = waits.into_iter().collect::<Option<_>>()?;
        let (start, start_span) = waits[0];
        if let Some((max, span)) = max
            && max < start
        {
            errors.at(
                span,
                "the longest wait is shorter than the first one\n\
                 help: make `max` longer, or the first wait shorter",
            );
        }
        let max = max.map(|(max, _)| max);
        Some(match kind.as_str() {
            "fixed" => Self::Fixed(start),
            "linear" => Self::Linear { start, step: step.unwrap_or(start), max },
            "exponential" => {
                if start.is_zero() {
                    errors.at(
                        start_span,
                        "a wait of zero does not grow\nhelp: write `fixed(\"0s\")`, or wait longer",
                    );
                }
                Self::Exponential { start, factor: factor.unwrap_or(2.0), max }
            }
            _ => Self::List(waits.into_iter().map(|(wait, _)| wait).collect()),
        })
    }
}

fn read_factor(entry: &Entry, errors: &mut Errors) -> Option<f64> {
    let literal: Lit = entry.parse("a number", "factor = 2", errors)?;
    match number(&literal) {
        Some(factor) if factor >= 1.0 && factor.is_finite() => return Some(factor),
        Some(_) => {
            errors.on(literal, "`factor` must be at least 1\nnote: waits grow from one attempt to the next")
        }
        None => errors.on(literal, "`factor` takes a number\nhelp: write `factor = 2`"),
    }
    None
}

impl ToTokens for Backoff {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let longest = |max: &Option<Duration>| match max {
            Some(max) => expand_duration(*max),
            None => quote!(#Private::Duration::MAX),
        };
        tokens.extend(match self {
            Self::Fixed(wait) => {
                let wait = expand_duration(*wait);
                quote!(#Private::Backoff::Fixed(#wait))
            }
            Self::Linear { start, step, max } => {
                let (start, step, max) = (expand_duration(*start), expand_duration(*step), longest(max));
                quote!(#Private::Backoff::Linear { start: #start, step: #step, max: #max })
            }
            Self::Exponential { start, factor, max } => {
                let (start, max) = (expand_duration(*start), longest(max));
                quote!(#Private::Backoff::Exponential { start: #start, factor: #factor, max: #max })
            }
            Self::List(waits) => {
                let waits = waits.iter().copied().map(expand_duration);
                quote!(#Private::Backoff::List(const { &[#(#waits),*] }))
            }
        });
    }
}
