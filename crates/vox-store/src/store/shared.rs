//! The shared tables behind one interface: a SQLite file with its writer and readers, or a PostgreSQL schema.

use super::{Access, OpenOptions};
use crate::StoreError;
use crate::postgres::{self, Begin, Bell, Office, Pool, Session, Target};
use crate::queue::{Queue, Settling};
use crate::sqlite::Readers;
use crate::tx::Tx;
use crate::worker::Server;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vox_base::{Id, Timestamp};

/// How long closing waits until the last change is told; whoever misses it asks soon.
const BELL_PATIENCE: Duration = Duration::from_secs(1);

/// Whether a process may do a leader's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    /// There are no others.
    Alone,
    /// It holds the office in this epoch.
    Epoch(i64),
    /// Another one leads.
    Follows,
}

/// One SQLite file.
pub(crate) struct FileEngine {
    pub(crate) path: PathBuf,
    pub(crate) writer: Option<Server>,
    pub(crate) readers: Readers,
}

impl FileEngine {
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        let writer = self.writer.as_ref().ok_or_else(|| StoreError::Missing(self.path.clone()))?;
        writer.queue.run(work).await
    }

    pub(crate) fn close(&self, patience: Duration) {
        self.readers.close();
        if let Some(writer) = &self.writer {
            writer.close(patience);
        }
    }
}

/// One PostgreSQL schema.
pub(crate) struct ServerEngine {
    pub(crate) target: Target,
    pub(crate) pool: Pool,
    settler: Option<Server>,
    /// None where nothing may be written.
    bell: Option<Bell>,
    office: Arc<Mutex<Office>>,
    name: String,
}

impl ServerEngine {
    /// Connects, migrates as far as the options allow, and starts the settler.
    pub(crate) fn open(options: &OpenOptions, target: &Target, settling: Settling) -> Result<Self, StoreError> {
        let name = format!("vox {} {}", options.vox_version, std::process::id());
        postgres::apart(|| {
            let mut session = Session::connect(target, &name)?;
            postgres::open_schema(&mut session, target, options)
        })?;
        let (settler, bell) = match options.access {
            Access::Inspect => (None, None),
            Access::Existing | Access::Create => {
                let settler = postgres::start_settler(target.clone(), name.clone(), settling)?;
                (Some(settler), Some(Bell::start(target.clone(), name.clone())?))
            }
        };
        Ok(Self { target: target.clone(), pool: Pool::new(target, &name), settler, bell, office: Arc::default(), name })
    }
}

impl ServerEngine {
    /// Keeps the office, or takes it if it is free; returns the epoch, if this process holds it.
    async fn lead(&self, holder: Id<crate::kind::Store>, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let (office, target, name) = (self.office.clone(), self.target.clone(), self.name.clone());
        let kept = tokio::task::spawn_blocking(move || office.lock().keep(&target, &name, holder, now));
        kept.await.map_err(|error| StoreError::Io(error.to_string()))?
    }
}

/// Where the shared tables are, opened.
pub(crate) enum Shared {
    File(FileEngine),
    Server(Box<ServerEngine>),
}

impl Shared {
    /// Returns what waits to be written; `None` for a store that is only inspected.
    pub(crate) fn queue(&self) -> Option<&Arc<Queue>> {
        match self {
            Self::File(file) => file.writer.as_ref().map(|writer| &writer.queue),
            Self::Server(server) => server.settler.as_ref().map(|settler| &settler.queue),
        }
    }

    pub(crate) async fn write<T, F>(&self, mut work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        match self {
            Self::File(file) => file.write(move |tx| work(tx)).await,
            Self::Server(server) if server.settler.is_none() => Err(StoreError::Missing(PathBuf::from(server.target.to_string()))),
            Self::Server(server) => server.pool.run(Begin::InTurn, work).await,
        }
    }

    /// Returns what tells the other nodes of changes; `None` where there are none.
    pub(crate) fn bell(&self) -> Option<&Bell> {
        match self {
            Self::File(_) => None,
            Self::Server(server) => server.bell.as_ref(),
        }
    }

    /// Returns whether this process may do a leader's work; always where nobody else is.
    pub(crate) async fn lead(&self, holder: Id<crate::kind::Store>, now: Timestamp) -> Result<Lead, StoreError> {
        match self {
            Self::File(_) => Ok(Lead::Alone),
            Self::Server(server) => Ok(server.lead(holder, now).await?.map_or(Lead::Follows, Lead::Epoch)),
        }
    }

    /// Runs a write that is a leader's.
    pub(crate) async fn write_leading<T, F>(&self, lead: Lead, mut work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        match lead {
            Lead::Alone => self.write(work).await,
            Lead::Follows => Err(StoreError::NotLeading),
            Lead::Epoch(epoch) => {
                self.write(move |tx| {
                    postgres::check_epoch(tx, epoch)?;
                    work(tx)
                })
                .await
            }
        }
    }

    /// Like [`Self::write_beside`], for as long as this process leads where a lead is named.
    pub(crate) async fn write_beside_as<T, F>(&self, lead: Option<Lead>, mut work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        match lead {
            None | Some(Lead::Alone) => self.write_beside(work).await,
            Some(Lead::Follows) => Err(StoreError::NotLeading),
            Some(Lead::Epoch(epoch)) => {
                self.write_beside(move |tx| {
                    postgres::check_epoch(tx, epoch)?;
                    work(tx)
                })
                .await
            }
        }
    }

    pub(crate) async fn write_beside<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        match self {
            Self::Server(server) if server.settler.is_some() => server.pool.run(Begin::Beside, work).await,
            Self::File(_) | Self::Server(_) => self.write(work).await,
        }
    }

    pub(crate) async fn read<T, F>(&self, mut work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        match self {
            Self::File(file) => file.readers.run(move |tx| work(tx)).await,
            Self::Server(server) => server.pool.run(Begin::Reading, work).await,
        }
    }

    pub(crate) fn close(&self, patience: Duration) {
        match self {
            Self::File(file) => file.close(patience),
            Self::Server(server) => {
                if let Some(settler) = &server.settler {
                    settler.close(patience);
                }
                if let Some(bell) = &server.bell {
                    bell.close(BELL_PATIENCE);
                }
                *server.office.lock() = Office::default();
                server.pool.close();
            }
        }
    }
}
