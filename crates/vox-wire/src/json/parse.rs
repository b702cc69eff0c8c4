//! Fills the tape: a loop with its own stack of open containers, so that depth costs no call stack.

use super::{JsonError, Kind, MAX_DEPTH, Slot};

pub(super) fn fill(bytes: &[u8], tape: &mut Vec<Slot>) -> Result<(), JsonError> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(JsonError::NotUtf8 { offset: error.valid_up_to() });
    }
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonError::Invalid { offset: 0, what: "larger than 4 GiB" });
    }
    Filler { bytes, tape, at: 0, open: Vec::with_capacity(16) }.document()
}

struct Filler<'a> {
    bytes: &'a [u8],
    tape: &'a mut Vec<Slot>,
    at: usize,
    /// Tape indexes of the containers around the current place.
    open: Vec<u32>,
}

/// What the grammar allows next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

impl Filler<'_> {
    fn document(mut self) -> Result<(), JsonError> {
        let mut next = Next::Value;
        loop {
            let byte = self.skip_space().ok_or_else(|| self.invalid("the text ends too early"))?;
            next = match next {
                Next::Value => self.value(byte)?,
                Next::ValueOrEnd if byte == b']' => self.close()?,
                Next::ValueOrEnd => self.value(byte)?,
                Next::KeyOrEnd if byte == b'}' => self.close()?,
                Next::Key | Next::KeyOrEnd => self.key(byte)?,
                Next::CommaOrEnd => self.comma_or_end(byte)?,
            };
            if self.open.is_empty() {
                return if self.skip_space().is_none() { Ok(()) } else { Err(self.invalid("text behind the value")) };
            }
        }
    }

    #[inline]
    fn skip_space(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn value(&mut self, byte: u8) -> Result<Next, JsonError> {
        match byte {
            b'{' => self.open(Kind::Object),
            b'[' => self.open(Kind::Array),
            b'"' => self.string(),
            b't' => self.word(b"true", Kind::Bool),
            b'f' => self.word(b"false", Kind::Bool),
            b'n' => self.word(b"null", Kind::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.invalid("expected a value")),
        }
    }

    fn open(&mut self, kind: Kind) -> Result<Next, JsonError> {
        if self.open.len() == MAX_DEPTH {
            return Err(JsonError::TooDeep { offset: self.at });
        }
        self.open.push(index(self.tape.len()));
        let start = self.at;
        self.at += 1;
        self.push(kind, start, false);
        Ok(if kind == Kind::Object { Next::KeyOrEnd } else { Next::ValueOrEnd })
    }

    fn close(&mut self) -> Result<Next, JsonError> {
        self.at += 1;
        let opened = self.open.pop().ok_or_else(|| self.invalid("nothing to close"))?;
        let (end, next) = (index(self.at), index(self.tape.len()));
        let slot = &mut self.tape[opened as usize];
        (slot.end, slot.next) = (end, next);
        if slot.kind == Kind::Object {
            self.refuse_duplicates(opened as usize)?;
        }
        Ok(Next::CommaOrEnd)
    }

    fn comma_or_end(&mut self, byte: u8) -> Result<Next, JsonError> {
        let in_object = self.open.last().is_some_and(|&opened| self.tape[opened as usize].kind == Kind::Object);
        match (byte, in_object) {
            (b',', true) => {
                self.at += 1;
                Ok(Next::Key)
            }
            (b',', false) => {
                self.at += 1;
                Ok(Next::Value)
            }
            (b'}', true) | (b']', false) => self.close(),
            _ => Err(self.invalid("expected a comma or the end of the container")),
        }
    }

    fn key(&mut self, byte: u8) -> Result<Next, JsonError> {
        if byte != b'"' {
            return Err(self.invalid("expected a key in quotes"));
        }
        self.string()?;
        if self.skip_space() != Some(b':') {
            return Err(self.invalid("expected a colon"));
        }
        self.at += 1;
        Ok(Next::Value)
    }

    fn string(&mut self) -> Result<Next, JsonError> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            let rest = &self.bytes[self.at..];
            let length = memchr::memchr2(b'"', b'\\', rest).ok_or_else(|| self.invalid("string without end"))?;
            if let Some(control) = rest[..length].iter().position(|&byte| byte < 0x20) {
                self.at += control;
                return Err(self.invalid("control character in a string"));
            }
            self.at += length + 1;
            if rest[length] == b'"' {
                break;
            }
            escaped = true;
            self.escape()?;
        }
        self.push(Kind::String, start, escaped);
        Ok(Next::CommaOrEnd)
    }

    /// Steps over what follows a backslash.
    fn escape(&mut self) -> Result<(), JsonError> {
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') if self.bytes.get(self.at + 1..self.at + 5).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => self.at += 5,
            _ => return Err(self.invalid("unknown escape")),
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Next, JsonError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.invalid("expected a value"));
        }
        let start = self.at;
        self.at += word.len();
        self.push(kind, start, false);
        Ok(Next::CommaOrEnd)
    }

    fn number(&mut self) -> Result<Next, JsonError> {
        let start = self.at;
        self.at += usize::from(self.bytes[self.at] == b'-');
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        self.push(Kind::Number, start, false);
        Ok(Next::CommaOrEnd)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let n = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += n;
        if n == 0 { Err(self.invalid("expected a digit")) } else { Ok(()) }
    }

    fn push(&mut self, kind: Kind, start: usize, escaped: bool) {
        let next = index(self.tape.len() + 1);
        self.tape.push(Slot { kind, escaped, start: index(start), end: index(self.at), next });
    }

    fn invalid(&self, what: &'static str) -> JsonError {
        JsonError::Invalid { offset: self.at, what }
    }

    /// Compares few keys pairwise and sorts many, so that a hostile object costs no more than its size.
    fn refuse_duplicates(&self, opened: usize) -> Result<(), JsonError> {
        let end = self.tape[opened].next as usize;
        let after = |key: &usize| self.tape.get(key + 1).map(|value| value.next as usize);
        let keys = || std::iter::successors(Some(opened + 1), after).take_while(|&key| key < end);
        let mut n_keys = 0;
        for key in keys() {
            n_keys += 1;
            if n_keys > PAIRWISE_KEYS || self.tape[key].escaped {
                return self.refuse_duplicates_sorted(keys().collect());
            }
            let name = self.key_bytes(key);
            if keys().take(n_keys - 1).any(|earlier| self.key_bytes(earlier) == name) {
                return Err(self.duplicate(key));
            }
        }
        Ok(())
    }

    fn refuse_duplicates_sorted(&self, keys: Vec<usize>) -> Result<(), JsonError> {
        let mut named: Vec<(String, usize)> = keys.into_iter().map(|key| (self.key_text(key), key)).collect();
        named.sort_unstable();
        match named.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min() {
            Some(key) => Err(self.duplicate(key)),
            None => Ok(()),
        }
    }

    fn duplicate(&self, key: usize) -> JsonError {
        JsonError::Duplicate { key: self.key_text(key), offset: self.tape[key].start as usize }
    }

    fn key_bytes(&self, key: usize) -> &[u8] {
        let slot = self.tape[key];
        &self.bytes[slot.start as usize + 1..slot.end as usize - 1]
    }

    fn key_text(&self, key: usize) -> String {
        unescape(&String::from_utf8_lossy(self.key_bytes(key)))
    }
}

