//! The options that a task and a step of a workflow have in common: retries,
//! time limits and losses. A step's attributes override the task's options.
//!
//! Task: `#[task(retry(attempts = 5), timeout = "10s")]`.
//! Step: `#[retry(attempts = 5)] #[timeout("10s")]`.

mod backoff;
mod policy;

use proc_macro2::Span;
use syn::{Attribute, Lit, LitInt, LitStr, Meta};

use crate::diagnostics::Errors;
use crate::entries::{self, Entry, EntryValue};
pub(crate) use policy::PolicyOverride;
use policy::limit_of;

/// What the attributes of one statement of a workflow say about its step.
#[derive(Default)]
pub(crate) struct StepOptions {
    pub(crate) policy: PolicyOverride,
    pub(crate) limit: Option<(u32, Span)>,
    pub(crate) name: Option<LitStr>,
    /// The options seen, so that the second of two can be reported.
    seen: Vec<String>,
}

impl StepOptions {
    /// Takes an attribute if it is `#[retry(..)]`, `#[timeout(..)]`,
    /// `#[deadline(..)]`, `#[losses(..)]`, `#[limit(..)]` or `#[name = ".."]`.
    /// Any other is left alone: `false`.
    pub(crate) fn read(&mut self, attribute: &Attribute, errors: &mut Errors) -> bool {
        let Some(name) = attribute.path().get_ident() else { return false };
        let text = name.to_string();
        if !["retry", "timeout", "deadline", "losses", "limit", "name"].contains(&text.as_str()) {
            return false;
        }
        if self.seen.contains(&text) {
            errors.at(
                name.span(),
                format_args!("the attribute `{text}` is given twice\nhelp: remove one of them"),
            );
            return true;
        }
        let value = match &attribute.meta {
            Meta::Path(_) => EntryValue::Nothing,
            Meta::List(list) => EntryValue::List(list.tokens.clone()),
            Meta::NameValue(pair) => EntryValue::Equals(quote::ToTokens::to_token_stream(&pair.value)),
        };
        let entry = Entry { name: name.clone(), value };
        match text.as_str() {
            "retry" => {
                self.policy.read_retry(&entry, errors);
                if let Some(when) = self.policy.when.take() {
                    errors.on(when, "`when` belongs to the task\nhelp: give it in the task's `retry(..)`");
                }
            }
            "timeout" => {
                let literal = entry.argument("a duration in quotes", "#[timeout(\"10s\")]", errors);
                self.policy.timeout = limit_of("timeout", literal, errors);
            }
            "deadline" => {
                let literal = entry.argument("a duration in quotes", "#[deadline(\"1m\")]", errors);
                self.policy.deadline = limit_of("deadline", literal, errors);
            }
            "losses" => {
                let literal = entry.argument("a whole number", "#[losses(10)]", errors);
                self.policy.take_losses(literal, errors);
            }
            "limit" => {
                const TAKES: &str = "a whole number above zero";
                let literal: Option<LitInt> = entry.argument(TAKES, "#[limit(8)]", errors);
                self.limit = literal.and_then(|literal| count(&entry, &literal, errors));
            }
            _ => {
                let literal = entry.parse("a text in quotes", "#[name = \"..\"]", errors);
                self.name = literal.and_then(|literal| self::name(literal, errors));
            }
        }
        self.seen.push(text);
        true
    }

    /// Once all attributes are read: reports options that contradict.
    pub(crate) fn check(&self, errors: &mut Errors) {
        self.policy.check(errors);
    }
}

impl Entry {
    /// The value of a statement's `#[name(value)]`.
    fn argument<T: syn::parse::Parse>(&self, takes: &str, example: &str, errors: &mut Errors) -> Option<T> {
        match &self.value {
            EntryValue::List(value) if !value.is_empty() => {
                entries::parse(value, &self.name, takes, example, errors)
            }
            _ => {
                self.refuse(takes, example, errors);
                None
            }
        }
    }
}

