//! Keeps text from outside from driving the terminal.

use std::borrow::Cow;

/// Returns whether a character moves the cursor, colours the screen or turns text around.
const fn is_active(char: char) -> bool {
    matches!(char, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the text with every active character written out, on one line.
pub(super) fn for_screen(text: &str) -> Cow<'_, str> {
    escaped(text, |char| match char {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        _ => format!("\\u{{{:x}}}", u32::from(char)),
    })
}

/// Returns JSON text with the active characters escaped that JSON itself permits raw.
pub(super) fn for_json(text: &str) -> Cow<'_, str> {
    escaped(text, |char| format!("\\u{:04x}", u32::from(char)))
}

fn escaped(text: &str, written: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_active(char) { out.push_str(&written(char)) } else { out.push(char) }
    }
    Cow::Owned(out)
}
