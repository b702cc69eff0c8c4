//! Caller keys: how they look, how they are made, and which of them are good right now.
//!
//! Only the SHA-256 of a key is stored. The table of good keys is held in memory, so that a request costs one digest
//! and one look-up; `Node` refreshes it when another process changes a key.

use data_encoding::BASE64URL_NOPAD;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use subtle::ConstantTimeEq;
use vox_base::{Digest, Entropy, KeyId, Secret, Timestamp};
use vox_route::BudgetMode;
use vox_route::budget::{Limit, Window};
use vox_store::StoredKey;
use vox_store::rows::gateway::{CallerKey, KeyBudget};

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
    let mut random = [0; PUBLIC_CHARS];
    entropy.fill(&mut random);
    let public_id: String = random.iter().map(|byte| char::from(b"abcdefghijkmnpqrstuvwxyz23456789"[usize::from(byte & 31)])).collect();
    mint_for(entropy, public_id)
}

/// Makes a fresh secret for a key that has its public part already.
pub fn mint_for(entropy: &dyn Entropy, public_id: String) -> Minted {
    let mut random = [0; 32];
    entropy.fill(&mut random);
    let head = format!("{PREFIX}{public_id}_{}", BASE64URL_NOPAD.encode(&random));
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
    /// The key as evidence names it.
    pub reference: Arc<str>,
    /// The key and its ancestors, nearest first: all of them count a call's cost.
    pub chain: Vec<KeyId>,
    /// Patterns of models it may use; `None` for all.
    pub models: Option<Vec<String>>,
    /// Whether one of the budgets it counts against must never be overspent.
    pub has_hard_budget: bool,
    /// Its own budgets.
    pub limits: Vec<Limit>,
    /// Whether it has called since that was last written down.
    pub was_used: AtomicBool,
    /// Requests of this key being served.
    pub n_open: Arc<AtomicU32>,
}

/// The keys that exist, by their public part.
#[derive(Debug, Default)]
pub struct KeyTable {
    by_public_id: HashMap<String, Arc<Caller>>,
}

impl KeyTable {
    /// Returns the table of these keys; one whose ancestor is missing or revoked is revoked itself.
    #[must_use]
    pub fn new(stored: Vec<StoredKey>) -> Self {
        let family: HashMap<KeyId, Kin> = stored.iter().map(|stored| (stored.key.key_id, Kin::of(stored))).collect();
        let callers = stored.into_iter().map(|stored| caller(stored, &family));
        Self { by_public_id: callers.map(|caller| (caller.key.public_id.to_string(), Arc::new(caller))).collect() }
    }

    /// Returns this table with the counts of open requests of the one before.
    #[must_use]
    pub fn succeeding(mut self, before: &Self) -> Self {
        for (public_id, caller) in &mut self.by_public_id {
            if let (Some(old), Some(caller)) = (before.by_public_id.get(public_id), Arc::get_mut(caller)) {
                caller.n_open = old.n_open.clone();
            }
        }
        self
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
        caller.was_used.store(true, Ordering::Relaxed);
        Ok(caller.clone())
    }

    /// Returns all callers.
    pub fn callers(&self) -> impl Iterator<Item = &Arc<Caller>> {
        self.by_public_id.values()
    }
}

/// What a key's descendants need to know of it.
struct Kin {
    parent: Option<KeyId>,
    revoked_at: Option<Timestamp>,
    is_hard: bool,
}

impl Kin {
    fn of(stored: &StoredKey) -> Self {
        let is_hard = stored.budgets.iter().filter_map(limit).any(|limit| limit.mode == BudgetMode::Hard);
        Self { parent: stored.key.parent_id, revoked_at: stored.key.revoked_at, is_hard }
    }
}

fn caller(stored: StoredKey, family: &HashMap<KeyId, Kin>) -> Caller {
    let mut key = stored.key;
    let mut chain = vec![key.key_id];
    let mut has_hard_budget = family.get(&key.key_id).is_some_and(|own| own.is_hard);
    let mut parent = key.parent_id;
    while let Some(id) = parent.filter(|id| !chain.contains(id)) {
        chain.push(id);
        let Some(kin) = family.get(&id) else {
            key.revoked_at = key.revoked_at.or(Some(key.created_at));
            break;
        };
        key.revoked_at = key.revoked_at.or(kin.revoked_at);
        has_hard_budget |= kin.is_hard;
        parent = kin.parent;
    }
    // Patterns that cannot be read allow nothing, rather than everything.
    let models = key.models_json.as_deref().map(|json| serde_json::from_str(json).unwrap_or_default());
    let limits = stored.budgets.iter().filter_map(limit).collect();
    let reference = key.key_id.to_string().into();
    Caller { key, reference, chain, models, has_hard_budget, limits, was_used: false.into(), n_open: Arc::default() }
}

/// Returns a stored budget as the arithmetic knows it.
fn limit(budget: &KeyBudget) -> Option<Limit> {
    let window =
        [Window::Day, Window::Week, Window::Month, Window::Total].into_iter().find(|window| window.as_str() == budget.budget_window)?;
    let mode = if budget.mode == "soft" { BudgetMode::Soft } else { BudgetMode::Hard };
    Some(Limit { window, amount: budget.limit_nano_usd, mode })
}

#[cfg(test)]
mod tests;
