//! A value that travels between steps: shared, typed, and untouched by any
//! encoding until a store asks for bytes.
//!
//! Never here: what a value means to a step (that is `definition`), or where
//! it is kept (that is the engine and its store).

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::codec::{CodecError, Durable};
use crate::panics::discard;

/// One value in flight, cheap to clone and shared by every step that uses it.
///
/// The type is erased here and known again in the small functions that
/// `workflow!` writes; rustc has checked that both sides agree.
///
/// It is there until it is dropped, or taken out.
#[derive(Clone)]
pub struct Value(Option<Arc<dyn Any + Send + Sync>>);

impl Value {
    /// Wraps a value.
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self(Some(Arc::new(value)))
    }

    /// The place of a value that is not there yet, or not any more. Code that
    /// reads it finds a value of another type than it expects, which is a bug
    /// of this project, contained like a task's panic.
    pub(crate) const ABSENT: Self = Self(None);

    pub(crate) fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Takes the value and leaves its place empty.
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Lends the value, or `None` when it is of another type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }

    /// Takes the value out when this is its last holder.
    pub(crate) fn into_inner<T: Send + Sync + 'static>(mut self) -> Result<T, Arc<T>> {
        match self.0.take().map(Arc::downcast::<T>) {
            Some(Ok(shared)) => Arc::try_unwrap(shared),
            _ => wrong_type::<T>(),
        }
    }
}

/// Values end wherever the engine lets go of them, also while it holds a run's
/// lock; the destructor is the user's.
impl Drop for Value {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            discard(shared);
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

/// The types of a slot's writer and of its readers come from the same name in
/// the workflow, so a difference is a bug of this project; the panic is
/// contained like a task's and names the type.
pub(crate) fn wrong_type<T>() -> ! {
    panic!(
        "a value of another type stands where `{}` was expected; please report this",
        std::any::type_name::<T>()
    )
}

/// How values of one type become bytes for a store, and values again.
pub struct Codec {
    /// The type's name, for messages.
    pub type_name: fn() -> &'static str,
    /// Encodes a value of this type.
    pub encode: fn(&Value) -> Result<Vec<u8>, CodecError>,
    /// Decodes a value of this type.
    pub decode: fn(&[u8]) -> Result<Value, CodecError>,
    /// Whether each value of this type is read back as exactly what it was.
    pub(crate) comes_back: fn() -> bool,
}

impl Codec {
    /// The codec of `T`.
    pub const fn of<T: Durable>() -> Self {
        Self {
            type_name: std::any::type_name::<T>,
            encode: |value| match value.get::<T>() {
                Some(value) => value.encode(),
                None => wrong_type::<T>(),
            },
            decode: |bytes| T::decode(bytes).map(Value::new),
            comes_back: comes_back::<T>,
        }
    }
}

/// Types whose values serde writes in full, and reads as they were written.
fn comes_back<T: 'static>() -> bool {
    fn any<A: 'static>(of: TypeId) -> bool {
        of == TypeId::of::<A>() || of == TypeId::of::<Vec<A>>() || of == TypeId::of::<Option<A>>()
    }
    let of = TypeId::of::<T>();
    macro_rules! one_of {
        ($($ty:ty)*) => { $(any::<$ty>(of))||* };
    }
    // `Option<()>` has a value that is refused, which is found when it is written.
    one_of!(() String u64 i64 f64 bool usize u32 i32 u8 u16 i8 i16 isize u128 i128 f32 char)
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec({})", (self.type_name)())
    }
}

/// An encoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The name of its type, for messages.
    pub type_name: Cow<'static, str>,
    /// The value, as its codec wrote it.
    pub bytes: Vec<u8>,
}
