//! What stands where a graph made from a blueprint would have the user's code.
//! Nothing that only follows a journal ever calls any of it.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

use crate::codec::Durable;
use crate::failure::{Cause, Failure};
use crate::task::definition::{Expr, Keep, Outcome};
use crate::task::{Ended, Env, Moved, Retryability, Running};
use crate::value::{Codec, Value};

const GONE: &str = "the code of this workflow is gone: its graph was made from a blueprint, \
                    which can be followed but not run";

/// Contained where expressions are evaluated, like every panic in one.
fn gone<T>() -> T {
    panic!("{GONE}")
}

pub(super) fn expr<T>(reads: &'static [u16]) -> Expr<T> {
    Expr { reads, eval: |_| gone(), keep: Keep::NOTHING }
}

pub(super) fn collect(_: Vec<Value>) -> Value {
    gone()
}

pub(super) fn fill(_: &jiff::Zoned) -> Vec<Value> {
    gone()
}

pub(super) fn start<'a>(_: &'a Env, _: &mut Moved) -> Running<'a> {
    let ended = Ended::Err(Failure::new(Cause::Fatal, GONE), Retryability::Fatal);
    Box::pin(std::future::ready(ended))
}

pub(super) fn begin_kept(_: &Env) -> Running<'_> {
    let ended = Ended::Err(Failure::new(Cause::Fatal, GONE), Retryability::Fatal);
    Box::pin(std::future::ready(ended))
}

/// Where a failure is a value, it is the plain value or the plain error.
pub(super) const OUTCOME: Outcome = Outcome { ok: |value| value, err: Value::new };

/// Of values whose type is gone.
pub(super) const CODEC: Codec = Codec {
    type_name: || "unknown",
    encode: |_| Gone.encode(),
    decode: |bytes| Gone::decode(bytes).map(Value::new),
    comes_back: || false,
};

/// A value that can be neither saved nor read back.
struct Gone;

impl Serialize for Gone {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(GONE))
    }
}

impl<'de> Deserialize<'de> for Gone {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(GONE))
    }
}
