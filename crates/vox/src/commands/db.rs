//! `vox db`: where things are, how the store stands, and whether it is what it must be. Only `migrate` writes.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde::Serialize;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use vox_base::{Coded, Kind, NanoUsd};
use vox_host::paths::Dir;
use vox_store::{Drift, File, FileStatus, Place, ServerStatus, Status, Target};

/// Look at the store.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  vox db path\n  vox db status --json\n  vox db migrate --dry-run")]
pub(crate) enum Db {
    /// Show every directory and file, and what decided where it is. Writes nothing.
    Path,
    /// Show engine, files, schema versions and what waits. Writes nothing, and works beside a running node.
    Status,
    /// Compare the live schema with the declared one. Exit 5 if they differ, 7 if a file is damaged.
    Verify,
    /// Bring the store to the schema of this release. A file is migrated whenever it is opened, a database that nodes
    /// share only by this.
    Migrate {
        /// Say what is pending, and exit 5 if something is; change nothing.
        #[arg(long, visible_alias = "plan")]
        dry_run: bool,
    },
}

impl Db {
    pub(crate) fn run(self, context: &Context) -> Result {
        match self {
            Self::Path => path(context),
            Self::Status => status(context),
            Self::Verify => verify(context),
            Self::Migrate { dry_run: true } => pending(context),
            Self::Migrate { dry_run: false } => migrate(context),
        }
    }
}

#[derive(Serialize)]
struct Shown {
    name: &'static str,
    path: String,
    source: String,
    exists: bool,
    /// Permission bits in octal, as `ls` and `chmod` write them.
    mode: Option<String>,
}

impl Shown {
    fn new(name: &'static str, path: &Path, source: impl Into<String>) -> Self {
        let metadata = path.metadata().ok();
        let mode = metadata.as_ref().map(|metadata| format!("{:04o}", metadata.mode() & 0o7777));
        Self { name, path: path.display().to_string(), source: source.into(), exists: metadata.is_some(), mode }
    }

    /// A database elsewhere; nobody asks it whether it is there.
    fn server(target: &Target, source: String) -> Self {
        Self { name: "database", path: target.to_string(), source, exists: true, mode: Some("-".to_owned()) }
    }

    fn row(&self) -> Vec<String> {
        let state = self.mode.clone().unwrap_or_else(|| "not made yet".to_owned());
        vec![self.name.to_owned(), self.path.clone(), self.source.clone(), state]
    }
}

fn path(context: &Context) -> Result {
    let dirs = context.dirs()?;
    let directory = |name, dir: &Dir| Shown::new(name, &dir.path, dir.source.to_string());
    let source = if context.global.db.is_some() { "flag" } else { "env:VOX_DB_URL" };
    let shared = match context.place()? {
        Some(Place::File(file)) => Shown::new("vox.db", &file, source),
        Some(Place::Server(target)) => Shown::server(&target, source.to_owned()),
        None => Shown::new("vox.db", &dirs.data.path.join("vox.db"), dirs.data.source.to_string()),
    };
    let places = [
        directory("data", &dirs.data),
        directory("state", &dirs.state),
        directory("config", &dirs.config),
        directory("cache", &dirs.cache),
        directory("spool", &dirs.spool),
        shared,
        Shown::new("vault.db", &dirs.data.path.join("vault.db"), dirs.data.source.to_string()),
    ];
    let mut rows = vec![["", "path", "from", "mode"].map(str::to_owned).to_vec()];
    rows.extend(places.iter().map(Shown::row));
    Ok(Answer::new("vox.db.path.v1", serde_json::json!({ "places": places }), table(&rows)))
}

#[derive(Serialize)]
struct FileShown {
    role: &'static str,
    path: String,
    bytes: u64,
    wal_bytes: u64,
    schema_version: i64,
    pending_migrations: usize,
    /// Settings of the engine, read back from the open connection.
    pragmas: BTreeMap<&'static str, String>,
}

impl From<FileStatus> for FileShown {
    fn from(file: FileStatus) -> Self {
        Self {
            role: role(file.file),
            path: file.path.display().to_string(),
            bytes: file.bytes,
            wal_bytes: file.wal_bytes,
            schema_version: file.schema_version,
            pending_migrations: file.pending,
            pragmas: file.pragmas.into_iter().collect(),
        }
    }
}

const fn role(file: File) -> &'static str {
    match file {
        File::State => "state",
        File::Vault => "vault",
    }
}

