//! The vault's rows on their way between vox-store, which keeps them, and vox-vault, which judges them.

use std::collections::BTreeSet;
use vox_base::{Coded, Digest, Id, Kind};
use vox_store::rows::vault as stored;
use vox_store::{SealedRecord, Store, StoreError, VaultChange, VaultTip};
use vox_vault::{
    Append, AuditEntry, AuditRow, Head, KdfParams, KeyKind, KeyState, Meta, NewVault, Record, StoredKey, StoredRecord, StoredVault,
    Unlocker, UnlockerKind, Version, VersionOp,
};

/// What `vault.db` holds.
pub(super) struct Contents {
    pub(super) stored: StoredVault,
    pub(super) unlockers: Vec<Unlocker>,
}

/// The fixed name of the only way in which a passphrase is stretched.
const KDF: &str = "argon2id";

/// Reads the vault; nothing if there is none.
pub(super) async fn read(store: &Store) -> Result<Option<Contents>, Coded> {
    let contents = store.vault_contents().await?;
    let Some(meta) = &contents.meta else { return Ok(None) };
    let meta = meta_of(meta).ok_or_else(|| damaged("vault_meta"))?;
    let unlockers = contents.unlockers.iter().map(unlocker_of).collect::<Option<Vec<_>>>().ok_or_else(|| damaged("vault_unlockers"))?;
    let keys = contents.keys.iter().map(key_of).collect::<Option<Vec<_>>>().ok_or_else(|| damaged("vault_keys"))?;
    let heads: Vec<Head> = contents.heads.iter().map(head_of).collect();
    let mut versions = Vec::new();
    for secret_id in heads.iter().map(|head| &head.secret_id).collect::<BTreeSet<_>>() {
        let rows = store.secret_versions(secret_id.clone()).await?;
        versions.extend(rows.iter().rev().filter_map(version_of));
    }
    let records = store.vault_records().await?.iter().map(|record| record_of(record, &meta)).collect();
    let audit_tail = store.vault_audit(1).await?.first().map(audit_of);
    Ok(Some(Contents { stored: StoredVault { meta, keys, records, heads, versions, audit_tail }, unlockers }))
}

/// Returns a number that moves whenever a secret is set or removed by any process.
pub(super) async fn version(store: &Store) -> Result<u64, Coded> {
    let heads = store.vault_contents().await?.heads;
    let bytes: Vec<u8> = heads.iter().flat_map(|head| head.head_hash.iter().copied()).collect();
    let digest = Digest::of(&bytes);
    let (first, _) = digest.as_bytes().split_first_chunk::<8>().expect("a digest has 32 bytes");
    Ok(u64::from_be_bytes(*first))
}

/// Stores a vault that was just made.
pub(super) async fn create(store: &Store, new: &NewVault) -> Result<(), Coded> {
    let change = VaultChange {
        meta: Some(meta_row(&new.meta)),
        unlockers: vec![unlocker_row(&new.unlocker)],
        keys: new.keys.iter().map(key_row).collect(),
        ..VaultChange::default()
    };
    Ok(store.vault_write(move |_| Ok(change)).await?)
}

/// Stores an append, unless another process has appended since it was made: then the error is `store.value`.
pub(super) async fn append(store: &Store, append: &Append) -> Result<(), Coded> {
    let (record, audit) = (record_row(&append.record), audit_row(&append.audit));
    let change = VaultChange {
        heads: vec![(append.version.secret_id.clone(), append.heads.iter().map(head_row).collect())],
        versions: vec![version_row(&append.version)],
        records: vec![record],
        audit: vec![audit],
        ..VaultChange::default()
    };
    Ok(store
        .vault_write(move |tip| {
            if fits(tip, &change) {
                Ok(change)
            } else {
                Err(StoreError::Value { column: "records.seq".into(), message: "is taken".into() })
            }
        })
        .await?)
}

/// Returns whether both chains still end where the change begins.
fn fits(tip: &VaultTip, change: &VaultChange) -> bool {
    let (record, audit) = (&change.records[0], &change.audit[0]);
    let follows = |hash: Option<&Vec<u8>>, prev: &[u8]| hash.map_or(prev.iter().all(|byte| *byte == 0), |hash| **hash == *prev);
    follows(tip.record.as_ref().map(|(_, hash, _)| hash), &record.prev_hash)
        && follows(tip.audit.as_ref().map(|(_, hash)| hash), &audit.prev_hash)
}

