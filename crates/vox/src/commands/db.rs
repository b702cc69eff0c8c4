//! `vox db`: where things are, how the store stands, and whether it is what it must be. None of it writes.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde::Serialize;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use vox_host::paths::Dir;

/// Look at the store.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  vox db path\n  vox db status --json\n  vox db verify")]
pub(crate) enum Db {
    /// Show every directory and file, and what decided where it is. Writes nothing.
    Path,
    /// Show engine, files, schema versions and what waits. Writes nothing, and works beside a running node.
    Status,
    /// Compare the live schema with the declared one. Exit 5 if they differ, 7 if a file is damaged.
    Verify,
}

impl Db {
    pub(crate) fn run(self, context: &Context) -> Result {
        match self {
            Self::Path => path(context),
            Self::Status => status(context),
            Self::Verify => verify(context),
        }
    }
}

#[derive(Serialize)]
struct Place {
    name: &'static str,
    path: String,
    source: String,
    exists: bool,
    /// Permission bits in octal, as `ls` and `chmod` write them.
    mode: Option<String>,
}

impl Place {
    fn new(name: &'static str, path: &Path, source: impl Into<String>) -> Self {
        let metadata = path.metadata().ok();
        let mode = metadata.as_ref().map(|metadata| format!("{:04o}", metadata.mode() & 0o7777));
        Self { name, path: path.display().to_string(), source: source.into(), exists: metadata.is_some(), mode }
    }

    fn row(&self) -> Vec<String> {
        let state = self.mode.clone().unwrap_or_else(|| "not made yet".to_owned());
        vec![self.name.to_owned(), self.path.clone(), self.source.clone(), state]
    }
}

fn path(context: &Context) -> Result {
    let dirs = context.dirs()?;
    let directory = |name, dir: &Dir| Place::new(name, &dir.path, dir.source.to_string());
    let (state_file, state_source) = match context.db_file()? {
        Some(file) if context.global.db.is_some() => (file, "flag".to_owned()),
        Some(file) => (file, "env:VOX_DB_URL".to_owned()),
        None => (dirs.data.path.join("vox.db"), dirs.data.source.to_string()),
    };
    let places = [
        directory("data", &dirs.data),
        directory("state", &dirs.state),
        directory("config", &dirs.config),
        directory("cache", &dirs.cache),
        directory("spool", &dirs.spool),
        Place::new("vox.db", &state_file, state_source),
        Place::new("vault.db", &dirs.data.path.join("vault.db"), dirs.data.source.to_string()),
    ];
    let mut rows = vec![["", "path", "from", "mode"].map(str::to_owned).to_vec()];
    rows.extend(places.iter().map(Place::row));
    Ok(Answer::new("vox.db.path.v1", serde_json::json!({ "places": places }), table(&rows)))
}
