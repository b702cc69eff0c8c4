//! Making, listing, changing and revoking caller keys: what `vox keys` does.
//!
//! How a key looks and how it is checked is `keys`; here it gets a name, limits and a row. A running node notices a
//! change by the store's `keys_version`.

mod narrow;
mod parse;

pub use parse::{ParsedBudget, budget};

use crate::keys::{Grant, Minted, mint, mint_for};
use parse::WINDOWS;
use serde::Serialize;
use std::collections::HashMap;
use vox_base::{Coded, Entropy, Id, KeyId, Kind, NanoUsd, Secret, Timestamp};
use vox_store::rows::gateway::{CallerKey, KeyBudget};
use vox_store::{Store, StoredKey};

/// What may be said about a key; what is not said stays as it is, or is unlimited for a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Patterns of models it may use; `*` alone stands for all.
    pub models: Option<Vec<String>>,
    /// Budgets; each replaces the one of its window.
    pub budgets: Vec<ParsedBudget>,
    /// Whether these budgets warn instead of refusing.
    pub soft: bool,
    /// When it ends; the inner nothing is never.
    pub expires_at: Option<Option<Timestamp>>,
    /// Whether a hard budget admits offers of unknown price.
    pub allow_unpriced: Option<bool>,
    /// Requests at a time; the inner nothing is no limit.
    pub concurrency: Option<Option<u32>>,
    /// Requests a minute; the inner nothing is no limit.
    pub rpm: Option<Option<u32>>,
    /// Tokens a minute; the inner nothing is no limit.
    pub tpm: Option<Option<u32>>,
}

/// A key as people and `--json` see it; the key itself is in none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// Its id.
    pub key_id: String,
    /// The part of the key that may be shown.
    pub public_id: String,
    /// Its name.
    pub name: String,
    /// `active`, `expired` or `revoked`.
    pub state: &'static str,
    /// The key above it.
    pub parent_id: Option<String>,
    /// Patterns of models it may use; nothing for all.
    pub models: Option<Vec<String>>,
    /// Its budgets.
    pub budgets: Vec<BudgetReport>,
    /// Whether a hard budget admits offers of unknown price.
    pub allow_unpriced: bool,
    /// Requests at a time.
    pub concurrency: Option<i64>,
    /// Requests a minute.
    pub rpm: Option<i64>,
    /// Tokens a minute.
    pub tpm: Option<i64>,
    /// When it ends, RFC 3339.
    pub expires_at: Option<String>,
    /// When it was revoked, RFC 3339.
    pub revoked_at: Option<String>,
    /// Until when the key before the last rotation works, RFC 3339.
    pub previous_valid_until: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// UTC day of its last use.
    pub last_used_day: Option<String>,
}

/// One budget and how much of it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetReport {
    /// `day`, `week`, `month` or `total`.
    pub window: String,
    /// `hard` or `soft`.
    pub mode: String,
    /// The limit.
    pub limit_nano_usd: i64,
    /// What was charged in the window that is now, held amounts included.
    pub spent_nano_usd: i64,
    /// When the window begins anew, RFC 3339; nothing for `total`.
    pub resets_at: Option<String>,
}

/// A key just made or given a new secret; the secret is shown once.
pub struct Shown {
    /// The key as the caller sends it.
    pub key: Secret<String>,
    /// What is stored of it.
    pub report: KeyReport,
}

/// Makes a key; below another one it only narrows what that one may do.
///
/// # Errors
/// The name is empty or too long, the key above is unknown or revoked or has less, or the store cannot be written.
pub async fn create(
    store: &Store,
    entropy: &dyn Entropy,
    now: Timestamp,
    name: &str,
    parent: Option<&str>,
    limits: &Limits,
) -> Result<Shown, Coded> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(
            Coded::new(Kind::Usage, "gateway.flag_invalid", "a key needs a name of visible characters").next("vox keys create laptop")
        );
    }
    let minted = mint(entropy);
    let mut new = StoredKey { key: row(name, &minted, new_id(entropy, now), now), budgets: Vec::new() };
    if let Some(parent) = parent {
        let above = above(store, parent, limits).await?;
        new.key.parent_id = Some(above.key_id);
        new.key.depth = above.depth + 1;
    }
    apply(&mut new, limits)?;
    store.create_key(new.clone()).await?;
    Ok(Shown { key: minted.key, report: report(store, now, vec![new]).await?.remove(0) })
}

/// The most levels below a root.
const MAX_DEPTH: i64 = 4;

