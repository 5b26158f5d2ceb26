//! The options of `#[task(..)]`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::{LitInt, LitStr, Path};

use super::function::Function;
use super::signature::{Output, Signature};
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
    pub(super) undo: Option<Path>,
    pub(super) cache: Option<Duration>,
    pub(super) concurrency: Option<u32>,
    pub(super) rate: Option<(u32, Duration)>,
    pub(super) name: Option<LitStr>,
    pub(super) version: Option<u32>,
}

const KNOWN: [&str; 11] = [
    "retry",
    "timeout",
    "deadline",
    "blocking",
    "at_most_once",
    "undo",
    "cache",
    "concurrency",
    "rate",
    "name",
    "version",
];

impl Options {
    pub(super) fn read(list: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let (plain, mut named) = entries::split(list);
        for value in &plain {
            errors.on(
                value,
                "expected an option of the task\nhelp: write `name`, `name = value` or `name(values)`, such as `timeout = \"10s\"`",
            );
        }
        // Planned, and so worth more than "unknown".
        for planned in named.extract_if(.., |entry| entry.name == "transaction") {
            errors.at(
                planned.name.span(),
                "the `transaction` option needs a store with SQL, which this version does not have yet",
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
            "blocking" => self.blocking = entry.flag(errors),
            "at_most_once" => self.at_most_once = entry.flag(errors),
            "undo" => self.undo = entry.parse("the path of a task", "undo = refund", errors),
            "cache" => {
                let literal = entry.duration_literal("cache = \"24h\"", errors);
                self.cache =
                    literal.and_then(|literal| duration::positive_duration(&literal, "cache", errors));
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

    /// Reports options that contradict each other or the function.
    pub(super) fn check(&self, function: &Function, signature: Option<&Signature>, errors: &mut Errors) {
        self.policy.check(errors);
        if let (Some((attempts @ 2.., span)), Some(_)) = (self.policy.attempts, self.at_most_once) {
            errors.at(
                span,
                format_args!(
                    "`at_most_once` contradicts {attempts} attempts\n\
                     help: remove `at_most_once`, or write `attempts = 1`\n\
                     note: an attempt that failed may have had its effect"
                ),
            );
        }
        match (&function.signature.asyncness, self.blocking) {
            (Some(_), Some(span)) => errors.at(
                span,
                "`blocking` is for functions that are not `async`\nhelp: remove `blocking`, or `async`",
            ),
            (None, None) => errors.at(
                function.signature.fn_token.span,
                "a task is `async`, or says that it blocks\n\
                 help: write `async fn`, or `#[task(blocking)]` for a function that computes or waits for long",
            ),
            _ => {}
        }
        if let Some(when) = &self.policy.when
            && let Some(Signature { output: Output::Unit | Output::Plain(_), .. }) = signature
        {
            errors.on(
                when,
                "`when` asks an error, and this task returns none\n\
                 help: remove `when`, or return a `Result`",
            );
        }
    }
}
