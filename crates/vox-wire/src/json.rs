//! A JSON reader (RFC 8259) that keeps the place of every value, so that a body can be edited without being written anew.
//!
//! One pass fills a flat tape of spans; strings are decoded only when asked for, numbers are never converted. Refused are
//! duplicate keys, more than 128 levels and text that is not UTF-8. Writing is `write`.

mod parse;
mod write;

use bytes::Bytes;
use std::borrow::Cow;
use std::ops::Range;

pub(crate) use write::{Out, put_str};

/// A parsed JSON text together with its bytes.
#[derive(Debug, Clone)]
pub struct Document {
    bytes: Bytes,
    tape: Vec<Slot>,
}

/// One value on the tape. A container is followed by its children; object children alternate key and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    kind: Kind,
    /// A string that holds at least one backslash.
    escaped: bool,
    start: u32,
    end: u32,
    /// Index of the first slot behind this value and everything in it.
    next: u32,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, kept as written.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object with unique keys.
    Object,
}

/// A value in a document.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document,
    at: u32,
}

/// The text is not JSON as vox reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text breaks the grammar.
    #[error("invalid JSON at byte {offset}: {what}")]
    Invalid {
        /// Byte offset of the trouble.
        offset: usize,
        /// What was found or missing.
        what: &'static str,
    },
    /// An object holds the same key twice, so that two readers could understand it differently.
    #[error("duplicate key `{key}` at byte {offset}")]
    Duplicate {
        /// The key.
        key: String,
        /// Byte offset of the second occurrence.
        offset: usize,
    },
    /// Containers are nested more than [`MAX_DEPTH`] levels deep.
    #[error("JSON nested deeper than {MAX_DEPTH} levels at byte {offset}")]
    TooDeep {
        /// Byte offset of the container that is one too many.
        offset: usize,
    },
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Byte offset of the first bad byte.
        offset: usize,
    },
}

/// Most levels of arrays and objects inside one another.
pub const MAX_DEPTH: usize = 128;

impl Document {
    /// Parses one JSON text.
    ///
    /// # Errors
    /// The bytes are not UTF-8 or not JSON, hold a duplicate key or are nested too deep.
    pub fn parse(bytes: Bytes) -> Result<Self, JsonError> {
        let tape = Vec::with_capacity(bytes.len() / 24 + 8);
        Self::parse_reusing(bytes, tape)
    }

    /// As [`Document::parse`], with the tape of an earlier document that is no longer needed.
    pub(crate) fn parse_reusing(bytes: Bytes, mut tape: Vec<Slot>) -> Result<Self, JsonError> {
        tape.clear();
        parse::fill(&bytes, &mut tape)?;
        Ok(Self { bytes, tape })
    }

    pub(crate) fn into_tape(self) -> Vec<Slot> {
        self.tape
    }

    /// Returns the outermost value.
    #[must_use]
    pub const fn root(&self) -> Value<'_> {
        Value { document: self, at: 0 }
    }

    /// Returns the bytes that were parsed.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    fn text(&self, span: Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[span]).expect("the whole text was checked as UTF-8, and spans end at ASCII bytes")
    }
}

impl<'a> Value<'a> {
    const fn slot(self) -> Slot {
        self.document.tape.as_slice()[self.at as usize]
    }

