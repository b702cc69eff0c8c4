//! The rows of the vault file. What they mean, and whether they are sound, is vox-vault's judgement: records come back
//! as the bytes that are there.

use crate::row::{Encode as _, Row, Value, column};
use crate::rows::vault::{AuditRow, RecordRow, SecretHead, SecretVersion, Unlocker, VaultKey, VaultMeta};
use crate::tx::Tx;
use crate::{Store, StoreError};

/// What the vault file holds, without records and audit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VaultContents {
    /// Which vault it is; `None` before it is made.
    pub meta: Option<VaultMeta>,
    /// The ways to open it.
    pub unlockers: Vec<Unlocker>,
    /// Its keys, wrapped.
    pub keys: Vec<VaultKey>,
    /// The current records of each secret.
    pub heads: Vec<SecretHead>,
}

/// One record as it is stored, sound or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    /// Place in the device's log, as its column says.
    pub seq: i64,
    /// The device, as its column says.
    pub device_id: Vec<u8>,
    /// The incarnation, as its column says.
    pub incarnation: i64,
    /// The hash, as its column says.
    pub hash: Vec<u8>,
    /// The record itself; empty if the column holds something else than bytes.
    pub bytes: Vec<u8>,
}

/// The ends of the two chains, seen inside the transaction that appends to them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VaultTip {
    /// Number and hash of the last audit row.
    pub audit: Option<(i64, Vec<u8>)>,
    /// Number, hash and logical time of the last record of this device and incarnation.
    pub record: Option<(i64, Vec<u8>, i64)>,
}

/// What one operation changes; all of it or nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VaultChange {
    /// Makes the vault, or moves its incarnation on.
    pub meta: Option<VaultMeta>,
    /// Unlockers added or replaced.
    pub unlockers: Vec<Unlocker>,
    /// Ids of unlockers that go.
    pub removed_unlockers: Vec<String>,
    /// Keys added or replaced.
    pub keys: Vec<VaultKey>,
    /// Ids of keys that go.
    pub removed_keys: Vec<String>,
    /// Records appended.
    pub records: Vec<RecordRow>,
    /// Per secret, the heads that replace those it had.
    pub heads: Vec<(String, Vec<SecretHead>)>,
    /// Versions noted.
    pub versions: Vec<SecretVersion>,
    /// Audit rows appended.
    pub audit: Vec<AuditRow>,
}

impl Store {
    /// Returns what the vault holds; empty while there is no vault file.
    ///
    /// # Errors
    /// The file cannot be read, or is not ours.
    pub async fn vault_contents(&self) -> Result<VaultContents, StoreError> {
        let contents = self.read_vault(|tx| {
            Ok(VaultContents {
                meta: tx.first("LIMIT 1", &[])?,
                unlockers: tx.rows("ORDER BY created_ms, id", &[])?,
                keys: tx.rows("ORDER BY created_ms, key_id", &[])?,
                heads: tx.rows("ORDER BY secret_id, head_hash", &[])?,
            })
        });
        Ok(contents.await?.unwrap_or_default())
    }

