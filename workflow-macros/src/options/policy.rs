//! Retries and time limits: `retry(attempts = 5), timeout = "10s"`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Lit, LitInt, LitStr, Path};

use super::backoff::Backoff;
use super::{count, number};
use crate::diagnostics::Errors;
use crate::duration::{expand_duration, positive_duration};
use crate::entries::{self, Entry, EntryValue};
use crate::private::Private;

/// Retries and time limits, as far as they are given.
#[derive(Default)]
pub(crate) struct PolicyOverride {
    pub(crate) attempts: Option<(u32, Span)>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) jitter: Option<f64>,
    pub(crate) budget: Option<Duration>,
    /// The predicate on the error. Only a task may have it: the error's type
    /// is the task's business.
    pub(crate) when: Option<Path>,
    pub(crate) timeout: Option<(Duration, Span)>,
    pub(crate) deadline: Option<(Duration, Span)>,
    /// Losses in a row before a step is suspected; 0 for any number.
    pub(crate) losses: Option<(u16, Span)>,
}

impl PolicyOverride {
    /// Reads `retry(..)`. Returns the names of the options in it.
    pub(crate) fn read_retry(&mut self, entry: &Entry, errors: &mut Errors) -> Vec<String> {
        const KNOWN: [&str; 5] = ["attempts", "backoff", "jitter", "when", "budget"];
        const EXAMPLE: &str = "retry(attempts = 5)";
        let EntryValue::List(list) = &entry.value else {
            entry.refuse("a list of options", EXAMPLE, errors);
            return Vec::new();
        };
        let (plain, named) = entries::split(list.clone());
        for value in &plain {
            errors.on(value, format_args!("expected an option of `retry`\nhelp: write `{EXAMPLE}`"));
        }
        if plain.is_empty() && named.is_empty() {
            entry.refuse("at least one option", EXAMPLE, errors);
        }
        let names = named.iter().map(|entry| entry.name.to_string()).collect();
        for entry in entries::check_names(named, &KNOWN, "`retry`", errors) {
            match entry.name.to_string().as_str() {
                "attempts" => {
                    let literal: Option<LitInt> = entry.parse("a whole number", "attempts = 5", errors);
                    self.attempts = literal.and_then(|literal| count(&entry, &literal, errors));
                }
                "backoff" => self.backoff = Backoff::read(&entry, errors),
                "jitter" => self.jitter = jitter(&entry, errors),
                "when" => {
                    self.when =
                        entry.parse("the path of a function", "when = FetchError::is_transient", errors);
                }
                _ => {
                    let literal = entry.duration_literal("budget = \"5m\"", errors);
                    self.budget = literal.and_then(|literal| positive_duration(&literal, "budget", errors));
                }
            }
        }
        self.check_jitter(entry, errors);
        names
    }

    /// Reports options of a task's `retry` that nothing is left for.
    pub(crate) fn check_one_attempt(&self, errors: &mut Errors) {
        let Some((1, span)) = self.attempts else { return };
        if self.says_how_to_wait() || self.when.is_some() {
            errors.at(
                span,
                "one attempt is never repeated, so the other options of `retry` have no effect\n\
                 help: make `attempts` at least 2, the first included, or remove `retry`",
            );
        }
    }

    /// Reports a `jitter` of waits that are none.
    fn check_jitter(&self, entry: &Entry, errors: &mut Errors) {
        if self.jitter.is_some_and(|jitter| jitter > 0.0)
            && matches!(&self.backoff, Some(Backoff::Fixed(wait)) if wait.is_zero())
        {
            errors.at(
                entry.name.span(),
                "`jitter` has no effect on a wait of zero\n\
                 help: remove `jitter`, or make the `backoff` longer than `fixed(\"0s\")`",
            );
        }
    }

    /// Reads `timeout = ".."`.
    pub(crate) fn read_timeout(&mut self, entry: &Entry, errors: &mut Errors) {
        let literal = entry.duration_literal("timeout = \"10s\"", errors);
        self.timeout = limit_of("timeout", literal, errors);
    }

    /// Reads `deadline = ".."`.
    pub(crate) fn read_deadline(&mut self, entry: &Entry, errors: &mut Errors) {
        let literal = entry.duration_literal("deadline = \"1m\"", errors);
        self.deadline = limit_of("deadline", literal, errors);
    }

