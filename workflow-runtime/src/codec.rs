//! What it takes to be saved between steps.

use serde::{Serialize, de::DeserializeOwned};

use crate::faithful::to_json;

/// A value that a run can save and read back: what every task returns, every
/// workflow takes and returns, and every signal carries.
///
/// Implemented for everything that serde can write and read. Values are kept
/// as JSON, so that people can read them.
///
/// ```
/// use workflow_runtime::Durable;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order { id: u64 }
///
/// let bytes = Order { id: 7 }.encode().unwrap();
/// assert_eq!(bytes, br#"{"id":7}"#);
/// assert_eq!(Order::decode(&bytes).unwrap().id, 7);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be saved between steps",
    label = "this type is not durable",
    note = "a run saves what tasks return, and what workflows and signals carry, so that it can resume after a crash",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`; it must also be `Send + Sync + 'static`"
)]
pub trait Durable: Sized + Send + Sync + 'static {
    /// Writes the value as bytes.
    ///
    /// # Errors
    /// When it would not be read back as it is: a map whose keys are not
    /// strings, `NaN` and infinite numbers, `Some(None)` and `Some(())`, and
    /// what is nested more than 120 levels deep.
    fn encode(&self) -> Result<Vec<u8>, CodecError>;

    /// Reads a value back.
    ///
    /// # Errors
    /// When the bytes are not a value of this type.
    fn decode(bytes: &[u8]) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Durable for T {
    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        to_json(self).map_err(CodecError::unsaved::<T>)
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        serde_json::from_slice(bytes).map_err(|source| CodecError {
            type_name: std::any::type_name::<T>(),
            action: "read back",
            source,
        })
    }
}

/// A value that could not be saved or read back.
#[derive(Debug, thiserror::Error)]
#[error("a value of type `{type_name}` cannot be {action}: {source}")]
pub struct CodecError {
    type_name: &'static str,
    action: &'static str,
    source: serde_json::Error,
}

impl CodecError {
    /// A value that serde could not write.
    pub(crate) fn unsaved<T: ?Sized>(source: serde_json::Error) -> Self {
        Self { type_name: std::any::type_name::<T>(), action: "saved", source }
    }

    /// What did not fit, without the type's name, for the person who typed the
    /// value and knows the type as written.
    #[cfg(feature = "app")]
    pub(crate) fn reason(&self) -> String {
        let text = self.source.to_string();
        // Of one line, the place says nothing.
        let place = format!(" at line 1 column {}", self.source.column());
        text.strip_suffix(&place).unwrap_or(&text).to_owned()
    }
}