fn status(context: &Context) -> Result {
    let Some(store) = context.existing_store()? else {
        let data = serde_json::json!({ "exists": false, "files": [] });
        return Ok(Answer::new("vox.db.status.v1", data, "there is no store yet: `vox up` makes one\n"));
    };
    let status = store.status()?;
    let (calls, held) = block_on(async { Ok::<_, Coded>((store.count_calls().await?, store.held().await?)) })??;
    let (is_behind, is_open) = (n_pending(&status) > 0, status.server.as_ref().is_some_and(|server| server.is_unencrypted));
    let held_nano_usd = held.iter().map(|call| call.amount).sum::<NanoUsd>();
    let server = status.server.as_ref().map(shown_server);
    let head = format!(
        "{}\n{calls} calls stored, {} held ({held_nano_usd}){}\n",
        status.server.as_ref().map_or_else(|| format!("{} {}", status.engine, status.sqlite_version), server_line),
        held.len(),
        if status.ended_unclean { ", the last process ended without closing" } else { "" }
    );
    let files: Vec<FileShown> = status.files.into_iter().map(FileShown::from).collect();
    let mut rows = vec![["file", "path", "bytes", "log bytes", "schema", "pending"].map(str::to_owned).to_vec()];
    rows.extend(files.iter().map(|file| {
        vec![
            file.role.to_owned(),
            file.path.clone(),
            file.bytes.to_string(),
            file.wal_bytes.to_string(),
            file.schema_version.to_string(),
            file.pending_migrations.to_string(),
        ]
    }));
    let data = serde_json::json!({
        "exists": true, "engine": status.engine, "sqlite_version": status.sqlite_version, "sqlite_source_id": status.sqlite_source_id,
        "ended_unclean": status.ended_unclean, "calls": calls, "held_calls": held.len(), "held_nano_usd": held_nano_usd.get(), "files": files, "server": server,
    });
    Ok(Answer::new("vox.db.status.v1", data, format!("{head}{}", table(&rows))).exiting(if is_behind { 5 } else { u8::from(is_open) }))
}

fn n_pending(status: &Status) -> usize {
    status.files.iter().map(|file| file.pending).chain(status.server.as_ref().map(|server| server.pending)).sum()
}

fn server_line(server: &ServerStatus) -> String {
    let open = if server.is_unencrypted { "\ndegraded: the connection is not encrypted" } else { "" };
    let behind = if server.pending > 0 { format!(", {} migrations pending: `vox db migrate`", server.pending) } else { String::new() };
    let ServerStatus { version, address, schema_version, round_trip_us, .. } = server;
    format!("postgres {version} at {address}\nschema {schema_version}{behind}, {round_trip_us} µs there and back{open}")
}

fn shown_server(server: &ServerStatus) -> serde_json::Value {
    serde_json::json!({
        "address": server.address, "version": server.version, "schema_version": server.schema_version,
        "pending_migrations": server.pending, "connections_in_use": server.connections_in_use, "round_trip_us": server.round_trip_us, "is_unencrypted": server.is_unencrypted,
    })
}

fn pending(context: &Context) -> Result {
    let pending = context.existing_store()?.map(|store| store.status()).transpose()?.map_or(0, |status| n_pending(&status));
    let text = if pending == 0 { "nothing is pending\n".to_owned() } else { format!("{pending} migrations are pending\n") };
    let data = serde_json::json!({ "pending_migrations": pending, "migrated": false });
    Ok(Answer::new("vox.db.migrate.v1", data, text).exiting(if pending == 0 { 0 } else { 5 }))
}

fn migrate(context: &Context) -> Result {
    let before = context.existing_store()?.map(|store| store.status()).transpose()?.map_or(0, |status| n_pending(&status));
    let store = context.migrated_store()?;
    store.close();
    let data = serde_json::json!({ "pending_migrations": 0, "migrated": before > 0 });
    Ok(Answer::new("vox.db.migrate.v1", data, format!("{before} migrations applied\n")))
}

fn verify(context: &Context) -> Result {
    let store =
        context.existing_store()?.ok_or_else(|| Coded::new(Kind::Failed, "store.missing", "there is no store yet").next("vox up"))?;
    let files = store.verify()?;
    let mut text = String::new();
    for file in &files {
        let verdict = if file.drift.is_empty() { "as declared".to_owned() } else { format!("{} differences", file.drift.len()) };
        text.push_str(&format!("{}  schema {}  {}  {verdict}\n", role(file.file), file.schema_version, file.digest));
        file.drift.iter().for_each(|drift| text.push_str(&format!("  {drift}\n")));
    }
    let shown = |drift: &Drift| serde_json::json!({ "table": drift.table, "column": drift.column, "expected": drift.expected, "found": drift.found });
    let data: Vec<_> = files
        .iter()
        .map(|file| {
            let drift: Vec<_> = file.drift.iter().map(shown).collect();
            serde_json::json!({ "role": role(file.file), "schema_version": file.schema_version, "digest": file.digest.to_string(), "drift": drift })
        })
        .collect();
    let is_sound = files.iter().all(|file| file.drift.is_empty());
    Ok(Answer::new("vox.db.verify.v1", serde_json::json!({ "files": data }), text).exiting(if is_sound { 0 } else { 5 }))
}