    /// Returns every record in the order of its log, damaged ones too.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn vault_records(&self) -> Result<Vec<SealedRecord>, StoreError> {
        self.vault_records_where("ORDER BY device_id, incarnation, seq", Vec::new()).await
    }

    /// Returns the record with this hash in its column, damaged or not.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn vault_record(&self, hash: Vec<u8>) -> Result<Option<SealedRecord>, StoreError> {
        Ok(self.vault_records_where("WHERE hash = $1", hash).await?.into_iter().next())
    }

    async fn vault_records_where(&self, rest: &'static str, hash: Vec<u8>) -> Result<Vec<SealedRecord>, StoreError> {
        let records = self.read_vault(move |tx| {
            let mut records = Vec::new();
            let sql = format!("SELECT seq, device_id, incarnation, hash, bytes FROM records {rest}");
            tx.query(&sql, &[Value::Bytes(&hash)], &mut |row| {
                records.push(SealedRecord::from_row(row)?);
                Ok(())
            })?;
            Ok(records)
        });
        Ok(records.await?.unwrap_or_default())
    }

    /// Returns the versions of a secret, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn secret_versions(&self, secret_id: String) -> Result<Vec<SecretVersion>, StoreError> {
        let versions = self.read_vault(move |tx| tx.rows("WHERE secret_id = $1 ORDER BY version DESC", &[Value::Text(&secret_id)]));
        Ok(versions.await?.unwrap_or_default())
    }

    /// Returns the newest audit rows, oldest of them first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn vault_audit(&self, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
        let rows = self.read_vault(move |tx| tx.rows::<AuditRow>("ORDER BY seq DESC LIMIT $1", &[Value::Int(limit)]));
        let mut rows = rows.await?.unwrap_or_default();
        rows.reverse();
        Ok(rows)
    }

    /// Applies a change that is made from the ends of the chains as they are inside the transaction, so that two
    /// processes never append at the same place. Makes the vault file if there is none.
    ///
    /// # Errors
    /// What `build` returns, or the file cannot be written.
    pub async fn vault_write<F>(&self, build: F) -> Result<(), StoreError>
    where
        F: FnOnce(&VaultTip) -> Result<VaultChange, StoreError> + Send + 'static,
    {
        self.write_vault(move |tx| {
            let change = build(&tip(tx)?)?;
            apply(tx, &change)
        })
        .await
    }
}

impl SealedRecord {
    fn from_row(row: &dyn Row) -> Result<Self, StoreError> {
        let bytes = |at: usize| match row.value(at) {
            Ok(Value::Bytes(bytes)) => bytes.to_vec(),
            _ => Vec::new(),
        };
        Ok(Self {
            seq: column(row, 0, "records.seq")?,
            device_id: bytes(1),
            incarnation: column(row, 2, "records.incarnation")?,
            hash: bytes(3),
            bytes: bytes(4),
        })
    }
}

fn tip(tx: &mut dyn Tx) -> Result<VaultTip, StoreError> {
    let mut tip = VaultTip::default();
    tx.query("SELECT seq, hash FROM vault_audit ORDER BY seq DESC LIMIT 1", &[], &mut |row| {
        tip.audit = Some((column(row, 0, "vault_audit.seq")?, column(row, 1, "vault_audit.hash")?));
        Ok(())
    })?;
    let own = "SELECT r.seq, r.hash, r.hlc FROM records AS r JOIN vault_meta AS m ON r.device_id = m.device_id \
        AND r.incarnation = m.incarnation ORDER BY r.seq DESC LIMIT 1";
    tx.query(own, &[], &mut |row| {
        tip.record = Some((column(row, 0, "records.seq")?, column(row, 1, "records.hash")?, column(row, 2, "records.hlc")?));
        Ok(())
    })?;
    Ok(tip)
}

fn apply(tx: &mut dyn Tx, change: &VaultChange) -> Result<(), StoreError> {
    if let Some(meta) = &change.meta {
        tx.execute("DELETE FROM vault_meta WHERE vault_id = $1", &[meta.vault_id.encode()])?;
        tx.insert(meta)?;
    }
    for id in change.unlockers.iter().map(|unlocker| &*unlocker.id).chain(change.removed_unlockers.iter().map(String::as_str)) {
        tx.execute("DELETE FROM vault_unlockers WHERE id = $1", &[Value::Text(id)])?;
    }
    for id in change.keys.iter().map(|key| &*key.key_id).chain(change.removed_keys.iter().map(String::as_str)) {
        tx.execute("DELETE FROM vault_keys WHERE key_id = $1", &[Value::Text(id)])?;
    }
    change.unlockers.iter().try_for_each(|row| tx.insert(row))?;
    change.keys.iter().try_for_each(|row| tx.insert(row))?;
    change.records.iter().try_for_each(|row| tx.insert(row))?;
    for (secret_id, heads) in &change.heads {
        tx.execute("DELETE FROM secret_heads WHERE secret_id = $1", &[Value::Text(secret_id)])?;
        heads.iter().try_for_each(|row| tx.insert(row))?;
    }
    change.versions.iter().try_for_each(|row| tx.insert(row))?;
    change.audit.iter().try_for_each(|row| tx.insert(row))
}

#[cfg(test)]
mod tests;
