//! Caller keys: how they look, how they are made, and which of them are good right now.
//!
//! Only the SHA-256 of a key is stored. The table of good keys is held in memory, so that a request costs one digest
//! and one look-up; `Node` refreshes it when another process changes a key.

mod grant;

pub(crate) use grant::{Grant, covers};

use data_encoding::BASE64URL_NOPAD;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use subtle::ConstantTimeEq;
use vox_base::{Digest, Entropy, KeyId, Secret, Timestamp};
use vox_route::BudgetMode;
use vox_route::budget::{Limit, Window};
use vox_route::rate::{Counted, RateLimit};
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

/// Who calls: a caller key that was good when the request came in. What its ancestors do not allow is taken away from
/// it here.
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
    /// Whether a call of unknown price is admitted.
    pub unpriced: bool,
    /// Whether one of the budgets it counts against must never be overspent.
    pub has_hard_budget: bool,
    /// Its own budgets.
    pub limits: Vec<Limit>,
    /// The requests and tokens a minute of the key and its ancestors.
    pub rates: Vec<RateLimit>,
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
    pub fn new(stored: &[StoredKey]) -> Self {
        let family: HashMap<KeyId, Kin> = stored.iter().map(|stored| (stored.key.key_id, Kin::of(stored))).collect();
        let callers = stored.iter().map(|stored| caller(stored, &family));
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
    grant: Grant,
}

impl Kin {
    fn of(stored: &StoredKey) -> Self {
        Self { parent: stored.key.parent_id, revoked_at: stored.key.revoked_at, grant: Grant::of(stored) }
    }
}

fn caller(stored: &StoredKey, family: &HashMap<KeyId, Kin>) -> Caller {
    let mut key = stored.key.clone();
    let mut chain = Vec::new();
    let mut grant = Grant { unpriced: true, ..Grant::default() };
    let (mut has_hard_budget, mut rates) = (false, Vec::new());
    let mut next = Some(key.key_id);
    while let Some(id) = next.filter(|id| !chain.contains(id)) {
        chain.push(id);
        let Some(kin) = family.get(&id) else {
            key.revoked_at = key.revoked_at.or(Some(key.created_at));
            break;
        };
        key.revoked_at = key.revoked_at.or(kin.revoked_at);
        grant.narrow(&kin.grant);
        has_hard_budget |= kin.grant.budgets.iter().any(|limit| limit.mode == BudgetMode::Hard);
        rates.extend(rate_limits(id, &kin.grant));
        next = kin.parent;
    }
    key.expires_at = grant.expires_at;
    key.concurrency = grant.concurrency;
    let limits = family.get(&key.key_id).map(|own| own.grant.budgets.clone()).unwrap_or_default();
    let Grant { models, unpriced, .. } = grant;
    let reference = key.key_id.to_string().into();
    Caller { key, reference, chain, models, unpriced, has_hard_budget, limits, rates, was_used: false.into(), n_open: Arc::default() }
}

fn rate_limits(key: KeyId, grant: &Grant) -> impl Iterator<Item = RateLimit> {
    let limits = [(Counted::Requests, grant.rpm), (Counted::Tokens, grant.tpm)];
    limits.into_iter().filter_map(move |(counted, per_minute)| {
        Some(RateLimit { key, counted, per_minute: u32::try_from(per_minute?).unwrap_or(u32::MAX) })
    })
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
