//! Deterministic CBOR (RFC 8949 section 4.2.1), as much of it as the vault's formats need: unsigned integers, bytes,
//! text, arrays, and maps with unsigned keys in rising order.
//!
//! One value has one encoding. The decoder refuses every other spelling, so that a signature over bytes is a signature
//! over a value; it never reserves memory for a length it has not seen the bytes of.

/// A value, borrowing its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A number from 0.
    Uint(u64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// UTF-8 text.
    Text(&'a str),
    /// Values in order.
    Array(Vec<Self>),
    /// Values by number, keys strictly rising.
    Map(Vec<(u64, Self)>),
}

/// The bytes are not the one encoding of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCbor {
    /// The bytes end inside a value.
    #[error("the bytes end inside a value")]
    Truncated,
    /// Bytes follow the value.
    #[error("bytes follow the value")]
    Trailing,
    /// A length or number is not written in its shortest form, or is indefinite.
    #[error("a number or length is not in its shortest form")]
    NotShortest,
    /// Map keys repeat or do not rise.
    #[error("map keys repeat or do not rise")]
    KeyOrder,
    /// A map key is not an unsigned integer.
    #[error("a map key is not an unsigned integer")]
    KeyType,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    NotText,
    /// A type these formats do not use.
    #[error("a type that is not used here")]
    Type,
    /// More than eight levels.
    #[error("nested deeper than eight levels")]
    Depth,
}

const MAX_DEPTH: usize = 8;

impl<'a> Value<'a> {
    /// Returns the encoding.
    #[must_use]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.write(&mut out);
        out
    }

    /// Returns how many bytes the encoding has; buffers of secrets are made at this size so that they never move.
    #[must_use]
    pub(crate) fn encoded_len(&self) -> usize {
        match self {
            Self::Uint(number) => head_len(*number),
            Self::Bytes(bytes) => head_len(bytes.len() as u64) + bytes.len(),
            Self::Text(text) => head_len(text.len() as u64) + text.len(),
            Self::Array(items) => head_len(items.len() as u64) + items.iter().map(Value::encoded_len).sum::<usize>(),
            Self::Map(entries) => {
                let inside: usize = entries.iter().map(|(key, value)| head_len(*key) + value.encoded_len()).sum();
                head_len(entries.len() as u64) + inside
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Uint(number) => write_head(out, 0, *number),
            Self::Bytes(bytes) => {
                write_head(out, 2, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => {
                write_head(out, 3, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Array(items) => {
                write_head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(entries) => {
                write_head(out, 5, entries.len() as u64);
                for (key, value) in entries {
                    write_head(out, 0, *key);
                    value.write(out);
                }
            }
        }
    }

    /// Reads exactly one value.
    ///
    /// # Errors
    /// Anything but the deterministic encoding of one value of these types.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, InvalidCbor> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(1)?;
        if reader.rest.is_empty() { Ok(value) } else { Err(InvalidCbor::Trailing) }
    }

    /// Returns the fields of a map, for taking them out by key; `None` for anything else.
    #[must_use]
    pub(crate) fn into_fields(self) -> Option<Fields<'a>> {
        match self {
            Self::Map(entries) => Some(Fields { entries: entries.into_iter().peekable() }),
            _ => None,
        }
    }
}

/// The fields of a map, taken in rising order of their keys.
pub(crate) struct Fields<'a> {
    entries: std::iter::Peekable<std::vec::IntoIter<(u64, Value<'a>)>>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: u64) -> Option<Value<'a>> {
        self.entries.next_if(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// Takes a number.
    pub(crate) fn uint(&mut self, key: u64) -> Option<u64> {
        match self.take(key)? {
            Value::Uint(number) => Some(number),
            _ => None,
        }
    }

    /// Takes bytes.
    pub(crate) fn bytes(&mut self, key: u64) -> Option<&'a [u8]> {
        match self.take(key)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Takes bytes of a fixed length.
    pub(crate) fn array<const N: usize>(&mut self, key: u64) -> Option<[u8; N]> {
        self.bytes(key)?.try_into().ok()
    }

    /// Takes text.
    pub(crate) fn text(&mut self, key: u64) -> Option<&'a str> {
        match self.take(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a list.
    pub(crate) fn list(&mut self, key: u64) -> Option<Vec<Value<'a>>> {
        match self.take(key)? {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Takes a number that may be absent; `None` means it has another type.
    pub(crate) fn maybe_uint(&mut self, key: u64) -> Option<Option<u64>> {
        match self.entries.peek() {
            Some((found, _)) if *found == key => self.uint(key).map(Some),
            _ => Some(None),
        }
    }

    /// Succeeds if every field has been taken.
    pub(crate) fn end(mut self) -> Option<()> {
        self.entries.next().is_none().then_some(())
    }
}

fn head_len(number: u64) -> usize {
    match number {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

fn write_head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    match head_len(number) {
        1 => out.push(major | bytes[7]),
        2 => out.extend_from_slice(&[major | 24, bytes[7]]),
        3 => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        5 => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n_bytes: u64) -> Result<&'a [u8], InvalidCbor> {
        let n_bytes = usize::try_from(n_bytes).map_err(|_| InvalidCbor::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(n_bytes).ok_or(InvalidCbor::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn head(&mut self) -> Result<(u8, u64), InvalidCbor> {
        let first = self.take(1)?[0];
        let n_bytes = match first & 0x1f {
            small @ 0..=23 => return Ok((first >> 5, u64::from(small))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(InvalidCbor::NotShortest),
        };
        let number = self.take(n_bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if head_len(number) as u64 != n_bytes + 1 {
            return Err(InvalidCbor::NotShortest);
        }
        Ok((first >> 5, number))
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, InvalidCbor> {
        if depth > MAX_DEPTH {
            return Err(InvalidCbor::Depth);
        }
        let (major, number) = self.head()?;
        match major {
            0 => Ok(Value::Uint(number)),
            2 => self.take(number).map(Value::Bytes),
            3 => std::str::from_utf8(self.take(number)?).map(Value::Text).map_err(|_| InvalidCbor::NotText),
            4 => (0..number).map(|_| self.value(depth + 1)).collect::<Result<_, _>>().map(Value::Array),
            5 => self.map(number, depth),
            _ => Err(InvalidCbor::Type),
        }
    }

    fn map(&mut self, n_entries: u64, depth: usize) -> Result<Value<'a>, InvalidCbor> {
        let mut entries: Vec<(u64, Value<'a>)> = Vec::new();
        for _ in 0..n_entries {
            let (major, key) = self.head()?;
            if major != 0 {
                return Err(InvalidCbor::KeyType);
            }
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err(InvalidCbor::KeyOrder);
            }
            entries.push((key, self.value(depth + 1)?));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests;
