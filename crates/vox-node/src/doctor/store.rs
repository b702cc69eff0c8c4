//! Is the store what it must be?

use super::{Finding, Level, Patient};
use std::path::Path;
use vox_base::{Kind, NanoUsd, Timestamp};
use vox_store::{File, ServerStatus, Status, Store};

/// A log this long has not been folded into its file for a while.
const WAL_WARN_BYTES: u64 = 64 * 1024 * 1024;

pub(super) async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let store = match &patient.store {
        Err(error) => return vec![Finding::from_error("store-open", "vox.db", error)],
        Ok(None) => return vec![Finding::new(Level::Info, "store-missing", "vox.db", "there is no store yet").next("vox up")],
        Ok(Some(store)) => store,
    };
    let mut findings = modes(patient);
    findings.extend(status(store));
    findings.extend(schema(store));
    findings.extend(ledger(store).await);
    findings.extend(scoreboard(store, patient.now).await);
    findings
}

/// Directories and files that somebody else could read.
fn modes(patient: &Patient<'_>) -> Vec<Finding> {
    let data = &patient.dirs.data.path;
    let open = |path: &Path| match vox_host::fs::check_private(path) {
        Err(error) if !error.is_missing() => Some(Finding::new(Level::Warn, "store-mode", path.display().to_string(), error.to_string())),
        _ => None,
    };
    [data.clone(), data.join("vox.db")].iter().filter_map(|path| open(path)).collect()
}

fn status(store: &Store) -> Vec<Finding> {
    let status = match store.status() {
        Ok(status) => status,
        Err(error) => return vec![Finding::from_error("store-status", "vox.db", &error.into())],
    };
    let mut findings = vec![Finding::new(Level::Info, "store-engine", "vox.db", engine(&status))];
    if let Some(server) = &status.server {
        findings.extend(shared(server));
    }
    if status.ended_unclean {
        let evidence = "the last process did not close it; it was checked when it was opened";
        findings.push(Finding::new(Level::Info, "store-unclean", "vox.db", evidence).next("vox usage --held"));
    }
    for file in &status.files {
        let name = name(file.file);
        if file.pending > 0 {
            let evidence = format!("schema version {}, {} migrations pending", file.schema_version, file.pending);
            findings.push(Finding::new(Level::Error, "store-migration", name, evidence).of_kind(Kind::Stale).next("vox serve --check"));
        }
        if file.wal_bytes > WAL_WARN_BYTES {
            let evidence = format!("its log has {} MiB", file.wal_bytes / 1024 / 1024);
            findings.push(Finding::new(Level::Warn, "store-wal", name, evidence).next("vox status"));
        }
    }
    findings
}

fn engine(status: &Status) -> String {
    match &status.server {
        None => format!("{} {}", status.engine, status.sqlite_version),
        Some(server) => format!("{} {} at {}, {} µs there and back", status.engine, server.version, server.address, server.round_trip_us),
    }
}

fn shared(server: &ServerStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    if server.pending > 0 {
        let evidence = format!("schema version {}, {} migrations pending", server.schema_version, server.pending);
        findings.push(Finding::new(Level::Error, "store-migration", "database", evidence).of_kind(Kind::Stale).next("vox db migrate"));
    }
    if server.is_unencrypted {
        let evidence = "the connection to the database leaves this machine and is not encrypted";
        findings
            .push(Finding::new(Level::Warn, "store-unencrypted", "database", evidence).next("take `sslmode=disable` out of its address"));
    }
    findings
}

fn schema(store: &Store) -> Vec<Finding> {
    match store.verify() {
        Err(error) => vec![Finding::from_error("store-verify", "vox.db", &error.into())],
        Ok(files) => {
            let drifted = files.into_iter().filter(|file| !file.drift.is_empty());
            drifted
                .map(|file| {
                    let evidence = format!("{} differences to the declared schema, the first: {}", file.drift.len(), file.drift[0]);
                    Finding::new(Level::Error, "store-schema", name(file.file), evidence).of_kind(Kind::Stale).next("vox db verify")
                })
                .collect()
        }
    }
}

async fn ledger(store: &Store) -> Vec<Finding> {
    let (held, calls) = (store.held().await, store.count_calls().await);
    let mut findings = Vec::new();
    match calls {
        Ok(calls) => findings.push(Finding::new(Level::Info, "store-calls", "vox.db", format!("{calls} calls stored"))),
        Err(error) => findings.push(Finding::from_error("store-read", "vox.db", &error.into())),
    }
    match held {
        Ok(held) if !held.is_empty() => {
            let sum: NanoUsd = held.iter().map(|call| call.amount).sum();
            let evidence = format!("{} calls were not settled before their node died; {sum} counts against budgets", held.len());
            findings.push(Finding::new(Level::Warn, "store-held", "ledger", evidence).next("vox usage --held"));
        }
        Ok(_) => {}
        Err(error) => findings.push(Finding::from_error("store-read", "vox.db", &error.into())),
    }
    findings
}

/// A scoreboard older than this was not made last night.
const SCORES_WARN_MS: i64 = 26 * 3_600_000;

async fn scoreboard(store: &Store, now: Timestamp) -> Option<Finding> {
    let finding = |level, evidence: String| Finding::new(level, "store-scoreboard", "scoreboard", evidence).next("vox model rollup");
    let scores = match store.scores(None).await {
        Err(error) => return Some(Finding::from_error("store-read", "vox.db", &error.into())),
        Ok(scores) => scores,
    };
    let Some(as_of) = scores.iter().map(|row| row.as_of).max() else {
        return Some(finding(Level::Info, "no scoreboard yet".to_owned()));
    };
    let age_ms = (now.millis() - as_of.millis()).max(0);
    let (level, word) = if age_ms > SCORES_WARN_MS { (Level::Warn, "STALE") } else { (Level::Info, "fresh") };
    Some(finding(level, format!("{} rows  {word}  {} ago (limit 26h)", scores.len(), super::age(age_ms))))
}

const fn name(file: File) -> &'static str {
    match file {
        File::State => "vox.db",
        File::Vault => "vault.db",
    }
}
