//! Changing a secret: one signed record, its heads, its version row, its audit row, and the bodies it makes needless.

use super::load::Entry;
use super::{FORMAT_VERSION, Vault, heads};
use crate::audit::{AuditEntry, AuditRow};
use crate::error::VaultError;
use crate::record::{Body, Header, Operation, Record, RecordError, RecordKind, unsigned};
use crate::rows::{Head, StoredRecord, Version, VersionOp};
use crate::seal;
use std::collections::HashSet;
use vox_base::{Digest, Entropy, Timestamp};

/// How long a removed value is kept.
const REMOVED_HOLD_MS: i64 = 24 * 3_600_000;
const MAX_ID_BYTES: usize = 64;

/// Who asks for a change.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// `cli_tty`, `cli_pipe`, `node_gateway` …
    pub kind: &'a str,
    /// Which caller of that kind.
    pub id: Option<&'a str>,
}

/// A value to set.
#[derive(Clone, Copy)]
pub struct Put<'a> {
    /// The secret; that it is in the registry is for the caller to know.
    pub secret_id: &'a str,
    /// The value.
    pub value: &'a str,
    /// When it stops being good.
    pub expires: Option<Timestamp>,
    /// Only if the secret is at this version; 0 means it has none.
    pub if_version: Option<u64>,
    /// Who sets it.
    pub by: By<'a>,
}

/// Rows to store in one transaction, before [`Vault::apply`].
pub struct Append {
    /// The new record.
    pub record: StoredRecord,
    /// All heads of the secret from now on; replaces its rows.
    pub heads: Vec<Head>,
    /// The new version.
    pub version: Version,
    /// What to write down about it.
    pub audit: AuditRow,
    /// Records to be overwritten by their form without a body.
    pub prune: Vec<Pruned>,
    entry: Entry,
}

/// A record whose body goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Which record, by its hash.
    pub hash: Digest,
    /// What takes the place of its bytes; its row is `pruned` from then on.
    pub bytes: Vec<u8>,
}

/// A change on its way to becoming an [`Append`].
struct Change<'a> {
    secret_id: &'a str,
    operation: Operation,
    value: &'a str,
    expires: Option<Timestamp>,
    hold_until: Option<Timestamp>,
    by: By<'a>,
}

impl Vault {
    /// Makes the rows that set a value.
    ///
    /// # Errors
    /// The id or value has the wrong form or size, the version has moved, or the vault is of a later format.
    pub fn put(&self, put: &Put<'_>, now: Timestamp, entropy: &dyn Entropy) -> Result<Append, VaultError> {
        let Put { secret_id, value, expires, if_version, by } = *put;
        if value.is_empty() {
            return Err(VaultError::Empty(secret_id.to_owned()));
        }
        if value.len() > seal::MAX_VALUE_BYTES {
            return Err(too_large(secret_id, value));
        }
        if let Some(expected) = if_version {
            self.check_version(secret_id, expected)?;
        }
        self.append(&Change { secret_id, operation: Operation::Put, value, expires, hold_until: None, by }, now, entropy)
    }

    /// Makes the rows that take a value away; the old one is kept for 24 hours.
    ///
    /// # Errors
    /// There is no value, or the vault is of a later format.
    pub fn remove(&self, secret_id: &str, by: By<'_>, now: Timestamp, entropy: &dyn Entropy) -> Result<Append, VaultError> {
        if self.current_entry(secret_id).is_none() && !self.corrupt.contains_key(secret_id) {
            return Err(VaultError::Missing(secret_id.to_owned()));
        }
        let hold_until = Some(now.plus_millis(REMOVED_HOLD_MS));
        self.append(&Change { secret_id, operation: Operation::Delete, value: "", expires: None, hold_until, by }, now, entropy)
    }

