//! Panics in the user's code: contained, and told as failures.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::failure::{Cause, Failure};
use crate::words::words;

/// Calls the user's code. What it may leave half-changed is never looked at
/// again: an attempt that panicked is over, and expressions only read.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let failure = Failure::new(Cause::Panic, message(&*payload));
        // What it panicked with may panic in its turn.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
        failure
    })
}

/// Drops a value of the user's, whose destructor may panic too.
pub(crate) fn discard<T>(value: T) {
    if let Err(failure) = contained(|| drop(value)) {
        tracing::warn!(%failure, "a destructor panicked");
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    match text {
        Some(text) => words(&format_args!("panicked: {text}")),
        None => "panicked without a message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_its_message() {
        let words = |result: Result<(), Failure>| result.unwrap_err().to_string();
        assert_eq!(words(contained(|| panic!("plain"))), "panicked: plain");
        assert_eq!(words(contained(|| panic!("number {}", 7))), "panicked: number 7");
        assert_eq!(words(contained(|| std::panic::panic_any(7))), "panicked without a message");
        assert_eq!(contained(|| 7), Ok(7));
    }

    #[test]
    fn a_panic_with_what_panics_when_it_is_dropped_is_contained() {
        struct Again(u8);
        impl Drop for Again {
            fn drop(&mut self) {
                if self.0 > 0 {
                    std::panic::panic_any(Self(self.0 - 1));
                }
            }
        }
        assert_eq!(contained(|| std::panic::panic_any(Again(2))).unwrap_err().cause, Cause::Panic);
    }
}
