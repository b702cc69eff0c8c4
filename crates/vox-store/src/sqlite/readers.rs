//! A few read-only connections, opened when first needed.

use super::connection;
use super::tx::Statements;
use crate::StoreError;
use crate::tx::Tx;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

const READERS: usize = 4;

/// How a file is opened for reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Beside a writer.
    Shared,
    /// Without making any file.
    Inspecting,
}

/// The readers of one file.
#[derive(Clone)]
pub(crate) struct Readers {
    path: PathBuf,
    reading: Reading,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, inspecting: bool) -> Self {
        let reading = if inspecting { Reading::Inspecting } else { Reading::Shared };
        Self { path, reading, idle: Arc::default(), permits: Arc::new(Semaphore::new(READERS)) }
    }

    /// Runs work in one read transaction on a thread that may block.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let readers = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            readers.with_connection(work)
        });
        done.await.map_err(|error| StoreError::Io(error.to_string()))?
    }

    /// Lends a connection to work that blocks this thread.
    pub(crate) fn with_raw<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None if self.reading == Reading::Inspecting => connection::inspector(&self.path)?,
            None => connection::reader(&self.path)?,
        };
        let done = work(&connection);
        self.idle.lock().push(connection);
        done
    }

    fn with_connection<T>(&self, work: impl FnOnce(&mut dyn Tx) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.with_raw(|connection| {
            // One snapshot for everything the work reads.
            connection.execute_batch("BEGIN")?;
            let done = work(&mut Statements::new(connection));
            connection.execute_batch("ROLLBACK")?;
            done
        })
    }

    /// Closes the connections that are not in use.
    pub(crate) fn close(&self) {
        self.idle.lock().clear();
    }
}
