//! What an operation does inside its transaction, whatever the engine: statements with `$1` parameters, rows in and out.
//!
//! Nouns are written once against `dyn Tx`. What both engines understand alike, and what not, is in
//! `docs/how-we/add-a-table.md`.

use crate::StoreError;
use crate::row::{Record, Row, Value};
use vox_base::KeyId;

/// What an operation may do inside its transaction.
pub(crate) trait Tx {
    /// Runs a statement that returns no rows, and returns how many rows it changed.
    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<usize, StoreError>;

    /// Runs a statement that returns rows.
    fn query(&mut self, sql: &str, values: &[Value<'_>], each: &mut EachRow<'_>) -> Result<(), StoreError>;

    /// Like [`Tx::execute`] where nobody asks how many rows there were: over a network it need not be waited for, and its
    /// failure may come up at a later statement.
    fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<(), StoreError> {
        self.execute(sql, values).map(|_| ())
    }

    /// Lets nobody write about a day before this one until the transaction ends; `false` if somebody is doing so now.
    fn close_days(&mut self, _before: i64) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Lets nobody else set anything aside at these accounts until the transaction ends; sorted, so that two never wait for
    /// each other. An engine with one writer at a time has nothing to do.
    fn hold_accounts(&mut self, _keys: &[KeyId]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Holds the marks of these days where they are until the transaction ends, see [`crate::calls::horizons`]. An engine
    /// with one writer at a time has nothing to do.
    fn hold_days(&mut self, _days: &[i64]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Called with each row of a result.
pub(crate) type EachRow<'a> = dyn FnMut(&dyn Row) -> Result<(), StoreError> + 'a;

impl dyn Tx + '_ {
    /// Checks and inserts a row.
    pub(crate) fn insert<R: Record>(&mut self, row: &R) -> Result<(), StoreError> {
        row.check()?;
        row.with_values(|values| self.run(R::INSERT, values))
    }

    /// Returns the rows that the rest of the statement (`WHERE …`) selects.
    pub(crate) fn rows<R: Record>(&mut self, rest: &str, values: &[Value<'_>]) -> Result<Vec<R>, StoreError> {
        let mut rows = Vec::new();
        self.query(&format!("{} {rest}", R::SELECT), values, &mut |row| {
            rows.push(R::from_row(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Returns the first such row.
    pub(crate) fn first<R: Record>(&mut self, rest: &str, values: &[Value<'_>]) -> Result<Option<R>, StoreError> {
        Ok(self.rows(rest, values)?.into_iter().next())
    }

    /// Returns one column of the first row.
    pub(crate) fn value<T: crate::row::Decode>(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.query(sql, values, &mut |row| {
            if found.is_none() {
                found = Some(crate::row::column(row, 0, "result")?);
            }
            Ok(())
        })?;
        Ok(found)
    }
}