fn damaged(table: &str) -> Coded {
    Coded::new(Kind::Integrity, "vault.corrupt", format!("a row of {table} is not what was written"))
        .at("vault.db")
        .next("put back a copy of vault.db")
}

fn digest(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest::from_bytes)
}

fn meta_of(row: &stored::VaultMeta) -> Option<Meta> {
    Some(Meta {
        vault_id: row.vault_id,
        device_id: digest(&row.device_id)?,
        incarnation: u32::try_from(row.incarnation).ok()?,
        format_version: u32::try_from(row.format_version).ok()?,
        created: row.created_ms,
    })
}

fn meta_row(meta: &Meta) -> stored::VaultMeta {
    stored::VaultMeta {
        vault_id: meta.vault_id,
        device_id: meta.device_id.as_bytes().to_vec(),
        incarnation: meta.incarnation.into(),
        format_version: meta.format_version.into(),
        created_ms: meta.created,
    }
}

fn unlocker_of(row: &stored::Unlocker) -> Option<Unlocker> {
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let kdf = match row.kdf.as_deref() {
        None => None,
        Some(KDF) => Some(KdfParams { m_kib: number(row.m_kib)?, t: number(row.t)?, p: number(row.p)? }),
        Some(_) => return None,
    };
    Some(Unlocker {
        id: row.id.to_string(),
        kind: UnlockerKind::parse(&row.kind)?,
        kdf,
        salt: row.salt.clone(),
        key_id: row.key_id.parse().ok()?,
        wrapped_root: row.wrapped_root.clone(),
        created: row.created_ms,
        last_ok: row.last_ok_ms,
    })
}

fn unlocker_row(unlocker: &Unlocker) -> stored::Unlocker {
    stored::Unlocker {
        id: unlocker.id.clone().into(),
        kind: unlocker.kind.as_str().into(),
        kdf: unlocker.kdf.map(|_| KDF.into()),
        m_kib: unlocker.kdf.map(|kdf| kdf.m_kib.into()),
        t: unlocker.kdf.map(|kdf| kdf.t.into()),
        p: unlocker.kdf.map(|kdf| kdf.p.into()),
        salt: unlocker.salt.clone(),
        key_id: unlocker.key_id.to_string().into(),
        wrapped_root: unlocker.wrapped_root.clone(),
        created_ms: unlocker.created,
        last_ok_ms: unlocker.last_ok,
    }
}

fn key_of(row: &stored::VaultKey) -> Option<StoredKey> {
    Some(StoredKey {
        key_id: row.key_id.parse().ok()?,
        kind: KeyKind::parse(&row.kind)?,
        state: KeyState::parse(&row.state)?,
        wrapped: row.wrapped.clone(),
        created: row.created_ms,
    })
}

fn key_row(key: &StoredKey) -> stored::VaultKey {
    stored::VaultKey {
        key_id: key.key_id.to_string().into(),
        kind: key.kind.as_str().into(),
        epoch: 0,
        state: key.state.as_str().into(),
        wrapped: key.wrapped.clone(),
        roster_entry: None,
        created_ms: key.created,
    }
}

/// Hands a record on with what its columns say; the columns that only help finding it are read from the signed bytes.
/// Bytes that are no record keep their place in the log, so that the vault can say whose they were.
fn record_of(row: &SealedRecord, meta: &Meta) -> StoredRecord {
    let record = Record::parse(&row.bytes).ok();
    let header = record.as_ref().map(Record::header);
    let zero = Digest::from_bytes([0; 32]);
    StoredRecord {
        vault_id: header.map_or(meta.vault_id, |header| header.vault_id),
        device_id: digest(&row.device_id).unwrap_or(zero),
        incarnation: u32::try_from(row.incarnation).unwrap_or(u32::MAX),
        seq: u64::try_from(row.seq).unwrap_or(0),
        prev_hash: header.map_or(zero, |header| header.prev),
        hash: digest(&row.hash).unwrap_or(zero),
        hlc: header.map_or(0, |header| header.hlc),
        kind: header.map_or_else(String::new, |header| header.kind.as_str().to_owned()),
        key_id: header.map_or(Id::from_bytes([0; 16]), |header| header.key_id),
        bucket: 0,
        bytes: row.bytes.clone(),
        received: meta.created,
        pruned: record.as_ref().is_some_and(Record::is_pruned),
    }
}

