//! What a step was given, kept: arguments that were computed once are those of
//! every attempt, of its undo and of its reconciliation, also after a restart.
//!
//! `#[task]` implements [`Task::keep`] and [`Task::kept`] with this. Which
//! steps compute their arguments, `workflow!` knows; when they are kept, the
//! engine.
//!
//! [`Task::keep`]: crate::task::Task::keep
//! [`Task::kept`]: crate::task::Task::kept

use std::borrow::ToOwned;
use std::marker::PhantomData;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::codec::Durable;
use crate::faithful::to_json;
use crate::value::Value;

/// The arguments of a step as they are written down: a JSON array. Nothing,
/// where one of them cannot be written, or would not be read back as it is.
pub struct KeptWriter(Option<Vec<u8>>);

impl KeptWriter {
    #[doc(hidden)]
    #[must_use]
    pub fn new() -> Self {
        Self(Some(vec![b'[']))
    }

    fn add(&mut self, written: Result<Vec<u8>, serde_json::Error>) {
        self.0 = self.0.take().zip(written.ok()).map(|(mut array, part)| {
            if array.len() > 1 {
                array.push(b',');
            }
            array.extend(part);
            array
        });
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        let mut array = self.0?;
        array.push(b']');
        Some(array)
    }
}

impl Default for KeptWriter {
    fn default() -> Self {
        Self::new()
    }
}

/// The arguments of a step as they were written down.
pub struct KeptArguments {
    bytes: Vec<u8>,
    parts: Vec<Box<RawValue>>,
    /// What is lent to the task.
    lent: Vec<OnceLock<Option<Value>>>,
}

impl KeptArguments {
    /// Reads what [`KeptWriter`] has written.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let parts: Vec<Box<RawValue>> = serde_json::from_slice(bytes).ok()?;
        let lent = parts.iter().map(|_| OnceLock::new()).collect();
        Some(Self { bytes: bytes.to_vec(), parts, lent })
    }

    /// As they were written down.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn read<T: DeserializeOwned>(&self, index: usize) -> Option<T> {
        serde_json::from_str(self.parts.get(index)?.get()).ok()
    }
}

/// One argument. Where its type can be written and read the inherent methods
/// win, and elsewhere those of the trait: both see a concrete type.
pub struct Argument<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized> Argument<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn of(_: &T) -> Self {
        Self(PhantomData)
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: ?Sized> Default for Argument<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Serialize + ?Sized> Argument<T> {
    /// Writes it down.
    pub fn __keep(&self, value: &T, to: &mut KeptWriter) {
        to.add(to_json(value));
    }
}

impl<T: Durable + DeserializeOwned> Argument<T> {
    /// It, as it was written down.
    #[must_use]
    pub fn __owned(&self, kept: &KeptArguments, index: usize) -> Option<T> {
        kept.read(index)
    }
}

impl<T: ToOwned<Owned: DeserializeOwned + Send + Sync + 'static> + ?Sized> Argument<T> {
    /// It, lent, as it was written down.
    #[must_use]
    pub fn __lent<'a>(&self, kept: &'a KeptArguments, index: usize) -> Option<&'a T> {
        let read = || kept.read::<T::Owned>(index).map(Value::new);
        let value = kept.lent.get(index)?.get_or_init(read);
        value.as_ref()?.get::<T::Owned>().map(std::borrow::Borrow::borrow)
    }
}

/// The other half of [`Argument`]: one that is not kept.
pub trait NotKept<T: ?Sized> {
    /// Nothing is written down.
    fn __keep(&self, _: &T, to: &mut KeptWriter) {
        to.0 = None;
    }

    /// There is none.
    fn __owned(&self, _: &KeptArguments, _: usize) -> Option<T>
    where
        T: Sized,
    {
        None
    }

    /// There is none.
    fn __lent<'a>(&self, _: &'a KeptArguments, _: usize) -> Option<&'a T> {
        None
    }
}

impl<T: ?Sized> NotKept<T> for Argument<T> {}

/// How a task's arguments are written down, as `#[task]` implements it.
#[doc(hidden)]
#[macro_export]
macro_rules! __keep {
    ($($name:ident),*) => {
        fn keep(
            args: &Self::Args<'_>,
        ) -> $crate::__private::Option<$crate::__private::Vec<::core::primitive::u8>> {
            use $crate::__private::NotKept as _;
            let ($($name),*) = args;
            let mut kept = $crate::__private::KeptWriter::new();
            $($crate::__private::Argument::of($name).__keep($name, &mut kept);)*
            kept.finish()
        }
    };
}

/// The same, and how they are read again.
#[doc(hidden)]
#[macro_export]
macro_rules! __kept {
    ($($index:literal $name:ident $how:ident ($ty:ty)),*) => {
        $crate::__keep! { $($name),* }

        fn kept<'task>(
            kept: &'task $crate::__private::KeptArguments,
        ) -> $crate::__private::Option<Self::Args<'task>> {
            use $crate::__private::NotKept as _;
            $crate::__private::Option::Some(($($crate::__private::Argument::<$ty>::new().$how(kept, $index)?),*))
        }
    };
}
