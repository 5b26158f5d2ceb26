//! Durations and rates as users write them: `"10s"`, `"1h30m"`, `"100/10s"`.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::LitStr;

use crate::diagnostics::Errors;
use crate::private::Private;

const FORM: &str =
    "write whole numbers with units (`d`, `h`, `m`, `s`, `ms`), such as `250ms`, `10s` or `1h30m`";

/// The units, longest first: the order in which they may be combined.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The duration, or the help that the message gives.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut millis: u64 = 0;
    let mut rest = text;
    // Each unit may only be followed by smaller ones: `30m1h` and `1s1s` are
    // more likely slips than intended.
    let mut units = &UNITS[..];
    if rest.is_empty() {
        return Err(FORM.to_owned());
    }
    while !rest.is_empty() {
        let (digits, tail) = split_while(rest, |c| c.is_ascii_digit());
        let (unit, tail) = split_while(tail, |c| c.is_ascii_alphabetic());
        if digits.is_empty() {
            return Err(FORM.to_owned());
        }
        if unit.is_empty() {
            return Err(match tail {
                "" => format!("add a unit: `{text}s`, `{text}m` or another of `d`, `h`, `m`, `s`, `ms`"),
                _ => FORM.to_owned(),
            });
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(format!("units are `d`, `h`, `m`, `s` and `ms`, not `{unit}`"));
        }
        let Some(position) = units.iter().position(|(name, _)| *name == unit) else {
            return Err("write the larger units first, and each once, such as `1h30m`".to_owned());
        };
        let size = units[position].1;
        units = &units[position + 1..];
        let part = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(size));
        match part.and_then(|part| millis.checked_add(part)) {
            Some(sum) => millis = sum,
            None => return Err("this is longer than the engine can wait".to_owned()),
        }
        rest = tail;
    }
    Ok(Duration::from_millis(millis))
}

/// The number and the period of a rate, or the help that the message gives.
pub(crate) fn parse_rate(text: &str) -> Result<(u32, Duration), String> {
    const FORM: &str = "write a number and a period, such as `10/s`, `600/m` or `100/10s`";
    let (count, period) = text.split_once('/').ok_or(FORM)?;
    let count = count.parse::<u32>().map_err(|_| FORM)?;
    // `10/s` is short for `10/1s`.
    let period = match UNITS.iter().any(|(name, _)| *name == period) {
        true => parse_duration(&format!("1{period}")),
        false => parse_duration(period),
    };
    let period = period.map_err(|_| FORM)?;
    if count == 0 || period.is_zero() {
        return Err("a rate of nothing would never let a step start".to_owned());
    }
    Ok((count, period))
}

/// A duration that may be zero, such as the wait before an attempt.
pub(crate) fn duration(literal: &LitStr, errors: &mut Errors) -> Option<Duration> {
    let text = literal.value();
    match parse_duration(&text) {
        Ok(duration) => Some(duration),
        Err(help) => {
            errors.at(literal.span(), format_args!("`{text}` is not a duration\nhelp: {help}"));
            None
        }
    }
}

/// A duration that has to be longer than zero. `of` is what it limits, for
/// the message.
pub(crate) fn positive_duration(literal: &LitStr, of: &str, errors: &mut Errors) -> Option<Duration> {
    let duration = duration(literal, errors)?;
    if duration.is_zero() {
        errors.at(literal.span(), format_args!("`{of}` must be longer than zero"));
        return None;
    }
    Some(duration)
}

/// A rate.
pub(crate) fn rate(literal: &LitStr, errors: &mut Errors) -> Option<(u32, Duration)> {
    let text = literal.value();
    match parse_rate(&text) {
        Ok(rate) => Some(rate),
        Err(help) => {
            errors.at(literal.span(), format_args!("`{text}` is not a rate\nhelp: {help}"));
            None
        }
    }
}

/// The duration as a constant expression.
pub(crate) fn expand_duration(duration: Duration) -> TokenStream {
    // Durations are parsed from at most 64 bits of milliseconds.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(#Private::Duration::from_millis(#millis))
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(millis("250ms"), Ok(250));
        assert_eq!(millis("10s"), Ok(10_000));
        assert_eq!(millis("5m"), Ok(300_000));
        assert_eq!(millis("2h"), Ok(7_200_000));
        assert_eq!(millis("3d"), Ok(259_200_000));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("1d2h3m4s5ms"), Ok(93_784_005));
        assert_eq!(millis("0s"), Ok(0));
    }

    #[test]
    fn what_is_no_duration_says_why() {
        let help = |text| parse_duration(text).unwrap_err();
        for text in ["", "s", "-1s", "1.5s", "1 s", "1s ", "ten"] {
            assert_eq!(help(text), FORM, "{text}");
        }
        assert!(help("10").starts_with("add a unit: `10s`"));
        assert_eq!(help("10sec"), "units are `d`, `h`, `m`, `s` and `ms`, not `sec`");
        assert!(help("30m1h").starts_with("write the larger units first"));
        assert!(help("1s1s").starts_with("write the larger units first"));
        assert!(help("99999999999999999999s").starts_with("this is longer"));
        assert!(help("999999999999999d").starts_with("this is longer"));
    }

    #[test]
    fn rates() {
        let second = Duration::from_secs(1);
        assert_eq!(parse_rate("10/s"), Ok((10, second)));
        assert_eq!(parse_rate("5/m"), Ok((5, 60 * second)));
        assert_eq!(parse_rate("100/10s"), Ok((100, 10 * second)));
        for text in ["", "10", "10/", "/s", "ten/s", "10/sec", "-1/s", "1.5/s"] {
            assert!(parse_rate(text).unwrap_err().starts_with("write a number and a period"), "{text}");
        }
        assert!(parse_rate("0/s").is_err());
        assert!(parse_rate("10/0s").is_err());
    }
}
