//! Where the shared database is. The password is in here and comes out nowhere else than at the server.

use crate::StoreError;
use std::path::PathBuf;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use vox_base::{Digest, Secret};

/// The schema, unless the URL names another.
const DEFAULT_SCHEMA: &str = "vox";

/// One database and schema, and how to get there.
#[derive(Clone)]
pub struct Target {
    pub(crate) config: Config,
    pub(crate) schema: String,
    pub(crate) root_certificates: Option<PathBuf>,
    is_unencrypted: bool,
    shown: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl std::fmt::Display for Target {
    /// Writes the address without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Target {
    /// Reads a URL such as `postgres://user:password@host:5432/database?vox_schema=vox`; the password may come apart from
    /// it.
    ///
    /// # Errors
    /// It cannot be read; the message holds nothing of it.
    pub fn parse(url: &str, password: Option<&Secret<String>>) -> Result<Self, StoreError> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut schema, mut root_certificates, mut mode, mut rest) = (DEFAULT_SCHEMA.to_owned(), None, None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("vox_schema", name)) => schema = name.to_owned(),
                Some(("sslrootcert", path)) => root_certificates = Some(PathBuf::from(path)),
                Some(("sslmode", name)) => mode = Some(ssl_mode(name)?),
                _ => rest.push(parameter),
            }
        }
        if !is_schema_name(&schema) {
            return Err(StoreError::Url("`vox_schema` is not a name of lower-case letters, digits and `_`".into()));
        }
        let mut config: Config = format!("{address}?{}", rest.join("&"))
            .parse()
            .map_err(|_| StoreError::Url("expected `postgres://USER@HOST:PORT/DATABASE`".into()))?;
        if let (None, Some(password)) = (config.get_password(), password) {
            config.password(password.expose());
        }
        let is_near = config.get_hosts().iter().all(is_near);
        let mode = match mode {
            Some(SslMode::Prefer) | None if !is_near => SslMode::Require,
            None => SslMode::Disable,
            Some(mode) => mode,
        };
        config.ssl_mode(mode).connect_timeout(std::time::Duration::from_secs(5));
        let shown = show(&config, &schema);
        Ok(Self { is_unencrypted: !is_near && mode == SslMode::Disable, config, schema, root_certificates, shown })
    }

    /// Returns whether the user asked for an unencrypted connection to another machine.
    #[must_use]
    pub const fn is_unencrypted(&self) -> bool {
        self.is_unencrypted
    }

    /// Returns a number that stands for the schema where locks of the whole database are counted.
    pub(crate) fn lock_space(&self) -> i32 {
        let digest = Digest::of(format!("vox {}", self.schema).as_bytes());
        i32::from_be_bytes([digest.as_bytes()[0], digest.as_bytes()[1], digest.as_bytes()[2], digest.as_bytes()[3]])
    }
}

fn ssl_mode(name: &str) -> Result<SslMode, StoreError> {
    match name {
        "disable" => Ok(SslMode::Disable),
        "allow" | "prefer" => Ok(SslMode::Prefer),
        // A certificate is always checked, so these are one.
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => Err(StoreError::Url("`sslmode` is none of disable, prefer, require, verify-full".into())),
    }
}

fn is_schema_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.starts_with("pg_")
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback()),
    }
}

fn show(config: &Config, schema: &str) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let user = config.get_user().map_or_else(String::new, |user| format!("{user}@"));
    let port = config.get_ports().first().map_or_else(String::new, |port| format!(":{port}"));
    let database = config.get_dbname().unwrap_or_default();
    format!("postgres://{user}{host}{port}/{database}?vox_schema={schema}")
}

#[cfg(test)]
mod tests;
