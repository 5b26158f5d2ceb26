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
pub(super) struct Options {
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

const KNOWN: [&str; 14] = [
    "retry",
    "timeout",
    "deadline",
    "losses",
    "blocking",
    "at_most_once",
    "transaction",
    "undo",
    "reconcile",
    "cache",
    "concurrency",
    "rate",
    "name",
    "version",
];

impl Options {
    pub(super) fn read(list: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let (plain, named) = entries::split(list);
        for value in &plain {
            errors.on(
                value,
                "expected an option of the task\nhelp: write `name`, `name = value` or `name(values)`, such as `timeout = \"10s\"`",
            );
        }
        for entry in entries::check_names(named, &KNOWN, "task", errors) {
            options.read_entry(&entry, errors);
        }
        options
    }

    fn read_entry(&mut self, entry: &Entry, errors: &mut Errors) {
        match entry.name.to_string().as_str() {
            "retry" => {
                let names = self.policy.read_retry(entry, errors);
                if !names.is_empty() && !names.iter().any(|name| name == "attempts") {
                    errors.at(
                        entry.name.span(),
                        "`retry` does not say how often\nhelp: add `attempts = 5`, the first attempt included",
                    );
                }
            }
            "timeout" => self.policy.read_timeout(entry, errors),
            "deadline" => self.policy.read_deadline(entry, errors),
            "losses" => {
                let literal = entry.parse("a whole number", "losses = 10", errors);
                self.policy.take_losses(literal, errors);
            }
            "blocking" => self.blocking = entry.flag(errors),
            "at_most_once" => self.at_most_once = entry.flag(errors),
            "transaction" => self.transaction = entry.flag(errors),
            "reconcile" => {
                let path = entry.parse("the path of a task", "reconcile = check_transfer", errors);
                self.reconcile = path.map(|path| (path, entry.name.span()));
            }
            "undo" => self.undo = entry.parse("the path of a task", "undo = refund", errors),
            "cache" => {
                let literal = entry.duration_literal("cache = \"24h\"", errors);
                let cache =
                    literal.and_then(|literal| duration::positive_duration(&literal, "cache", errors));
                self.cache = cache.map(|cache| (cache, entry.name.span()));
            }
            "concurrency" => {
                let literal: Option<LitInt> = entry.parse("a whole number", "concurrency = 4", errors);
                self.concurrency =
                    literal.and_then(|literal| count(entry, &literal, errors)).map(|count| count.0);
            }
            "rate" => {
                let literal: Option<LitStr> = entry.parse("a rate in quotes", "rate = \"10/s\"", errors);
                self.rate = literal.and_then(|literal| duration::rate(&literal, errors));
            }
            "name" => {
                let literal = entry.parse("a text in quotes", "name = \"charge\"", errors);
                self.name = literal.and_then(|literal| name(literal, errors));
            }
            "version" => {
                let literal: Option<LitInt> = entry.parse("a whole number", "version = 2", errors);
                self.version =
                    literal.and_then(|literal| count(entry, &literal, errors)).map(|count| count.0);
            }
            _ => {}
        }
    }
}
