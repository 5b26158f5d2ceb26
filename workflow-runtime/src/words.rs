//! What the user's code says, in errors, panics and logs, on its way into a
//! run: bounded, however much it says, and without the secrets that this process
//! has held.

use std::error::Error;
use std::fmt::{self, Display, Write};

use crate::held::{LONGEST as LONGEST_SECRET, masked};

/// How many bytes of a text are kept.
pub(crate) const LONGEST: usize = 64 << 10;

/// How many errors of a chain are kept. An error may name itself as its cause.
const LINKS: usize = 32;

/// A text of the user's.
pub(crate) fn words(text: &(impl Display + ?Sized)) -> String {
    short(text, LONGEST)
}

/// A text of which so many bytes are kept.
pub(crate) fn short(text: &(impl Display + ?Sized), limit: usize) -> String {
    let mut bounded = Bounded::new(limit);
    // What cannot be written to its end is kept as far as it goes.
    let _ = write!(bounded, "{text}");
    bounded.end()
}

/// An error and those that caused it, each in its own words.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut links = vec![words(error)];
    let mut before = error;
    while let Some(cause) = before.source() {
        let said = words(cause);
        // The first field of an error is where the error is.
        let again = std::ptr::addr_eq(before, cause) && links.last() == Some(&said);
        if links.len() == LINKS || again {
            links.push("… (more causes left out)".to_owned());
            break;
        }
        links.push(said);
        before = cause;
    }
    links
}

/// How much more of a text is taken than is kept.
const SLACK: usize = LONGEST_SECRET;

/// A text that does not grow beyond its limit.
pub(crate) struct Bounded {
    limit: usize,
    text: String,
    /// How many bytes did not fit.
    over: usize,
}

impl Bounded {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit + SLACK, text: String::new(), over: 0 }
    }

    pub(crate) fn push(&mut self, text: &str) {
        let room = if self.over > 0 { 0 } else { self.limit - self.text.len() };
        let fits = text.floor_char_boundary(room);
        self.text.push_str(&text[..fits]);
        self.over += text.len() - fits;
    }

    #[cfg(feature = "logs")]
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How much is there.
    #[cfg(feature = "logs")]
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.text.len(), self.over)
    }

    /// What was pushed since.
    #[cfg(feature = "logs")]
    pub(crate) fn since(&self, (len, _): (usize, usize)) -> &str {
        &self.text[len..]
    }

    /// Forgets what was pushed since.
    #[cfg(feature = "logs")]
    pub(crate) fn back_to(&mut self, (len, over): (usize, usize)) {
        self.text.truncate(len);
        self.over = over;
    }

    pub(crate) fn end(self) -> String {
        let Self { limit, text, over } = self;
        let length = text.len() + over;
        let text = masked(text);
        // What was taken beyond the limit was for a secret that lies across it.
        let end = text.floor_char_boundary(limit.saturating_sub(SLACK));
        match &text[..end] {
            _ if text.len() == end && over == 0 => text,
            kept => format!("{kept}… ({} bytes left out)", length.saturating_sub(end)),
        }
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Itself;

    impl Display for Itself {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again")
        }
    }

    impl Error for Itself {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    /// Each names the other one.
    #[derive(Debug)]
    struct Ring(&'static Ring, &'static str);

    static ONE: Ring = Ring(&OTHER, "one");
    static OTHER: Ring = Ring(&ONE, "other");

    impl Display for Ring {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }

    impl Error for Ring {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.0)
        }
    }

    #[test]
    fn an_error_that_causes_itself_is_told_once() {
        assert_eq!(chain(&Itself), ["again", "… (more causes left out)"]);
        let ring = chain(&ONE);
        assert_eq!((ring.len(), &*ring[31]), (LINKS + 1, "other"));
        assert_eq!(ring[LINKS], "… (more causes left out)");
    }

    #[test]
    fn a_long_text_says_how_much_of_it_is_left_out() {
        let kept = words(&"ü".repeat(LONGEST));
        assert!(kept.starts_with('ü') && kept.ends_with(&format!("ü… ({LONGEST} bytes left out)")));
        assert_eq!(words("short"), "short");
    }
}
