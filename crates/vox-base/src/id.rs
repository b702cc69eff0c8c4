//! Typed ids: sixteen bytes, ordered by creation time (UUID version 7, RFC 9562 section 5.7).
//!
//! The caller supplies the time and the random part, so that cores stay free of clocks and randomness.

use crate::Timestamp;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// An id of one thing of kind `K`.
pub struct Id<K> {
    bytes: [u8; 16],
    kind: PhantomData<fn() -> K>,
}

/// The text or bytes are not an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected an id of 32 hexadecimal digits, with or without hyphens")]
pub struct InvalidId;

impl<K> Id<K> {
    /// Returns the version 7 id of this moment and these random bytes.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now.millis().to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self::from_bytes(bytes)
    }

    /// Returns the id with exactly these bytes; foreign trace ids need not be version 7.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self { bytes, kind: PhantomData }
    }

    /// Returns the sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// Returns the same bytes as an id of another kind: an interaction's id is also the id of the trace it starts.
    #[must_use]
    pub const fn cast<L>(self) -> Id<L> {
        Id::from_bytes(self.bytes)
    }

    /// Returns the moment inside a version 7 id.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.bytes[..6]);
        Timestamp::from_millis(i64::from_be_bytes(millis))
    }

    /// Returns the 32 hexadecimal digits without hyphens, as `traceparent` wants them.
    #[must_use]
    pub fn simple(&self) -> String {
        self.bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
            text.push(hex_digit(byte >> 4));
            text.push(hex_digit(byte & 0x0f));
            text
        })
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(nibble)])
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = hex_digit(byte >> 4) as u8;
            text[at + 1] = hex_digit(byte & 0x0f) as u8;
            at += 2;
        }
        f.pad(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let hyphenated = text.len() == 36 && [8, 13, 18, 23].iter().all(|&at| text.as_bytes()[at] == b'-');
        if !hyphenated && text.len() != 32 {
            return Err(InvalidId);
        }
        let mut digits = text.bytes().enumerate().filter(|(at, _)| !hyphenated || !matches!(at, 8 | 13 | 18 | 23));
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            let (_, high) = digits.next().ok_or(InvalidId)?;
            let (_, low) = digits.next().ok_or(InvalidId)?;
            *byte = hex_value(high)? << 4 | hex_value(low)?;
        }
        Ok(Self::from_bytes(bytes))
    }
}

fn hex_value(digit: u8) -> Result<u8, InvalidId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(InvalidId),
    }
}

impl<K> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

// Derives would ask `K` for the same traits, and the kinds are empty enums without any.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

#[cfg(test)]
mod tests;
