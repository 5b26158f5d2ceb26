//! A value on its way to JSON, refused where it would not be read back as it
//! is. serde_json itself writes what JSON has no words for as `null`, and nests
//! deeper than it reads.
//!
//! All in one pass: a serializer around another one, handed on to every part.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// How many levels deep a saved value may be nested. serde_json reads 127; the
/// rest is for what values are wrapped in, such as an operator's request.
const DEEPEST: usize = 120;

/// A value as JSON. Equal values are equal texts: what a map or a set of hashes
/// has is written in an order of its own.
///
/// # Errors
/// When its type refuses, or it would not be read back as it is.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(128);
    value.serialize(Faithful::new(&mut serde_json::Serializer::new(&mut bytes)))?;
    Ok(bytes)
}

/// A serializer, or the part of one that takes a list or an object.
pub(crate) struct Faithful<S> {
    to: S,
    /// How many lists and objects are around it.
    depth: usize,
    /// Whether it takes what a `Some` holds, which is written without it.
    some: bool,
    /// Of an object whose type does not keep its keys apart, those so far.
    keys: Option<HashSet<Vec<u8>>>,
}

impl<S: Serializer> Faithful<S> {
    pub(crate) fn new(to: S) -> Self {
        Self { to, depth: 0, some: false, keys: None }
    }

    fn null(&self) -> Result<(), S::Error> {
        if self.some {
            return Err(S::Error::custom(
                "`Some` of `None` or of `()` would be read back as `None`; use an enum instead",
            ));
        }
        Ok(())
    }

    fn finite(&self, is_finite: bool, number: &dyn Display) -> Result<(), S::Error> {
        if !is_finite {
            return Err(S::Error::custom(format_args!(
                "it contains `{number}`, which JSON does not know; use an error or an `Option` instead"
            )));
        }
        Ok(())
    }

    /// Opens so many lists and objects, and then a part.
    fn open<C>(
        self,
        levels: usize,
        part: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Faithful<C>, S::Error> {
        let depth = self.depth + levels;
        if depth > DEEPEST {
            return Err(S::Error::custom(format_args!(
                "it is nested more than {DEEPEST} levels deep; keep it as a list whose entries name each other"
            )));
        }
        Ok(Faithful { to: part(self.to)?, depth, some: false, keys: None })
    }
}

/// A value in another one.
struct Within<'a, T: ?Sized> {
    value: &'a T,
    depth: usize,
    some: bool,
}

impl<T: Serialize + ?Sized> Serialize for Within<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Faithful { to, depth: self.depth, some: self.some, keys: None })
    }
}

impl<S> Faithful<S> {
    fn within<'a, T: ?Sized>(&self, value: &'a T) -> Within<'a, T> {
        Within { value, depth: self.depth, some: false }
    }
}

macro_rules! as_it_is {
    ($($method:ident($ty:ty);)*) => {
        $(fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.to.$method(value)
        })*
    };
}