/// Returns the key a new one stands below, if it may have one with these limits.
async fn above(store: &Store, wanted: &str, limits: &Limits) -> Result<CallerKey, Coded> {
    let StoredKey { key, .. } = find(store, wanted).await?;
    if key.revoked_at.is_some() {
        return Err(Coded::new(Kind::Refused, "gateway.key_revoked", format!("key `{}` is revoked", key.name)).next("vox keys list"));
    }
    if key.depth >= MAX_DEPTH {
        return Err(Coded::new(Kind::Refused, "gateway.key_too_wide", format!("`{}` is {MAX_DEPTH} levels below its root", key.name))
            .at("--parent")
            .next("make the key below one further up"));
    }
    narrow::check(&granted(store, Some(key.key_id)).await?, limits)?;
    Ok(key)
}

/// Returns what a key and everything above it allow together; the least budget of each window among them.
async fn granted(store: &Store, key: Option<KeyId>) -> Result<Grant, Coded> {
    let keys = store.keys().await?;
    let mut grant = Grant { unpriced: true, ..Grant::default() };
    let (mut next, mut seen) = (key, Vec::new());
    while let Some(stored) = keys.iter().find(|stored| Some(stored.key.key_id) == next && !seen.contains(&stored.key.key_id)) {
        let own = Grant::of(stored);
        grant.narrow(&own);
        for limit in own.budgets {
            match grant.budgets.iter_mut().find(|known| known.window == limit.window) {
                Some(known) => known.amount = known.amount.min(limit.amount),
                None => grant.budgets.push(limit),
            }
        }
        seen.push(stored.key.key_id);
        next = stored.key.parent_id;
    }
    Ok(grant)
}

fn row(name: &str, minted: &Minted, key_id: KeyId, now: Timestamp) -> CallerKey {
    CallerKey {
        key_id,
        public_id: minted.public_id.clone().into(),
        secret_sha256: minted.digest,
        prev_secret_sha256: None,
        prev_valid_until: None,
        name: name.to_owned().into(),
        parent_id: None,
        depth: 0,
        models_json: None,
        hints_json: None,
        rpm: None,
        tpm: None,
        concurrency: None,
        expires_at: None,
        revoked_at: None,
        allow_unpriced: false,
        may_delegate: false,
        run_id: None,
        created_by: "cli".into(),
        created_at: now,
        last_used_day: None,
    }
}

fn new_id(entropy: &dyn Entropy, now: Timestamp) -> KeyId {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    Id::new(now, random)
}

/// Returns every key, oldest first.
///
/// # Errors
/// The store cannot be read.
pub async fn list(store: &Store, now: Timestamp) -> Result<Vec<KeyReport>, Coded> {
    report(store, now, store.keys().await?).await
}

/// Returns one key.
///
/// # Errors
/// No key, or more than one, fits the text.
pub async fn show(store: &Store, now: Timestamp, wanted: &str) -> Result<KeyReport, Coded> {
    let key = find(store, wanted).await?;
    Ok(report(store, now, vec![key]).await?.remove(0))
}

/// Gives a key a new secret; id, limits and history stay, and the old secret works until the grace is over.
///
/// # Errors
/// No key fits, it is revoked, or the store cannot be written.
pub async fn rotate(store: &Store, entropy: &dyn Entropy, now: Timestamp, wanted: &str, grace_ms: i64) -> Result<Shown, Coded> {
    let found = find(store, wanted).await?;
    if found.key.revoked_at.is_some() {
        return Err(
            Coded::new(Kind::Refused, "gateway.key_revoked", format!("key `{}` is revoked", found.key.name)).next("vox keys create NAME")
        );
    }
    let minted = mint_for(entropy, found.key.public_id.to_string());
    store.rotate_key(found.key.key_id, minted.digest, now.plus_millis(grace_ms)).await?;
    Ok(Shown { key: minted.key, report: show(store, now, &found.key.key_id.to_string()).await? })
}

/// Revokes a key, and with `tree` marks every key below it too; those are unusable either way.
///
/// # Errors
/// No key fits, or the store cannot be written.
pub async fn revoke(store: &Store, now: Timestamp, wanted: &str, tree: bool) -> Result<Vec<KeyReport>, Coded> {
    let found = find(store, wanted).await?;
    let revoked = store.revoke_key(found.key.key_id, tree, now).await?;
    let keys =
        store.keys().await?.into_iter().filter(|stored| revoked.contains(&stored.key.key_id) || stored.key.key_id == found.key.key_id);
    report(store, now, keys.collect()).await
}

/// Changes the limits of a key.
///
/// # Errors
/// No key fits, the key above it has less, or the store cannot be written.
pub async fn set(store: &Store, now: Timestamp, wanted: &str, limits: &Limits) -> Result<KeyReport, Coded> {
    let mut found = find(store, wanted).await?;
    narrow::check(&granted(store, found.key.parent_id).await?, limits)?;
    apply(&mut found, limits)?;
    store.update_key(found.clone()).await?;
    Ok(report(store, now, vec![found]).await?.remove(0))
}