    /// Takes over an append whose rows have been committed.
    pub fn apply(&mut self, append: Append) {
        let Append { record, heads, version, audit, prune, entry } = append;
        self.log.next_seq = record.seq.saturating_add(1);
        self.log.last_hash = record.hash;
        self.log.hlc = record.hlc;
        self.audit_tail = Some(audit);
        self.corrupt.remove(&version.secret_id);
        let history = self.secrets.entry(version.secret_id.clone()).or_default();
        history.entries.push(entry);
        history.heads = heads;
        self.versions.entry(version.secret_id.clone()).or_default().push(version);
        self.pruned(&prune);
    }

    /// Returns the replaced bodies whose hold is over; store them, then hand them to [`Vault::pruned`].
    #[must_use]
    pub fn prunable(&self, now: Timestamp) -> Vec<Pruned> {
        self.secrets.values().flat_map(|history| prunable(&history.entries.iter().collect::<Vec<_>>(), now)).collect()
    }

    /// Takes over that these bodies are gone from the store.
    pub fn pruned(&mut self, prune: &[Pruned]) {
        let gone: HashSet<Digest> = prune.iter().map(|pruned| pruned.hash).collect();
        for history in self.secrets.values_mut() {
            history.entries.retain(|entry| !gone.contains(&entry.hash));
        }
    }

    fn check_version(&self, secret_id: &str, expected: u64) -> Result<(), VaultError> {
        let found = self.current_entry(secret_id).map_or(0, |entry| entry.body.version);
        if found == expected {
            return Ok(());
        }
        Err(VaultError::VersionMoved { secret_id: secret_id.to_owned(), expected, found })
    }

    fn append(&self, change: &Change<'_>, now: Timestamp, entropy: &dyn Entropy) -> Result<Append, VaultError> {
        let secret_id = change.secret_id;
        if self.meta.format_version > FORMAT_VERSION {
            return Err(VaultError::NewerFormat(self.meta.format_version));
        }
        if !is_id(secret_id) {
            return Err(VaultError::BadId(secret_id.to_owned()));
        }
        let body = self.next_body(change);
        let key = self.keys.get(&self.sealing).ok_or(VaultError::Unusable("the key that seals values is gone"))?;
        let header = self.next_header(change, now)?;
        let record = Record::new(header, &body, change.value.as_bytes(), key, &self.device, entropy).map_err(|error| match error {
            RecordError::TooLarge => too_large(secret_id, change.value),
            _ => VaultError::Unusable("the value cannot be sealed"),
        })?;
        Ok(self.rows(change, record, body, now))
    }

    fn next_header(&self, change: &Change<'_>, now: Timestamp) -> Result<Header, VaultError> {
        // SQL integers are signed, so the log ends where they do.
        if i64::try_from(self.log.next_seq).is_err() {
            return Err(VaultError::Unusable("the log has no number left"));
        }
        Ok(Header {
            vault_id: self.meta.vault_id,
            key_id: self.sealing,
            device_id: self.meta.device_id,
            incarnation: self.meta.incarnation,
            seq: self.log.next_seq,
            prev: self.log.last_hash,
            hlc: (unsigned(now) << 16).max(self.log.hlc.saturating_add(1)),
            kind: RecordKind::Secret,
            hold_until: change.hold_until,
        })
    }

    /// The new record replaces every head, also a stored one whose record is damaged: setting a secret again mends it.
    fn next_body(&self, change: &Change<'_>) -> Body {
        let id = change.secret_id;
        let history = self.secrets.get(id);
        let derived = history.into_iter().flat_map(|history| &history.heads);
        let stored = self.corrupt.get(id).into_iter().flat_map(|corrupt| &corrupt.stored_heads);
        let mut parents: Vec<Digest> = Vec::new();
        let mut generation = 0;
        for head in derived.chain(stored) {
            generation = generation.max(head.generation);
            if !parents.contains(&head.head_hash) {
                parents.push(head.head_hash);
            }
        }
        let known = history.into_iter().flat_map(|history| &history.entries).map(|entry| entry.body.version);
        let version = known.chain(self.versions(id).iter().map(|version| version.version)).max().unwrap_or(0) + 1;
        Body {
            secret_id: id.to_owned(),
            operation: change.operation,
            parents,
            generation: generation.saturating_add(1),
            version,
            expires: change.expires,
        }
    }