impl<S: Serializer> Serializer for Faithful<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Faithful<S::SerializeSeq>;
    type SerializeTuple = Faithful<S::SerializeTuple>;
    type SerializeTupleStruct = Faithful<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Faithful<S::SerializeTupleVariant>;
    type SerializeMap = Faithful<S::SerializeMap>;
    type SerializeStruct = Faithful<S::SerializeStruct>;
    type SerializeStructVariant = Faithful<S::SerializeStructVariant>;

    as_it_is! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.finite(value.is_finite(), &value)?;
        self.to.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.finite(value.is_finite(), &value)?;
        self.to.serialize_f64(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.null()?;
        self.to.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.null()?;
        self.to.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.null()?;
        self.to.serialize_unit_struct(name)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let held = Within { some: true, ..self.within(value) };
        self.to.serialize_some(&held)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.to.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let held = Within { some: self.some, ..self.within(value) };
        self.to.serialize_newtype_struct(name, &held)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let variant_of = self.open(1, Ok)?;
        let held = variant_of.within(value);
        variant_of.to.serialize_newtype_variant(name, index, variant, &held)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.open(1, |to| to.serialize_seq(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.open(1, |to| to.serialize_tuple(len))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.open(1, |to| to.serialize_tuple_struct(name, len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.open(2, |to| to.serialize_tuple_variant(name, index, variant, len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let map = self.open(1, |to| to.serialize_map(len))?;
        Ok(Faithful { keys: Some(HashSet::new()), ..map })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.open(1, |to| to.serialize_struct(name, len))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.open(2, |to| to.serialize_struct_variant(name, index, variant, len))
    }

    fn collect_seq<I>(self, items: I) -> Result<S::Ok, S::Error>
    where
        I: IntoIterator<Item: Serialize>,
    {
        let is_unordered = unordered::<I>();
        let items = items.into_iter();
        if !is_unordered {
            return write_items(self, items);
        }
        let mut items: Vec<_> = items.map(|item| (sort_key(&item), item)).collect();
        items.sort_by(|(left, _), (right, _)| left.cmp(right));
        write_items(self, items.into_iter().map(|(_, item)| item))
    }

    fn collect_map<K, V, I>(self, entries: I) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        let is_unordered = unordered::<I>();
        let entries = entries.into_iter();
        if !is_unordered {
            return write_entries(self, entries);
        }
        let mut entries: Vec<_> = entries.map(|entry| (sort_key(&entry.0), entry)).collect();
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        write_entries(self, entries.into_iter().map(|(_, entry)| entry))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.to.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.to.is_human_readable()
    }
}

fn write_items<S: Serializer, T: Serialize>(
    to: Faithful<S>,
    items: impl Iterator<Item = T>,
) -> Result<S::Ok, S::Error> {
    let mut list = to.serialize_seq(exact_len(&items))?;
    for item in items {
        list.serialize_element(&item)?;
    }
    list.end()
}

fn write_entries<S: Serializer, K: Serialize, V: Serialize>(
    to: Faithful<S>,
    entries: impl Iterator<Item = (K, V)>,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(exact_len(&entries))?;
    if PLAIN_KEYS.contains(&std::any::type_name::<K>().trim_start_matches('&')) {
        map.keys = None;
    }
    for (key, value) in entries {
        map.serialize_entry(&key, &value)?;
    }
    map.end()
}

/// Types of keys of which two that are not equal are not written as equal
/// texts. A collection keeps equal ones apart.
const PLAIN_KEYS: [&str; 14] = [
    "alloc::string::String",
    "str",
    "char",
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "isize",
];

fn exact_len(items: &impl Iterator) -> Option<usize> {
    match items.size_hint() {
        (least, Some(most)) if least == most => Some(most),
        _ => None,
    }
}

/// Whether this goes over a map or a set of hashes, whose order is another in
/// each process: equal ones are to be written as equal texts.
fn unordered<I>() -> bool {
    let mut name = std::any::type_name::<I>();
    for prefix in ["&", "mut ", "core::iter::adapters::map::Map<", "core::iter::adapters::cloned::Cloned<"] {
        name = name.strip_prefix(prefix).unwrap_or(name);
    }
    ["std::collections::hash::", "hashbrown::map::", "hashbrown::set::"]
        .iter()
        .any(|path| name.starts_with(path))
}

/// A key as an object has it: a number is written as a text.
fn key_text<T: Serialize + ?Sized>(key: &T) -> Vec<u8> {
    let text = to_json(key).unwrap_or_default();
    if text.first() == Some(&b'"') { text } else { [b"\"", &*text, b"\""].concat() }
}

/// What an item is sorted by. One that cannot be written is refused where it
/// is.
fn sort_key(item: &impl Serialize) -> Vec<u8> {
    to_json(item).unwrap_or_default()
}

thread_local! {
    static TWICE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A key that an object has twice which this thread has written since this was
/// asked last. Only one of the two is read back, if any.
pub(crate) fn key_twice() -> Option<String> {
    TWICE.take()
}

macro_rules! items {
    ($($part:ident: $method:ident;)*) => {
        $(impl<C: $part> $part for Faithful<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = self.within(value);
                self.to.$method(&value)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.to.end()
            }
        })*
    };
}

items! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! fields {
    ($($part:ident)*) => {
        $(impl<C: $part> $part for Faithful<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let value = self.within(value);
                self.to.serialize_field(key, &value)
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                self.to.skip_field(key)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.to.end()
            }
        })*
    };
}

fields! { SerializeStruct SerializeStructVariant }

impl<C: SerializeMap> SerializeMap for Faithful<C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        if let Some(keys) = &mut self.keys {
            let text = key_text(key);
            if !keys.insert(text.clone()) {
                TWICE.set(Some(String::from_utf8_lossy(&text).into_owned()));
            }
        }
        self.to.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.within(value);
        self.to.serialize_value(&value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.to.end()
    }
}
