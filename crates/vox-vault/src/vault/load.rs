//! Opening: unwraps the keys, checks every row, and finds out which secrets the damaged ones belong to.
//!
//! The name of a secret is sealed inside its record, so a damaged record cannot say whose it is. The derived rows can:
//! a stored head that the log does not bear out makes exactly its own secret corrupt, also when an older version of it
//! would still open, because silently going back to an old value is damage too.

use super::{Corrupt, History, Log, StoredVault, Vault, heads, key_context, purpose};
use crate::error::{VaultError, row_name};
use crate::identity::DeviceKey;
use crate::keyring::{Purpose, RootKey};
use crate::record::{Body, Record, RecordError};
use crate::rows::{Head, KeyKind, KeyState, Meta, SealKeyId, StoredKey, StoredRecord, Version};
use crate::seal::{Key, open};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vox_base::{Digest, Secret};

/// A row of the log that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The secret it belongs to, where that is known.
    pub secret_id: Option<String>,
    /// Where it is.
    pub row: String,
    /// What is wrong.
    pub reason: String,
}

/// A record that holds in every respect.
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) hash: Digest,
    pub(super) body: Body,
}

impl Entry {
    pub(super) fn row_name(&self) -> String {
        let header = self.record.header();
        row_name(&header.device_id, header.incarnation, header.seq)
    }
}

/// A row of the log after checking; the body is missing where it has been pruned.
pub(super) struct Checked {
    record: Record,
    hash: Digest,
    body: Option<Body>,
}

pub(super) fn load(root: &RootKey, stored: StoredVault) -> Result<Vault, VaultError> {
    let StoredVault { meta, keys, mut records, heads, versions, audit_tail } = stored;
    let device = device_key(root, &meta, &keys)?;
    let (sealing, keys) = local_keys(root, &meta, &keys)?;
    records.sort_by_key(|row| (row.incarnation, row.seq));
    let public = device.public();
    let checked: Vec<Result<Checked, String>> =
        records.iter().map(|row| check_row(row, &meta, &public, &keys).map_err(|error| error.to_string())).collect();
    let checked = check_chain(&records, checked);
    let mut vault = Vault {
        log: log_position(&meta, &records, &checked),
        meta,
        device,
        sealing,
        keys,
        fingerprint_key: root.purpose(Purpose::Fingerprint),
        secrets: BTreeMap::new(),
        corrupt: BTreeMap::new(),
        damage: damage_of(&records, &checked, &heads, &versions),
        versions: by_secret(versions),
        audit_tail,
    };
    vault.secrets = histories(checked);
    vault.corrupt = corrupt_secrets(&records, heads, &vault.secrets);
    Ok(vault)
}

fn unwrap_key(root: &RootKey, meta: &Meta, key: &StoredKey) -> Option<Key> {
    let context = key_context(meta.vault_id, key.key_id, key.kind);
    let bytes = open(&root.purpose(purpose(key.kind)), &key.wrapped, &context).ok()?;
    bytes.expose().as_slice().try_into().ok().map(Secret::new)
}

fn device_key(root: &RootKey, meta: &Meta, keys: &[StoredKey]) -> Result<DeviceKey, VaultError> {
    let damaged = VaultError::Unusable("the device's signing key does not open");
    let stored = keys.iter().find(|key| key.kind == KeyKind::Identity && key.state == KeyState::Active);
    let seed = stored.and_then(|key| unwrap_key(root, meta, key)).ok_or_else(|| damaged.clone())?;
    let device = DeviceKey::from_seed(&seed);
    if device.device_id() == meta.device_id { Ok(device) } else { Err(damaged) }
}

fn local_keys(root: &RootKey, meta: &Meta, keys: &[StoredKey]) -> Result<(SealKeyId, HashMap<SealKeyId, Key>), VaultError> {
    let local = || keys.iter().filter(|key| key.kind == KeyKind::Local);
    let opened: HashMap<_, _> = local().filter_map(|key| Some((key.key_id, unwrap_key(root, meta, key)?))).collect();
    let active = local().find(|key| key.state == KeyState::Active && opened.contains_key(&key.key_id));
    let sealing = active.ok_or(VaultError::Unusable("no key that seals values opens"))?.key_id;
    Ok((sealing, opened))
}

/// A row is not the record it claims to be.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowFault {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the columns differ from what was signed")]
    Columns,
    #[error("written by a device this vault does not know")]
    Author,
    #[error("sealed under a key this vault does not have")]
    Key,
}

/// Checks one row by itself, the cheap checks first.
pub(super) fn check_row(row: &StoredRecord, meta: &Meta, public: &[u8; 32], keys: &HashMap<SealKeyId, Key>) -> Result<Checked, RowFault> {
    let record = Record::parse(&row.bytes)?;
    let hash = record.hash();
    if !columns_agree(row, &record, &hash) || record.header().vault_id != meta.vault_id {
        return Err(RowFault::Columns);
    }
    if record.header().device_id != meta.device_id {
        return Err(RowFault::Author);
    }
    record.verify(public)?;
    if record.is_pruned() {
        return Ok(Checked { record, hash, body: None });
    }
    let key = keys.get(&record.header().key_id).ok_or(RowFault::Key)?;
    let body = record.open_fields(key)?;
    Ok(Checked { record, hash, body: Some(body) })
}