/// A number that counts something, and so is not zero.
pub(crate) fn count(entry: &Entry, literal: &LitInt, errors: &mut Errors) -> Option<(u32, Span)> {
    let name = &entry.name;
    match literal.base10_parse::<u32>() {
        Ok(0) => errors.at(literal.span(), format_args!("`{name}` must be at least 1")),
        Ok(count) => return Some((count, literal.span())),
        Err(_) => errors.on(literal, format_args!("`{name}` takes a whole number from 1 to {}", u32::MAX)),
    }
    None
}

/// How many characters a name may have: people type it, and read several of
/// them in one path.
const LONGEST_NAME: usize = 100;

/// Characters that only format: two names that look alike would be two steps.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A task's or a step's name: a part of every path that people read and write.
pub(crate) fn name(literal: LitStr, errors: &mut Errors) -> Option<LitStr> {
    let text = literal.value();
    let fits = |c: char| {
        !c.is_whitespace() && !c.is_control() && !is_invisible(c) && !['/', '[', ']', '"'].contains(&c)
    };
    if !(1..=LONGEST_NAME).contains(&text.chars().count()) || !text.chars().all(fits) {
        errors.at(
            literal.span(),
            format_args!(
                "a name has 1 to {LONGEST_NAME} characters: no space, `/`, `[`, `]` or quote, and none \
                 that cannot be seen\n\
                 note: it is part of paths such as `nightly/priced[3]/quote`"
            ),
        );
        return None;
    }
    Some(literal)
}

