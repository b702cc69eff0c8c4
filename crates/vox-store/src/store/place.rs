//! Where the shared tables are: a file of this machine, or a database that several nodes share.

use crate::StoreError;
use crate::postgres::Target;
use std::path::PathBuf;
use vox_base::Secret;

/// Where the shared tables are.
#[derive(Debug, Clone)]
pub enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// A schema of a PostgreSQL database.
    Server(Box<Target>),
}

impl Place {
    /// Reads `sqlite:PATH`, a bare path, or `postgres://…`; the password may come apart from the address.
    ///
    /// # Errors
    /// It is the address of an engine that there is not, or cannot be read.
    pub fn parse(text: &str, password: Option<&Secret<String>>) -> Result<Self, StoreError> {
        match text.split_once(':') {
            None => Ok(Self::File(text.into())),
            Some(("sqlite", path)) => Ok(Self::File(path.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Server(Box::new(Target::parse(text, password)?))),
            // A path may hold a colon, a scheme holds no slash before it.
            Some((path, _)) if path.contains('/') || path.starts_with('.') => Ok(Self::File(text.into())),
            Some((scheme, _)) => Err(StoreError::EngineUnknown(scheme.to_owned())),
        }
    }
}
