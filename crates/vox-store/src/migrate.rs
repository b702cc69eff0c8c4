//! Numbered migrations, and the proof that the schema is the declared one.
//!
//! Each migration is one immediate transaction together with its row and the version in the header, so a kill leaves
//! the old or the new version; who waits for the lock finds the work done.

use crate::StoreError;
use crate::rows::storage::AppliedMigration;
use crate::sqlite::Statements;
use crate::tx::Tx;
use rusqlite::Connection;
use std::time::{Duration, Instant};
use vox_base::{Digest, Timestamp};
use vox_contract::{Drift, File, Schema};

/// One step of one file's schema.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) file: File,
    pub(crate) sqlite: &'static str,
    /// The same step in the shared database; none for a file that is always local.
    pub(crate) postgres: Option<&'static str>,
}

/// Every migration, numbered without gaps over all files.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "state",
        file: File::State,
        sqlite: include_str!("../migrations/0001_state/sqlite.sql"),
        postgres: Some(include_str!("../migrations/0001_state/postgres.sql")),
    },
    Migration { number: 2, name: "vault", file: File::Vault, sqlite: include_str!("../migrations/0002_vault/sqlite.sql"), postgres: None },
    Migration {
        number: 3,
        name: "evidence",
        file: File::State,
        sqlite: include_str!("../migrations/0003_evidence/sqlite.sql"),
        postgres: Some(include_str!("../migrations/0003_evidence/postgres.sql")),
    },
    Migration {
        number: 4,
        name: "nodes",
        file: File::State,
        sqlite: include_str!("../migrations/0004_nodes/sqlite.sql"),
        postgres: Some(include_str!("../migrations/0004_nodes/postgres.sql")),
    },
    Migration {
        number: 5,
        name: "sessions",
        file: File::State,
        sqlite: include_str!("../migrations/0005_sessions/sqlite.sql"),
        postgres: Some(include_str!("../migrations/0005_sessions/postgres.sql")),
    },
];

/// Names a new store, once.
pub(crate) const NAME_STORE: &str =
    "INSERT INTO store_meta (key, value) VALUES ('store_id', $1), ('created_at', $2), ('keys_version', '0') ON CONFLICT DO NOTHING";

/// How long a starter waits for another one that migrates.
const MIGRATION_WAIT: Duration = Duration::from_secs(60);

/// Returns the newest version of a file.
pub(crate) fn newest(file: File) -> i64 {
    of(file).map(|migration| migration.number).max().unwrap_or(0)
}

pub(crate) fn of(file: File) -> impl Iterator<Item = &'static Migration> {
    MIGRATIONS.iter().filter(move |migration| migration.file == file)
}

/// Returns the schema that the contracts declare for a file.
pub(crate) fn declared(file: File) -> Schema {
    let text = match file {
        File::State => include_str!("schema/state.sql"),
        File::Vault => include_str!("schema/vault.sql"),
    };
    Schema::of(statements(text))
}

/// Splits generated schema text into statements; inside a trigger `;` ends a line that is indented.
pub(crate) fn statements(text: &str) -> impl Iterator<Item = &str> {
    text.split(";\n\n").filter_map(|statement| statement.find("CREATE").map(|at| statement[at..].trim_end().trim_end_matches(';')))
}

/// Returns the schema a connection finds.
pub(crate) fn live(connection: &Connection) -> Result<Schema, StoreError> {
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(Schema::of(texts.iter().map(String::as_str)))
}

/// Returns the differences between a file and its contracts.
pub(crate) fn drift(connection: &Connection, file: File) -> Result<Vec<Drift>, StoreError> {
    Ok(declared(file).drift(&live(connection)?))
}

/// Applies what is pending, and checks that nothing applied was edited and that the schema is the declared one.
pub(crate) fn migrate(connection: &Connection, file: File, now: Timestamp, vox_version: &str) -> Result<(), StoreError> {
    connection.busy_timeout(MIGRATION_WAIT)?;
    for migration in of(file) {
        if version(connection)? < migration.number {
            apply(connection, migration, now, vox_version)?;
        }
    }
    connection.busy_timeout(Duration::from_secs(5))?;
    unedited(connection, file)?;
    let drift = drift(connection, file)?;
    if drift.is_empty() { Ok(()) } else { Err(StoreError::Drift(drift)) }
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn apply(connection: &Connection, migration: &Migration, now: Timestamp, vox_version: &str) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| match StoreError::from(error) {
        StoreError::Io(detail) | StoreError::Value { column: detail, .. } => {
            StoreError::Migration { number: migration.number, name: migration.name.to_owned(), detail }
        }
        other => other,
    };
    let started = Instant::now();
    connection.execute_batch("BEGIN IMMEDIATE")?;
    // Another starter may have done it while this one waited for the lock.
    let done = if version(connection)? >= migration.number {
        Ok(())
    } else {
        connection.execute_batch(migration.sqlite).map_err(failed).and_then(|()| record(connection, migration, now, vox_version, started))
    };
    connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn record(connection: &Connection, migration: &Migration, now: Timestamp, vox_version: &str, started: Instant) -> Result<(), StoreError> {
    let row = AppliedMigration {
        number: migration.number,
        name: migration.name.into(),
        sha256: Digest::of(migration.sqlite.as_bytes()),
        applied_at: now,
        vox_version: vox_version.to_owned().into(),
        duration_ms: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
    };
    let mut statements = Statements::new(connection);
    (&mut statements as &mut dyn Tx).insert(&row)?;
    connection.pragma_update(None, "user_version", migration.number)?;
    Ok(())
}

fn unedited(connection: &Connection, file: File) -> Result<(), StoreError> {
    let mut statements = Statements::new(connection);
    let applied: Vec<AppliedMigration> = (&mut statements as &mut dyn Tx).rows("ORDER BY number", &[])?;
    for row in applied {
        let known = of(file).any(|migration| migration.number == row.number && Digest::of(migration.sqlite.as_bytes()) == row.sha256);
        if !known {
            return Err(StoreError::MigrationEdited { number: row.number, name: row.name.into() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
