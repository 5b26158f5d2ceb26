//! Code of the user's that writes a value and reads it: no panic of it goes further,
//! and what goes on is what would go on after a restart.

use crate::failure::{Cause, Failure};
use crate::faithful::key_twice;
use crate::held::hold_in;
use crate::panics::contained;
use serde_json::value::RawValue;

use crate::task::definition::Graph;
use crate::value::{Codec, Payload, Value};

/// Calls code of the user's that reads or writes a value, where a panic is an
/// error like any other.
pub(crate) fn coded<T>(call: impl FnOnce() -> Result<T, crate::codec::CodecError>) -> Result<T, Failure> {
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
pub(crate) fn saved(codec: &Codec, value: &Value, largest: usize) -> Result<Saved, Failure> {
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

/// A value as it is stored, and as it is read back, unless it is what it was.
pub(crate) fn payload(
    codec: &Codec,
    value: &Value,
    largest: usize,
) -> Result<(Payload, Option<Value>), Failure> {
    let Saved { bytes, value } = saved(codec, value, largest)?;
    Ok((Payload { type_name: (codec.type_name)().into(), bytes }, value))
}

/// Reads the parameters of a run from the JSON array that they are stored as.
pub(crate) fn decode_params(graph: &'static Graph, bytes: &[u8]) -> Result<Vec<Value>, String> {
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
