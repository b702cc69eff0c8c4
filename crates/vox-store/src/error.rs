//! What can go wrong in the store, and how a person is told.

use std::path::PathBuf;
use vox_base::{Coded, Kind};
use vox_contract::Drift;

/// An operation of the store failed.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// There is no store yet, and this operation makes none.
    #[error("no store at `{}`", .0.display())]
    Missing(PathBuf),
    /// A path leads out of the directory it belongs in.
    #[error("`{}` leads out of its directory", .0.display())]
    SymlinkEscape(PathBuf),
    /// The file is not one of ours.
    #[error("`{}` is not a vox store", .0.display())]
    Foreign(PathBuf),
    /// The file was made by a later release.
    #[error("`{}` has schema version {found}, this release knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// The schema is not the declared one.
    #[error("the schema was changed from outside: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Drift(Vec<Drift>),
    /// The text of an applied migration is not the text that was applied.
    #[error("migration {number} `{name}` is not the one that was applied")]
    MigrationEdited {
        /// Number of the migration.
        number: i64,
        /// Its name.
        name: String,
    },
    /// A migration could not be applied.
    #[error("migration {number} `{name}`: {detail}")]
    Migration {
        /// Number of the migration.
        number: i64,
        /// Its name.
        name: String,
        /// What the engine said.
        detail: String,
    },
    /// Another writer holds on for too long, or the queue is full.
    #[error("the store is busy")]
    Busy,
    /// The disk is full.
    #[error("the disk of the store is full")]
    Full,
    /// The device or the engine failed.
    #[error("the store cannot be read or written: {0}")]
    Io(String),
    /// The bytes are not a sound database.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The linked engine is too old.
    #[error("the linked SQLite {0} has a known corruption bug")]
    SqliteUnsafe(String),
    /// A value does not fit its column.
    #[error("`{column}` {message}")]
    Value {
        /// Table and column.
        column: String,
        /// What is wrong with it.
        message: String,
    },
    /// A stored value is not what its column holds.
    #[error("a row holds a damaged `{column}`")]
    Damaged {
        /// Table and column.
        column: String,
    },
    /// What the operation is about does not exist.
    #[error("no {0}")]
    NotFound(String),
    /// The store is shut.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn value(column: &str, message: impl Into<String>) -> Self {
        Self::Value { column: column.to_owned(), message: message.into() }
    }

    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "store.missing",
            Self::SymlinkEscape(_) => "store.symlink_escape",
            Self::Foreign(_) => "store.foreign",
            Self::Newer { .. } => "store.newer",
            Self::Drift(_) => "store.drift",
            Self::MigrationEdited { .. } => "store.migration_edited",
            Self::Migration { .. } => "store.migration",
            Self::Busy => "store.busy",
            Self::Full => "store.full",
            Self::Io(_) | Self::Closed => "store.io",
            Self::Corrupt(_) | Self::Damaged { .. } => "store.corrupt",
            Self::SqliteUnsafe(_) => "store.sqlite_unsafe",
            Self::Value { .. } => "store.value",
            Self::NotFound(_) => "store.not_found",
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::SymlinkEscape(_) => Kind::Refused,
            Self::Newer { .. } | Self::Drift(_) | Self::Migration { .. } => Kind::Stale,
            Self::Foreign(_) | Self::MigrationEdited { .. } | Self::SqliteUnsafe(_) | Self::Damaged { .. } => Kind::Integrity,
            Self::Io(_) | Self::Corrupt(_) => Kind::Integrity,
            Self::Value { .. } => Kind::Usage,
            Self::Missing(_) | Self::Busy | Self::Full | Self::NotFound(_) | Self::Closed => Kind::Failed,
        }
    }

    const fn next(&self) -> &'static str {
        match self {
            Self::Missing(_) => "vox up",
            Self::SymlinkEscape(_) => "give the real path",
            Self::Foreign(_) => "choose another path with `--data-dir` or `--db`",
            Self::Newer { .. } => "use the release that made it, or a later one",
            Self::Drift(_) | Self::Damaged { .. } | Self::Migration { .. } => "vox db verify",
            Self::MigrationEdited { .. } | Self::SqliteUnsafe(_) => "use the released binary",
            Self::Busy => "try again; `vox status` says who else uses the store",
            Self::Full => "free some space on the disk of the data directory",
            Self::Io(_) | Self::Corrupt(_) | Self::Closed => "vox db status",
            Self::Value { .. } => "correct the value",
            Self::NotFound(_) => "check the id",
        }
    }
}

impl From<StoreError> for Coded {
    fn from(error: StoreError) -> Self {
        Self::new(error.kind(), error.code(), error.to_string()).next(error.next())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => Self::value(&text, "is refused"),
            _ => Self::Io(text),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::Full,
            _ => Self::Io(error.to_string()),
        }
    }
}
