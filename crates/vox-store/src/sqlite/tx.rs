//! Statements inside a transaction, with `$1` parameters and values that are borrowed until they are bound.

use crate::StoreError;
use crate::row::{Row, Value};
use crate::tx::{EachRow, Tx};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement};
use vox_base::Timestamp;

/// A connection with the statements it has prepared.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    prepared: Vec<Prepared<'c>>,
}

struct Prepared<'c> {
    sql: &'static str,
    statement: Statement<'c>,
    order: Vec<usize>,
}

impl<'c> Statements<'c> {
    pub(crate) const fn new(connection: &'c Connection) -> Self {
        Self { connection, prepared: Vec::new() }
    }

    /// Says whether a failure has ended the transaction on its own.
    pub(crate) fn has_no_transaction(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Statements are constants, so the address tells them apart without looking at the text.
    fn prepared(&mut self, sql: &'static str) -> Result<&mut Prepared<'c>, StoreError> {
        if let Some(at) = self.prepared.iter().position(|prepared| std::ptr::eq(prepared.sql, sql)) {
            return Ok(&mut self.prepared[at]);
        }
        let statement = self.connection.prepare(sql)?;
        let order = order(&statement)?;
        self.prepared.push(Prepared { sql, statement, order });
        Ok(self.prepared.last_mut().expect("one was just pushed"))
    }
}

impl Tx for Statements<'_> {
    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let prepared = self.prepared(sql)?;
        bind(&mut prepared.statement, &prepared.order, values)?;
        Ok(prepared.statement.raw_execute()?)
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>], each: &mut EachRow<'_>) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let order = order(&statement)?;
        bind(&mut statement, &order, values)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            each(&SqliteRow(row))?;
        }
        Ok(())
    }
}

/// Returns for each parameter of the statement the place of its value: SQLite counts `$3` by where it first stands.
fn order(statement: &Statement<'_>) -> Result<Vec<usize>, StoreError> {
    (1..=statement.parameter_count())
        .map(|at| {
            let number =
                statement.parameter_name(at).and_then(|name| name.strip_prefix('$')).and_then(|digits| digits.parse::<usize>().ok());
            number.and_then(|number| number.checked_sub(1)).ok_or_else(|| StoreError::Io("a parameter is not `$1`".to_owned()))
        })
        .collect()
}

fn bind(statement: &mut Statement<'_>, order: &[usize], values: &[Value<'_>]) -> Result<(), StoreError> {
    for (at, &place) in order.iter().enumerate() {
        let value = values.get(place).ok_or_else(|| StoreError::Io("a statement wants more values".to_owned()))?;
        bind_one(statement, at + 1, value)?;
    }
    Ok(())
}

fn bind_one(statement: &mut Statement<'_>, at: usize, value: &Value<'_>) -> Result<(), StoreError> {
    match value {
        Value::Id(bytes) => statement.raw_bind_parameter(at, hyphenated(bytes).as_slice().as_text())?,
        Value::Digest(bytes) => statement.raw_bind_parameter(at, hexadecimal(bytes).as_slice().as_text())?,
        Value::Null => statement.raw_bind_parameter(at, Plain(ValueRef::Null))?,
        Value::Int(number) => statement.raw_bind_parameter(at, Plain(ValueRef::Integer(*number)))?,
        Value::Real(number) => statement.raw_bind_parameter(at, Plain(ValueRef::Real(*number)))?,
        Value::Text(text) => statement.raw_bind_parameter(at, text.as_bytes().as_text())?,
        Value::Day(day) => statement.raw_bind_parameter(at, Timestamp::from_millis(i64::from(*day) * 86_400_000).day())?,
        Value::Bytes(bytes) => statement.raw_bind_parameter(at, Plain(ValueRef::Blob(bytes)))?,
    }
    Ok(())
}

struct Plain<'a>(ValueRef<'a>);

impl ToSql for Plain<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

trait AsText {
    fn as_text(&self) -> Plain<'_>;
}

impl AsText for [u8] {
    fn as_text(&self) -> Plain<'_> {
        Plain(ValueRef::Text(self))
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hyphenated(bytes: &[u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 0x0f)];
        at += 2;
    }
    text
}

fn hexadecimal(bytes: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
    text
}

struct SqliteRow<'a, 'b>(&'a rusqlite::Row<'b>);

impl Row for SqliteRow<'_, '_> {
    fn value(&self, at: usize) -> Result<Value<'_>, StoreError> {
        Ok(match self.0.get_ref(at)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Int(number),
            ValueRef::Real(number) => Value::Real(number),
            // Text that is not UTF-8 was not written by us; as bytes it fails to decode and names its column.
            ValueRef::Text(text) => std::str::from_utf8(text).map_or(Value::Bytes(text), Value::Text),
            ValueRef::Blob(bytes) => Value::Bytes(bytes),
        })
    }
}