fn apply(stored: &mut StoredKey, limits: &Limits) -> Result<(), Coded> {
    let key = &mut stored.key;
    if let Some(models) = &limits.models {
        let all = models.iter().any(|pattern| pattern == "*");
        key.models_json = if all { None } else { Some(serde_json::json!(models).to_string().into()) };
    }
    if let Some(expires_at) = limits.expires_at {
        key.expires_at = expires_at;
    }
    if let Some(allowed) = limits.allow_unpriced {
        key.allow_unpriced = allowed;
    }
    if let Some(concurrency) = limits.concurrency {
        key.concurrency = concurrency.map(i64::from);
    }
    if let Some(rpm) = limits.rpm {
        key.rpm = rpm.map(i64::from);
    }
    if let Some(tpm) = limits.tpm {
        key.tpm = tpm.map(i64::from);
    }
    let mode = if limits.soft { "soft" } else { "hard" };
    for wanted in &limits.budgets {
        stored.budgets.retain(|budget| budget.budget_window != wanted.window.as_str());
        if let Some(limit) = wanted.limit {
            let budget_window = wanted.window.as_str().into();
            stored.budgets.push(KeyBudget { key_id: key.key_id, budget_window, limit_nano_usd: limit, mode: mode.into() });
        }
    }
    if limits.soft && limits.budgets.is_empty() {
        stored.budgets.iter_mut().for_each(|budget| budget.mode = mode.into());
    }
    Ok(())
}

/// Finds a key by its id, its public part, or a name that only one key has that is not revoked.
async fn find(store: &Store, wanted: &str) -> Result<StoredKey, Coded> {
    let keys = store.keys().await?;
    let is_id = |stored: &&StoredKey| stored.key.key_id.to_string() == wanted || stored.key.public_id == wanted;
    if let Some(found) = keys.iter().find(is_id) {
        return Ok(found.clone());
    }
    let named: Vec<&StoredKey> = keys.iter().filter(|stored| stored.key.name == wanted).collect();
    let good: Vec<&&StoredKey> = named.iter().filter(|stored| stored.key.revoked_at.is_none()).collect();
    match (good.as_slice(), named.as_slice()) {
        ([one], _) => Ok((**one).clone()),
        ([], [one]) => Ok((*one).clone()),
        ([], []) => {
            Err(Coded::new(Kind::Failed, "gateway.key_unknown", format!("no caller key is called `{wanted}`")).next("vox keys list"))
        }
        _ => Err(Coded::new(Kind::Failed, "gateway.key_unknown", format!("several caller keys are called `{wanted}`"))
            .expected("an id")
            .next("vox keys list")),
    }
}

async fn report(store: &Store, now: Timestamp, keys: Vec<StoredKey>) -> Result<Vec<KeyReport>, Coded> {
    let mut spent: HashMap<&'static str, HashMap<String, NanoUsd>> = HashMap::new();
    for window in WINDOWS {
        if keys.iter().any(|stored| stored.budgets.iter().any(|budget| budget.budget_window == window.as_str())) {
            let rows = store.spent(Some(window.start(now))).await?;
            spent.insert(window.as_str(), rows.into_iter().map(|row| (row.account, row.nano_usd)).collect());
        }
    }
    Ok(keys.into_iter().map(|stored| one(stored, &spent, now)).collect())
}

fn one(stored: StoredKey, spent: &HashMap<&'static str, HashMap<String, NanoUsd>>, now: Timestamp) -> KeyReport {
    let StoredKey { key, budgets } = stored;
    let state = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= now => "expired",
        _ => "active",
    };
    let account = key.key_id.to_string();
    let budgets = budgets.into_iter().map(|budget| BudgetReport {
        limit_nano_usd: budget.limit_nano_usd.get(),
        spent_nano_usd: spent.get(&*budget.budget_window).and_then(|spent| spent.get(&account)).map_or(0, |amount| amount.get()),
        resets_at: WINDOWS
            .iter()
            .find(|window| window.as_str() == budget.budget_window)
            .and_then(|window| window.end(now))
            .map(|at| at.to_string()),
        window: budget.budget_window.into(),
        mode: budget.mode.into(),
    });
    KeyReport {
        budgets: budgets.collect(),
        key_id: account,
        public_id: key.public_id.into(),
        name: key.name.into(),
        state,
        parent_id: key.parent_id.map(|id| id.to_string()),
        models: key.models_json.and_then(|models| serde_json::from_str(&models).ok()),
        allow_unpriced: key.allow_unpriced,
        concurrency: key.concurrency,
        rpm: key.rpm,
        tpm: key.tpm,
        expires_at: key.expires_at.map(|at| at.to_string()),
        revoked_at: key.revoked_at.map(|at| at.to_string()),
        previous_valid_until: key.prev_valid_until.filter(|until| *until > now).map(|until| until.to_string()),
        created_at: key.created_at.to_string(),
        created_by: key.created_by.into(),
        last_used_day: key.last_used_day.map(String::from),
    }
}

#[cfg(test)]
mod tests;
