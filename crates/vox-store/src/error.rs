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
    /// The shared database was made by an earlier release, and is migrated only when a person says so.
    #[error("the database has schema version {found}, this release needs {known}")]
    Behind {
        /// Its schema version.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// No engine serves this kind of address.
    #[error("no store engine for `{0}:`")]
    EngineUnknown(String),
    /// The server is older than what is known to work.
    #[error("{0} is too old for a store")]
    EngineOld(String),
    /// The address of the database cannot be read.
    #[error("the address of the database cannot be read: {0}")]
    Url(String),
    /// The server cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The server does not let this role in, or not do this.
    #[error("the database refuses: {0}")]
    Denied(String),
    /// Every connection to the server is in use.
    #[error("every connection to the database is in use")]
    PoolExhausted,
    /// Another node leads, and does what this one was about to do.
    #[error("another node leads")]
    NotLeading,
    /// Others changed the same at the same time; it was not done.
    #[error("the store is busy: others changed the same")]
    Conflict,
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
            Self::Behind { .. } => "store.behind",
            Self::EngineUnknown(_) => "store.engine_unknown",
            Self::EngineOld(_) => "store.engine_old",
            Self::Url(_) => "store.url",
            Self::Unreachable(_) => "store.unreachable",
            Self::Denied(_) => "store.denied",
            Self::PoolExhausted => "store.pool_exhausted",
            Self::Drift(_) => "store.drift",
            Self::MigrationEdited { .. } => "store.migration_edited",
            Self::Migration { .. } => "store.migration",
            Self::Busy | Self::Conflict | Self::NotLeading => "store.busy",
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
            Self::SymlinkEscape(_) | Self::Denied(_) => Kind::Refused,
            Self::EngineUnknown(_) | Self::Url(_) => Kind::Usage,
            Self::Newer { .. } | Self::Behind { .. } | Self::Drift(_) | Self::Migration { .. } => Kind::Stale,
            Self::Foreign(_) | Self::MigrationEdited { .. } | Self::SqliteUnsafe(_) | Self::EngineOld(_) | Self::Damaged { .. } => {
                Kind::Integrity
            }
            Self::Io(_) | Self::Corrupt(_) => Kind::Integrity,
            Self::Value { .. } => Kind::Usage,
            Self::Unreachable(_) | Self::PoolExhausted | Self::Conflict | Self::NotLeading => Kind::Failed,
            Self::Missing(_) | Self::Busy | Self::Full | Self::NotFound(_) | Self::Closed => Kind::Failed,
        }
    }

    const fn next(&self) -> &'static str {
        match self {
            Self::Missing(_) => "vox up",
            Self::SymlinkEscape(_) => "give the real path",
            Self::Foreign(_) => "choose another path with `--data-dir` or `--db`",
            Self::Newer { .. } => "use the release that made it, or a later one",
            Self::Behind { .. } => "vox db migrate",
            Self::EngineUnknown(_) => "give `sqlite:PATH`, a path, or `postgres://USER@HOST/DATABASE`",
            Self::Url(_) => "correct `--db` or `VOX_DB_URL`",
            Self::EngineOld(_) => "use PostgreSQL 15 or later",
            Self::Unreachable(_) => "see whether the server runs, and whether `vox db path` names the right one",
            Self::Denied(_) => "give the role its password, and the rights to the schema",
            Self::PoolExhausted | Self::Conflict | Self::NotLeading => "try again in a moment",
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
        if text.contains("integer overflow") {
            return Self::value("a sum", text);
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => Self::value(&text, "is refused"),
            _ => Self::Io(text),
        }
    }
}

impl StoreError {
    /// Returns whether the values are at fault, and not the engine.
    pub(crate) const fn is_about_a_value(&self) -> bool {
        matches!(self, Self::Value { .. })
    }

    /// Translates what the server, or the way to it, says. A detail of the server's may hold values, and stays there.
    pub(crate) fn from_server(error: &tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            let source = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
            return Self::Unreachable(format!("{error}{source}"));
        };
        let text = refusal.message().to_owned();
        match refusal.code().code() {
            "40001" | "40P01" => Self::Conflict,
            "55P03" | "57014" => Self::Busy,
            "53100" => Self::Full,
            "53300" => Self::PoolExhausted,
            "42501" | "28000" | "28P01" | "3D000" | "3F000" => Self::Denied(text),
            "XX001" | "XX002" => Self::Corrupt(text),
            code if code.starts_with("57P") || code.starts_with("08") => Self::Unreachable(text),
            code if code.starts_with("22") || code.starts_with("23") => {
                let table = refusal.table().unwrap_or_default();
                let column = refusal.column().or(refusal.constraint()).map_or_else(|| table.to_owned(), |part| format!("{table}.{part}"));
                Self::value(&column, text)
            }
            code => Self::Io(format!("{text} ({code})")),
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