/// Most keys of an object that are compared pairwise.
const PAIRWISE_KEYS: usize = 24;

#[expect(clippy::cast_possible_truncation, reason = "the text is at most u32::MAX bytes, and a slot takes at least one")]
const fn index(at: usize) -> u32 {
    at as u32
}

/// Returns the text of a string whose escapes were checked.
pub(super) fn unescape(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (letter, behind) = decode_escape(&rest[at + 1..]);
        text.push(letter);
        rest = behind;
    }
    text.push_str(rest);
    text
}

fn decode_escape(escape: &str) -> (char, &str) {
    let letter = match escape.as_bytes().first() {
        Some(b'u') => return decode_unicode(&escape[1..]),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(&other) => char::from(other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (letter, escape.get(1..).unwrap_or_default())
}

fn decode_unicode(digits: &str) -> (char, &str) {
    let unit = hex(digits);
    let rest = digits.get(4..).unwrap_or_default();
    if (0xd800..0xdc00).contains(&unit)
        && let Some(low) = rest.strip_prefix("\\u").map(hex).filter(|low| (0xdc00..0xe000).contains(low))
    {
        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), &rest[6..]);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn hex(digits: &str) -> u32 {
    digits.get(..4).and_then(|four| u32::from_str_radix(four, 16).ok()).unwrap_or_default()
}
