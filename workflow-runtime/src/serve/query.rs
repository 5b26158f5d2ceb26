//! What an address asks for, after its `?`.

use super::problem::Trouble;
use crate::run::RunState;
use crate::store::{RunFilter, RunRef};

/// The longest query that is read, in bytes.
const LONGEST: usize = 8 << 10;

/// How many runs a page has, and at most.
pub(super) const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// The names and values of a query, as they are typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Trouble> {
        let query = query.unwrap_or_default();
        if query.len() > LONGEST {
            return Err(Trouble::too_large(format!("the address is longer than {LONGEST} bytes")));
        }
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Ok(Self(pairs.filter(|(_, value)| !value.is_empty()).collect()))
    }

    /// The fields of a form.
    pub(super) fn form(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(own, _)| own == name);
        named.map(|(_, value)| value.as_str()).collect::<Vec<_>>().into_iter()
    }

    /// What has no meaning is refused, so that nobody takes a list for a
    /// shorter one.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Trouble> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(Trouble::usage(format!("`{name}` means nothing here"))
                .help(format!("there are {}", known.join(", ")))),
            None => Ok(()),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Trouble> {
        let wrong = |text: &str| Trouble::usage(format!("`{name}` is a number, and `{text}` is none"));
        self.get(name).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }
}

/// Which runs are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) filter: RunFilter,
    /// A part of the words of the error, in lower case.
    pub(super) error: Option<String>,
}

impl Listed {
    pub(super) fn of(query: &Query) -> Result<Self, Trouble> {
        query.only(&["workflow", "state", "key", "suspected", "error", "before", "limit"])?;
        let state = |name: &str| {
            let found = RunState::ALL.into_iter().find(|state| state.to_string() == name);
            found.ok_or_else(|| {
                let names: Vec<String> = RunState::ALL.iter().map(ToString::to_string).collect();
                Trouble::usage(format!("`{name}` is no state of a run"))
                    .help(format!("the states are {}", names.join(", ")))
            })
        };
        let at_most = query.number("limit")?.unwrap_or(PAGE);
        if at_most == 0 || at_most > LARGEST_PAGE {
            return Err(Trouble::usage(format!("`limit` is from 1 to {LARGEST_PAGE}")));
        }
        let filter = RunFilter {
            workflow: query.get("workflow").map(str::to_owned),
            states: query.all("state").map(state).collect::<Result<_, _>>()?,
            key_prefix: query.get("key").map(str::to_owned),
            suspected: match query.get("suspected") {
                None => false,
                Some("true" | "1") => true,
                Some(other) => {
                    return Err(Trouble::usage(format!(
                        "`suspected` is `true` or not there, and not `{other}`"
                    )));
                }
            },
            before: query.number("before")?.map(RunRef),
            at_most,
            ..RunFilter::default()
        };
        Ok(Self { filter, error: query.get("error").map(str::to_lowercase) })
    }

    /// The address that asks for it, with another page.
    pub(super) fn address(&self, before: Option<i64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let RunFilter { workflow, states, key_prefix, suspected, at_most, .. } = &self.filter;
        workflow.iter().for_each(|name| _ = query.append_pair("workflow", name));
        states.iter().for_each(|state| _ = query.append_pair("state", &state.to_string()));
        key_prefix.iter().for_each(|key| _ = query.append_pair("key", key));
        self.error.iter().for_each(|error| _ = query.append_pair("error", error));
        if *suspected {
            query.append_pair("suspected", "true");
        }
        if *at_most != PAGE {
            query.append_pair("limit", &at_most.to_string());
        }
        before.iter().for_each(|before| _ = query.append_pair("before", &before.to_string()));
        let query = query.finish();
        if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
    }
}

/// A text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
