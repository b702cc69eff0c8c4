//! One connection, driven by the thread that uses it, with the statements it has prepared.

use super::target::Target;
use super::tls::Tls;
use super::tx::Statements;
use crate::StoreError;
use crate::tx::Tx;
use std::collections::HashMap;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Error, SimpleQueryMessage, Statement};

/// The oldest server we know to work.
const OLDEST_SERVER: u32 = 150_000;
const STATEMENT_TIMEOUT_MS: u32 = 10_000;
const IDLE_IN_TRANSACTION_MS: u32 = 30_000;
/// Statements kept prepared; nouns have a few hundred at most.
const PREPARED: usize = 512;
/// How often the outcome of a commit is asked for while the server still works on it.
const ASKED: u32 = 50;

/// How a transaction that writes begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// One snapshot, nothing written.
    Reading,
    /// Behind every other transaction of this kind, whichever node runs it.
    InTurn,
    /// Beside all others; only for what commutes.
    Beside,
}

/// Why a transaction did not commit.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It may be run again at once: nothing of it happened.
    Again(StoreError),
    /// The connection is gone, and nothing of it happened.
    Lost(StoreError),
    /// The connection went during the commit; the transaction has this number.
    Unknown(String),
    /// It was refused.
    Refused(StoreError),
}

impl Failed {
    /// Returns the error for whoever does not try again.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Again(error) | Self::Lost(error) | Self::Refused(error) => error,
            Self::Unknown(number) => StoreError::Io(format!("the outcome of transaction {number} is not known")),
        }
    }
}

/// One connection.
pub(crate) struct Session {
    runtime: Option<Runtime>,
    client: Client,
    prepared: HashMap<String, Statement>,
    lock_space: i32,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or is too old.
    pub(crate) fn connect(target: &Target, name: &str) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut config = target.config.clone();
        config.application_name(name);
        let connected = runtime.block_on(config.connect(Tls::new(target)?));
        let (client, connection) = connected.map_err(|error| StoreError::from_server(&error))?;
        runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection to the database ended: {error}");
            }
        });
        let mut session = Self { runtime: Some(runtime), client, prepared: HashMap::new(), lock_space: target.lock_space() };
        session.configure(target)?;
        Ok(session)
    }

    fn configure(&mut self, target: &Target) -> Result<(), StoreError> {
        let version = self.ask("SHOW server_version_num")?.unwrap_or_default();
        if version.parse::<u32>().is_ok_and(|version| version < OLDEST_SERVER) {
            return Err(StoreError::EngineOld(format!("PostgreSQL {version}")));
        }
        // The schema's name has no sign that would have to be quoted.
        self.batch(&format!(
            "SET search_path = {}; SET statement_timeout = {STATEMENT_TIMEOUT_MS}; \
             SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}; SET client_min_messages = warning; \
             SET standard_conforming_strings = on; SET default_transaction_isolation = 'read committed'",
            target.schema
        ))
    }

    /// Returns whether the connection is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs plain statements.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.wait(self.client.batch_execute(sql)).map_err(|error| StoreError::from_server(&error))
    }

    /// Returns the last value that plain statements return, as text.
    pub(crate) fn ask(&self, sql: &str) -> Result<Option<String>, StoreError> {
        let messages = self.wait(self.client.simple_query(sql)).map_err(|error| StoreError::from_server(&error))?;
        let rows = messages.iter().rev().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(rows.into_iter().next())
    }

    /// Runs one transaction.
    pub(crate) fn transaction<T>(&mut self, begin: Begin, work: &mut dyn FnMut(&mut dyn Tx) -> Result<T, StoreError>) -> Result<T, Failed> {
        let number = self.begin(begin).map_err(|error| self.judge(error))?;
        let mut statements = Statements::new(self);
        let done = work(&mut statements).and_then(|value| statements.finish().map(|()| value));
        let value = match done {
            Ok(value) => value,
            Err(error) => {
                // A connection that cannot even roll back is found closed by whoever takes it next.
                let _ = self.batch("ROLLBACK");
                return Err(self.judge(error));
            }
        };
        match (self.batch("COMMIT"), number) {
            (Ok(()), _) => Ok(value),
            (Err(_), Some(number)) if self.is_closed() => Err(Failed::Unknown(number)),
            (Err(error), _) => Err(self.judge(error)),
        }
    }

    fn begin(&self, begin: Begin) -> Result<Option<String>, StoreError> {
        match begin {
            Begin::Reading => self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map(|()| None),
            Begin::Beside => self.ask("BEGIN; SELECT pg_current_xact_id()"),
            Begin::InTurn => {
                let turn = locks::IN_TURN;
                self.ask(&format!("BEGIN; SELECT pg_advisory_xact_lock({}, {turn}); SELECT pg_current_xact_id()", self.lock_space))
            }
        }
    }

    fn judge(&self, error: StoreError) -> Failed {
        match error {
            error if self.is_closed() => Failed::Lost(error),
            StoreError::Conflict => Failed::Again(StoreError::Busy),
            error => Failed::Refused(error),
        }
    }

    /// Says whether a transaction whose commit was not heard of has happened.
    ///
    /// # Errors
    /// The server cannot say.
    pub(crate) fn has_committed(&self, number: &str) -> Result<bool, StoreError> {
        for _ in 0..ASKED {
            let status = self.ask(&format!("SELECT pg_xact_status('{number}')"))?;
            match status.as_deref() {
                Some("committed") => return Ok(true),
                Some("aborted") => return Ok(false),
                Some(_) => std::thread::sleep(Duration::from_millis(100)),
                None => break,
            }
        }
        Err(StoreError::Io(format!("the outcome of transaction {number} is not known")))
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) const fn lock_space(&self) -> i32 {
        self.lock_space
    }

    /// Returns a prepared statement; the first time costs a round trip.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        if self.prepared.len() >= PREPARED {
            self.prepared.clear();
        }
        let statement = self.wait(self.client.prepare(sql))?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Drives the connection until something is done.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("taken only when dropped").block_on(work)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A runtime may not be dropped inside another one, but it may be shut down there.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Numbers of locks that are not days, in the space of the schema; days are counted above them.
pub(crate) mod locks {
    /// Held by a transaction that writes in turn.
    pub(crate) const IN_TURN: i32 = 1;
    /// Held while migrations run.
    pub(crate) const MIGRATION: i32 = 2;
    /// Held by the session of the leader.
    pub(crate) const OFFICE: i32 = 3;
    /// The first number of a day.
    const FIRST_DAY: i64 = 1000;

    /// Returns the number of a day since 1970-01-01.
    pub(crate) fn day(day: i64) -> i32 {
        i32::try_from(day.saturating_add(FIRST_DAY).max(FIRST_DAY)).unwrap_or(i32::MAX)
    }
}
