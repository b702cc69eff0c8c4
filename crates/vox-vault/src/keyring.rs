//! The root key, the keys derived from it, and the unlockers that wrap it.
//!
//! The root is 32 random bytes that exist only in memory. Each unlocker row holds it sealed under a key that the row
//! does not contain: one from the OS keyring, one stretched from a passphrase, or one from a key file. Whoever copies
//! `vault.db` copies no such key. Reading keyrings, files and terminals is the caller's business.

use crate::cbor::Value;
use crate::error::UnlockError;
use crate::rows::{SealKeyId, Unlocker};
use crate::seal::{Key, SealError, open, seal};
use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use sha2::Sha256;
use vox_base::{Entropy, Id, Secret, Timestamp, kind};
use zeroize::Zeroize;

/// What can open a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnlockerKind {
    /// A key kept by the operating system's keyring.
    Keyring,
    /// A passphrase, stretched with Argon2id.
    Passphrase,
    /// A file of the user's.
    KeyFile,
}

impl UnlockerKind {
    /// Returns the name used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Passphrase => "passphrase",
            Self::KeyFile => "key_file",
        }
    }

    /// Returns the kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Keyring, Self::Passphrase, Self::KeyFile].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How a passphrase is stretched: Argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParams {
    /// Memory in KiB.
    pub m_kib: u32,
    /// Passes.
    pub t: u32,
    /// Lanes.
    pub p: u32,
}

impl KdfParams {
    /// What new unlockers use: 64 MiB, three passes, one lane.
    pub const DEFAULT: Self = Self { m_kib: 65_536, t: 3, p: 1 };

    /// Stored parameters beyond these bounds are refused before any memory is taken.
    const fn is_allowed(self) -> bool {
        self.m_kib >= 19_456 && self.m_kib <= 1_048_576 && self.t >= 1 && self.t <= 16 && self.p >= 1 && self.p <= 4
    }
}

/// What a caller brings to open a vault.
pub enum UnlockKey {
    /// The 32 bytes the OS keyring keeps for one unlocker.
    Keyring(Secret<[u8; 32]>),
    /// A passphrase as typed.
    Passphrase(Secret<String>),
    /// The 32 bytes of a key file.
    KeyFile(Secret<[u8; 32]>),
}

impl UnlockKey {
    /// Makes a key for the caller to put into the OS keyring.
    #[must_use]
    pub fn new_for_keyring(entropy: &dyn Entropy) -> Secret<[u8; 32]> {
        random_key(entropy)
    }

    /// Reads the content of a key file: 32 raw bytes, or 64 hexadecimal digits and at most one line end.
    ///
    /// # Errors
    /// Anything else.
    pub fn from_key_file(content: &[u8]) -> Result<Self, UnlockError> {
        if let Ok(raw) = <[u8; 32]>::try_from(content) {
            return Ok(Self::KeyFile(Secret::new(raw)));
        }
        let digits = content.strip_suffix(b"\n").unwrap_or(content);
        let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
        let mut key = [0; 32];
        if digits.len() != 64 || data_encoding::HEXLOWER_PERMISSIVE.decode_mut(digits, &mut key).is_err() {
            return Err(UnlockError::BadKeyFile);
        }
        Ok(Self::KeyFile(Secret::new(key)))
    }

    /// Returns which kind of unlocker this opens.
    #[must_use]
    pub const fn kind(&self) -> UnlockerKind {
        match self {
            Self::Keyring(_) => UnlockerKind::Keyring,
            Self::Passphrase(_) => UnlockerKind::Passphrase,
            Self::KeyFile(_) => UnlockerKind::KeyFile,
        }
    }

    fn wrapping_key(&self, kdf: Option<KdfParams>, salt: Option<&[u8]>) -> Result<Key, UnlockError> {
        match (self, kdf, salt) {
            (Self::Keyring(key) | Self::KeyFile(key), None, None) => Ok(key.clone()),
            (Self::Passphrase(passphrase), Some(kdf), Some(salt)) => stretch(passphrase, kdf, salt),
            _ => Err(UnlockError::Corrupt),
        }
    }
}

/// What a derived key is for; the label keeps them unrelated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Wraps the keys that seal values.
    Local,
    /// Fingerprints values.
    Fingerprint,
    /// Wraps the device's signing key.
    Identity,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Local => b"vox/local",
            Self::Fingerprint => b"vox/fingerprint",
            Self::Identity => b"vox/identity",
        }
    }
}

