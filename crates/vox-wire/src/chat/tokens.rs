//! An upper bound on the tokens of a request, for reservations and context checks; bills come from the provider's usage.
//!
//! The rule, over the JSON text of the body (its quotes, braces and keys stand for what providers add per message):
//! * outside ASCII one token per byte, the most a byte-level vocabulary makes of Chinese, Cyrillic or emoji;
//! * a run of lower-case letters one per 3 begun, beyond 16 letters (no word) one per 2; a run of capitals one per 2 begun,
//!   where the single capital that begins a word is part of it;
//! * every digit and every other printable character 1; a run of spaces 1 unless it is a single space before a word;
//! * encoded images, files and sound are left out of the text and counted by kind.

use super::Chat;
use crate::json::{Kind, Value};

/// Tokens counted for one image of any size.
const PER_IMAGE: u64 = 6_000;
/// Tokens counted for a document or recording that is only referred to.
const PER_REFERENCE: u64 = 32_768;
/// What providers write around tools.
const FOR_TOOLS: u64 = 600;
/// What providers write around a conversation.
const PER_REQUEST: u64 = 16;
/// Strings at least this long are looked at as encoded data where a block says so.
const ENCODED_BYTES: usize = 256;

impl Chat {
    /// Returns a number of input tokens meant to lie above the provider's count for language and code.
    ///
    /// The rule is at the head of this file. It is a rule, not a tokenizer: random lower-case letters can exceed it.
    #[must_use]
    pub fn input_tokens_upper(&self) -> u64 {
        let mut counter = Counter::default();
        let root = self.document.root();
        let text = self.document.bytes();
        let mut from = 0;
        let messages = root.get("messages").into_iter().flat_map(Value::items);
        for content in messages.filter_map(|message| message.get("content")) {
            counter.content(text, &mut from, content);
        }
        counter.text(&text[from..]);
        counter.n_tokens + PER_REQUEST + if self.needs.tools { FOR_TOOLS } else { 0 }
    }
}

#[derive(Default)]
struct Counter {
    n_tokens: u64,
}

impl Counter {
    /// Counts everything up to the encoded parts of a message and those parts by kind; moves `from` behind them.
    fn content(&mut self, text: &[u8], from: &mut usize, content: Value<'_>) {
        for block in content.items() {
            let Some(kind) = block.get("type").and_then(Value::as_str) else { continue };
            match kind.as_ref() {
                "image_url" | "image" => self.encoded(text, from, block, |_| PER_IMAGE),
                "input_audio" => self.encoded(text, from, block, |n_bytes| n_bytes / 64 + 100),
                "file" | "document" => self.encoded(text, from, block, |n_bytes| (n_bytes / 2).max(PER_REFERENCE)),
                "tool_result" => block.get("content").into_iter().for_each(|inner| self.content(text, from, inner)),
                _ => {}
            }
        }
    }

    fn encoded(&mut self, text: &[u8], from: &mut usize, block: Value<'_>, tokens: impl Fn(u64) -> u64) {
        let longest = longest_string(block, 4).filter(|value| value.span().len() >= ENCODED_BYTES && is_encoded(block));
        let n_bytes = longest.map_or(0, |value| value.span().len() as u64);
        if let Some(value) = longest {
            self.text(&text[*from..value.span().start]);
            *from = value.span().end;
        }
        self.n_tokens += tokens(n_bytes);
    }

    fn text(&mut self, text: &[u8]) {
        let (mut rest, mut before) = (text, Class::Space);
        while let Some(&first) = rest.first() {
            let class = class_of(first);
            let length = rest.iter().position(|&byte| class_of(byte) != class).unwrap_or(rest.len());
            let behind = rest.get(length).map_or(Class::Other, |&byte| class_of(byte));
            self.n_tokens += run_tokens(before, class, length, behind);
            (rest, before) = (&rest[length..], class);
        }
    }
}

/// A document given as plain text is words, not encoded data.
fn is_encoded(block: Value<'_>) -> bool {
    !block.get("source").and_then(|source| source.get("type")).is_some_and(|kind| kind.is_str("text") || kind.is_str("content"))
}

fn longest_string(value: Value<'_>, levels: usize) -> Option<Value<'_>> {
    match value.kind() {
        Kind::String => Some(value),
        Kind::Object if levels > 0 => {
            value.members().filter_map(|(_, inner)| longest_string(inner, levels - 1)).max_by_key(|inner| inner.span().len())
        }
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Space,
    Wide,
    Other,
}

const fn class_of(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' => Class::Lower,
        b'A'..=b'Z' => Class::Upper,
        b'0'..=b'9' => Class::Digit,
        b' ' | b'\n' | b'\r' | b'\t' => Class::Space,
        0x80.. => Class::Wide,
        _ => Class::Other,
    }
}

fn run_tokens(before: Class, class: Class, length: usize, behind: Class) -> u64 {
    let before_word = matches!(behind, Class::Lower | Class::Upper | Class::Wide);
    let begins_word = matches!(before, Class::Space | Class::Other) && behind == Class::Lower;
    let n_tokens = match class {
        Class::Lower if length > 16 => length.div_ceil(2),
        Class::Lower => length.div_ceil(3),
        Class::Upper if length == 1 && begins_word => 0,
        Class::Upper => length.div_ceil(2),
        Class::Space => usize::from(length > 1 || !before_word),
        Class::Digit | Class::Wide | Class::Other => length,
    };
    n_tokens as u64
}
