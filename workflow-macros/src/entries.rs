//! Lists of options: `name`, `name = value`, `name(values)` or a plain value,
//! separated by commas. Structure only; what a name means is said elsewhere.
//!
//! The list is split by tokens, before any value is parsed, so that one bad
//! value spoils only its own option.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use syn::LitStr;
use syn::parse::Parse;

use crate::diagnostics::{Errors, help_with_names};

/// One option as written.
pub(crate) struct Entry {
    pub(crate) name: Ident,
    pub(crate) value: EntryValue,
}

/// What follows an option's name.
pub(crate) enum EntryValue {
    Nothing,
    /// `= value`
    Equals(TokenStream),
    /// `(values)`
    List(TokenStream),
}

/// The values without a name, and those with one.
pub(crate) fn split(list: TokenStream) -> (Vec<TokenStream>, Vec<Entry>) {
    let mut plain = Vec::new();
    let mut named = Vec::new();
    for tokens in split_at_commas(list) {
        match Entry::new(&tokens) {
            Some(entry) => named.push(entry),
            None => plain.push(tokens.into_iter().collect()),
        }
    }
    (plain, named)
}

/// Reports the second of two options of one name, and names that are not in
/// `known`; the rest is left to do. `kind` is the word for one of them and
/// `of` says whose.
pub(crate) fn check_names(entries: Vec<Entry>, known: &[&str], of: &str, errors: &mut Errors) -> Vec<Entry> {
    let mut checked: Vec<Entry> = Vec::new();
    for entry in entries {
        let name = entry.name.to_string();
        if !known.contains(&name.as_str()) {
            let help = help_with_names(&name, known, "option");
            errors.at(entry.name.span(), format_args!("unknown {of} option `{name}`\n{help}"));
        } else if checked.iter().any(|earlier| earlier.name == name) {
            errors.at(
                entry.name.span(),
                format_args!("the option `{name}` is given twice\nhelp: remove one of them"),
            );
        } else {
            checked.push(entry);
        }
    }
    checked
}

impl Entry {
    fn new(tokens: &[TokenTree]) -> Option<Self> {
        let [TokenTree::Ident(name), rest @ ..] = tokens else { return None };
        let value = match rest {
            [] => EntryValue::Nothing,
            [TokenTree::Punct(equals), value @ ..] if equals.as_char() == '=' => {
                EntryValue::Equals(value.iter().cloned().collect())
            }
            [TokenTree::Group(list)] if list.delimiter() == Delimiter::Parenthesis => {
                EntryValue::List(list.stream())
            }
            _ => return None,
        };
        Some(Self { name: name.clone(), value })
    }

    /// The value of `name = value`. `takes` says what it should be, in the
    /// words of "takes …", and `example` is the whole option, written well.
    pub(crate) fn parse<T: Parse>(&self, takes: &str, example: &str, errors: &mut Errors) -> Option<T> {
        match &self.value {
            EntryValue::Equals(value) if !value.is_empty() => {
                parse(value, &self.name, takes, example, errors)
            }
            _ => {
                self.refuse(takes, example, errors);
                None
            }
        }
    }

    /// Says what the option takes.
    pub(crate) fn refuse(&self, takes: &str, example: &str, errors: &mut Errors) {
        refuse(self.name.span(), &self.name, takes, example, errors);
    }

    /// For an option that is a word alone.
    pub(crate) fn flag(&self, errors: &mut Errors) -> Option<Span> {
        let (EntryValue::Equals(value) | EntryValue::List(value)) = &self.value else {
            return Some(self.name.span());
        };
        let name = &self.name;
        let message = format_args!("`{name}` takes no value\nhelp: write `{name}` alone, or leave it out");
        match value.is_empty() {
            true => errors.at(name.span(), message),
            false => errors.on(value, message),
        }
        None
    }

    /// The value of `name = "text"`, a duration.
    pub(crate) fn duration_literal(&self, example: &str, errors: &mut Errors) -> Option<LitStr> {
        self.parse("a duration in quotes", example, errors)
    }
}

/// One value.
pub(crate) fn parse<T: Parse>(
    value: &TokenStream,
    name: &Ident,
    takes: &str,
    example: &str,
    errors: &mut Errors,
) -> Option<T> {
    match syn::parse2(value.clone()) {
        Ok(value) => Some(value),
        Err(_) => {
            errors.on(value, format_args!("`{name}` takes {takes}\nhelp: write `{example}`"));
            None
        }
    }
}

fn refuse(span: Span, name: &Ident, takes: &str, example: &str, errors: &mut Errors) {
    errors.at(span, format_args!("`{name}` takes {takes}\nhelp: write `{example}`"));
}

/// Commas in brackets do not count, and neither do those between `<` and `>`:
/// a path such as `is_transient::<A, B>` is one value.
fn split_at_commas(list: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    let mut angles = 0_u32;
    for token in list {
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                ',' if angles == 0 => {
                    parts.push(Vec::new());
                    continue;
                }
                '<' => angles += 1,
                '>' => angles = angles.saturating_sub(1),
                _ => {}
            }
        }
        if let Some(part) = parts.last_mut() {
            part.push(token);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}
