//! Text from outside, made visible: what a task says of its failure, keys,
//! names, paths, what people typed.
//!
//! A terminal and a browser obey some characters, move others to where they
//! were not, and do not show others at all.

use std::borrow::Cow;
use std::fmt::Write;

/// Text on one line, with nothing in it that a terminal would obey or not
/// show: where a line ends is a space, and what else cannot be seen is written
/// as Rust does, `\u{202e}`. To do it twice changes nothing.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            // One end of a line.
            '\n' if before == '\r' => {}
            '\n' | '\r' | '\t' => visible.push(' '),
            c if is_visible(c) => visible.push(c),
            c => _ = write!(visible, "{}", c.escape_unicode()),
        }
        before = c;
    }
    Cow::Owned(visible)
}

/// The same for a text of several lines, which stay lines.
#[cfg(feature = "serve")]
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\n' || is_visible(c)) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => visible.push(c),
            '\t' => visible.push_str("    "),
            // The end of a line elsewhere.
            '\r' => visible.push(' '),
            c if is_visible(c) => visible.push(c),
            c => _ = write!(visible, "{}", c.escape_unicode()),
        }
    }
    Cow::Owned(visible)
}

/// Whether a character is shown where it stands: as itself, or as a space.
pub(crate) fn is_visible(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return true;
    }
    match c {
        // They take space, as they should, in many languages' texts.
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => true,
        // Letters and marks that Unicode has ignored where they mean nothing.
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}' => false,
        // As the standard library has it, which does not print what controls,
        // formats, is private or means nothing yet. It would write a mark out
        // that has no letter before it, so it is given one.
        c => {
            let mut buffer = [0; 5];
            buffer[0] = b'a';
            let length = 1 + c.encode_utf8(&mut buffer[1..]).len();
            std::str::from_utf8(&buffer[..length]).is_ok_and(|pair| pair.escape_debug().count() == 2)
        }
    }
}

/// As much of a text as takes so many columns, with `…` where it is cut.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if text.chars().map(columns_of).sum::<usize>() <= columns {
        return Cow::Borrowed(text);
    }
    let mut left = columns.saturating_sub(1);
    let kept = text.chars().take_while(|c| match left.checked_sub(columns_of(*c)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    });
    Cow::Owned(kept.chain(['…']).collect())
}

/// How many columns a terminal gives a character: two to those of East Asia
/// and to pictures, roughly.
fn columns_of(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// JSON in which every character can be seen: what is not visible in a text is
/// written as JSON can, `\u202e`, and means the same.
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    if json.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(json);
    }
    let mut visible = String::with_capacity(json.len());
    for c in json.chars() {
        if is_visible(c) {
            visible.push(c);
        } else {
            // Outside of texts JSON is written without any such.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(visible, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal obeys or does not show, one of each kind.
    const HIDDEN: [char; 34] = [
        '\0',
        '\u{7}',
        '\u{8}',
        '\u{b}',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{206a}',
        '\u{3164}',
        '\u{e000}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{fff9}',
        '\u{ffff}',
        '\u{1d173}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{10fffd}',
    ];

    #[test]
    fn a_terminal_obeys_nothing_from_outside() {
        assert_eq!(plain("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb c");
        assert_eq!(plain("one\r\ntwo\tthree\rfour"), "one two three four");
        for c in HIDDEN {
            let text = format!("a{c}b");
            assert_eq!(plain(&text), format!("a\\u{{{:x}}}b", u32::from(c)));
            assert_eq!(plain(&plain(&text)), plain(&text), "twice changes nothing");
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["größe", "日本語", "e\u{301}", "नमस्ते", "שלום", "✓ → …", "😀", "1\u{a0}000 €", "a\\u{1b}"]
        {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn a_text_is_cut_where_the_columns_end() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(columns("日本e\u{301}"), 5);
    }

    #[test]
    fn json_means_the_same_and_can_be_seen() {
        let text: String = HIDDEN.into_iter().chain("\"größe\\\n😀".chars()).collect();
        let json = serde_json::Value::String(text).to_string();
        let visible = visible_json(&json);
        assert!(visible.chars().all(is_visible), "{visible}");
        assert!(visible.contains("größe") && visible.contains("\\udb40\\udc41"), "{visible}");
        assert_eq!(
            serde_json::from_str::<String>(&visible).unwrap(),
            serde_json::from_str::<String>(&json).unwrap()
        );
    }
}
