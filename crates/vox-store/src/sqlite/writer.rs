//! The one thread that writes a file: a batch is one transaction with one sync.
//!
//! Each awaited operation has its own savepoint. Settled calls are data and can be run again, so a batch of them has none:
//! a savepoint copies every page it touches. When one fails, the transaction begins anew and they run one by one.

use super::connection;
use super::tx::Statements;
use crate::StoreError;
use crate::queue::{Batch, Next, Queue, Queued, Settling};
use crate::tx::Tx;
use crate::worker::Server;
use rusqlite::Connection;
use std::path::PathBuf;
use vox_contract::File;

/// Starts the thread on a connection that is configured and migrated; it closes the file when it ends.
pub(crate) fn start_writer(mut connection: Connection, path: PathBuf, file: File, settling: Settling) -> Result<Server, StoreError> {
    connection::wait_evenly(&mut connection)?;
    Server::start(format!("vox-{}-writer", file.as_str()), move |queue| serve(connection, &path, file, queue, &settling))
}

/// Serves until told to stop; a file whose device failed is opened again and checked first.
fn serve(mut connection: Connection, path: &std::path::Path, file: File, queue: &Queue, settling: &Settling) {
    while let Err(error) = serve_connection(&connection, queue, settling) {
        tracing::error!(code = error.code(), "{error}");
        match reopen(path, file) {
            Ok(fresh) => connection = fresh,
            Err(error) => {
                tracing::error!(code = error.code(), "{error}");
                return;
            }
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!("{error}");
    }
}

fn reopen(path: &std::path::Path, file: File) -> Result<Connection, StoreError> {
    let mut connection = connection::writer(path, file)?;
    quick_check(&connection)?;
    connection::wait_evenly(&mut connection)?;
    Ok(connection)
}

/// Runs the engine's quick check.
pub(crate) fn quick_check(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Corrupt(verdict)) }
}

fn serve_connection(connection: &Connection, queue: &Queue, settling: &Settling) -> Result<(), StoreError> {
    let mut statements = Statements::new(connection);
    let mut may_idle = false;
    loop {
        let mut batch = Batch::default();
        match queue.next(&mut batch, may_idle) {
            Next::Stop => return Ok(()),
            Next::Idle => {
                may_idle = false;
                truncate_log(connection);
            }
            Next::Commit => {
                may_idle = true;
                commit(&mut statements, batch, queue, settling)?;
            }
        }
    }
}

fn truncate_log(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::debug!("{error}");
    }
}

/// Commits a batch and tells everybody. An error is one after which the connection cannot be trusted.
fn commit(statements: &mut Statements<'_>, mut batch: Batch, queue: &Queue, settling: &Settling) -> Result<(), StoreError> {
    // In the order of their ids, so that most rows go to the right edge of every tree.
    batch.settles.sort_unstable_by_key(|call| call.interaction.interaction_id);
    let mut outcomes = Vec::with_capacity(batch.operations.len());
    let mut refused = Vec::new();
    let mut one_by_one = false;
    let committed = loop {
        let (mut begun, mut settled) = (false, false);
        let committed = transaction(statements, |statements| {
            begun = true;
            let settle = if one_by_one { settle_each } else { settle_together };
            refused = settle(statements, &batch.settles, settling)?;
            settled = true;
            for operation in &mut batch.operations {
                outcomes.push(alone(statements, &mut |tx| operation.run(tx))?);
            }
            Ok(())
        });
        if committed.is_ok() || !begun || settled || one_by_one {
            break committed;
        }
        one_by_one = true;
    };
    outcomes.resize(batch.operations.len(), Ok(()));
    for (operation, outcome) in batch.operations.into_iter().zip(outcomes) {
        operation.finish(committed.clone().and(outcome));
    }
    match committed {
        Ok(()) => {
            let written = if refused.is_empty() { batch.settles } else { without(batch.settles, &refused) };
            queue.count_settled(written.len(), refused.len());
            if !written.is_empty() {
                (settling.committed)(&written);
            }
            Ok(())
        }
        Err(error) => {
            if !batch.settles.is_empty() {
                tracing::warn!(code = error.code(), calls = batch.settles.len(), "settled calls wait: {error}");
                queue.put_back(batch.settles);
            }
            if matches!(error, StoreError::Io(_) | StoreError::Corrupt(_)) { Err(error) } else { Ok(()) }
        }
    }
}

fn without(calls: Vec<Queued>, refused: &[usize]) -> Vec<Queued> {
    calls.into_iter().enumerate().filter(|(at, _)| !refused.contains(at)).map(|(_, call)| call).collect()
}

fn transaction(
    statements: &mut Statements<'_>,
    work: impl FnOnce(&mut Statements<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    statements.execute("BEGIN IMMEDIATE", &[])?;
    let done = work(statements).and_then(|()| statements.execute("COMMIT", &[]).map(|_| ()));
    if done.is_err() && !statements.has_no_transaction() {
        statements.execute("ROLLBACK", &[])?;
    }
    done
}

/// Runs work in a savepoint. The inner result is the work's own; the outer one fails when the whole transaction is gone.
fn alone(
    statements: &mut Statements<'_>,
    work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>,
) -> Result<Result<(), StoreError>, StoreError> {
    statements.execute("SAVEPOINT operation", &[])?;
    let outcome = work(statements);
    if let Err(error) = &outcome {
        if statements.has_no_transaction() {
            return Err(error.clone());
        }
        statements.execute("ROLLBACK TO operation", &[])?;
    }
    statements.execute("RELEASE operation", &[])?;
    Ok(outcome)
}

/// Writes settled calls; fails as soon as one call is refused.
fn settle_together(statements: &mut Statements<'_>, calls: &[Queued], settling: &Settling) -> Result<Vec<usize>, StoreError> {
    if !calls.is_empty() {
        let horizons = (settling.prepare)(statements, calls)?;
        (settling.write)(statements, &horizons, calls)?;
    }
    Ok(Vec::new())
}

/// Writes settled calls and returns the places of those that were refused.
fn settle_each(statements: &mut Statements<'_>, calls: &[Queued], settling: &Settling) -> Result<Vec<usize>, StoreError> {
    let horizons = (settling.prepare)(statements, calls)?;
    let mut refused = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        if let Err(error) = alone(statements, &mut |tx| (settling.write)(tx, &horizons, std::slice::from_ref(call)))? {
            tracing::error!(code = error.code(), interaction = %call.interaction.interaction_id, "a settled call was refused: {error}");
            refused.push(at);
        }
    }
    Ok(refused)
}
