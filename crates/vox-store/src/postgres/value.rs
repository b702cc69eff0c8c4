//! Values in the binary form of the server's types, both ways. A statement's parameter says which type it wants.

use crate::StoreError;
use crate::row::{Row, Value};
use std::error::Error;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use vox_base::{Digest, Id, Timestamp};

type Failure = Box<dyn Error + Sync + Send>;

/// 2000-01-01, from which the server counts days.
const SERVER_EPOCH_DAY: i32 = 10_957;
const DAY_MS: i64 = 86_400_000;

impl ToSql for Value<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match (self, wanted) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Int(number), &Type::INT8) => out.extend_from_slice(&number.to_be_bytes()),
            (Value::Int(number), &Type::BOOL) => out.extend_from_slice(&[u8::from(*number != 0)]),
            (Value::Int(number), &Type::INT4) => out.extend_from_slice(&i32::try_from(*number)?.to_be_bytes()),
            (Value::Real(number), &Type::FLOAT8) => out.extend_from_slice(&number.to_be_bytes()),
            (Value::Text(text), _) => write_text(text, wanted, out)?,
            (Value::Bytes(bytes), &Type::BYTEA) => out.extend_from_slice(bytes),
            (Value::Id(bytes), &Type::UUID) => out.extend_from_slice(&bytes[..]),
            (Value::Id(bytes), &Type::TEXT) => out.extend_from_slice(Id::<()>::from_bytes(**bytes).to_string().as_bytes()),
            (Value::Digest(bytes), &Type::TEXT) => out.extend_from_slice(Digest::from_bytes(**bytes).to_string().as_bytes()),
            (Value::Day(day), &Type::DATE) => out.extend_from_slice(&(day - SERVER_EPOCH_DAY).to_be_bytes()),
            (value, wanted) => return Err(format!("the statement wants {wanted}, and is given {value:?}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn write_text(text: &str, wanted: &Type, out: &mut BytesMut) -> Result<(), Failure> {
    match *wanted {
        Type::UUID => out.extend_from_slice(text.parse::<Id<()>>().map_err(|_| "a text is not an id")?.as_bytes()),
        Type::DATE => {
            let midnight: Timestamp = text.parse().map_err(|_| "a text is not a day")?;
            let day = i32::try_from(midnight.millis().div_euclid(DAY_MS))?;
            out.extend_from_slice(&(day - SERVER_EPOCH_DAY).to_be_bytes());
        }
        Type::JSONB => {
            out.extend_from_slice(&[1]);
            out.extend_from_slice(text.as_bytes());
        }
        Type::TEXT | Type::JSON | Type::NAME | Type::VARCHAR | Type::UNKNOWN => out.extend_from_slice(text.as_bytes()),
        _ => return Err(format!("the statement wants {wanted}, and is given text").into()),
    }
    Ok(())
}

/// A value that is encoded and waits to be sent.
#[derive(Debug)]
pub(crate) struct Encoded(Option<BytesMut>);

impl Encoded {
    pub(crate) fn new(value: &Value<'_>, wanted: &Type) -> Result<Self, StoreError> {
        let mut bytes = BytesMut::new();
        match value.to_sql(wanted, &mut bytes) {
            Ok(IsNull::Yes) => Ok(Self(None)),
            Ok(IsNull::No) => Ok(Self(Some(bytes))),
            Err(error) => Err(StoreError::value("a parameter", error.to_string())),
        }
    }
}

impl ToSql for Encoded {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One row of the server's answer.
pub(crate) struct ServerRow<'a>(pub(crate) &'a tokio_postgres::Row);

impl Row for ServerRow<'_> {
    fn value(&self, at: usize) -> Result<Value<'_>, StoreError> {
        match self.0.try_get::<_, Seen<'_>>(at) {
            Ok(Seen(value)) => Ok(value),
            Err(error) => {
                let detail = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                Err(StoreError::Io(format!("column {at} of a result: {detail}")))
            }
        }
    }
}

struct Seen<'a>(Value<'a>);

impl<'a> FromSql<'a> for Seen<'a> {
    fn from_sql(given: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self(match *given {
            Type::INT8 => Value::Int(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => Value::Int(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT2 => Value::Int(i16::from_be_bytes(raw.try_into()?).into()),
            Type::BOOL => Value::Int(i64::from(raw == [1])),
            Type::FLOAT8 => Value::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::UUID => Value::Id(raw.try_into()?),
            Type::DATE => Value::Day(i32::from_be_bytes(raw.try_into()?).checked_add(SERVER_EPOCH_DAY).ok_or("a day out of range")?),
            Type::BYTEA => Value::Bytes(raw),
            Type::JSONB => Value::Text(std::str::from_utf8(raw.get(1..).unwrap_or_default())?),
            Type::TEXT | Type::JSON | Type::NAME | Type::VARCHAR | Type::UNKNOWN => Value::Text(std::str::from_utf8(raw)?),
            _ => return Err(format!("cast it: there is no value for {given}").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
