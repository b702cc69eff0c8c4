//! What the store says about itself: `vox db status` and `vox db verify`.

use crate::sqlite::pragmas;
use crate::{Store, StoreError, migrate};
use std::path::{Path, PathBuf};
use vox_base::Digest;
use vox_contract::{Drift, File};

/// The store at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `sqlite`.
    pub engine: &'static str,
    /// Version of the linked library.
    pub sqlite_version: &'static str,
    /// Its source id.
    pub sqlite_source_id: String,
    /// Whether the last process to write ended without closing.
    pub ended_unclean: bool,
    /// The files that exist.
    pub files: Vec<FileStatus>,
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
    /// A file cannot be read.
    pub fn status(&self) -> Result<Status, StoreError> {
        let source_id = self
            .inspect(File::State, |connection| Ok(connection.query_row("SELECT sqlite_source_id()", [], |row| row.get::<_, String>(0))?))?;
        Ok(Status {
            engine: "sqlite",
            sqlite_version: rusqlite::version(),
            sqlite_source_id: source_id,
            ended_unclean: self.ended_unclean(),
            files: self.files().map(|file| self.file_status(file)).collect::<Result<_, _>>()?,
        })
    }

    /// Compares the schema of each file with its contracts. Blocks for some reads.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn verify(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        self.files()
            .map(|file| {
                self.inspect(file, |connection| {
                    let schema_version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
                    let digest = migrate::live(connection)?.digest();
                    Ok(MigrationStatus { file, schema_version, digest, drift: migrate::drift(connection, file)? })
                })
            })
            .collect()
    }

    fn files(&self) -> impl Iterator<Item = File> {
        [File::State, File::Vault].into_iter().filter(|file| bytes_of(self.path(*file)) > 0)
    }

    fn file_status(&self, file: File) -> Result<FileStatus, StoreError> {
        let path = self.path(file).to_owned();
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        self.inspect(file, |connection| {
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
}

fn bytes_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests;
