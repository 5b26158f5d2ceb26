//! States, times and values, as all pages show them.

use std::time::Duration;

use maud::{Markup, html};

use crate::exact::Exact;
use crate::inspect::time::{local, short, utc};
use crate::inspect::view::{Mark, Time, readable};
use crate::run::{RunState, Timestamp};

/// How much of a value is shown, in bytes.
const VALUE: usize = 16 << 10;

/// How much of a text is shown among others, in letters.
pub(super) const LINE: usize = 240;

/// What to think of a run.
pub(super) fn mark_of(state: RunState) -> Mark {
    match state {
        RunState::Succeeded => Mark::Done,
        RunState::Failed | RunState::Blocked => Mark::Failed,
        RunState::Cancelled => Mark::Gone,
        RunState::Running | RunState::Undoing | RunState::Cancelling => Mark::Running,
        RunState::Queued | RunState::Waiting | RunState::Paused => Mark::Waiting,
    }
}

/// The shape that a state has, beside its colour and its word.
pub(super) fn shape(mark: Option<Mark>) -> &'static str {
    match mark {
        Some(Mark::Done) => "✓",
        Some(Mark::Running) => "▶",
        Some(Mark::Waiting) => "◷",
        Some(Mark::Failed) => "✗",
        Some(Mark::Gone) => "–",
        None => "·",
    }
}

/// The class of a mark, for its colour.
pub(super) fn class(mark: Option<Mark>) -> &'static str {
    match mark {
        Some(Mark::Done) => "done",
        Some(Mark::Running) => "running",
        Some(Mark::Waiting) => "waiting",
        Some(Mark::Failed) => "failed",
        Some(Mark::Gone) => "gone",
        None => "none",
    }
}

/// A state: its shape and its word.
pub(super) fn state(mark: Mark, word: &str) -> Markup {
    html! {
        span.state.(class(Some(mark))) {
            span.shape aria-hidden="true" { (shape(Some(mark))) }
            (word)
        }
    }
}

/// How long ago something was, and when on hover.
pub(super) fn ago(at: Time, now: Timestamp) -> Markup {
    let words = if at.0 > now {
        format!("in {}", short(at.0.since(now)))
    } else {
        format!("{} ago", coarse(now.since(at.0)))
    };
    html! { time datetime=(utc(at.0)) title=(local(at.0)) { (words) } }
}

/// An exact time.
pub(super) fn when(at: Time) -> Markup {
    html! { time datetime=(utc(at.0)) title=(utc(at.0)) { (local(at.0)) } }
}

/// A length of time for ages, which nobody needs to the millisecond.
fn coarse(length: Duration) -> String {
    match length.as_secs() {
        0 => "a moment".to_owned(),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A text among others, cut where it is long: all of it on hover.
pub(super) fn brief(text: &str) -> Markup {
    match text.char_indices().nth(LINE) {
        None => html! { (text) },
        Some((end, _)) => html! { span title=(clip(text, 2_000)) { (&text[..end]) "…" } },
    }
}

/// A sentence, in which what stands between backticks is code.
pub(super) fn said(text: &str) -> Markup {
    let end = text.char_indices().nth(2 * LINE).map_or(text.len(), |(end, _)| end);
    html! {
        @for (number, part) in text[..end].split('`').enumerate() {
            @if number % 2 == 1 { code { (part) } } @else { (part) }
        }
        @if end < text.len() { "…" }
    }
}

fn clip(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A value as its reader sees it.
pub(super) fn value(value: &Exact) -> Markup {
    let text = readable(value).unwrap_or_else(|| "null".to_owned());
    block(&text)
}

/// A text of several lines, as far as a page has room for it.
pub(super) fn block(text: &str) -> Markup {
    let shown = clip(text, VALUE);
    html! {
        pre { (shown) }
        @if shown.len() < text.len() {
            p.help { (text.len() - shown.len()) " more bytes are not shown here; the API has all of it" }
        }
    }
}

/// `1 run`, `1000+ runs`.
pub(super) fn up_to(count: usize, most: usize) -> String {
    if count >= most && most > 0 { format!("{most}+") } else { count.to_string() }
}
