//! Caller keys and their budgets. Whoever changes one moves `keys_version`, by which running nodes notice.

use crate::row::{Encode as _, Record as _, Value};
use crate::rows::gateway::{CallerKey, KeyBudget};
use crate::tx::Tx;
use crate::{Store, StoreError};
use vox_base::{Digest, KeyId, Timestamp};

/// A key with its budgets.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredKey {
    /// The key.
    pub key: CallerKey,
    /// Its own budgets, without those of the keys above it.
    pub budgets: Vec<KeyBudget>,
}

pub(crate) const CHANGED: &str = "UPDATE store_meta SET value = cast(cast(value AS bigint) + 1 AS text) WHERE key = 'keys_version'";

impl Store {
    /// Stores a new key.
    ///
    /// # Errors
    /// The id or public id is taken, a value does not fit, or the store cannot be written.
    pub async fn create_key(&self, new: StoredKey) -> Result<(), StoreError> {
        self.change(move |tx| {
            tx.insert(&new.key)?;
            insert_budgets(tx, &new)?;
            tx.execute(CHANGED, &[]).map(|_| ())
        })
        .await
    }

    /// Returns every key, oldest first, revoked and expired ones included.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read(|tx| {
            let keys: Vec<CallerKey> = tx.rows("ORDER BY key_id", &[])?;
            let mut budgets: Vec<KeyBudget> = tx.rows("ORDER BY key_id, budget_window", &[])?;
            let with_budgets =
                |key: CallerKey| StoredKey { budgets: budgets.extract_if(.., |budget| budget.key_id == key.key_id).collect(), key };
            Ok(keys.into_iter().map(with_budgets).collect())
        })
        .await
    }

    /// Returns a key by its id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn key(&self, id: KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.read(move |tx| {
            let Some(key) = tx.first::<CallerKey>("WHERE key_id = $1", &[id.encode()])? else { return Ok(None) };
            let budgets = tx.rows("WHERE key_id = $1 ORDER BY budget_window", &[id.encode()])?;
            Ok(Some(StoredKey { key, budgets }))
        })
        .await
    }

    /// Replaces what may be changed of a key (name, models, hints, limits, expiry, permissions) and its budgets. Id,
    /// parent, secrets and revocation stay.
    ///
    /// # Errors
    /// There is no such key, a value does not fit, or the store cannot be written.
    pub async fn update_key(&self, changed: StoredKey) -> Result<(), StoreError> {
        self.change(move |tx| {
            let key = &changed.key;
            key.check()?;
            let sql = "UPDATE caller_keys SET name = $2, models_json = $3, hints_json = $4, rpm = $5, tpm = $6, concurrency = $7, \
                expires_at = $8, allow_unpriced = $9, may_delegate = $10 WHERE key_id = $1";
            let values = [
                key.key_id.encode(),
                key.name.encode(),
                key.models_json.encode(),
                key.hints_json.encode(),
                key.rpm.encode(),
                key.tpm.encode(),
                key.concurrency.encode(),
                key.expires_at.encode(),
                key.allow_unpriced.encode(),
                key.may_delegate.encode(),
            ];
            found(tx.execute(sql, &values)?, key.key_id)?;
            tx.execute("DELETE FROM key_budgets WHERE key_id = $1", &[key.key_id.encode()])?;
            insert_budgets(tx, &changed)?;
            tx.execute(CHANGED, &[]).map(|_| ())
        })
        .await
    }

    /// Gives a key a new secret; the old one works until the end of the grace.
    ///
    /// # Errors
    /// There is no such key that is not revoked, or the store cannot be written.
    pub async fn rotate_key(&self, id: KeyId, secret_sha256: Digest, old_valid_until: Timestamp) -> Result<(), StoreError> {
        self.change(move |tx| {
            let sql = "UPDATE caller_keys SET prev_secret_sha256 = secret_sha256, prev_valid_until = $3, secret_sha256 = $2 \
                WHERE key_id = $1 AND revoked_at IS NULL";
            found(tx.execute(sql, &[id.encode(), secret_sha256.encode(), old_valid_until.encode()])?, id)?;
            tx.execute(CHANGED, &[]).map(|_| ())
        })
        .await
    }

    /// Revokes a key, or with `tree` every key below it too, and returns those that were not revoked before. A key below
    /// a revoked one is unusable in either case.
    ///
    /// # Errors
    /// There is no such key, or the store cannot be written.
    pub async fn revoke_key(&self, id: KeyId, tree: bool, now: Timestamp) -> Result<Vec<KeyId>, StoreError> {
        self.change(move |tx| {
            let mut revoked = Vec::new();
            for key in if tree { tree_of(tx, id)? } else { vec![id] } {
                let sql = "UPDATE caller_keys SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL";
                if tx.execute(sql, &[key.encode(), now.encode()])? == 1 {
                    revoked.push(key);
                }
            }
            let known = tx.value::<i64>("SELECT 1 FROM caller_keys WHERE key_id = $1", &[id.encode()])?;
            found(usize::from(known.is_some()), id)?;
            tx.execute(CHANGED, &[])?;
            Ok(revoked)
        })
        .await
    }

    /// Notes the UTC day on which keys were used last.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn touch_keys(&self, ids: Vec<KeyId>, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |tx| {
            let day = now.day();
            let sql = "UPDATE caller_keys SET last_used_day = $2 WHERE key_id = $1 AND (last_used_day IS NULL OR last_used_day < $2)";
            ids.iter().try_for_each(|id| tx.execute(sql, &[id.encode(), Value::Text(&day)]).map(|_| ()))
        })
        .await
    }

    /// Returns a number that moves whenever any process changes a key; cheap enough to ask several times a second.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn keys_version(&self) -> Result<i64, StoreError> {
        self.read(|tx| {
            let text: Option<String> = tx.value("SELECT value FROM store_meta WHERE key = 'keys_version'", &[])?;
            Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
        })
        .await
    }
}

fn insert_budgets(tx: &mut dyn Tx, stored: &StoredKey) -> Result<(), StoreError> {
    for budget in &stored.budgets {
        if budget.key_id != stored.key.key_id {
            return Err(StoreError::value("key_budgets.key_id", "is of another key"));
        }
        tx.insert(budget)?;
    }
    Ok(())
}

fn found(changed: usize, id: KeyId) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::NotFound(format!("key `{id}`"))) } else { Ok(()) }
}

/// Returns a key and all below it.
fn tree_of(tx: &mut dyn Tx, root: KeyId) -> Result<Vec<KeyId>, StoreError> {
    let mut tree = vec![root];
    let mut at = 0;
    while at < tree.len() {
        let parent = tree[at];
        tx.query("SELECT key_id FROM caller_keys WHERE parent_id = $1 ORDER BY key_id", &[parent.encode()], &mut |row| {
            tree.push(crate::row::column(row, 0, "caller_keys.key_id")?);
            Ok(())
        })?;
        at += 1;
    }
    Ok(tree)
}

#[cfg(test)]
mod tests;