fn record_row(record: &StoredRecord) -> stored::RecordRow {
    stored::RecordRow {
        vault_id: record.vault_id.as_bytes().to_vec(),
        device_id: record.device_id.as_bytes().to_vec(),
        incarnation: record.incarnation.into(),
        seq: signed(record.seq),
        prev_hash: record.prev_hash.as_bytes().to_vec(),
        hash: record.hash.as_bytes().to_vec(),
        hlc: signed(record.hlc),
        kind: record.kind.clone().into(),
        key_id: record.key_id.to_string().into(),
        bucket: record.bucket.into(),
        bytes: record.bytes.clone(),
        received_ms: record.received,
        state: "appended".into(),
    }
}

fn head_of(row: &stored::SecretHead) -> Head {
    let zero = Digest::from_bytes([0; 32]);
    Head {
        secret_id: row.secret_id.to_string(),
        head_hash: digest(&row.head_hash).unwrap_or(zero),
        generation: u64::try_from(row.generation).unwrap_or(0),
        hlc: row.hlc.cast_unsigned(),
        device_id: digest(&row.device_id).unwrap_or(zero),
        deleted: row.deleted,
        is_current: row.is_current,
    }
}

fn head_row(head: &Head) -> stored::SecretHead {
    stored::SecretHead {
        secret_id: head.secret_id.clone().into(),
        head_hash: head.head_hash.as_bytes().to_vec(),
        generation: signed(head.generation),
        hlc: signed(head.hlc),
        device_id: head.device_id.as_bytes().to_vec(),
        deleted: head.deleted,
        is_current: head.is_current,
    }
}

fn version_of(row: &stored::SecretVersion) -> Option<Version> {
    Some(Version {
        secret_id: row.secret_id.to_string(),
        version: u64::try_from(row.version).ok()?,
        record_hash: digest(&row.record_hash)?,
        op: VersionOp::parse(&row.op)?,
        by_device: digest(&row.by_device)?,
        by_caller: row.by_caller.to_string(),
        created: row.created_ms,
        hold_until: row.hold_until_ms,
    })
}

fn version_row(version: &Version) -> stored::SecretVersion {
    stored::SecretVersion {
        secret_id: version.secret_id.clone().into(),
        version: signed(version.version),
        record_hash: version.record_hash.as_bytes().to_vec(),
        op: version.op.as_str().into(),
        by_device: version.by_device.as_bytes().to_vec(),
        by_caller: version.by_caller.clone().into(),
        created_ms: version.created,
        hold_until_ms: version.hold_until,
    }
}

fn audit_of(row: &stored::AuditRow) -> AuditRow {
    let zero = Digest::from_bytes([0; 32]);
    let text = |text: &Option<vox_store::Text>| text.as_deref().map(str::to_owned);
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    AuditRow {
        seq: u64::try_from(row.seq).unwrap_or(0),
        prev_hash: digest(&row.prev_hash).unwrap_or(zero),
        hash: digest(&row.hash).unwrap_or(zero),
        at: row.ts_ms,
        entry: AuditEntry {
            caller_kind: row.caller_kind.to_string(),
            caller_id: text(&row.caller_id),
            run_id: text(&row.run_id),
            op: row.op.to_string(),
            secret_id: text(&row.secret_id),
            version: number(row.version),
            source: text(&row.source),
            host: text(&row.host),
            verdict: row.verdict.to_string(),
            count: number(row.count),
            detail: text(&row.detail),
        },
    }
}

fn audit_row(row: &AuditRow) -> stored::AuditRow {
    let entry = row.entry.clone();
    stored::AuditRow {
        seq: signed(row.seq),
        prev_hash: row.prev_hash.as_bytes().to_vec(),
        hash: row.hash.as_bytes().to_vec(),
        ts_ms: row.at,
        caller_kind: entry.caller_kind.into(),
        caller_id: entry.caller_id.map(Into::into),
        run_id: entry.run_id.map(Into::into),
        op: entry.op.into(),
        secret_id: entry.secret_id.map(Into::into),
        version: entry.version.map(signed),
        source: entry.source.map(Into::into),
        host: entry.host.map(Into::into),
        verdict: entry.verdict.into(),
        count: entry.count.map(signed),
        detail: entry.detail.map(Into::into),
    }
}

/// Returns a count or clock as a row holds it, bit for bit: clocks use the top bit only after the year 10889.
const fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// Returns every row of the audit that is kept, oldest first, for checking its chain.
pub(crate) async fn audit(store: &Store) -> Result<Vec<AuditRow>, Coded> {
    Ok(store.vault_audit(i64::MAX).await?.iter().map(audit_of).collect())
}
