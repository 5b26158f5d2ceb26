//! A run's parameters as a store keeps them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::Error;
use crate::exact::Exact;
use crate::execution::coded::{Saved, coded, decode_params, saved};
use crate::held::unquoted;
use crate::task::definition::Graph;
use crate::value::Value;

/// The parameters that were given by name, in order. Everything that is wrong
/// with them is said at once.
pub(crate) fn params_from(
    graph: &'static Graph,
    given: &BTreeMap<String, Box<RawValue>>,
) -> Result<Vec<Value>, Error> {
    let mut problems = Vec::new();
    for name in given.keys().filter(|name| !graph.params.iter().any(|param| param.name == **name)) {
        problems.push(format!("there is no parameter `{name}`"));
    }
    let mut values = Vec::new();
    for param in graph.params {
        let Some(value) = given.get(param.name) else {
            problems.push(format!("parameter `{}` of type `{}` is missing", param.name, param.ty));
            continue;
        };
        match coded(|| (param.codec.decode)(value.get().as_bytes())) {
            Ok(value) => values.push(value),
            Err(failure) => {
                let why = unquoted(&failure.to_string(), value.get());
                problems.push(format!("parameter `{}` wants a `{}`: {why}", param.name, param.ty));
            }
        }
    }
    if problems.is_empty() {
        return Ok(values);
    }
    Err(Error::Parameters { workflow: graph.name.to_owned(), problems })
}

/// The parameters as one JSON array, which people can read, and as they are
/// read back from it. Everything that is wrong with them is said at once.
pub(crate) fn encode_params(
    graph: &'static Graph,
    params: &[Value],
    largest: usize,
) -> Result<(Vec<u8>, Vec<Value>), Error> {
    let mut array = vec![b'['];
    let mut values = Vec::with_capacity(params.len());
    let mut problems = Vec::new();
    for (param, value) in graph.params.iter().zip(params) {
        if array.len() > 1 {
            array.push(b',');
        }
        match saved(&param.codec, value, largest) {
            Ok(Saved { bytes, value: read }) => {
                array.extend(bytes);
                values.push(read.unwrap_or_else(|| value.clone()));
            }
            Err(failure) => problems.push(format!("parameter `{}`: {failure}", param.name)),
        }
    }
    array.push(b']');
    if problems.is_empty() {
        return Ok((array, values));
    }
    Err(Error::Parameters { workflow: graph.name.to_owned(), problems })
}

/// Whether stored parameters are the ones that a caller asks for: as values,
/// also where another version has written them in another order.
pub(crate) fn same_arguments(graph: &'static Graph, stored: &[u8], asked: &[u8]) -> bool {
    if stored == asked {
        return true;
    }
    let written_anew = || {
        let values = decode_params(graph, stored).ok()?;
        encode_params(graph, &values, usize::MAX).ok().map(|(bytes, _)| bytes)
    };
    let exact = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| Exact::parse(text).ok());
    exact(asked).is_some_and(|asked| {
        exact(stored).as_ref() == Some(&asked)
            || written_anew().and_then(|bytes| exact(&bytes)) == Some(asked)
    })
}
