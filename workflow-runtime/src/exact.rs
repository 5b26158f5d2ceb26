//! JSON as it is written, digit for digit. A `serde_json::Value` has no numbers
//! of more than 64 bits and reads them as others, so nothing that is stored is
//! shown, compared or handed on by way of one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;

/// The one field of a secret as JSON.
pub(crate) const FIELD: &str = "$secret";

/// What is shown in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// How many levels deep a text may be nested: as deep as serde_json reads.
const DEEPEST: usize = 127;

/// A JSON value whose numbers are what is written, whatever their size.
#[derive(Clone)]
pub(crate) enum Exact {
    /// A text, a number, `true`, `false` or `null`, as it is written.
    Scalar(Box<RawValue>),
    List(Vec<Exact>),
    Object(BTreeMap<String, Exact>),
}

impl Exact {
    /// Reads a JSON text.
    ///
    /// # Errors
    /// When it is not one, or nested deeper than serde_json reads.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        Self::parse_at(text, 0)
    }

    fn parse_at(text: &str, depth: usize) -> Result<Self, serde_json::Error> {
        if depth > DEEPEST {
            return Err(serde_json::Error::custom(format_args!(
                "it is nested more than {DEEPEST} levels deep"
            )));
        }
        match text.trim_start().as_bytes().first() {
            Some(b'[') => {
                let items = serde_json::from_str::<Vec<&RawValue>>(text)?;
                let items = items.into_iter().map(|item| Self::parse_at(item.get(), depth + 1));
                items.collect::<Result<_, _>>().map(Self::List)
            }
            Some(b'{') => {
                let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(text)?.into_iter();
                let fields = fields.map(|(name, value)| Ok((name, Self::parse_at(value.get(), depth + 1)?)));
                fields.collect::<Result<_, _>>().map(Self::Object)
            }
            _ => serde_json::from_str(text).map(Self::Scalar),
        }
    }

    #[cfg(feature = "app")]
    /// Reads bytes that a codec has written; what is no JSON is told by its
    /// length alone.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let parsed = std::str::from_utf8(bytes).ok().and_then(|text| Self::parse(text).ok());
        parsed.unwrap_or_else(|| Self::from(&serde_json::json!({ "bytes": bytes.len() })))
    }

    #[cfg(feature = "app")]
    pub(crate) fn null() -> Self {
        Self::from(&Json::Null)
    }

    /// The text that it is, if it is one.
    pub(crate) fn as_str(&self) -> Option<String> {
        match self {
            Self::Scalar(raw) if raw.get().starts_with('"') => serde_json::from_str(raw.get()).ok(),
            _ => None,
        }
    }

    #[cfg(feature = "app")]
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(raw) if raw.get() == "null")
    }

    /// Puts a field into an object.
    #[cfg(feature = "app")]
    pub(crate) fn set(&mut self, name: &str, value: Self) {
        if let Self::Object(fields) = self {
            fields.insert(name.to_owned(), value);
        }
    }

    /// Over several lines, as people read it.
    #[cfg(feature = "app")]
    pub(crate) fn pretty(&self) -> String {
        // It consists of texts, which can be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The first number in it that is another one in `other`, where the two
    /// have the same shape, and what it is there.
    #[cfg(feature = "app")]
    pub(crate) fn changed_number(&self, other: &Self) -> Option<(String, String)> {
        match (self, other) {
            // A secret, which may have been written as it is.
            (own, Self::Object(fields)) if fields.contains_key(FIELD) => {
                let own = match own {
                    Self::Object(own) => own.get(FIELD).unwrap_or(self),
                    own => own,
                };
                let changed = own.changed_number(fields.get(FIELD)?);
                changed.map(|_| (HIDDEN.to_owned(), HIDDEN.to_owned()))
            }
            (Self::Scalar(own), Self::Scalar(other)) => {
                let (own, other) = (own.get(), other.get());
                let changed = Decimal::of(own)? != Decimal::of(other)?;
                changed.then(|| (own.to_owned(), other.to_owned()))
            }
            (Self::List(own), Self::List(other)) => {
                own.iter().zip(other).find_map(|(own, other)| own.changed_number(other))
            }
            (Self::Object(own), Self::Object(other)) => {
                own.iter().find_map(|(name, value)| value.changed_number(other.get(name)?))
            }
            _ => None,
        }
    }
}

