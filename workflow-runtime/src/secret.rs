//! Values that are not to be seen.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use crate::exact::{Exact, FIELD, HIDDEN};
use crate::held::{hold_any, hold_in, masked};

/// A value that neither prints nor shows: a password, a token, a person's
/// data. Tasks take and return it as any other value.
///
/// Its `Debug` and `Display` are `***`, and so is whatever shows stored values,
/// by [`redact`]: it is saved as `{"$secret": value}`. It is read back from
/// that, and from the bare value too, as people type it into a form, unless
/// that is an object. An error of reading it does not quote it.
///
/// # What it does not do
///
/// **It is no encryption.** In the file of an engine without keys
/// (`EngineBuilder::encrypt`) it stands in clear.
///
/// In the words of errors, panics and the lines of attempts it is replaced by
/// `***` where it is a text of at least four letters that this process has
/// exposed, saved or read back; what is made of it, such as its base64, is not.
/// Nor is it hidden in values that are no `Secret`.
///
/// ```
/// use workflow_runtime::{Secret, redacted, task};
///
/// #[task]
/// async fn log_in(user: &str, password: &Secret<String>) -> usize {
///     user.len() + password.expose().len()
/// }
///
/// let password = Secret::from("hunter2".to_owned());
/// assert_eq!(format!("{password:?} {password}"), "*** ***");
/// let saved = serde_json::to_string(&password).unwrap();
/// assert_eq!(saved, r#"{"$secret":"hunter2"}"#);
/// assert_eq!(redacted(saved.as_bytes()), r#""***""#);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T: 'static> Secret<T> {
    /// The value: for where it is used, not for where it is shown. Where it is
    /// a text, that is hidden in what errors, panics and the lines of attempts
    /// say from now on.
    pub fn expose(&self) -> &T {
        hold_any(&self.0);
        &self.0
    }

    /// The value itself. Where it is a text, that is hidden as after
    /// [`expose`](Self::expose).
    pub fn into_inner(self) -> T {
        hold_any(&self.0);
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T: Serialize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(FIELD, &self.0)?;
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read(PhantomData))
    }
}

/// Reads a secret. The errors of serde quote what does not fit, so none of
/// them gets out of here.
struct Read<T>(PhantomData<T>);

impl<T> Read<T> {
    fn read<E: Error, O>(self, read: Result<T, O>) -> Result<Secret<T>, E> {
        read.map(Secret).map_err(|_| wrong::<T, E>())
    }
}

fn wrong<T, E: Error>() -> E {
    E::custom(format_args!("a secret does not fit `{}`; what it is instead is not shown", type_name::<T>()))
}

