//! What the store says about itself: `vox db status` and `vox db verify`.

use crate::postgres::{self, Found, Session};
use crate::sqlite::pragmas;
use crate::store::{FileEngine, ServerEngine, Shared};
use crate::{Store, StoreError, migrate};
use std::path::{Path, PathBuf};
use vox_base::Digest;
use vox_contract::{Drift, File};

/// The store at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The engine of the shared tables: `sqlite` or `postgres`.
    pub engine: &'static str,
    /// Version of the linked library.
    pub sqlite_version: &'static str,
    /// Its source id.
    pub sqlite_source_id: String,
    /// Whether the last process to write ended without closing.
    pub ended_unclean: bool,
    /// The files that exist.
    pub files: Vec<FileStatus>,
    /// The database that several nodes share, if the store is in one.
    pub server: Option<ServerStatus>,
}

/// One shared database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Its address, without the password.
    pub address: String,
    /// The version the server says it has.
    pub version: String,
    /// Version of our schema in it.
    pub schema_version: i64,
    /// Migrations that are not applied.
    pub pending: usize,
    /// Connections of this process that are in use, of 16 at most.
    pub connections_in_use: usize,
    /// How long one question takes.
    pub round_trip_us: u64,
    /// Whether the connection leaves this machine and is not encrypted.
    pub is_unencrypted: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStatus {
    /// Its role.
    pub file: File,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The length of its log.
    pub wal_bytes: u64,
    /// Version of its schema.
    pub schema_version: i64,
    /// Migrations that are not applied.
    pub pending: usize,
    /// The settings as the open connection reports them.
    pub pragmas: Vec<(&'static str, String)>,
}

/// How one file stands against its contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its role.
    pub file: File,
    /// Version of its schema.
    pub schema_version: i64,
    /// Digest of its schema as it is.
    pub digest: Digest,
    /// Every difference to the contracts.
    pub drift: Vec<Drift>,
}

impl Store {
    /// Returns the state of the store. Blocks for some reads.
    ///
    /// # Errors
    /// A file cannot be read, or the server not be asked.
    pub fn status(&self) -> Result<Status, StoreError> {
        let files = self.files()?.into_iter().map(|(file, engine)| file_status(file, engine.as_ref())).collect::<Result<_, _>>()?;
        let (engine, server) = match self.shared() {
            Shared::File(_) => ("sqlite", None),
            Shared::Server(server) => ("postgres", Some(server_status(server)?)),
        };
        let source_id = rusqlite::Connection::open_in_memory()?.query_row("SELECT sqlite_source_id()", [], |row| row.get(0))?;
        let (sqlite_version, ended_unclean) = (rusqlite::version(), self.ended_unclean());
        Ok(Status { engine, sqlite_version, sqlite_source_id: source_id, ended_unclean, files, server })
    }

    /// Compares each schema with its contracts. Blocks for some reads.
    ///
    /// # Errors
    /// A file cannot be read, or the server not be asked.
    pub fn verify(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        let mut found = Vec::new();
        if let Shared::Server(server) = self.shared() {
            found.push(verify_server(server)?);
        }
        for (file, engine) in self.files()? {
            found.push(engine.as_ref().readers.with_raw(|connection| {
                let schema_version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
                let digest = migrate::live(connection)?.digest();
                Ok(MigrationStatus { file, schema_version, digest, drift: migrate::drift(connection, file)? })
            })?);
        }
        Ok(found)
    }

    /// Returns the files that exist.
    fn files(&self) -> Result<Vec<(File, Handle<'_>)>, StoreError> {
        let mut files = Vec::new();
        if let Shared::File(engine) = self.shared()
            && bytes_of(&engine.path) > 0
        {
            files.push((File::State, Handle::Lent(engine)));
        }
        files.extend(self.vault_file()?.map(|engine| (File::Vault, Handle::Held(engine))));
        Ok(files)
    }
}

enum Handle<'a> {
    Lent(&'a FileEngine),
    Held(std::sync::Arc<FileEngine>),
}

impl Handle<'_> {
    fn as_ref(&self) -> &FileEngine {
        match self {
            Self::Lent(engine) => engine,
            Self::Held(engine) => engine,
        }
    }
}

fn file_status(file: File, engine: &FileEngine) -> Result<FileStatus, StoreError> {
    let path = engine.path.clone();
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    engine.readers.with_raw(|connection| {
        let schema_version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(FileStatus {
            file,
            bytes: bytes_of(&path),
            wal_bytes: bytes_of(Path::new(&log)),
            schema_version,
            pending: migrate::of(file).filter(|migration| migration.number > schema_version).count(),
            pragmas: pragmas(connection)?,
            path: path.clone(),
        })
    })
}

fn server_status(server: &ServerEngine) -> Result<ServerStatus, StoreError> {
    on_server(server, |session| {
        let started = std::time::Instant::now();
        let version = session.ask("SHOW server_version")?.unwrap_or_default();
        let round_trip_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let schema_version = schema_version(server, session)?;
        Ok(ServerStatus {
            address: server.target.to_string(),
            version,
            schema_version,
            pending: postgres::pending(schema_version),
            connections_in_use: server.pool.in_use(),
            round_trip_us,
            is_unencrypted: server.target.is_unencrypted(),
        })
    })
}

fn verify_server(server: &ServerEngine) -> Result<MigrationStatus, StoreError> {
    on_server(server, |session| {
        let live = postgres::live(session, &server.target)?;
        let schema_version = schema_version(server, session)?;
        Ok(MigrationStatus { file: File::State, schema_version, digest: live.digest(), drift: postgres::declared().drift(&live) })
    })
}

fn schema_version(server: &ServerEngine, session: &Session) -> Result<i64, StoreError> {
    Ok(match postgres::look(session, &server.target)? {
        Found::Nothing => 0,
        Found::Version(version) => version,
    })
}

fn on_server<T: Send>(server: &ServerEngine, work: impl FnOnce(&mut Session) -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
    postgres::apart(|| server.pool.with(work))
}

fn bytes_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests;