/// The one key from which everything in a vault opens.
pub struct RootKey {
    key_id: SealKeyId,
    bytes: Key,
}

impl RootKey {
    /// Makes the root key of a new vault.
    #[must_use]
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self { key_id: random_id(now, entropy), bytes: random_key(entropy) }
    }

    /// Wraps the root key so that `with` opens it: one more way into the vault.
    ///
    /// # Errors
    /// The passphrase is empty.
    pub fn wrap(
        &self,
        vault_id: Id<kind::Vault>,
        with: &UnlockKey,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Unlocker, UnlockError> {
        let (kdf, salt) = match with {
            UnlockKey::Passphrase(passphrase) if passphrase.expose().is_empty() => return Err(UnlockError::EmptyPassphrase),
            UnlockKey::Passphrase(_) => {
                let mut salt = vec![0; 16];
                entropy.fill(&mut salt);
                (Some(KdfParams::DEFAULT), Some(salt))
            }
            UnlockKey::Keyring(_) | UnlockKey::KeyFile(_) => (None, None),
        };
        let id = random_id::<kind::Vault>(now, entropy).simple();
        let mut unlocker =
            Unlocker { id, kind: with.kind(), kdf, salt, key_id: self.key_id, wrapped_root: Vec::new(), created: now, last_ok: None };
        let key = with.wrapping_key(kdf, unlocker.salt.as_deref())?;
        unlocker.wrapped_root =
            seal(&key, self.bytes.expose(), &context(vault_id, &unlocker), entropy).map_err(|_| UnlockError::Corrupt)?;
        Ok(unlocker)
    }

    /// Opens one unlocker. A passphrase is stretched in full before it can be found wrong.
    ///
    /// # Errors
    /// The key is of another kind or does not fit, or the row has been changed.
    pub fn unlock(vault_id: Id<kind::Vault>, unlocker: &Unlocker, with: &UnlockKey) -> Result<Self, UnlockError> {
        if with.kind() != unlocker.kind {
            return Err(UnlockError::WrongKey(with.kind()));
        }
        let key = with.wrapping_key(unlocker.kdf, unlocker.salt.as_deref())?;
        let root = match open(&key, &unlocker.wrapped_root, &context(vault_id, unlocker)) {
            Ok(root) => root,
            Err(SealError::WrongKey) => return Err(UnlockError::WrongKey(with.kind())),
            Err(_) => return Err(UnlockError::Corrupt),
        };
        let bytes = root.expose().as_slice().try_into().map_err(|_| UnlockError::Corrupt)?;
        Ok(Self { key_id: unlocker.key_id, bytes: Secret::new(bytes) })
    }

    /// Derives the key of one purpose.
    pub(crate) fn purpose(&self, purpose: Purpose) -> Key {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, self.bytes.expose()).expand(purpose.label(), &mut key).expect("32 bytes is below HKDF's limit of 8160");
        Secret::new(key)
    }
}

fn stretch(passphrase: &Secret<String>, kdf: KdfParams, salt: &[u8]) -> Result<Key, UnlockError> {
    if !kdf.is_allowed() || salt.len() < 16 || salt.len() > 64 {
        return Err(UnlockError::Corrupt);
    }
    let params = Params::new(kdf.m_kib, kdf.t, kdf.p, Some(32)).map_err(|_| UnlockError::Corrupt)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut key)
        .map_err(|_| UnlockError::Corrupt)?;
    let stretched = Secret::new(key);
    key.zeroize();
    Ok(stretched)
}

/// What a wrapped root is bound to: its vault and every clear column of its row that must not change.
fn context(vault_id: Id<kind::Vault>, unlocker: &Unlocker) -> Vec<u8> {
    Value::Array(vec![
        Value::Text("vox-unlocker-v1"),
        Value::Bytes(vault_id.as_bytes()),
        Value::Text(&unlocker.id),
        Value::Text(unlocker.kind.as_str()),
        Value::Bytes(unlocker.key_id.as_bytes()),
    ])
    .encode()
}

/// Returns 32 bytes nobody can predict.
pub(crate) fn random_key(entropy: &dyn Entropy) -> Key {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let key = Secret::new(bytes);
    bytes.zeroize();
    key
}

/// Returns a fresh id.
pub(crate) fn random_id<K>(now: Timestamp, entropy: &dyn Entropy) -> Id<K> {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    Id::new(now, random)
}

#[cfg(test)]
mod tests;
