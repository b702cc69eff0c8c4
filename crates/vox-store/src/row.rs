//! Values on their way into and out of a row, whatever the engine.
//!
//! Generated row types implement [`Record`] with these; nouns use them for the few values they pass by hand.

use crate::StoreError;
use vox_base::{Digest, Id, Micros, NanoUsd, Timestamp};

/// Text of a row. Most of it is a few bytes, which then need no memory of their own: rows are filled on one thread and
/// written on another, and memory freed across threads is what costs.
pub type Text = compact_str::CompactString;

/// One value of a row, borrowed from whoever holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// Unknown.
    Null,
    /// A whole number, a moment, an amount or a truth value.
    Int(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An id, written as 36 characters.
    Id(&'a [u8; 16]),
    /// A digest, written as 64 characters.
    Digest(&'a [u8; 32]),
    /// A day, counted from 1970-01-01; only ever read, and only where the engine knows days.
    Day(i32),
}

/// One row of a result.
pub(crate) trait Row {
    /// Returns the value of a column, counted from 0.
    ///
    /// # Errors
    /// There is no such column, or its text is not UTF-8.
    fn value(&self, at: usize) -> Result<Value<'_>, StoreError>;
}

/// A row type: how it is written and read.
pub(crate) trait Record: Sized {
    /// Inserts one row.
    const INSERT: &'static str;
    /// Selects all columns of all rows.
    const SELECT: &'static str;

    /// Checks what the engine does not: lengths, and that text holds no NUL.
    ///
    /// # Errors
    /// `store.value` naming the column.
    fn check(&self) -> Result<(), StoreError>;

    /// Lends the values in the order of the columns.
    fn with_values<T>(&self, using: impl FnOnce(&[Value<'_>]) -> T) -> T;

    /// Reads a row selected by `SELECT`.
    ///
    /// # Errors
    /// A value is not what its column holds.
    fn from_row(row: &dyn Row) -> Result<Self, StoreError>;
}

/// Reads one column.
pub(crate) fn column<T: Decode>(row: &dyn Row, at: usize, name: &'static str) -> Result<T, StoreError> {
    T::decode(row.value(at)?).ok_or_else(|| StoreError::Damaged { column: name.to_owned() })
}

/// What can be written into a column.
pub(crate) trait Encode {
    fn encode(&self) -> Value<'_>;
}

/// What can be read from a column; `None` if the value is not one.
pub(crate) trait Decode: Sized {
    fn decode(value: Value<'_>) -> Option<Self>;
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Encode::encode)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::decode(value).map(Some),
        }
    }
}

impl Encode for i64 {
    fn encode(&self) -> Value<'_> {
        Value::Int(*self)
    }
}

impl Decode for i64 {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }
}

impl Encode for bool {
    fn encode(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl Decode for bool {
    fn decode(value: Value<'_>) -> Option<Self> {
        i64::decode(value).map(|number| number != 0)
    }
}

impl Encode for f64 {
    fn encode(&self) -> Value<'_> {
        Value::Real(*self)
    }
}

impl Decode for f64 {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Real(number) => Some(number),
            _ => None,
        }
    }
}

impl Encode for Timestamp {
    fn encode(&self) -> Value<'_> {
        Value::Int(self.millis())
    }
}

impl Decode for Timestamp {
    fn decode(value: Value<'_>) -> Option<Self> {
        i64::decode(value).map(Self::from_millis)
    }
}

impl Encode for NanoUsd {
    fn encode(&self) -> Value<'_> {
        Value::Int(self.get())
    }
}

impl Decode for NanoUsd {
    fn decode(value: Value<'_>) -> Option<Self> {
        i64::decode(value).map(Self::new)
    }
}

impl Encode for Micros {
    fn encode(&self) -> Value<'_> {
        Value::Int(self.get())
    }
}

impl Decode for Micros {
    fn decode(value: Value<'_>) -> Option<Self> {
        i64::decode(value).map(Self::new)
    }
}

impl Encode for Text {
    fn encode(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Decode for Text {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.into()),
            value => String::decode(value).map(Into::into),
        }
    }
}

impl Decode for String {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.to_owned()),
            Value::Id(bytes) => Some(Id::<()>::from_bytes(*bytes).to_string()),
            Value::Day(day) => Some(Timestamp::from_millis(i64::from(day) * 86_400_000).day()),
            _ => None,
        }
    }
}

impl Encode for Vec<u8> {
    fn encode(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl Decode for Vec<u8> {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl Encode for Digest {
    fn encode(&self) -> Value<'_> {
        Value::Digest(self.as_bytes())
    }
}

impl Decode for Digest {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl<K> Encode for Id<K> {
    fn encode(&self) -> Value<'_> {
        Value::Id(self.as_bytes())
    }
}

impl<K> Decode for Id<K> {
    fn decode(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => text.parse().ok(),
            Value::Id(bytes) => Some(Self::from_bytes(*bytes)),
            _ => None,
        }
    }
}

/// Says whether two JSON texts mean the same. An engine may give back another text than it was given.
pub(crate) fn same_json(one: &str, other: &str) -> bool {
    let parsed = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || parsed(one).is_some_and(|value| Some(value) == parsed(other))
}

/// Bounds that are checked before a row is written.
pub(crate) mod fits {
    use crate::StoreError;

    /// Text of at most so many characters, without NUL.
    pub(crate) fn text(column: &'static str, value: Option<&str>, max: usize) -> Result<(), StoreError> {
        let Some(text) = value else { return Ok(()) };
        if text.len() > max && text.chars().count() > max {
            return Err(StoreError::value(column, format!("is longer than {max} characters")));
        }
        if text.as_bytes().contains(&0) {
            return Err(StoreError::value(column, "holds a NUL character"));
        }
        Ok(())
    }

    /// JSON of at most so many bytes.
    pub(crate) fn json(column: &'static str, value: Option<&str>, max: usize) -> Result<(), StoreError> {
        let Some(text) = value else { return Ok(()) };
        if text.len() > max {
            return Err(StoreError::value(column, format!("is longer than {max} bytes")));
        }
        // Most JSON here is small and plain; what is neither is read whole, because one of the engines does so too and would
        // refuse what no value of a language can hold.
        let is_plain = !text.contains('\\') && !text.contains(['e', 'E']);
        let is_json = if is_plain {
            serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        } else {
            serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| !has_nul(&value))
        };
        if is_json { Ok(()) } else { Err(StoreError::value(column, "is not JSON, or holds a NUL character")) }
    }

    fn has_nul(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(text) => text.contains('\0'),
            serde_json::Value::Array(items) => items.iter().any(has_nul),
            serde_json::Value::Object(items) => items.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
            _ => false,
        }
    }

    /// A day, `YYYY-MM-DD`.
    pub(crate) fn day(column: &'static str, value: Option<&str>) -> Result<(), StoreError> {
        let Some(text) = value else { return Ok(()) };
        let is_day = text.len() == 10 && text.parse::<vox_base::Timestamp>().is_ok();
        if is_day { Ok(()) } else { Err(StoreError::value(column, "is not a day such as 2026-11-21")) }
    }

    /// At most so many bytes.
    pub(crate) fn bytes(column: &'static str, value: Option<&[u8]>, max: usize) -> Result<(), StoreError> {
        if value.is_some_and(|bytes| bytes.len() > max) {
            return Err(StoreError::value(column, format!("is longer than {max} bytes")));
        }
        Ok(())
    }
}
