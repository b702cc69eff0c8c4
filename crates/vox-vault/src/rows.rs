//! The rows of `vault.db` as plain values: what vox-node reads from vox-store and hands in, and stores when handed out.
//!
//! Column by column they are `contracts/db/vault.v1.yaml`. Nothing in them is trusted: the vault checks every row
//! against signed or sealed bytes.

use crate::keyring::{KdfParams, UnlockerKind};
use vox_base::{Digest, Id, Timestamp, kind};

/// Names one key of the vault.
pub type SealKeyId = Id<SealKey>;
/// The kind of [`SealKeyId`].
pub enum SealKey {}

/// Which vault this is and which device writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The vault.
    pub vault_id: Id<kind::Vault>,
    /// SHA-256 of the device's public key, see [`crate::device_id`].
    pub device_id: Digest,
    /// Rises when the device cannot know which numbers it has used.
    pub incarnation: u32,
    /// Form of everything in the vault.
    pub format_version: u32,
    /// When it was made.
    pub created: Timestamp,
}

/// One way to open the vault: the root key, wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlocker {
    /// A random name; also the account under which a keyring keeps its half.
    pub id: String,
    /// What opens it.
    pub kind: UnlockerKind,
    /// How a passphrase is stretched; only for a passphrase.
    pub kdf: Option<KdfParams>,
    /// Salt of the stretching; only for a passphrase.
    pub salt: Option<Vec<u8>>,
    /// Which root key is inside.
    pub key_id: SealKeyId,
    /// seal-v1 of the root key.
    pub wrapped_root: Vec<u8>,
    /// When it was added.
    pub created: Timestamp,
    /// When it last opened the vault; kept by the caller.
    pub last_ok: Option<Timestamp>,
}

/// What a stored key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Seals values that stay on this device.
    Local,
    /// Signs as this device.
    Identity,
}

impl KeyKind {
    /// Returns the name used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Identity => "identity",
        }
    }

    /// Returns the kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Local, Self::Identity].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Whether a key still seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Seals and opens.
    Active,
    /// Only opens what it once sealed.
    Old,
}

impl KeyState {
    /// Returns the name used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Old => "old",
        }
    }

    /// Returns the state with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Old].into_iter().find(|state| state.as_str() == name)
    }
}

/// One key of the vault, wrapped under a key derived from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name; records say under which key they are sealed.
    pub key_id: SealKeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// Whether it still seals.
    pub state: KeyState,
    /// seal-v1 of the key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
}

/// One record as stored: the bytes, and what the columns say about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The vault.
    pub vault_id: Id<kind::Vault>,
    /// Who wrote it.
    pub device_id: Digest,
    /// Which of the author's logs.
    pub incarnation: u32,
    /// Position in that log, from 1.
    pub seq: u64,
    /// Hash of the record before it, all zeros for the first.
    pub prev_hash: Digest,
    /// Hash over header and signature.
    pub hash: Digest,
    /// 48 bits of milliseconds and a counter of 16.
    pub hlc: u64,
    /// Name of the record kind.
    pub kind: String,
    /// Key it is sealed under.
    pub key_id: SealKeyId,
    /// Padded size of its value.
    pub bucket: u32,
    /// record-v1.
    pub bytes: Vec<u8>,
    /// When this device got it.
    pub received: Timestamp,
    /// True once the body has been cut off.
    pub pruned: bool,
}

/// A put or delete of a secret that no later one has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The secret.
    pub secret_id: String,
    /// Hash of the record.
    pub head_hash: Digest,
    /// How many edits lie below it.
    pub generation: u64,
    /// Its moment, as in the record.
    pub hlc: u64,
    /// Who wrote it.
    pub device_id: Digest,
    /// True for a delete.
    pub deleted: bool,
    /// True for the one that is used.
    pub is_current: bool,
}

/// What an edit was, for the list of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionOp {
    /// First value.
    Create,
    /// Another value in place of one.
    Rotate,
    /// No value any more.
    Delete,
}

impl VersionOp {
    /// Returns the name used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Rotate => "rotate",
            Self::Delete => "delete",
        }
    }

    /// Returns the operation with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Create, Self::Rotate, Self::Delete].into_iter().find(|op| op.as_str() == name)
    }
}

/// One version of a secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The secret.
    pub secret_id: String,
    /// Counts from 1 per secret.
    pub version: u64,
    /// Hash of the record that made it.
    pub record_hash: Digest,
    /// What was done.
    pub op: VersionOp,
    /// On which device.
    pub by_device: Digest,
    /// By which kind of caller.
    pub by_caller: String,
    /// When.
    pub created: Timestamp,
    /// Until when the value it replaced is kept; `None` if it is not.
    pub hold_until: Option<Timestamp>,
}
