//! The vault: an append-only log of signed, sealed records in memory, and the heads that follow from it.
//!
//! [`Vault::open`] checks every row; what is damaged makes its own secret `vault.corrupt` and nothing else. Values stay
//! sealed until [`Vault::get`]. A change is made in two steps, because storing is the caller's business: `put` and
//! `remove` return an [`Append`] whose rows go into one transaction, and `apply` takes it over once that has committed.
//! Hold one lock around both: two appends made from the same state would claim the same place in the log.

mod append;
mod heads;
mod load;

use crate::audit::{AuditEntry, AuditRow};
use crate::cbor;
use crate::display::Fingerprint;
use crate::error::{UnlockError, VaultError};
use crate::identity::DeviceKey;
use crate::keyring::{Purpose, RootKey, UnlockKey, random_id, random_key};
use crate::resolve::VaultAnswer;
use crate::rows::{Head, KeyKind, KeyState, Meta, SealKeyId, StoredKey, StoredRecord, Unlocker, Version};
use crate::seal::{Key, seal};
use std::collections::{BTreeMap, HashMap};
use vox_base::{Digest, Entropy, Id, Secret, Timestamp, kind};

pub use append::{Append, By, Pruned, Put};
pub use load::Damage;

use load::Entry;

/// The format this version writes.
const FORMAT_VERSION: u32 = 1;

/// An unlocked vault.
pub struct Vault {
    meta: Meta,
    device: DeviceKey,
    sealing: SealKeyId,
    keys: HashMap<SealKeyId, Key>,
    fingerprint_key: Key,
    log: Log,
    secrets: BTreeMap<String, History>,
    corrupt: BTreeMap<String, Corrupt>,
    damage: Vec<Damage>,
    versions: BTreeMap<String, Vec<Version>>,
    audit_tail: Option<AuditRow>,
}

/// Where the device's log stands.
struct Log {
    next_seq: u64,
    last_hash: Digest,
    hlc: u64,
}

/// What is known about one secret: every record about it that opens.
#[derive(Default)]
struct History {
    entries: Vec<Entry>,
    heads: Vec<Head>,
}

/// A secret whose stored heads the log does not bear out.
struct Corrupt {
    row: String,
    stored_heads: Vec<Head>,
}

/// Everything `vault.db` holds, as read by the caller.
#[derive(Debug, Clone)]
pub struct StoredVault {
    /// The one row about the vault.
    pub meta: Meta,
    /// Its keys.
    pub keys: Vec<StoredKey>,
    /// The whole log, in any order.
    pub records: Vec<StoredRecord>,
    /// The heads as last derived; may be empty to have them derived anew.
    pub heads: Vec<Head>,
    /// The list of versions.
    pub versions: Vec<Version>,
    /// The newest row of the audit.
    pub audit_tail: Option<AuditRow>,
}

/// A vault just made, and the rows to store before it is used.
pub struct NewVault {
    /// The row about the vault.
    pub meta: Meta,
    /// The one way to open it.
    pub unlocker: Unlocker,
    /// Its keys.
    pub keys: Vec<StoredKey>,
    /// Its root key, to open it again or to add unlockers.
    pub root: RootKey,
    /// The vault, empty.
    pub vault: Vault,
}

/// The current value of a secret.
pub struct Current {
    /// The value.
    pub value: Secret<String>,
    /// Which version it is.
    pub version: u64,
    /// When it was set.
    pub set: Timestamp,
    /// When it stops being good.
    pub expires: Option<Timestamp>,
}

impl Vault {
    /// Makes an empty vault that `with` opens.
    ///
    /// # Errors
    /// The passphrase is empty.
    pub fn create(with: &UnlockKey, now: Timestamp, entropy: &dyn Entropy) -> Result<NewVault, UnlockError> {
        let vault_id = random_id(now, entropy);
        let root = RootKey::generate(now, entropy);
        let unlocker = root.wrap(vault_id, with, now, entropy)?;
        let device = DeviceKey::generate(entropy);
        let keys = [(KeyKind::Identity, device.seed()), (KeyKind::Local, random_key(entropy))]
            .map(|(kind, key)| wrap_key(&root, vault_id, kind, &key, now, entropy));
        let keys = keys.into_iter().collect::<Result<Vec<_>, _>>()?;
        let meta = Meta { vault_id, device_id: device.device_id(), incarnation: 0, format_version: FORMAT_VERSION, created: now };
        let stored = StoredVault { meta, keys: keys.clone(), records: vec![], heads: vec![], versions: vec![], audit_tail: None };
        let vault = Self::open(&root, stored).map_err(|_| UnlockError::Corrupt)?;
        Ok(NewVault { meta, unlocker, keys, root, vault })
    }

