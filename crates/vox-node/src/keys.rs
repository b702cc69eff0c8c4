//! Caller keys: how they look, how they are made, and which of them are good right now.
//!
//! Only the SHA-256 of a key is stored. The table of good keys is held in memory, so that a request costs one digest
//! and one look-up; `Node` refreshes it when another process changes a key.

use data_encoding::BASE64URL_NOPAD;
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use vox_base::{Digest, Entropy, KeyId, Secret, Timestamp};
use vox_store::CallerKey;

const PREFIX: &str = "vox_";
const PUBLIC_CHARS: usize = 10;
const SECRET_CHARS: usize = 43;
const CHECK_CHARS: usize = 6;
const LENGTH: usize = PREFIX.len() + PUBLIC_CHARS + 1 + SECRET_CHARS + CHECK_CHARS;

/// A fresh key, shown once, and what is stored of it.
pub struct Minted {
    /// The whole key as the caller sends it.
    pub key: Secret<String>,
    /// The part that names the key in the store and in lists.
    pub public_id: String,
    /// The digest that is stored.
    pub digest: Digest,
}

/// Makes a key from 256 random bits.
pub fn mint(entropy: &dyn Entropy) -> Minted {
    let mut random = [0; 40];
    entropy.fill(&mut random);
    let public_id: String = random[32..].iter().chain(&random[..2]).map(|byte| char::from(b"abcdefghijkmnpqrstuvwxyz23456789"[usize::from(byte & 31)])).collect();
    let head = format!("{PREFIX}{public_id}_{}", BASE64URL_NOPAD.encode(&random[..32]));
    let key = format!("{head}{}", checksum(&head));
    let digest = Digest::of(key.as_bytes());
    Minted { key: Secret::new(key), public_id, digest }
}

fn checksum(head: &str) -> String {
    let mut text = BASE64URL_NOPAD.encode(&Digest::of(head.as_bytes()).as_bytes()[..5]);
    text.truncate(CHECK_CHARS);
    text
}

/// Returns the public part of something shaped like a key.
fn public_id(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(PREFIX)?;
    (key.len() == LENGTH && rest.as_bytes().get(PUBLIC_CHARS) == Some(&b'_')).then(|| &rest[..PUBLIC_CHARS])
}

/// Why a key does not open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// No such key.
    Invalid,
    /// It was revoked, or a key above it was.
    Revoked,
    /// Its time is over.
    Expired,
}

/// Who calls: a caller key that was good when the request came in.
#[derive(Debug)]
pub struct Caller {
    /// What is stored of the key.
    pub key: CallerKey,
    /// The key and its ancestors, nearest first: all of them count a call's cost.
    pub chain: Vec<KeyId>,
    /// Requests of this key being served.
    pub n_open: std::sync::atomic::AtomicU32,
}

/// The keys that exist, by their public part.
#[derive(Debug, Default)]
pub struct KeyTable {
    by_public_id: HashMap<String, Arc<Caller>>,
}

impl KeyTable {
    /// Returns the table of these rows; a row whose ancestor is missing or revoked is revoked itself.
    #[must_use]
    pub fn new(rows: Vec<CallerKey>) -> Self {
        let parents: HashMap<KeyId, (Option<KeyId>, Option<Timestamp>)> =
            rows.iter().map(|row| (row.key_id, (row.parent_id, row.revoked_at))).collect();
        let by_public_id = rows.into_iter().map(|mut row| {
            let mut chain = vec![row.key_id];
            let mut parent = row.parent_id;
            while let Some(id) = parent.filter(|id| !chain.contains(id)) {
                chain.push(id);
                let (next, revoked_at) = parents.get(&id).copied().unwrap_or((None, Some(Timestamp::from_millis(0))));
                row.revoked_at = row.revoked_at.or(revoked_at);
                parent = next;
            }
            (row.public_id.clone(), Arc::new(Caller { key: row, chain, n_open: 0.into() }))
        });
        Self { by_public_id: by_public_id.collect() }
    }

    /// Returns the caller a key belongs to. An unknown key costs the same digest and comparison as a known one.
    ///
    /// # Errors
    /// The key is unknown, revoked or expired.
    pub fn verify(&self, key: &str, now: Timestamp) -> Result<Arc<Caller>, KeyRefusal> {
        let presented = Digest::of(key.as_bytes());
        let known = public_id(key).and_then(|public_id| self.by_public_id.get(public_id));
        let stored = known.map_or(Digest::from_bytes([0; 32]), |caller| caller.key.secret_sha256);
        let fresh = bool::from(presented.as_bytes().ct_eq(stored.as_bytes()));
        let caller = known.ok_or(KeyRefusal::Invalid)?;
        let graced = caller.key.prev_secret_sha256.is_some_and(|previous| {
            bool::from(presented.as_bytes().ct_eq(previous.as_bytes())) && caller.key.prev_valid_until.is_some_and(|until| now < until)
        });
        if !fresh && !graced {
            return Err(KeyRefusal::Invalid);
        }
        if caller.key.revoked_at.is_some() {
            return Err(KeyRefusal::Revoked);
        }
        if caller.key.expires_at.is_some_and(|at| now >= at) {
            return Err(KeyRefusal::Expired);
        }
        Ok(caller.clone())
    }

    /// Returns all callers.
    pub fn callers(&self) -> impl Iterator<Item = &Arc<Caller>> {
        self.by_public_id.values()
    }
}

#[cfg(test)]
mod tests;
