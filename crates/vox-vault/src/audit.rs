//! What was done with secrets: rows chained by hash, so that a deleted, edited or moved row shows.
//!
//! `hash = SHA-256(prev ‖ canonical row)`. A row never holds a value, its length or its fingerprint.

use crate::cbor::Value;
use crate::record::unsigned;
use sha2::{Digest as _, Sha256};
use vox_base::{Digest, Timestamp};

/// One thing to write down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// `cli_tty`, `cli_pipe`, `node_gateway` …
    pub caller_kind: String,
    /// Which caller of that kind.
    pub caller_id: Option<String>,
    /// The run it belongs to.
    pub run_id: Option<String>,
    /// `set`, `rm`, `use` …
    pub op: String,
    /// The secret; `None` when it is about the vault.
    pub secret_id: Option<String>,
    /// Its version.
    pub version: Option<u64>,
    /// Where the value came from.
    pub source: Option<String>,
    /// Where it went.
    pub host: Option<String>,
    /// `ok`, or why not.
    pub verdict: String,
    /// How often; `None` while unknown.
    pub count: Option<u64>,
    /// Anything else worth a line.
    pub detail: Option<String>,
}

/// One row of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Position, from 1.
    pub seq: u64,
    /// Hash of the row before, all zeros for the first.
    pub prev_hash: Digest,
    /// Hash of this row.
    pub hash: Digest,
    /// When.
    pub at: Timestamp,
    /// What.
    pub entry: AuditEntry,
}

/// The audit does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit breaks at row {seq}: {reason}")]
pub struct BrokenChain {
    /// The first row that is wrong.
    pub seq: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl From<BrokenChain> for vox_base::Coded {
    fn from(error: BrokenChain) -> Self {
        Self::new(vox_base::Kind::Integrity, "vault.audit_broken", error.to_string())
            .at(format!("vault.db vault_audit {}", error.seq))
            .next("compare with a backup of vault.db; secrets stay usable")
    }
}

impl AuditRow {
    /// Returns the row that follows `last`, the newest row stored so far.
    #[must_use]
    pub fn after(last: Option<&Self>, at: Timestamp, entry: AuditEntry) -> Self {
        let (seq, prev_hash) = last.map_or((1, Digest::from_bytes([0; 32])), |last| (last.seq + 1, last.hash));
        let at = Timestamp::from_millis(at.millis().max(0));
        let hash = hash(seq, &prev_hash, at, &entry);
        Self { seq, prev_hash, hash, at, entry }
    }
}

/// Checks rows in order, from the oldest kept.
///
/// # Errors
/// Names the first row that was edited, moved, or whose predecessor is gone.
pub fn verify_audit<'a>(rows: impl IntoIterator<Item = &'a AuditRow>) -> Result<(), BrokenChain> {
    let mut last: Option<&AuditRow> = None;
    for row in rows {
        let broken = |reason| Err(BrokenChain { seq: row.seq, reason });
        if row.hash != hash(row.seq, &row.prev_hash, row.at, &row.entry) {
            return broken("its content is not what was written");
        }
        match last {
            Some(last) if row.seq != last.seq + 1 => return broken("a row before it is missing or moved"),
            Some(last) if row.prev_hash != last.hash => return broken("it does not follow the row before"),
            None if row.seq == 1 && row.prev_hash != Digest::from_bytes([0; 32]) => return broken("it is not the first row"),
            _ => last = Some(row),
        }
    }
    Ok(())
}

fn hash(seq: u64, prev: &Digest, at: Timestamp, entry: &AuditEntry) -> Digest {
    let fields = [
        Some(Value::Uint(seq)),
        Some(Value::Uint(unsigned(at))),
        Some(Value::Text(&entry.caller_kind)),
        text(&entry.caller_id),
        text(&entry.run_id),
        Some(Value::Text(&entry.op)),
        text(&entry.secret_id),
        entry.version.map(Value::Uint),
        text(&entry.source),
        text(&entry.host),
        Some(Value::Text(&entry.verdict)),
        entry.count.map(Value::Uint),
        text(&entry.detail),
    ];
    let present = (1..).zip(fields).filter_map(|(key, value)| value.map(|value| (key, value))).collect();
    let canonical = Value::Map(present).encode();
    Digest::from_bytes(Sha256::new_with_prefix(prev.as_bytes()).chain_update(canonical).finalize().into())
}

fn text(text: &Option<String>) -> Option<Value<'_>> {
    text.as_deref().map(Value::Text)
}

#[cfg(test)]
mod tests;
