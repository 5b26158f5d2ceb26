//! What a cached result is found by: its task, and the arguments, as JSON.
//!
//! `#[task(cache = "24h")]` implements [`Task::cache_key`] with this. Where
//! results are kept, and for how long, is the engine's part.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::codec::CodecError;
use crate::exact::Exact;
use crate::faithful::to_json;
use crate::task::Task;

/// A value that a result can be found by.
///
/// Implemented for everything that serde can write. Two values are the same
/// when their JSON is. Of a value that JSON does not know, such as `NaN`, no
/// result is remembered: the task runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell the results of a cached task apart",
    label = "this type cannot be written as JSON",
    note = "the result of a task with `cache` is found by the task's arguments, written as JSON",
    note = "derive `serde::Serialize` for `{Self}`, or remove `cache` from the task"
)]
pub trait CachedBy {
    /// Makes the value a part of the key.
    fn add(&self, key: &mut CacheKey);
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> CachedBy for T {
    fn add(&self, key: &mut CacheKey) {
        if key.refused.is_none() {
            match write(self) {
                Ok(bytes) => key.part(&bytes),
                Err(source) => key.refused = Some(CodecError::unsaved::<T>(source)),
            }
        }
    }
}

/// By way of an [`Exact`], whose maps are sorted, whatever sort they are: one
/// with the same entries would otherwise seldom be found again.
///
/// What JSON cannot tell apart, such as `NaN` and infinity, has no key.
fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let bytes = to_json(value)?;
    // Nothing in it has an order.
    if !bytes.contains(&b'{') {
        return Ok(bytes);
    }
    match std::str::from_utf8(&bytes).map(Exact::parse) {
        Ok(Ok(sorted)) => serde_json::to_vec(&sorted),
        _ => Ok(bytes),
    }
}

/// The key of a cached result, while its parts are added.
pub struct CacheKey {
    hash: Sha256,
    /// Why a part could not be written.
    refused: Option<CodecError>,
}

impl CacheKey {
    /// The beginning of every key of a task.
    #[must_use]
    pub fn of<T: Task>() -> Self {
        let mut key = Self { hash: Sha256::new(), refused: None };
        key.part(T::DEF.name.as_bytes());
        key.part(&T::DEF.version.to_le_bytes());
        key
    }

    /// With its length, so that parts cannot be taken for others.
    fn part(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    /// The key.
    ///
    /// # Errors
    /// When a part could not be written.
    pub fn finish(self) -> Result<Vec<u8>, CodecError> {
        match self.refused {
            Some(error) => Err(error),
            None => Ok(self.hash.finalize().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::__private as workflow;
    use crate::__private::{Context, Ended, Running, TaskDef, plain_task};

    enum Embed {}
    enum EmbedAnew {}

    macro_rules! task {
        ($name:ty, $version:literal) => {
            impl Task for $name {
                type Args<'a> = ();
                type Return = ();
                type Ok = ();
                type Outcome = ();
                const DEF: TaskDef = TaskDef { version: $version, ..plain_task::<Self>("embed") };
                fn start<'a>((): (), _: &'a Context) -> Running<'a> {
                    workflow::arguments(Vec::new())
                }
                fn finish((): ()) -> Ended {
                    workflow::succeed::<Self>(())
                }
            }
        };
    }
    task!(Embed, 1);
    task!(EmbedAnew, 2);

    fn key<T: Task>(parts: &[&dyn Fn(&mut CacheKey)]) -> Vec<u8> {
        let mut key = CacheKey::of::<T>();
        parts.iter().for_each(|part| part(&mut key));
        key.finish().unwrap()
    }

    fn part<T: CachedBy>(value: T) -> impl Fn(&mut CacheKey) {
        move |key| value.add(key)
    }

    #[test]
    fn a_key_tells_tasks_versions_and_arguments_apart() {
        let keys = [
            key::<Embed>(&[]),
            key::<EmbedAnew>(&[]),
            key::<Embed>(&[&part("ab"), &part("c")]),
            key::<Embed>(&[&part("a"), &part("bc")]),
            key::<Embed>(&[&part("abc")]),
            key::<Embed>(&[&part(1)]),
            key::<Embed>(&[&part("1")]),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(key.len(), 32);
            assert!(!keys[..index].contains(key), "key {index} is an earlier one");
        }
        assert_eq!(key::<Embed>(&[&part("a".to_owned())]), key::<Embed>(&[&part("a")]));
    }

    #[test]
    fn a_map_is_the_same_in_any_order() {
        let map =
            |numbers: std::ops::Range<u32>| numbers.map(|n| (n.to_string(), n)).collect::<HashMap<_, _>>();
        assert_eq!(key::<Embed>(&[&part(map(0..50))]), key::<Embed>(&[&part(map(0..50))]));
        assert_ne!(key::<Embed>(&[&part(map(0..50))]), key::<Embed>(&[&part(map(0..51))]));
    }

    #[test]
    fn large_numbers_are_told_apart_and_what_cannot_be_written_is_said() {
        assert_ne!(key::<Embed>(&[&part(u128::MAX)]), key::<Embed>(&[&part(u128::MAX - 1)]));
        let mut key = CacheKey::of::<Embed>();
        HashMap::from([((1, 2), 3)]).add(&mut key);
        1.add(&mut key);
        let words = key.finish().unwrap_err().to_string();
        assert!(words.contains("HashMap") && words.contains("key must be a string"), "{words}");
    }

    #[test]
    fn what_json_cannot_tell_apart_has_no_key() {
        fn refused<T: CachedBy>(value: T) -> bool {
            let mut key = CacheKey::of::<Embed>();
            value.add(&mut key);
            key.finish().is_err()
        }
        assert!(refused(f64::NAN) && refused(f64::INFINITY) && refused(vec![f32::NEG_INFINITY]));
        assert!(refused(Some(None::<u8>)) && !refused(None::<Option<u8>>) && !refused(0.5));
    }
}
