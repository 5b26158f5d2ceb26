//! The texts that this process has held as secrets, and what hides them in
//! words that are stored or shown: an error that quotes a password, a log line
//! with a token in an address.
//!
//! A text is held once a [`Secret`](crate::Secret) that is one has been exposed,
//! saved or read back. Bounded, and wiped when it is let go of where the crate
//! is built with encryption.

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{PoisonError, RwLock};

use serde_json::{Deserializer, Value as Json};

use crate::exact::{Exact, FIELD, HIDDEN};

/// How short a text may be that is hidden: shorter ones are parts of words.
const SHORTEST: usize = 4;

/// How long: longer ones are hidden by their beginnings.
pub(crate) const LONGEST: usize = 4 << 10;

/// How many are held at most. The oldest are let go of.
const MOST: usize = 4_096;

static HELD: RwLock<HeldTexts> = RwLock::new(HeldTexts { texts: BTreeSet::new(), order: VecDeque::new() });

struct HeldTexts {
    texts: BTreeSet<Text>,
    order: VecDeque<Text>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Text(String);

#[cfg(feature = "encryption")]
impl Drop for Text {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// Holds a text from now on.
fn hold(text: &str) {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    if text.chars().count() < SHORTEST || text == HIDDEN {
        return;
    }
    let text = Text(text.to_owned());
    if HELD.read().unwrap_or_else(PoisonError::into_inner).texts.contains(&text) {
        return;
    }
    let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
    if held.texts.insert(text.clone()) {
        held.order.push_back(text);
    }
    if held.order.len() > MOST
        && let Some(oldest) = held.order.pop_front()
    {
        held.texts.remove(&oldest);
    }
}

/// Holds what a secret is, where it is a text.
pub(crate) fn hold_any(value: &dyn Any) {
    macro_rules! text {
        ($($ty:ty)*) => {
            $(if let Some(text) = value.downcast_ref::<$ty>() {
                return hold(text.as_ref());
            })*
        };
    }
    text!(String &'static str Box<str> std::sync::Arc<str> std::rc::Rc<str> Cow<'static, str>);
    if let Some(text) = value.downcast_ref::<Vec<u8>>().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
        hold(text);
    }
}

/// Holds the secrets in a value as its codec has written it.
pub(crate) fn hold_in(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.contains(FIELD)
        && let Ok(value) = Exact::parse(text)
    {
        hold_marked(&value, false);
    }
}

fn hold_marked(value: &Exact, is_secret: bool) {
    match value {
        Exact::Object(fields) => {
            fields.iter().for_each(|(name, value)| hold_marked(value, is_secret || name == FIELD))
        }
        Exact::List(items) => items.iter().for_each(|item| hold_marked(item, is_secret)),
        Exact::Scalar(raw) if is_secret => match value.as_str() {
            Some(text) => hold(&text),
            // A number, unless it is a small one.
            None if raw.get().len() >= 6 => hold(raw.get()),
            None => {}
        },
        Exact::Scalar(_) => {}
    }
}

/// A text without the secrets that this process has held, and without what is
/// marked as one.
pub(crate) fn masked(text: String) -> String {
    let text = if text.contains(FIELD) { without_marked(&text) } else { text };
    let held = HELD.read().unwrap_or_else(PoisonError::into_inner);
    if held.texts.is_empty() {
        return text;
    }
    let mut found: Vec<&str> = Vec::new();
    let mut escaped: Vec<String> = Vec::new();
    for Text(secret) in &held.texts {
        if text.contains(secret.as_str()) {
            found.push(secret);
        }
        // As `Debug` and JSON write it.
        let written = format!("{secret:?}");
        let written = &written[1..written.len() - 1];
        if written != secret && text.contains(written) {
            escaped.push(written.to_owned());
        }
    }
    found.extend(escaped.iter().map(String::as_str));
    // One may be a part of another.
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found.into_iter().fold(text, |text, secret| text.replace(secret, HIDDEN))
}

/// Hides `{"$secret": …}` in a text. Where one does not end, all that follows
/// is hidden.
fn without_marked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find(FIELD) {
        let Some(open) = rest[..place].rfind('{') else {
            // A mere word.
            let (word, after) = rest.split_at(place + FIELD.len());
            shown.push_str(word);
            rest = after;
            continue;
        };
        shown.push_str(&rest[..open]);
        shown.push_str(HIDDEN);
        let mut values = Deserializer::from_str(&rest[open..]).into_iter::<Json>();
        match values.next() {
            Some(Ok(_)) => rest = &rest[open + values.byte_offset()..],
            _ => return shown,
        }
    }
    shown + rest
}

/// What is wrong with a value, without the texts of the value, where it has
/// parts: it cannot be told which of them was meant to be a secret.
pub(crate) fn unquoted(reason: &str, given: &str) -> String {
    let mut texts = Vec::new();
    fn collect(value: &Exact, texts: &mut Vec<String>) {
        match value {
            Exact::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
            Exact::List(items) => items.iter().for_each(|item| collect(item, texts)),
            Exact::Scalar(_) => texts.extend(value.as_str().filter(|text| !text.is_empty())),
        }
    }
    match Exact::parse(given) {
        Ok(value @ (Exact::Object(_) | Exact::List(_))) => collect(&value, &mut texts),
        _ => return reason.to_owned(),
    }
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts.iter().fold(reason.to_owned(), |reason, text| {
        let quoted = format!("{text:?}");
        reason
            .replace(&quoted, &format!("\"{HIDDEN}\""))
            .replace(&format!("`{text}`"), &format!("`{HIDDEN}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, Failure, Secret};

    #[test]
    fn what_was_exposed_is_hidden_in_errors_and_panics() {
        let token = Secret::from("held-token-4711\n\"quoted\"".to_owned());
        let error = std::io::Error::other(format!("no: {} and {:?}", token.expose(), token.expose()));
        let failure = Failure::from_error(Cause::Error, &error).to_string();
        assert_eq!(failure, "no: *** and \"***\"");
        let panic = crate::panics::contained(|| panic!("with {}", token.expose())).unwrap_err();
        assert_eq!(panic.to_string(), "panicked: with ***");
    }

    #[test]
    fn what_was_saved_is_hidden_also_where_it_was_never_exposed() {
        hold_in(br#"{"user":"held-user","in":[{"$secret":{"a":["held-inner-1",271828182]}}]}"#);
        assert_eq!(masked("held-user: held-inner-1 271828182".to_owned()), "held-user: *** ***");
    }

    #[test]
    fn what_is_marked_in_a_text_is_hidden() {
        let text = |text: &str| masked(text.to_owned());
        assert_eq!(text(r#"sent {"a":{"$secret":"x1"},"b":1} twice"#), r#"sent {"a":***,"b":1} twice"#);
        assert_eq!(text(r#"cut {"$secret":"x1"#), "cut ***");
        assert_eq!(text(r#"twice {\"$secret\":\"x1\"}"#), "twice ***");
        assert_eq!(text("the field $secret"), "the field $secret");
    }

    #[test]
    fn a_reason_repeats_no_text_of_what_has_parts() {
        let given = r#"{"user":"ann","pasword":"held-typo"}"#;
        assert_eq!(
            unquoted(r#"invalid type: string "held-typo", expected u8"#, given),
            r#"invalid type: string "***", expected u8"#
        );
        assert_eq!(unquoted("unknown field `pasword`", given), "unknown field `pasword`");
        assert_eq!(unquoted(r#"invalid type: string "many""#, "many"), r#"invalid type: string "many""#);
    }
}
