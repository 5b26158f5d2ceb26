//! Iterators that give the same items in the same order each time they are
//! made of the same values: what a `for` may go over without storing its items.

use std::collections::{btree_map, btree_set, linked_list, vec_deque};
use std::{array, iter, ops, option, result, slice, str, vec};

/// An iterator whose items have places.
///
/// Not so: that of a map or set of hashes, which has another order in each
/// process, and those that nobody here knows.
#[diagnostic::on_unimplemented(
    message = "the items of `{Self}` may have another order in another process, and a run comes back to each by its place",
    label = "these items have no order that is sure to stay",
    note = "put them into a list first: `let items: Vec<Item> = ….collect();`"
)]
pub trait Ordered: Iterator {
    /// The item at a place. There is none only where the items are others than
    /// before.
    fn item_at(mut self, place: usize) -> Self::Item
    where
        Self: Sized,
    {
        self.nth(place).unwrap_or_else(|| {
            panic!(
                "a `for` finds fewer items than before; what it goes over is evaluated more than once, so make a \
                 task of what can change"
            )
        })
    }
}

/// `impl<'a, T, …> Ordered for …`, each with what it rests on.
macro_rules! rests {
    ($([$($generics:tt)*] $ty:ty $(where $($what:ty),*)?;)*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl<$($generics)*> Ordered for $ty
            where
                Self: Iterator,
                $($($what: Ordered,)*)?
            {
            }
        )*
    };
}

rests! {
    ['a, T] slice::Iter<'a, T>;
    ['a, T] slice::Chunks<'a, T>;
    ['a, T] slice::ChunksExact<'a, T>;
    ['a, T] slice::RChunks<'a, T>;
    ['a, T] slice::Windows<'a, T>;
    [T] vec::IntoIter<T>;
    [T, const N: usize] array::IntoIter<T, N>;
    [T] ops::Range<T>;
    [T] ops::RangeInclusive<T>;
    [T] option::IntoIter<T>;
    ['a, T] option::Iter<'a, T>;
    [T] result::IntoIter<T>;
    ['a, T] result::Iter<'a, T>;
    [T] iter::Once<T>;
    [T] iter::Empty<T>;
    [T] iter::RepeatN<T>;
    ['a] str::Chars<'a>;
    ['a] str::CharIndices<'a>;
    ['a] str::Bytes<'a>;
    ['a] str::Lines<'a>;
    ['a] str::SplitWhitespace<'a>;
    ['a] str::SplitAsciiWhitespace<'a>;
    ['a] str::Split<'a, char>;
    ['a, 'b] str::Split<'a, &'b str>;
    ['a] str::SplitTerminator<'a, char>;
    ['a, 'b] str::SplitTerminator<'a, &'b str>;
    ['a] str::RSplit<'a, char>;
    ['a] str::SplitN<'a, char>;
    ['a, 'b] str::SplitN<'a, &'b str>;
    [K, V] btree_map::IntoIter<K, V>;
    ['a, K, V] btree_map::Iter<'a, K, V>;
    ['a, K, V] btree_map::Keys<'a, K, V>;
    ['a, K, V] btree_map::Values<'a, K, V>;
    ['a, K, V] btree_map::Range<'a, K, V>;
    [K, V] btree_map::IntoKeys<K, V>;
    [K, V] btree_map::IntoValues<K, V>;
    [T] btree_set::IntoIter<T>;
    ['a, T] btree_set::Iter<'a, T>;
    ['a, T] btree_set::Range<'a, T>;
    [T] vec_deque::IntoIter<T>;
    ['a, T] vec_deque::Iter<'a, T>;
    [T] linked_list::IntoIter<T>;
    ['a, T] linked_list::Iter<'a, T>;
    [I] iter::Enumerate<I> where I;
    [I] iter::Rev<I> where I;
    [I] iter::Skip<I> where I;
    [I] iter::Take<I> where I;
    [I] iter::StepBy<I> where I;
    [I] iter::Copied<I> where I;
    [I] iter::Cloned<I> where I;
    [I] iter::Fuse<I> where I;
    [I: Iterator] iter::Peekable<I> where I;
    [A, B] iter::Zip<A, B> where A, B;
    [A, B] iter::Chain<A, B> where A, B;
    [I, F] iter::Map<I, F> where I;
    [I, F] iter::Filter<I, F> where I;
    [I, F] iter::FilterMap<I, F> where I;
    [I, F] iter::TakeWhile<I, F> where I;
    [I, F] iter::SkipWhile<I, F> where I;
    [I, F] iter::MapWhile<I, F> where I;
    [I, F] iter::Inspect<I, F> where I;
    [I, S, F] iter::Scan<I, S, F> where I;
    [I: Iterator, U: IntoIterator, F] iter::FlatMap<I, U, F> where I, U::IntoIter;
    [I: Iterator<Item: IntoIterator>] iter::Flatten<I> where I, <I::Item as IntoIterator>::IntoIter;
}