fn columns_agree(row: &StoredRecord, record: &Record, hash: &Digest) -> bool {
    let header = record.header();
    row.hash == *hash
        && row.prev_hash == header.prev
        && row.vault_id == header.vault_id
        && row.device_id == header.device_id
        && row.incarnation == header.incarnation
        && row.seq == header.seq
        && row.hlc == header.hlc
        && row.kind == header.kind.as_str()
        && row.key_id == header.key_id
        && row.pruned == record.is_pruned()
}

/// Checks that neighbours in the log fit together. Where two that are each well signed do not, nobody can say which of
/// them was put there, so neither is used.
fn check_chain(rows: &[StoredRecord], mut checked: Vec<Result<Checked, String>>) -> Vec<Result<Checked, String>> {
    let mut broken = BTreeSet::new();
    for at in 1..checked.len() {
        let (Ok(before), Ok(this)) = (&checked[at - 1], &checked[at]) else { continue };
        let is_next = rows[at - 1].incarnation == rows[at].incarnation && rows[at - 1].seq.checked_add(1) == Some(rows[at].seq);
        if is_next && this.record.header().prev != before.hash {
            broken.extend([at - 1, at]);
        }
    }
    for at in broken {
        checked[at] = Err("it does not fit its neighbour in the log".to_owned());
    }
    checked
}

fn log_position(meta: &Meta, rows: &[StoredRecord], checked: &[Result<Checked, String>]) -> Log {
    let last = rows.iter().rfind(|row| row.incarnation == meta.incarnation);
    let hlc = checked.iter().flatten().map(|checked| checked.record.header().hlc).max().unwrap_or(0);
    Log {
        next_seq: last.map_or(1, |row| row.seq.saturating_add(1)),
        last_hash: last.map_or(Digest::from_bytes([0; 32]), |row| row.hash),
        hlc,
    }
}

fn damage_of(rows: &[StoredRecord], checked: &[Result<Checked, String>], heads: &[Head], versions: &[Version]) -> Vec<Damage> {
    let owners: HashMap<Digest, &str> = versions
        .iter()
        .map(|version| (version.record_hash, version.secret_id.as_str()))
        .chain(heads.iter().map(|head| (head.head_hash, head.secret_id.as_str())))
        .collect();
    let mut damage = Vec::new();
    let mut expected = (0, 1);
    for (row, checked) in rows.iter().zip(checked) {
        let name = row_name(&row.device_id, row.incarnation, row.seq);
        let starts_log = row.incarnation != expected.0;
        if row.seq != if starts_log { 1 } else { expected.1 } {
            damage.push(Damage { secret_id: None, row: name.clone(), reason: "the record before it is missing".to_owned() });
        }
        expected = (row.incarnation, row.seq.saturating_add(1));
        if let Err(reason) = checked {
            let secret_id = owners.get(&row.hash).map(|&owner| owner.to_owned());
            damage.push(Damage { secret_id, row: name, reason: reason.clone() });
        }
    }
    damage
}

fn histories(checked: Vec<Result<Checked, String>>) -> BTreeMap<String, History> {
    let mut secrets: BTreeMap<String, History> = BTreeMap::new();
    for Checked { record, hash, body } in checked.into_iter().flatten() {
        if let Some(body) = body {
            secrets.entry(body.secret_id.clone()).or_default().entries.push(Entry { record, hash, body });
        }
    }
    for history in secrets.values_mut() {
        history.heads = heads::heads_of(&history.entries.iter().collect::<Vec<_>>());
    }
    secrets
}

fn corrupt_secrets(rows: &[StoredRecord], stored: Vec<Head>, secrets: &BTreeMap<String, History>) -> BTreeMap<String, Corrupt> {
    let mut by_id: BTreeMap<String, Vec<Head>> = BTreeMap::new();
    for head in stored {
        by_id.entry(head.secret_id.clone()).or_default().push(head);
    }
    let hashes = |heads: &[Head]| heads.iter().map(|head| head.head_hash).collect::<BTreeSet<_>>();
    by_id.retain(|id, stored_heads| hashes(stored_heads) != secrets.get(id).map_or_else(BTreeSet::new, |history| hashes(&history.heads)));
    by_id.into_iter().map(|(id, stored_heads)| (id, corrupt(rows, stored_heads))).collect()
}

fn corrupt(rows: &[StoredRecord], stored_heads: Vec<Head>) -> Corrupt {
    let row = rows.iter().find(|row| stored_heads.iter().any(|head| head.head_hash == row.hash));
    let row = row.map_or_else(|| "vault.db records".to_owned(), |row| row_name(&row.device_id, row.incarnation, row.seq));
    Corrupt { row, stored_heads }
}

fn by_secret(mut versions: Vec<Version>) -> BTreeMap<String, Vec<Version>> {
    versions.sort_by_key(|version| version.version);
    let mut by_id: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for version in versions {
        by_id.entry(version.secret_id.clone()).or_default().push(version);
    }
    by_id
}
