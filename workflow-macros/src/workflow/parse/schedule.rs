//! `#[schedule("0 2 * * *", timezone = "…", missed = …, overlap = …, day = …)]`.
//!
//! The words of the options win over the workflow's parameters; that no
//! parameter has one of them for a name is said where schedules are checked.

use std::time::Duration;

use proc_macro2::{Span, TokenTree};
use syn::parse::ParseStream;
use syn::{Attribute, Expr, Ident, LitInt, LitStr, Meta, Token};

use crate::diagnostics::{Errors, did_you_mean};
use crate::duration;
use crate::workflow::ast::{Missed, Overlap, Schedule};

const MISSED: &str = "`latest`, `none` or `all(10)`";
const OVERLAP: &str = "`skip`, `queue`, `cancel_old` or `allow`";

/// Reads the attribute, as far as it can be read.
pub(super) fn parse_schedule(attr: &Attribute, errors: &mut Errors) -> Schedule {
    let span = attr.path().get_ident().map_or_else(Span::call_site, Ident::span);
    let mut schedule = Schedule::empty(span);
    if let Meta::List(list) = &attr.meta {
        let parsed = list.parse_args_with(|input: ParseStream| {
            parse_parts(input, &mut schedule, errors);
            Ok(())
        });
        // Every part reports its own mistakes.
        schedule.broken |= parsed.is_err();
    }
    schedule
}

/// A mistake spoils no more than its own part.
fn parse_parts(input: ParseStream, schedule: &mut Schedule, errors: &mut Errors) {
    while !input.is_empty() {
        let parsed = parse_part(input, schedule, errors).and_then(|()| match input.is_empty() {
            true => Ok(()),
            false => input.parse::<Token![,]>().map(drop),
        });
        if let Err(error) = parsed {
            errors.add(error);
            schedule.broken = true;
            while let Ok(token) = input.parse::<TokenTree>() {
                if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
                    break;
                }
            }
        }
    }
}

fn parse_part(input: ParseStream, schedule: &mut Schedule, errors: &mut Errors) -> syn::Result<()> {
    if input.peek(LitStr) {
        let cron: LitStr = input.parse()?;
        return once(&mut schedule.cron, cron.clone(), cron.span(), "the cron expression");
    }
    let name: Ident = input.parse().map_err(|error| {
        let message = "expected a cron expression in quotes, or `name = value`";
        syn::Error::new(error.span(), message)
    })?;
    input.parse::<Token![=]>().map_err(|_| {
        syn::Error::new(name.span(), format!("`{name}` has no value\nhelp: write `{name} = …`"))
    })?;
    let given = format!("`{name}`");
    match name.to_string().as_str() {
        "every" => {
            let literal = text(input, &name, "a duration in quotes", "every = \"15m\"")?;
            let period = period(&literal, errors);
            schedule.broken |= period.is_none();
            match period {
                Some(period) => once(&mut schedule.every, (period, name.span()), name.span(), &given),
                None => Ok(()),
            }
        }
        "timezone" => {
            let zone = text(input, &name, "a name in quotes", "timezone = \"Europe/Berlin\"")?;
            once(&mut schedule.timezone, zone, name.span(), &given)
        }
        "missed" => once(&mut schedule.missed, (missed(input, &name)?, name.span()), name.span(), &given),
        "overlap" => once(&mut schedule.overlap, overlap(input, &name)?, name.span(), &given),
        _ => {
            let value: Expr = input.parse()?;
            if schedule.fills.iter().any(|(filled, _)| *filled == name) {
                return Err(twice(name.span(), &given));
            }
            schedule.fills.push((name, value));
            Ok(())
        }
    }
}

fn once<T>(place: &mut Option<T>, value: T, span: Span, what: &str) -> syn::Result<()> {
    match place.replace(value) {
        Some(_) => Err(twice(span, what)),
        None => Ok(()),
    }
}

fn twice(span: Span, what: &str) -> syn::Error {
    syn::Error::new(span, format!("{what} is given twice\nhelp: remove one of them"))
}

fn text(input: ParseStream, name: &Ident, takes: &str, example: &str) -> syn::Result<LitStr> {
    let refuse = |error: syn::Error| {
        syn::Error::new(error.span(), format!("`{name}` takes {takes}\nhelp: write `{example}`"))
    };
    input.parse().map_err(refuse)
}

fn period(literal: &LitStr, errors: &mut Errors) -> Option<Duration> {
    let period = duration::duration(literal, errors)?;
    if period < Duration::from_secs(1) {
        errors.at(
            literal.span(),
            "a schedule is due at most once a second\nhelp: make `every` at least `1s`; for less, write a `while` with a `sleep`",
        );
        return None;
    }
    Some(period)
}

fn missed(input: ParseStream, name: &Ident) -> syn::Result<Missed> {
    let word = word(input, name, MISSED)?;
    match word.to_string().as_str() {
        "latest" => Ok(Missed::Latest),
        "none" => Ok(Missed::None),
        "all" => all(input, &word),
        _ => Err(unknown(&word, name, &["latest", "none", "all"], MISSED)),
    }
}

/// The `(10)` of `all(10)`.
fn all(input: ParseStream, word: &Ident) -> syn::Result<Missed> {
    let refuse = |span| {
        let message = "`all` says how many ticks are made up for at most\nhelp: write `all(10)`: no more than the latest ten";
        syn::Error::new(span, message)
    };
    if !input.peek(syn::token::Paren) {
        return Err(refuse(word.span()));
    }
    let content;
    syn::parenthesized!(content in input);
    let count: LitInt = content.parse().map_err(|error| refuse(error.span()))?;
    match count.base10_parse() {
        Ok(0) => Err(syn::Error::new(
            count.span(),
            "`all(0)` makes up for no tick\nhelp: write `missed = none`, or a number above zero",
        )),
        Ok(number) if content.is_empty() => Ok(Missed::All(number)),
        _ => Err(refuse(count.span())),
    }
}

fn overlap(input: ParseStream, name: &Ident) -> syn::Result<Overlap> {
    let word = word(input, name, OVERLAP)?;
    match word.to_string().as_str() {
        "skip" => Ok(Overlap::Skip),
        "queue" => Ok(Overlap::Queue),
        "cancel_old" => Ok(Overlap::CancelOld),
        "allow" => Ok(Overlap::Allow),
        _ => Err(unknown(&word, name, &["skip", "queue", "cancel_old", "allow"], OVERLAP)),
    }
}

fn word(input: ParseStream, name: &Ident, takes: &str) -> syn::Result<Ident> {
    input.parse().map_err(|error| {
        let example = takes.split('`').nth(1).unwrap_or_default();
        syn::Error::new(error.span(), format!("`{name}` takes {takes}\nhelp: write `{name} = {example}`"))
    })
}

fn unknown(word: &Ident, name: &Ident, known: &[&str], takes: &str) -> syn::Error {
    let help = match did_you_mean(&word.to_string(), known.iter().copied()) {
        Some(near) => format!("help: there is `{near}`"),
        None => format!("help: `{name}` takes {takes}"),
    };
    syn::Error::new(word.span(), format!("`{name}` cannot be `{word}`\n{help}"))
}
