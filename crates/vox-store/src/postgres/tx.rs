//! Statements inside a transaction of one session. Those whose result nobody asks for are gathered and sent together.

use super::session::{Session, locks};
use super::value::{Encoded, ServerRow};
use crate::StoreError;
use crate::row::Value;
use crate::tx::{EachRow, Tx};
use futures_util::future::try_join_all;
use tokio_postgres::Statement;
use vox_base::{Digest, KeyId};

/// Statements gathered before they are sent.
const GATHERED: usize = 512;

/// How many days back somebody may still be writing: a queue that waits for the database is seldom older.
const OPEN_DAYS: i64 = 40;

/// Those who write calls or amounts without holding a lock of ours: clients that are not vox. Their rows are not to be seen
/// yet, and which days they are about cannot be known.
const FOREIGN_WRITERS: &str = "SELECT count(*) FROM pg_locks AS l \
    WHERE l.relation IN (to_regclass('llm_interactions'), to_regclass('budget_entries')) AND l.mode = 'RowExclusiveLock' \
    AND NOT EXISTS (SELECT 1 FROM pg_locks AS ours WHERE ours.pid = l.pid AND ours.locktype = 'advisory' AND ours.granted \
        AND cast(ours.classid AS bigint) = $1)";

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

    fn hold_accounts(&mut self, keys: &[KeyId]) -> Result<(), StoreError> {
        let space = Value::Int(self.session.lock_space().wrapping_add(1).into());
        for key in keys {
            let digest = Digest::of(key.as_bytes());
            let number = i32::from_be_bytes([digest.as_bytes()[0], digest.as_bytes()[1], digest.as_bytes()[2], digest.as_bytes()[3]]);
            self.run("SELECT pg_advisory_xact_lock($1, $2)", &[space, Value::Int(number.into())])?;
        }
        Ok(())
    }

    fn close_days(&mut self, before: i64) -> Result<bool, StoreError> {
        let values = [self.session.lock_space(), locks::day(before - OPEN_DAYS), locks::day(before - 1)];
        let free = "SELECT bool_and(pg_try_advisory_xact_lock($1, day)) \
            FROM generate_series(cast($2 AS integer), cast($3 AS integer)) AS day";
        if (self as &mut dyn Tx).value(free, &values.map(|value| Value::Int(value.into())))? != Some(true) {
            return Ok(false);
        }
        let space = Value::Int(self.session.lock_space().cast_unsigned().into());
        Ok((self as &mut dyn Tx).value(FOREIGN_WRITERS, &[space])? == Some(0_i64))
    }

    fn hold_days(&mut self, days: &[i64]) -> Result<(), StoreError> {
        let space = Value::Int(self.session.lock_space().into());
        for day in days {
            self.run("SELECT pg_advisory_xact_lock_shared($1, $2)", &[space, Value::Int(locks::day(*day).into())])?;
        }
        Ok(())
    }
}