impl From<&Json> for Exact {
    fn from(json: &Json) -> Self {
        match json {
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Object(fields) => {
                Self::Object(fields.iter().map(|(name, value)| (name.clone(), Self::from(value))).collect())
            }
            scalar => Self::Scalar(raw(scalar)),
        }
    }
}

/// A value as it is written.
pub(crate) fn raw(json: &Json) -> Box<RawValue> {
    // A `Json` can always be written.
    serde_json::value::to_raw_value(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Two values are the same where their texts, numbers and lists are, and the
/// fields of their objects in whatever order.
impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(own), Self::Scalar(other)) => {
                let (own, other) = (own.get(), other.get());
                own == other || unescaped(own).is_some_and(|own| Some(own) == unescaped(other))
            }
            (Self::List(own), Self::List(other)) => own == other,
            (Self::Object(own), Self::Object(other)) => own == other,
            _ => false,
        }
    }
}

/// The text that a scalar is, where it may be written in several ways.
fn unescaped(scalar: &str) -> Option<Cow<'_, str>> {
    let inner = scalar.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(scalar).ok().map(Cow::Owned) } else { Some(inner.into()) }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(raw) => raw.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(fields) => serializer.collect_map(fields),
        }
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number as it is written, in one form for all ways to write it.
#[cfg(feature = "app")]
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    /// Without zeros at either end.
    digits: String,
    /// By which power of ten they are to be multiplied, as if they followed a
    /// point.
    exponent: i64,
}

#[cfg(feature = "app")]
impl Decimal {
    /// `None` for what is no number, or one whose exponent is beyond counting.
    fn of(scalar: &str) -> Option<Self> {
        let (negative, text) = match scalar.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, scalar),
        };
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_end_matches('0').to_owned();
        let point = i64::try_from(whole.len()).ok()? - leading;
        let exponent = if digits.is_empty() { 0 } else { exponent.checked_add(point)? };
        Some(Self { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let text = r#"[340282366920938463463374607431768211455,1.10,-0.0,1e400,{"a":0.30000000000000004}]"#;
        assert_eq!(exact(text).to_string(), text);
    }

    #[test]
    fn the_order_of_fields_does_not_matter_and_that_of_items_does() {
        assert_eq!(exact(r#"{"a":[1,2],"b":"\u0041"}"#), exact(r#" { "b" : "A", "a" : [1 ,2] } "#));
        for (one, other) in [("[1,2]", "[2,1]"), ("1", "1.5"), (r#""1""#, "1"), (r#"{"a":1}"#, r#"{"b":1}"#)]
        {
            assert_ne!(exact(one), exact(other));
        }
        let largest = u128::MAX.to_string();
        assert_ne!(exact(&largest), exact(&(u128::MAX - 1).to_string()));
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        for text in ["", "1 2", "[1", "nul", "007", "{\"a\":}"] {
            assert!(Exact::parse(text).is_err(), "{text}");
        }
        assert!(Exact::parse(&"[".repeat(100_000)).is_err());
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Exact::parse(&nested(127)).is_ok());
        assert!(Exact::parse(&nested(200)).is_err());
    }

    #[cfg(feature = "app")]
    #[test]
    fn a_number_that_is_kept_as_another_is_found() {
        let changed = |own: &str, other: &str| exact(own).changed_number(&exact(other)).is_some();
        for (own, other) in [
            ("1e3", "1000.0"),
            ("0.10", "0.1"),
            ("-0", "-0.0"),
            ("0", "0.0"),
            ("12.5e-1", "1.25"),
            ("0.001e3", "1"),
            (r#"{"a":[7],"b":1}"#, r#"{"a":[7.0]}"#),
            (r#""1""#, "2"),
        ] {
            assert!(!changed(own, other), "{own} {other}");
        }
        let hidden =
            exact("[9007199254740993]").changed_number(&exact(r#"[{"$secret":9007199254740992.0}]"#));
        assert_eq!(hidden.unwrap().0, HIDDEN);
        for (own, other) in [
            ("9007199254740993", "9007199254740992.0"),
            ("0", "-0.0"),
            ("340282366920938463463374607431768211455", "3.402823669209385e38"),
            (r#"{"a":[7]}"#, r#"{"a":[7.5]}"#),
        ] {
            assert!(changed(own, other), "{own} {other}");
        }
    }
}
