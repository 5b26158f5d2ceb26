//! A run's parameters as a store keeps them, and code of the user's that reads
//! and writes values.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::Error;
use crate::exact::Exact;
use crate::failure::{Cause, Failure};
use crate::faithful::key_twice;
use crate::held::{hold_in, unquoted};
use crate::panics::contained;
use crate::task::definition::Graph;
use crate::value::{Codec, Value};

/// The parameters that were given by name, in order. Everything that is wrong
/// with them is said at once.
pub(super) fn params_from(
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

pub(super) fn decode_params(graph: &'static Graph, bytes: &[u8]) -> Result<Vec<Value>, String> {
    hold_in(bytes);
    let values: Vec<Box<RawValue>> =
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

/// Whether stored parameters are the ones that somebody asks for: as values,
/// also where another version has written them in another order.
pub(super) fn same_arguments(graph: &'static Graph, stored: &[u8], asked: &[u8]) -> bool {
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

/// Calls code of the user's that reads or writes a value, where a panic is an
/// error like any other.
pub(super) fn coded<T>(call: impl FnOnce() -> Result<T, crate::codec::CodecError>) -> Result<T, Failure> {
    match contained(call) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::from_error(Cause::Fatal, &error)),
        Err(panic) => Err(panic),
    }
}

/// A value that is about to be saved.
pub(crate) struct Saved {
    pub(crate) bytes: Vec<u8>,
    /// As it is read back, unless it is what it was.
    pub(crate) value: Option<Value>,
}

/// Saves a value, and reads it back at once: what goes on with it here is what
/// would go on with it after a restart, whatever its type leaves out.
pub(super) fn saved(codec: &Codec, value: &Value, largest: usize) -> Result<Saved, Failure> {
    drop(key_twice());
    let bytes = coded(|| (codec.encode)(value))?;
    hold_in(&bytes);
    let twice = key_twice();
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
    if (codec.comes_back)() {
        return Ok(Saved { bytes, value: None });
    }
    let value = coded(|| (codec.decode)(&bytes))?;
    if let Some(key) = twice {
        let of = (codec.type_name)();
        let words = format!(
            "a value of type `{of}` cannot be saved: it has the key {key} twice, and only one of them would be \
             read back; rename one of them, or keep it as a list"
        );
        return Err(Failure::new(Cause::Fatal, words));
    }
    Ok(Saved { bytes, value: Some(value) })
}
