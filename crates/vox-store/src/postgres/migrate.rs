//! The schema in the shared database: looked at, migrated, compared with the contracts.
//!
//! All that is pending is one transaction, behind a lock that all nodes share; who waits for the lock finds the work done.

use super::session::{Begin, Failed, Session, locks};
use super::target::Target;
use crate::StoreError;
use crate::migrate::{self, Migration, newest, of};
use crate::row::{Value, column};
use crate::rows::storage::AppliedMigration;
use crate::store::{Access, OpenOptions};
use crate::tx::Tx;
use std::path::PathBuf;
use std::time::Instant;
use vox_base::Digest;
use vox_contract::{Drift, File, Schema};

/// How long a starter waits for another one that migrates.
const MIGRATION_WAIT_MS: u32 = 60_000;

/// What is in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing at all.
    Nothing,
    /// A store whose newest migration has this number.
    Version(i64),
}

/// Says what is in the schema.
///
/// # Errors
/// It holds tables that are not ours, or may not be read.
pub(crate) fn look(session: &Session, target: &Target) -> Result<Found, StoreError> {
    let schema = &target.schema;
    let tables = session.ask(&format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'"))?;
    if tables.as_deref() == Some("0") {
        return Ok(Found::Nothing);
    }
    let ours = session.ask(&format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}' AND tablename = 'schema_migration'"))?;
    if ours.as_deref() != Some("1") {
        return Err(StoreError::Foreign(PathBuf::from(target.to_string())));
    }
    let version = session.ask(&format!("SELECT coalesce(max(number), 0) FROM {schema}.schema_migration"))?;
    Ok(Found::Version(version.and_then(|version| version.parse().ok()).unwrap_or(0)))
}

/// Makes or migrates the schema as far as the options allow, and checks that it is the declared one.
///
/// # Errors
/// There is no store and none may be made; it is foreign, newer, drifted, or behind and may not be migrated.
pub(crate) fn open_schema(session: &mut Session, target: &Target, options: &OpenOptions) -> Result<(), StoreError> {
    let found = look(session, target)?;
    if options.access == Access::Inspect && matches!(found, Found::Version(version) if version <= newest(File::State)) {
        return Ok(());
    }
    if found != Found::Version(newest(File::State)) {
        in_turn(session, target, options)?;
    }
    unedited(session)?;
    let drift = drift(session, target)?;
    if drift.is_empty() { name_store(session, options) } else { Err(StoreError::Drift(drift)) }
}

/// Applies all that is pending in one transaction, behind whoever does the same.
fn in_turn(session: &mut Session, target: &Target, options: &OpenOptions) -> Result<(), StoreError> {
    let (space, lock) = (target.lock_space(), locks::MIGRATION);
    session.batch(&format!("BEGIN; SET LOCAL statement_timeout = {MIGRATION_WAIT_MS}; SELECT pg_advisory_xact_lock({space}, {lock})"))?;
    // Another starter may have done it while this one waited for the lock.
    let done = look(session, target).and_then(|found| match from(found, target, options)? {
        Some(version) => of(File::State)
            .filter(|migration| migration.number > version)
            .try_for_each(|migration| apply(session, target, migration, options)),
        None => Ok(()),
    });
    match done {
        Ok(()) => session.batch("COMMIT"),
        Err(error) => {
            // What counts is why it failed; a connection that is gone has rolled back.
            let _ = session.batch("ROLLBACK");
            Err(error)
        }
    }
}

/// Returns the version to migrate from; `None` if there is nothing to do.
fn from(found: Found, target: &Target, options: &OpenOptions) -> Result<Option<i64>, StoreError> {
    let (known, path) = (newest(File::State), PathBuf::from(target.to_string()));
    match found {
        Found::Nothing if options.access == Access::Create => Ok(Some(0)),
        Found::Nothing => Err(StoreError::Missing(path)),
        Found::Version(found) if found > known => Err(StoreError::Newer { path, found, known }),
        Found::Version(found) if found < known && !options.may_migrate => Err(StoreError::Behind { found, known }),
        Found::Version(found) => Ok((found < known).then_some(found)),
    }
}

/// Returns how many migrations are not applied.
pub(crate) fn pending(version: i64) -> usize {
    of(File::State).filter(|migration| migration.number > version).count()
}

fn apply(session: &mut Session, target: &Target, migration: &Migration, options: &OpenOptions) -> Result<(), StoreError> {
    let Some(sql) = migration.postgres else { return Ok(()) };
    let (started, schema) = (Instant::now(), &target.schema);
    // The server would refuse to make a schema that is there to a role that may not make any.
    if session.ask(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'"))?.as_deref() == Some("0") {
        session.batch(&format!("CREATE SCHEMA {schema}"))?;
    }
    session.batch(sql).map_err(|error| failed(migration, error))?;
    record(session, migration, sql, options, started)
}

fn failed(migration: &Migration, error: StoreError) -> StoreError {
    match error {
        StoreError::Io(_) | StoreError::Value { .. } => {
            StoreError::Migration { number: migration.number, name: migration.name.to_owned(), detail: error.to_string() }
        }
        other => other,
    }
}

fn record(session: &mut Session, migration: &Migration, sql: &str, options: &OpenOptions, started: Instant) -> Result<(), StoreError> {
    let row = AppliedMigration {
        number: migration.number,
        name: migration.name.into(),
        sha256: Digest::of(sql.as_bytes()),
        applied_at: options.now,
        vox_version: options.vox_version.into(),
        duration_ms: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
    };
    let mut statements = super::tx::Statements::new(session);
    (&mut statements as &mut dyn Tx).insert(&row)?;
    statements.finish()
}

fn unedited(session: &mut Session) -> Result<(), StoreError> {
    let applied: Vec<AppliedMigration> = reading(session, &mut |tx| tx.rows("ORDER BY number", &[]))?;
    for row in applied {
        let same = |migration: &Migration| {
            migration.number == row.number && migration.postgres.is_some_and(|sql| Digest::of(sql.as_bytes()) == row.sha256)
        };
        if !of(File::State).any(same) {
            return Err(StoreError::MigrationEdited { number: row.number, name: row.name.into() });
        }
    }
    Ok(())
}

/// Names a new store; of several nodes that do so one comes first.
fn name_store(session: &mut Session, options: &OpenOptions) -> Result<(), StoreError> {
    let (id, at) = (options.store_id.to_string(), options.now.millis().to_string());
    let named = session.transaction(Begin::Beside, &mut |tx| tx.run(migrate::NAME_STORE, &[Value::Text(&id), Value::Text(&at)]));
    named.map_err(Failed::into_error)
}

/// Runs reads of one snapshot.
pub(crate) fn reading<T>(session: &mut Session, work: &mut dyn FnMut(&mut dyn Tx) -> Result<T, StoreError>) -> Result<T, StoreError> {
    session.transaction(Begin::Reading, work).map_err(Failed::into_error)
}

/// Returns the schema that the contracts declare.
pub(crate) fn declared() -> Schema {
    Schema::of_postgres(migrate::statements(include_str!("../schema/shared.sql")))
}

/// Returns the differences between the schema and its contracts.
pub(crate) fn drift(session: &mut Session, target: &Target) -> Result<Vec<Drift>, StoreError> {
    Ok(declared().drift(&live(session, target)?))
}

/// Each of these returns names and texts of which the statement that would make the thing is put together.
const COLUMNS: &str = "SELECT c.relname, a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
    || CASE WHEN k.collname IS NULL OR k.collname = 'default' THEN '' ELSE ' COLLATE ' || k.collname END \
    || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END \
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    LEFT JOIN pg_collation AS k ON k.oid = a.attcollation LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum";
const CONSTRAINTS: &str = "SELECT c.relname, 'CONSTRAINT ' || k.conname || ' ' || pg_get_constraintdef(k.oid, true) \
    FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND k.contype IN ('p', 'u', 'f', 'c', 'x') ORDER BY c.relname, k.conname";
const OTHERS: &str = "SELECT '', pg_get_indexdef(x.indexrelid, 0, true) FROM pg_index AS x \
    JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND NOT EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = x.indexrelid AND k.contype <> 'f') \
    UNION ALL SELECT '', pg_get_triggerdef(t.oid, true) || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' DISABLED' END \
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE n.nspname = $1 AND NOT t.tgisinternal \
    UNION ALL SELECT '', 'CREATE FUNCTION ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') RETURNS ' \
    || pg_get_function_result(p.oid) || ' LANGUAGE ' || l.lanname || ' AS $$' || p.prosrc || '$$' \
    FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = $1";

/// Returns the schema that is there.
pub(crate) fn live(session: &mut Session, target: &Target) -> Result<Schema, StoreError> {
    let schema = target.schema.clone();
    reading(session, &mut |tx| {
        let mut tables: Vec<(String, Vec<String>)> = Vec::new();
        let mut texts: Vec<String> = Vec::new();
        for sql in [COLUMNS, CONSTRAINTS] {
            tx.query(sql, &[Value::Text(&schema)], &mut |row| {
                let (table, item): (String, String) = (column(row, 0, "relname")?, column(row, 1, "item")?);
                match tables.iter_mut().find(|(known, _)| *known == table) {
                    Some((_, items)) => items.push(item),
                    None => tables.push((table, vec![item])),
                }
                Ok(())
            })?;
        }
        tx.query(OTHERS, &[Value::Text(&schema)], &mut |row| {
            texts.push(column(row, 1, "definition")?);
            Ok(())
        })?;
        texts.extend(tables.iter().map(|(table, items)| format!("CREATE TABLE {table} ({})", items.join(", "))));
        Ok(Schema::of_postgres(texts.iter().map(String::as_str)))
    })
}

#[cfg(test)]
mod tests;