    /// Takes the number of `losses = 10`.
    pub(crate) fn take_losses(&mut self, literal: Option<LitInt>, errors: &mut Errors) {
        let Some(literal) = literal else { return };
        match literal.base10_parse() {
            Ok(losses) => self.losses = Some((losses, literal.span())),
            Err(_) => errors.on(
                literal,
                format_args!(
                    "`losses` takes a whole number from 0 to {}\n\
                     help: `0` repeats what was lost for ever, `10` is what holds without",
                    u16::MAX
                ),
            ),
        }
    }

    /// Reports limits that contradict each other.
    pub(crate) fn check(&self, errors: &mut Errors) {
        if let (Some((timeout, _)), Some((deadline, span))) = (self.timeout, self.deadline)
            && deadline < timeout
        {
            errors.at(
                span,
                "the deadline is shorter than the timeout\n\
                 help: make `deadline` longer, or `timeout` shorter\n\
                 note: `timeout` limits one attempt, `deadline` all attempts together",
            );
        }
    }

    /// Whether it says how to wait between attempts.
    pub(crate) fn says_how_to_wait(&self) -> bool {
        self.backoff.is_some() || self.jitter.is_some() || self.budget.is_some()
    }

    /// Whether no override is given.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.expand(TokenStream::new()).is_empty()
    }

    /// Whether nothing is given but how often a step may be lost.
    pub(crate) fn is_only_losses(&self) -> bool {
        let is_given = self.attempts.is_some()
            || self.backoff.is_some()
            || self.jitter.is_some()
            || self.budget.is_some()
            || self.timeout.is_some()
            || self.deadline.is_some();
        self.losses.is_some() && !is_given
    }

    /// A constant expression: the policy `base` with these overrides.
    pub(crate) fn expand(&self, base: TokenStream) -> TokenStream {
        let mut changes = TokenStream::new();
        if let Some((attempts, _)) = self.attempts {
            changes.extend(quote!(policy.retry.attempts = #attempts;));
        }
        if let Some(backoff) = &self.backoff {
            changes.extend(quote!(policy.retry.backoff = #backoff;));
        }
        if let Some(jitter) = self.jitter {
            changes.extend(quote!(policy.retry.jitter = #jitter;));
        }
        if let Some(budget) = self.budget.map(expand_duration) {
            changes.extend(quote!(policy.retry.budget = #Private::Option::Some(#budget);));
        }
        if let Some(timeout) = self.timeout.map(|(timeout, _)| expand_duration(timeout)) {
            changes.extend(quote!(policy.timeout = #Private::Option::Some(#timeout);));
        }
        if let Some(deadline) = self.deadline.map(|(deadline, _)| expand_duration(deadline)) {
            changes.extend(quote!(policy.deadline = #Private::Option::Some(#deadline);));
        }
        if let Some((losses, _)) = self.losses {
            changes.extend(quote!(policy.losses = #losses;));
        }
        if changes.is_empty() {
            return base;
        }
        quote!({ let mut policy: #Private::Policy = #base; #changes policy })
    }
}

pub(super) fn limit_of(name: &str, literal: Option<LitStr>, errors: &mut Errors) -> Option<(Duration, Span)> {
    let literal = literal?;
    positive_duration(&literal, name, errors).map(|duration| (duration, literal.span()))
}

fn jitter(entry: &Entry, errors: &mut Errors) -> Option<f64> {
    const TAKES: &str = "a number from 0 to 1";
    const EXAMPLE: &str = "jitter = 0.2";
    let literal: Lit = entry.parse(TAKES, EXAMPLE, errors)?;
    match number(&literal) {
        Some(jitter) if (0.0..=1.0).contains(&jitter) => Some(jitter),
        Some(_) => {
            errors.on(
                literal,
                "`jitter` must be from 0 to 1\n\
                 help: `0.2` makes each wait up to a fifth longer or shorter",
            );
            None
        }
        None => {
            errors.on(literal, format_args!("`jitter` takes {TAKES}\nhelp: write `{EXAMPLE}`"));
            None
        }
    }
}