    fn rows(&self, change: &Change<'_>, record: Record, body: Body, now: Timestamp) -> Append {
        let op = match change.operation {
            Operation::Delete => VersionOp::Delete,
            Operation::Put if self.current_entry(change.secret_id).is_some() => VersionOp::Rotate,
            Operation::Put => VersionOp::Create,
        };
        let version = Version {
            secret_id: body.secret_id.clone(),
            version: body.version,
            record_hash: record.hash(),
            op,
            by_device: self.meta.device_id,
            by_caller: change.by.kind.to_owned(),
            created: now,
            hold_until: change.hold_until,
        };
        let entry = Entry { hash: record.hash(), record, body };
        let audit = AuditRow::after(self.audit_tail.as_ref(), now, audit_entry(change, entry.body.version));
        let entries: Vec<&Entry> =
            self.secrets.get(change.secret_id).into_iter().flat_map(|history| &history.entries).chain([&entry]).collect();
        let (heads, prune) = (heads::heads_of(&entries), prunable(&entries, now));
        Append { record: stored_record(&entry.record, change.value.len(), now), heads, version, audit, prune, entry }
    }
}

fn audit_entry(change: &Change<'_>, version: u64) -> AuditEntry {
    AuditEntry {
        caller_kind: change.by.kind.to_owned(),
        caller_id: change.by.id.map(str::to_owned),
        op: if change.operation == Operation::Put { "set" } else { "rm" }.to_owned(),
        secret_id: Some(change.secret_id.to_owned()),
        version: Some(version),
        verdict: "ok".to_owned(),
        ..AuditEntry::default()
    }
}

fn stored_record(record: &Record, value_bytes: usize, now: Timestamp) -> StoredRecord {
    let header = record.header();
    StoredRecord {
        vault_id: header.vault_id,
        device_id: header.device_id,
        incarnation: header.incarnation,
        seq: header.seq,
        prev_hash: header.prev,
        hash: record.hash(),
        hlc: header.hlc,
        kind: header.kind.as_str().to_owned(),
        key_id: header.key_id,
        bucket: seal::bucket(value_bytes).and_then(|bucket| u32::try_from(bucket).ok()).unwrap_or(0),
        bytes: record.encode(),
        received: now,
        pruned: record.is_pruned(),
    }
}

/// Finds the replaced bodies of one secret whose hold is over. A body goes only after those it replaced: it is what
/// says that they are replaced.
fn prunable(entries: &[&Entry], now: Timestamp) -> Vec<Pruned> {
    let mut left: Vec<&Entry> = entries.to_vec();
    let mut pruned = Vec::new();
    while let Some(at) = left.iter().position(|entry| may_go(entry, entries, &left, now)) {
        let entry = left.remove(at);
        pruned.push(Pruned { hash: entry.hash, bytes: entry.record.pruned().encode() });
    }
    pruned
}

fn may_go(entry: &Entry, all: &[&Entry], left: &[&Entry], now: Timestamp) -> bool {
    let mut replacing = all.iter().filter(|other| other.body.parents.contains(&entry.hash)).peekable();
    let is_replaced = replacing.peek().is_some();
    let is_held = replacing.any(|other| other.record.header().hold_until.is_some_and(|until| until > now));
    let parent_left = left.iter().any(|other| entry.body.parents.contains(&other.hash));
    is_replaced && !is_held && !parent_left
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_ID_BYTES
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

fn too_large(secret_id: &str, value: &str) -> VaultError {
    VaultError::TooLarge { secret_id: secret_id.to_owned(), value_bytes: value.len() }
}
