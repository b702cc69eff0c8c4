//! Statements inside a transaction of one session. Those whose result nobody asks for are gathered and sent together.

use super::session::{Session, locks};
use super::value::{Encoded, ServerRow};
use crate::StoreError;
use crate::row::Value;
use crate::tx::{EachRow, Tx};
use futures_util::future::try_join_all;
use tokio_postgres::Statement;

/// Statements gathered before they are sent.
const GATHERED: usize = 512;

/// A session inside a transaction.
pub(crate) struct Statements<'s> {
    session: &'s mut Session,
    gathered: Vec<(Statement, Vec<Encoded>)>,
}

impl<'s> Statements<'s> {
    pub(crate) const fn new(session: &'s mut Session) -> Self {
        Self { session, gathered: Vec::new() }
    }

    /// Sends what was gathered and waits for all of it.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        let client = self.session.client();
        let sent = gathered.iter().map(|(statement, values)| client.execute_raw(statement, values));
        self.session.wait(try_join_all(sent)).map_err(|error| StoreError::from_server(&error)).map(|_| ())
    }

    fn prepared(&mut self, sql: &str, values: &[Value<'_>]) -> Result<(Statement, Vec<Encoded>), StoreError> {
        let statement = self.session.prepare(sql).map_err(|error| StoreError::from_server(&error))?;
        if values.len() < statement.params().len() {
            return Err(StoreError::Io("a statement wants more values".to_owned()));
        }
        let values = values.iter().zip(statement.params()).map(|(value, wanted)| Encoded::new(value, wanted));
        Ok((statement.clone(), values.collect::<Result<_, _>>()?))
    }
}

impl Tx for Statements<'_> {
    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        self.finish()?;
        let (statement, values) = self.prepared(sql, values)?;
        let changed = self.session.wait(self.session.client().execute_raw(&statement, &values));
        changed.map(|changed| usize::try_from(changed).unwrap_or(usize::MAX)).map_err(|error| StoreError::from_server(&error))
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>], each: &mut EachRow<'_>) -> Result<(), StoreError> {
        self.finish()?;
        let (statement, values) = self.prepared(sql, values)?;
        let client = self.session.client();
        let rows = self.session.wait(async {
            let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            client.query(&statement, &values).await
        });
        let rows = rows.map_err(|error| StoreError::from_server(&error))?;
        rows.iter().try_for_each(|row| each(&ServerRow(row)))
    }

    fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<(), StoreError> {
        let prepared = self.prepared(sql, values)?;
        self.gathered.push(prepared);
        if self.gathered.len() >= GATHERED { self.finish() } else { Ok(()) }
    }

    fn hold_days(&mut self, days: &[i64]) -> Result<(), StoreError> {
        let space = Value::Int(self.session.lock_space().into());
        for day in days {
            self.run("SELECT pg_advisory_xact_lock_shared($1, $2)", &[space, Value::Int(locks::day(*day).into())])?;
        }
        Ok(())
    }
}