    /// Returns what this value is.
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.slot().kind
    }

    /// Returns where the value stands in the document's bytes.
    #[must_use]
    pub const fn span(self) -> Range<usize> {
        let slot = self.slot();
        slot.start as usize..slot.end as usize
    }

    /// Returns the value exactly as written.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.document.text(self.span())
    }

    /// Returns a string exactly as written between its quotes, escapes included; empty for anything else.
    pub(crate) fn raw_inner(self) -> &'a str {
        match self.kind() {
            Kind::String => self.document.text(self.span().start + 1..self.span().end - 1),
            _ => "",
        }
    }

    /// Returns the value under a key, if this is an object that has it.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        self.members().find(|(name, _)| name.is_str(key)).map(|(_, value)| value)
    }

    /// Returns the entries of an object in the order written; nothing for other kinds.
    pub fn entries(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        self.members().map(|(key, value)| (key.as_str().unwrap_or_default(), value))
    }

    /// Returns the entries of an object with the key as a value, which has a span.
    pub(crate) fn members(self) -> impl Iterator<Item = (Self, Self)> {
        let mut children = self.children(Kind::Object);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// Returns the items of an array; nothing for other kinds.
    pub fn items(self) -> impl Iterator<Item = Self> {
        self.children(Kind::Array)
    }

    fn children(self, kind: Kind) -> Children<'a> {
        let slot = self.slot();
        let end = if slot.kind == kind { slot.next } else { self.at + 1 };
        Children { document: self.document, at: self.at + 1, end }
    }

    /// Returns the decoded text of a string; half a surrogate pair becomes U+FFFD.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let slot = self.slot();
        match (slot.kind, slot.escaped) {
            (Kind::String, false) => Some(Cow::Borrowed(self.raw_inner())),
            (Kind::String, true) => Some(Cow::Owned(parse::unescape(self.raw_inner()))),
            _ => None,
        }
    }

    /// Returns how many bytes a string has as written; 0 for anything else.
    pub(crate) fn n_bytes(self) -> usize {
        self.inner_span().len()
    }

    /// Returns the text of the last bytes of a string, at most this many as written.
    pub(crate) fn str_end(self, n_bytes: usize) -> Cow<'a, str> {
        let (span, bytes) = (self.inner_span(), self.document.bytes.as_ref());
        let mut from = span.end - n_bytes.min(span.len());
        while from < span.end && !is_char_start(bytes[from]) {
            from += 1;
        }
        // Behind an odd number of backslashes stands the letter of an escape, which belongs to them.
        from += usize::from(from < span.end && ends_in_escape(&bytes[span.start..from]));
        self.decoded(from..span.end)
    }

    /// Returns the text of the first bytes of a string, at most this many as written.
    pub(crate) fn str_start(self, n_bytes: usize) -> Cow<'a, str> {
        let (span, bytes) = (self.inner_span(), self.document.bytes.as_ref());
        let mut to = span.start + n_bytes.min(span.len());
        while to < span.end && !is_char_start(bytes[to]) {
            to -= 1;
        }
        to -= usize::from(ends_in_escape(&bytes[span.start..to]));
        self.decoded(span.start..to)
    }

    fn inner_span(self) -> Range<usize> {
        let span = self.span();
        if self.kind() == Kind::String { span.start + 1..span.end - 1 } else { span.start..span.start }
    }

    fn decoded(self, span: Range<usize>) -> Cow<'a, str> {
        let text = self.document.text(span);
        if self.slot().escaped { Cow::Owned(parse::unescape(text)) } else { Cow::Borrowed(text) }
    }

    /// Returns a name for the place of this value in its document.
    pub(crate) const fn place(self) -> u32 {
        self.at
    }

    /// Returns the items of an array from the one at a place that was named before.
    pub(crate) fn items_from(self, place: u32) -> impl Iterator<Item = Self> {
        Children { document: self.document, at: place, end: self.slot().next }
    }

    /// Returns whether this is a string with that text.
    pub(crate) fn is_str(self, text: &str) -> bool {
        let slot = self.slot();
        if slot.kind != Kind::String {
            return false;
        }
        if slot.escaped {
            return parse::unescape(self.raw_inner()) == text;
        }
        self.document.bytes[slot.start as usize + 1..slot.end as usize - 1] == *text.as_bytes()
    }

    /// Returns a whole number from 0 to 2⁶⁴ − 1 written without fraction or exponent.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// Returns a whole number of 64 bits written without fraction or exponent.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// Returns `true` or `false`.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        if self.kind() == Kind::Bool { Some(self.document.bytes[self.span().start] == b't') } else { None }
    }

    /// Returns whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.raw())
    }
}

const fn is_char_start(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn ends_in_escape(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

struct Children<'a> {
    document: &'a Document,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { document: self.document, at: self.at };
        self.at = value.slot().next;
        Some(value)
    }
}

#[cfg(test)]
mod tests;