/// A number, with or without a point.
pub(crate) fn number(literal: &Lit) -> Option<f64> {
    match literal {
        Lit::Float(literal) => literal.base10_parse().ok(),
        Lit::Int(literal) => literal.base10_parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proc_macro2::TokenStream;
    use quote::quote;
    use syn::parse_quote;

    use super::backoff::Backoff;
    use super::*;
    use crate::private::Private;

    /// The step's options, and the mistakes in them.
    fn read(attributes: &[Attribute]) -> (StepOptions, Vec<String>) {
        let mut options = StepOptions::default();
        let mut errors = Errors::default();
        for attribute in attributes {
            options.read(attribute, &mut errors);
        }
        options.check(&mut errors);
        (options, errors.messages())
    }

    fn first_lines(messages: &[String]) -> Vec<&str> {
        messages.iter().filter_map(|message| message.lines().next()).collect()
    }

    #[test]
    fn a_step_overrides_its_task() {
        let (options, errors) = read(&[
            parse_quote!(#[retry(attempts = 10, backoff = list("1s", "5s"), jitter = 1)]),
            parse_quote!(#[timeout("1m")]),
            parse_quote!(#[deadline("1h")]),
            parse_quote!(#[losses(0)]),
            parse_quote!(#[limit(8)]),
            parse_quote!(#[name = "again"]),
        ]);
        assert_eq!(errors, [""; 0]);
        let seconds = Duration::from_secs;
        assert_eq!(options.policy.attempts.map(|attempts| attempts.0), Some(10));
        assert_eq!(options.policy.backoff, Some(Backoff::List(vec![seconds(1), seconds(5)])));
        assert_eq!(options.policy.jitter, Some(1.0));
        assert_eq!(options.policy.timeout.map(|timeout| timeout.0), Some(seconds(60)));
        assert_eq!(options.policy.deadline.map(|deadline| deadline.0), Some(seconds(3600)));
        assert_eq!(options.policy.losses.map(|losses| losses.0), Some(0));
        assert_eq!(options.limit.map(|limit| limit.0), Some(8));
        assert_eq!(options.name.map(|name| name.value()).as_deref(), Some("again"));
    }

    #[test]
    fn other_attributes_are_left_alone() {
        let mut errors = Errors::default();
        assert!(!StepOptions::default().read(&parse_quote!(#[after(archived)]), &mut errors));
        assert!(!StepOptions::default().read(&parse_quote!(#[retry::more]), &mut errors));
        assert!(errors.is_empty());
    }

    #[test]
    fn every_mistake_is_reported() {
        let (_, errors) = read(&[
            parse_quote!(#[retry(attempts = 0, when = is_transient, jitter = -0.1, budget = "0s")]),
            parse_quote!(#[retry(attempts = 2)]),
            parse_quote!(#[timeout = "1m"]),
            parse_quote!(#[losses(65536)]),
            parse_quote!(#[losses = 3]),
            parse_quote!(#[limit(0)]),
            parse_quote!(#[name = ""]),
        ]);
        assert_eq!(
            first_lines(&errors),
            [
                "`attempts` must be at least 1",
                "`jitter` must be from 0 to 1",
                "`budget` must be longer than zero",
                "`when` belongs to the task",
                "the attribute `retry` is given twice",
                "`timeout` takes a duration in quotes",
                "`losses` takes a whole number from 0 to 65535",
                "the attribute `losses` is given twice",
                "`limit` must be at least 1",
                "a name has 1 to 100 characters: no space, `/`, `[`, `]` or quote, and none that cannot be seen",
            ]
        );
    }

    #[test]
    fn a_name_can_be_seen_and_stands_in_a_path() {
        let fits = |text: &str| {
            let literal = LitStr::new(text, Span::call_site());
            name(literal, &mut Errors::default()).is_some()
        };
        for text in ["a", "größe", "a-b.c#1", &"ä".repeat(100)] {
            assert!(fits(text), "{text}");
        }
        let long = "a".repeat(101);
        let texts = [
            "",
            " ",
            "a b",
            " a",
            "a\u{a0}",
            "a/b",
            "a[0]",
            "\"",
            "a\n",
            "a\0",
            "a\u{200b}",
            "\u{202e}a",
            &long,
        ];
        for text in texts {
            assert!(!fits(text), "{text:?}");
        }
    }

    #[test]
    fn limits_that_contradict_are_reported() {
        let (_, errors) = read(&[parse_quote!(#[timeout("1m")]), parse_quote!(#[deadline("10s")])]);
        assert_eq!(first_lines(&errors), ["the deadline is shorter than the timeout"]);
    }

    #[test]
    fn only_what_is_given_is_changed() {
        let (options, _) = read(&[parse_quote!(#[retry(attempts = 3)])]);
        assert_eq!(
            options.policy.expand(quote!(BASE)).to_string(),
            quote!({ let mut policy: #Private::Policy = BASE; policy.retry.attempts = 3u32; policy })
                .to_string()
        );
        assert_eq!(PolicyOverride::default().expand(quote!(BASE)).to_string(), "BASE");
    }

    #[test]
    fn backoffs() {
        let backoff = |tokens: TokenStream| {
            let (options, errors) = read(&[parse_quote!(#[retry(backoff = #tokens)])]);
            (options.policy.backoff, errors)
        };
        let good = |tokens| {
            let (backoff, errors) = backoff(tokens);
            assert_eq!(errors, [""; 0]);
            backoff.unwrap()
        };
        let s = Duration::from_secs;
        assert_eq!(good(quote!(fixed("0s"))), Backoff::Fixed(s(0)));
        assert_eq!(good(quote!(linear("1s"))), Backoff::Linear { start: s(1), step: s(1), max: None });
        assert_eq!(
            good(quote!(linear("1s", step = "2s", max = "30s"))),
            Backoff::Linear { start: s(1), step: s(2), max: Some(s(30)) }
        );
        assert_eq!(
            good(quote!(exponential("1s", factor = 1.5))),
            Backoff::Exponential { start: s(1), factor: 1.5, max: None }
        );
        let bad =
            |tokens| backoff(tokens).1.into_iter().map(|error| error.lines().next().unwrap().to_owned());
        let bad = |tokens| bad(tokens).collect::<Vec<_>>();
        assert_eq!(bad(quote!(fixed)), ["`backoff` takes how the wait grows"]);
        assert_eq!(bad(quote!(cubic("1s"))), ["unknown kind of backoff `cubic`"]);
        assert_eq!(bad(quote!(fixed("1s", "2s"))), ["`fixed` takes one duration"]);
        assert_eq!(bad(quote!(fixed("1s", max = "2s"))), ["`fixed` has no option `max`"]);
        assert_eq!(bad(quote!(list())), ["`list` takes one or more durations"]);
        assert_eq!(bad(quote!(exponential("1s", step = "1s"))), ["unknown `exponential` option `step`"]);
        assert_eq!(bad(quote!(exponential("0s"))), ["a wait of zero does not grow"]);
        assert_eq!(
            bad(quote!(exponential("9s", max = "1s"))),
            ["the longest wait is shorter than the first one"]
        );
    }
}