/// A bare value, whatever it is, is `T`'s to read.
macro_rules! bare {
    ($($visit:ident: $type:ty,)*) => {
        $(fn $visit<E: Error>(self, value: $type) -> Result<Self::Value, E> {
            self.read(T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(value)))
        })*
    };
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    bare! {
        visit_bool: bool,
        visit_i64: i64,
        visit_u64: u64,
        visit_f64: f64,
        visit_i128: i128,
        visit_u128: u128,
        visit_str: &str,
        visit_string: String,
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        let value = serde::de::value::BorrowedStrDeserializer::<serde::de::value::Error>::new(value);
        self.read(T::deserialize(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.read(T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        self.read(T::deserialize(SeqAccessDeserializer::new(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        match fields.next_key::<String>()?.as_deref() {
            Some(FIELD) => {}
            _ => return Err(wrong::<T, _>()),
        }
        let read = fields.next_value();
        let secret = self.read(read)?;
        match fields.next_key::<String>() {
            Ok(None) => Ok(secret),
            _ => Err(wrong::<T, _>()),
        }
    }
}

/// Replaces every secret in a stored value by `***`.
///
/// ```
/// let mut value = serde_json::json!({ "user": "ann", "password": { "$secret": "hunter2" } });
/// workflow_runtime::redact(&mut value);
/// assert_eq!(value, serde_json::json!({ "user": "ann", "password": "***" }));
/// ```
pub fn redact(json: &mut Json) {
    match json {
        Json::Object(fields) if fields.contains_key(FIELD) => *json = Json::from(HIDDEN),
        Json::Object(fields) => fields.values_mut().for_each(redact),
        Json::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// The same for a value whose numbers are to stay as they are written.
pub(crate) fn redact_exact(value: &mut Exact) {
    match value {
        Exact::Object(fields) if fields.contains_key(FIELD) => *value = Exact::from(&Json::from(HIDDEN)),
        Exact::Object(fields) => fields.values_mut().for_each(redact_exact),
        Exact::List(items) => items.iter_mut().for_each(redact_exact),
        Exact::Scalar(_) => {
            if let Some(text) = value.as_str() {
                let shown = masked(text.clone());
                if shown != text {
                    *value = Exact::from(&Json::from(shown));
                }
            }
        }
    }
}

/// A stored value as it may be shown: JSON without its secrets, text as it is,
/// and of anything else its size. Text that is no JSON and might hold a secret
/// is not shown either.
#[must_use]
pub fn redacted(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return size(bytes) };
    hold_in(bytes);
    if !text.contains(FIELD) && !text.contains("\\u") {
        return text.to_owned();
    }
    match Exact::parse(text) {
        Ok(mut value) => {
            redact_exact(&mut value);
            value.to_string()
        }
        Err(_) => size(bytes),
    }
}

fn size(bytes: &[u8]) -> String {
    format!("({} bytes)", bytes.len())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::codec::Durable;
    use crate::{Cause, Failure};

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Login {
        user: String,
        password: Secret<String>,
    }

    fn login() -> Login {
        Login { user: "ann".to_owned(), password: Secret::new("hunter2".to_owned()) }
    }

    fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Send + Sync + 'static>(value: T) {
        let saved = Secret::new(value).encode().unwrap();
        assert!(saved.starts_with(br#"{"$secret":"#));
        let read = Secret::<T>::decode(&saved).unwrap();
        assert!(read == Secret::decode(&read.encode().unwrap()).unwrap());
        assert_eq!(read.encode().unwrap(), saved);
        assert_eq!(redacted(&saved), r#""***""#);
    }

    #[test]
    fn any_value_comes_back() {
        there_and_back("hunter2".to_owned());
        there_and_back(u128::MAX);
        there_and_back(i64::MIN);
        there_and_back(0.1);
        there_and_back(true);
        there_and_back(());
        there_and_back(None::<String>);
        there_and_back(Some("a".to_owned()));
        there_and_back(vec![1, 2, 3]);
        there_and_back(BTreeMap::from([(1, "a".to_owned()), (2, "b".to_owned())]));
        there_and_back(HashMap::from([("$secret".to_owned(), 1)]));
        there_and_back(Secret::new(7));
        there_and_back(login());
    }

    #[test]
    fn a_bare_value_is_taken() {
        let read = |text: &str| serde_json::from_str::<Secret<String>>(text).map(Secret::into_inner);
        assert_eq!(read(r#""hunter2""#).unwrap(), "hunter2");
        assert_eq!(read(r#""hunter\n2""#).unwrap(), "hunter\n2");
        assert_eq!(serde_json::from_str::<Secret<u8>>("7").unwrap().into_inner(), 7);
        assert_eq!(serde_json::from_str::<Secret<f64>>("7").unwrap().into_inner(), 7.0);
        assert_eq!(serde_json::from_str::<Secret<Vec<bool>>>("[true]").unwrap().into_inner(), [true]);
        assert_eq!(serde_json::from_str::<Option<Secret<u8>>>("null").unwrap(), None);
        let json = serde_json::json!({ "user": "ann", "password": "hunter2" });
        assert_eq!(serde_json::from_value::<Login>(json).unwrap(), login());
    }

    /// serde quotes what does not fit.
    #[test]
    fn an_error_does_not_tell_it() {
        let texts = [
            r#""hunter2""#,
            "16180339",
            r#"["hunter2"]"#,
            r#"{"$secret":"hunter2"}"#,
            r#"{"$secret":{"hunter2":16180339}}"#,
            r#"{"$secret":true,"hunter2":1}"#,
            r#"{"hunter2":true}"#,
            r#"{"$secret":"hunter2"#,
        ];
        for text in texts {
            let error = Secret::<bool>::decode(text.as_bytes()).unwrap_err();
            let failure = Failure::from_error(Cause::Fatal, &error);
            let shown = format!("{error} {error:?} {failure} {failure:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("16180339"), "{text}: {shown}");
        }
        let error = Secret::<bool>::decode(br#""hunter2""#).unwrap_err().to_string();
        assert!(error.contains("a secret does not fit `bool`"), "{error}");
    }

    #[test]
    fn it_does_not_print() {
        let shown = format!("{:?} {:#?} {}", login(), Some(login()), Secret::new(vec!["hunter2"]));
        assert!(shown.contains("ann") && shown.contains("***") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn what_is_shown_is_redacted() {
        let saved = serde_json::to_string(&(vec![login(), login()], 1)).unwrap();
        let one = r#"{"password":"***","user":"ann"}"#;
        assert_eq!(redacted(saved.as_bytes()), format!("[[{one},{one}],1]"));
        // Also where the user's code escaped it, or put more beside it.
        assert_eq!(redacted(br#"[{"$\u0073ecret":1,"user":"ann"}]"#), r#"["***"]"#);
        // What holds none is not touched.
        for text in ["340282366920938463463374607431768211455", r#"{"b":1, "a":1.10}"#, "no JSON", ""] {
            assert_eq!(redacted(text.as_bytes()), text);
        }
        for bytes in
            [&b"\x9f\x8e$secret"[..], br#"{"$secret":"hunter2"#, br#"{"$secret":"a"}{"$secret":"b"}"#]
        {
            assert_eq!(redacted(bytes), format!("({} bytes)", bytes.len()));
        }
    }
}
