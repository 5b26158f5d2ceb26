//! The options of `#[task(..)]`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::{LitInt, LitStr, Path};

use crate::diagnostics::Errors;
use crate::duration;
use crate::entries::{self, Entry};
use crate::options::{PolicyOverride, count, name};

/// The options as given; what is not given, or not understood and reported,
/// is absent.
#[derive(Default)]
pub(super) struct TaskOptions {
    pub(super) policy: PolicyOverride,
    pub(super) blocking: Option<Span>,
    pub(super) at_most_once: Option<Span>,
    pub(super) transaction: Option<Span>,
    pub(super) undo: Option<Path>,
    pub(super) reconcile: Option<(Path, Span)>,
    pub(super) cache: Option<(Duration, Span)>,
    pub(super) concurrency: Option<u32>,
    pub(super) rate: Option<(u32, Duration)>,
    pub(super) name: Option<LitStr>,
    pub(super) version: Option<u32>,
}

/// Reads the value of one option.
type ReadOption = fn(&mut TaskOptions, &Entry, &mut Errors);

/// Every option, and how it is read. A new one is a field above, a line here,
/// what it contradicts in `check`, and what it says of the task in `expand`.
const OPTIONS: [(&str, ReadOption); 14] = [
    ("retry", TaskOptions::read_retry),
    ("timeout", |options, entry, errors| options.policy.read_timeout(entry, errors)),
    ("deadline", |options, entry, errors| options.policy.read_deadline(entry, errors)),
    ("losses", |options, entry, errors| {
        let literal = entry.parse("a whole number", "losses = 10", errors);
        options.policy.take_losses(literal, errors);
    }),
    ("blocking", |options, entry, errors| options.blocking = entry.flag(errors)),
    ("at_most_once", |options, entry, errors| options.at_most_once = entry.flag(errors)),
    ("transaction", |options, entry, errors| options.transaction = entry.flag(errors)),
    ("undo", |options, entry, errors| {
        options.undo = entry.parse("the path of a task", "undo = refund", errors);
    }),
    ("reconcile", |options, entry, errors| {
        let path = entry.parse("the path of a task", "reconcile = check_transfer", errors);
        options.reconcile = path.map(|path| (path, entry.name.span()));
    }),
    ("cache", |options, entry, errors| {
        let literal = entry.duration_literal("cache = \"24h\"", errors);
        let cache = literal.and_then(|literal| duration::positive_duration(&literal, "cache", errors));
        options.cache = cache.map(|cache| (cache, entry.name.span()));
    }),
    ("concurrency", |options, entry, errors| {
        options.concurrency = whole_number(entry, "concurrency = 4", errors);
    }),
    ("rate", |options, entry, errors| {
        let literal: Option<LitStr> = entry.parse("a rate in quotes", "rate = \"10/s\"", errors);
        options.rate = literal.and_then(|literal| duration::rate(&literal, errors));
    }),
    ("name", |options, entry, errors| {
        let literal = entry.parse("a text in quotes", "name = \"charge\"", errors);
        options.name = literal.and_then(|literal| name(literal, errors));
    }),
    ("version", |options, entry, errors| {
        options.version = whole_number(entry, "version = 2", errors);
    }),
];

impl TaskOptions {
    pub(super) fn read(list: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let (plain, named) = entries::split(list);
        for value in &plain {
            errors.on(
                value,
                "expected an option of the task\nhelp: write `name`, `name = value` or `name(values)`, such as `timeout = \"10s\"`",
            );
        }
        let known = OPTIONS.map(|(name, _)| name);
        for entry in entries::check_names(named, &known, "task", errors) {
            if let Some((_, read)) = OPTIONS.iter().find(|(name, _)| entry.name == name) {
                read(&mut options, &entry, errors);
            }
        }
        options
    }

    fn read_retry(&mut self, entry: &Entry, errors: &mut Errors) {
        let names = self.policy.read_retry(entry, errors);
        if !names.is_empty() && !names.iter().any(|name| name == "attempts") {
            errors.at(
                entry.name.span(),
                "`retry` does not say how often\nhelp: add `attempts = 5`, the first attempt included",
            );
        }
    }
}

/// The value of an option that counts something.
fn whole_number(entry: &Entry, example: &str, errors: &mut Errors) -> Option<u32> {
    let literal: LitInt = entry.parse("a whole number", example, errors)?;
    count(entry, &literal, errors).map(|count| count.0)
}
