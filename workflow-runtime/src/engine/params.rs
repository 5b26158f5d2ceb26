//! A run's parameters as a store keeps them, and code of the user's that reads
//! and writes values.

use std::collections::BTreeMap;

use crate::definition::Graph;
use crate::error::{Cause, Error, Failure};
use crate::panics::{contained, discard};
use crate::value::{Codec, Value};

/// The parameters that were given by name, in order. Everything that is wrong
/// with them is said at once.
pub(super) fn params_from(
    graph: &'static Graph,
    given: &BTreeMap<String, serde_json::Value>,
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
        match coded(|| (param.codec.decode)(value.to_string().as_bytes())) {
            Ok(value) => values.push(value),
            Err(failure) => {
                problems.push(format!("parameter `{}` wants a `{}`: {failure}", param.name, param.ty));
            }
        }
    }
    if problems.is_empty() {
        return Ok(values);
    }
    Err(Error::Parameters { workflow: graph.name.to_owned(), problems })
}

/// The parameters as one JSON array, which people can read. Everything that is
/// wrong with them is said at once.
pub(crate) fn encode_params(
    graph: &'static Graph,
    params: &[Value],
    largest: usize,
) -> Result<Vec<u8>, Error> {
    let mut array = vec![b'['];
    let mut problems = Vec::new();
    for (param, value) in graph.params.iter().zip(params) {
        if array.len() > 1 {
            array.push(b',');
        }
        match saved(&param.codec, value, largest) {
            Ok(encoded) => array.extend(encoded),
            Err(failure) => problems.push(format!("parameter `{}`: {failure}", param.name)),
        }
    }
    array.push(b']');
    if problems.is_empty() {
        return Ok(array);
    }
    Err(Error::Parameters { workflow: graph.name.to_owned(), problems })
}

pub(super) fn decode_params(graph: &'static Graph, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let values: Vec<Box<serde_json::value::RawValue>> =
        serde_json::from_slice(bytes).map_err(|error| format!("its parameters cannot be read: {error}"))?;
    if values.len() != graph.params.len() {
        let count = |count| if count == 1 { "1 parameter".to_owned() } else { format!("{count} parameters") };
        return Err(format!(
            "it was started with {}, and the workflow has {}",
            count(values.len()),
            count(graph.params.len())
        ));
    }
    let decoded = graph.params.iter().zip(values).map(|(param, value)| {
        coded(|| (param.codec.decode)(value.get().as_bytes()))
            .map_err(|failure| format!("parameter `{}`: {failure}", param.name))
    });
    decoded.collect()
}

/// Calls code of the user's that reads or writes a value, where a panic is an
/// error like any other.
pub(super) fn coded<T>(call: impl FnOnce() -> Result<T, crate::codec::CodecError>) -> Result<T, Failure> {
    match contained(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::from_error(Cause::Fatal, &error)),
        Err(panic) => Err(panic),
    }
}

/// The bytes of a value that is about to be saved.
///
/// Where debug assertions are on they are read back at once, so that a type
/// that reads otherwise than it writes shows in its first test. In a release
/// build the value is kept: a later program may read it.
pub(super) fn saved(codec: &Codec, value: &Value, largest: usize) -> Result<Vec<u8>, Failure> {
    let bytes = coded(|| (codec.encode)(value))?;
    if bytes.len() > largest {
        return Err(Failure::new(
            Cause::Fatal,
            format!(
                "a value of type `{}` has {} bytes when saved, and an engine saves at most {largest}; \
                 keep it in a file or an object store, and pass on its name",
                (codec.type_name)(),
                bytes.len()
            ),
        ));
    }
    if cfg!(debug_assertions) {
        discard(coded(|| (codec.decode)(&bytes))?);
    }
    Ok(bytes)
}