    /// Opens a vault with its root key and checks every row of it.
    ///
    /// # Errors
    /// Only if the device's own keys do not open; a damaged record is no error here, see [`Vault::damage`].
    pub fn open(root: &RootKey, stored: StoredVault) -> Result<Self, VaultError> {
        load::load(root, stored)
    }

    /// Returns which vault and device this is.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Returns the current value of a secret, or `None` if it has none.
    ///
    /// # Errors
    /// [`VaultError::Corrupt`] if the stored bytes are not what was written.
    pub fn get(&self, secret_id: &str) -> Result<Option<Current>, VaultError> {
        self.check_sound(secret_id)?;
        let Some(entry) = self.current_entry(secret_id) else { return Ok(None) };
        let corrupt = || VaultError::Corrupt { secret_id: secret_id.to_owned(), row: entry.row_name() };
        let key = self.keys.get(&entry.record.header().key_id).ok_or_else(corrupt)?;
        let (body, value) = entry.record.open(key).map_err(|_| corrupt())?;
        let text = std::str::from_utf8(value.expose()).map_err(|_| corrupt())?;
        Ok(Some(Current {
            value: Secret::new(text.to_owned()),
            version: body.version,
            set: moment_of(entry.record.header().hlc),
            expires: body.expires,
        }))
    }

    /// Returns what the vault has to say when a secret is resolved.
    #[must_use]
    pub fn answer(&self, secret_id: &str) -> VaultAnswer {
        match self.get(secret_id) {
            Ok(Some(current)) => VaultAnswer::Holds(current),
            Ok(None) => VaultAnswer::Absent,
            Err(_) => VaultAnswer::Corrupt,
        }
    }

    /// Returns the versions of a secret, oldest first.
    #[must_use]
    pub fn versions(&self, secret_id: &str) -> &[Version] {
        self.versions.get(secret_id).map_or(&[], Vec::as_slice)
    }

    /// Returns the heads of every secret as they follow from the log.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        self.secrets.values().flat_map(|history| history.heads.iter().cloned()).collect()
    }

    /// Returns every row that is not what was written.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Returns the fingerprint of a value under this vault's key.
    #[must_use]
    pub fn fingerprint(&self, value: &str) -> Fingerprint {
        Fingerprint::of(&self.fingerprint_key, value.as_bytes())
    }

    /// Returns the audit row for something done with a secret; store it, then hand it to [`Vault::audited`].
    #[must_use]
    pub fn audit(&self, entry: AuditEntry, now: Timestamp) -> AuditRow {
        AuditRow::after(self.audit_tail.as_ref(), now, entry)
    }

    /// Takes over an audit row that has been stored.
    pub fn audited(&mut self, row: AuditRow) {
        self.audit_tail = Some(row);
    }

    fn check_sound(&self, secret_id: &str) -> Result<(), VaultError> {
        match self.corrupt.get(secret_id) {
            Some(corrupt) => Err(VaultError::Corrupt { secret_id: secret_id.to_owned(), row: corrupt.row.clone() }),
            None => Ok(()),
        }
    }

    fn current_entry(&self, secret_id: &str) -> Option<&Entry> {
        let history = self.secrets.get(secret_id)?;
        let head = history.heads.iter().find(|head| head.is_current && !head.deleted)?;
        history.entries.iter().find(|entry| entry.hash == head.head_hash)
    }
}

/// Returns the wall-clock part of a hybrid logical clock.
fn moment_of(hlc: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(hlc >> 16).unwrap_or(i64::MAX))
}

fn wrap_key(
    root: &RootKey,
    vault_id: Id<kind::Vault>,
    kind: KeyKind,
    key: &Key,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<StoredKey, UnlockError> {
    let key_id = random_id(now, entropy);
    let context = key_context(vault_id, key_id, kind);
    let wrapped = seal(&root.purpose(purpose(kind)), key.expose(), &context, entropy).map_err(|_| UnlockError::Corrupt)?;
    Ok(StoredKey { key_id, kind, state: KeyState::Active, wrapped, created: now })
}

const fn purpose(kind: KeyKind) -> Purpose {
    match kind {
        KeyKind::Local => Purpose::Local,
        KeyKind::Identity => Purpose::Identity,
    }
}

fn key_context(vault_id: Id<kind::Vault>, key_id: SealKeyId, kind: KeyKind) -> Vec<u8> {
    cbor::Value::Array(vec![
        cbor::Value::Text("vox-key-v1"),
        cbor::Value::Bytes(vault_id.as_bytes()),
        cbor::Value::Bytes(key_id.as_bytes()),
        cbor::Value::Text(kind.as_str()),
    ])
    .encode()
}

#[cfg(test)]
mod tests;
