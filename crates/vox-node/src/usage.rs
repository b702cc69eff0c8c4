//! What was used and what it cost, and what is held: `vox usage` and the node API's view of the same sums.
//!
//! The sums are the store's. An unknown cost is counted apart and never added; a held amount counts until somebody says
//! what the call really cost.

use serde::Serialize;
use std::collections::HashMap;
use vox_base::{Coded, InteractionId, KeyId, Kind, NanoUsd, Timestamp};
use vox_store::{By, Correction, Store, Totals};

/// Which calls are asked for, and what a line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// What a line is about.
    pub by: By,
    /// The UTC day of this moment and later ones.
    pub since: Option<Timestamp>,
    /// Days before this moment; its own day counts unless it is the day's first moment.
    pub until: Option<Timestamp>,
    /// Calls of this key only.
    pub key: Option<KeyId>,
}

impl Default for UsageQuery {
    fn default() -> Self {
        Self { by: By::Model, since: None, until: None, key: None }
    }
}

/// What a line can be about, by the name used in flags and queries.
pub const GROUPS: [(&str, By); 7] = [
    ("key", By::Key),
    ("model", By::Model),
    ("provider", By::Provider),
    ("day", By::Day),
    ("session", By::Session),
    ("run", By::Run),
    ("task", By::Task),
];

impl UsageQuery {
    /// Sets one part by its name: `by`, `since`, `until` or `key`.
    ///
    /// # Errors
    /// There is no such part, or the value is none of its values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Coded> {
        let invalid = |expected: String| {
            Coded::new(Kind::Usage, "gateway.flag_invalid", format!("`{name}` cannot be `{value}`")).at(name).expected(expected)
        };
        match name {
            "by" => {
                let names = || GROUPS.map(|(name, _)| name).join(", ");
                self.by = GROUPS.iter().find(|(known, _)| *known == value).ok_or_else(|| invalid(format!("one of {}", names())))?.1;
            }
            "since" => self.since = Some(value.parse().map_err(|error: vox_base::InvalidTime| invalid(error.to_string()))?),
            "until" => self.until = Some(value.parse().map_err(|error: vox_base::InvalidTime| invalid(error.to_string()))?),
            "key" => self.key = Some(value.parse().map_err(|error: vox_base::InvalidId| invalid(error.to_string()))?),
            _ => return Err(invalid("one of by, since, until, key".into())),
        }
        Ok(())
    }
}

/// Sums over calls; `null` where no call had a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Calls.
    pub calls: i64,
    /// Calls that did not end in an answer.
    pub errors: i64,
    /// Calls whose cost is unknown, and so not in the cost.
    pub unpriced_calls: i64,
    /// Calls without any token count.
    pub unmetered_calls: i64,
    /// Input tokens that no cache served or stored.
    pub input_tokens: Option<i64>,
    /// Input tokens read from a prompt cache.
    pub cache_read_tokens: Option<i64>,
    /// Input tokens written to a prompt cache.
    pub cache_write_tokens: Option<i64>,
    /// Output tokens without reasoning.
    pub output_tokens: Option<i64>,
    /// Reasoning tokens.
    pub reasoning_tokens: Option<i64>,
    /// What the priced calls cost.
    pub cost_nano_usd: Option<i64>,
    /// What prompt caches saved.
    pub cache_savings_nano_usd: Option<i64>,
}

/// One group and its sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The group; `null` for calls where it is unknown.
    pub group: Option<String>,
    /// The name of the key, where the group is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its sums.
    #[serde(flatten)]
    pub sums: Sums,
}

/// What was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageReport {
    /// What a line is about.
    pub by: &'static str,
    /// One line per group.
    pub lines: Vec<Line>,
    /// All lines together.
    pub total: Sums,
    /// Calls whose node died before they were settled, whenever they were made; not in the lines.
    pub held_calls: i64,
    /// What they count for.
    pub held_nano_usd: i64,
}

/// Returns what was used.
///
/// # Errors
/// The store cannot be read.
pub async fn report(store: &Store, query: &UsageQuery) -> Result<UsageReport, Coded> {
    let found = store.usage(vox_store::UsageQuery { by: query.by, since: query.since, until: query.until, key: query.key }).await?;
    let names = if query.by == By::Key { key_names(store).await? } else { HashMap::new() };
    let line = |line: vox_store::UsageLine| {
        let name = line.group.as_ref().and_then(|group| names.get(group)).cloned();
        Line { group: line.group, name, sums: sums(&line.totals) }
    };
    Ok(UsageReport {
        by: GROUPS.iter().find(|(_, by)| *by == query.by).map_or("", |(name, _)| name),
        lines: found.lines.into_iter().map(line).collect(),
        total: sums(&found.total),
        held_calls: found.held_calls,
        held_nano_usd: found.held.get(),
    })
}

/// Returns the names of all keys, revoked ones too, by id.
async fn key_names(store: &Store) -> Result<HashMap<String, String>, Coded> {
    let keys = store.keys().await?;
    Ok(keys.into_iter().map(|stored| (stored.key.key_id.to_string(), stored.key.name.into())).collect())
}

fn sums(totals: &Totals) -> Sums {
    Sums {
        calls: totals.calls,
        errors: totals.errors,
        unpriced_calls: totals.unpriced_calls,
        unmetered_calls: totals.unmetered_calls,
        input_tokens: totals.input_tokens,
        cache_read_tokens: totals.cache_read_tokens,
        cache_write_tokens: totals.cache_write_tokens,
        output_tokens: totals.output_tokens,
        reasoning_tokens: totals.reasoning_tokens,
        cost_nano_usd: totals.cost.map(NanoUsd::get),
        cache_savings_nano_usd: totals.cache_savings.map(NanoUsd::get),
    }
}

/// A call whose node died before it was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The call.
    pub interaction_id: String,
    /// The caller's key, if it had one.
    pub key_id: Option<String>,
    /// What was set aside and counts.
    pub held_nano_usd: i64,
    /// When it was set aside, RFC 3339.
    pub opened_at: String,
}

/// Returns the held calls, oldest first.
///
/// # Errors
/// The store cannot be read.
pub async fn held(store: &Store) -> Result<Vec<Held>, Coded> {
    Ok(store.held().await?.into_iter().map(Held::from).collect())
}

impl From<vox_store::HeldCall> for Held {
    fn from(call: vox_store::HeldCall) -> Self {
        Self {
            interaction_id: call.interaction_id.to_string(),
            key_id: call.key_id.map(|id| id.to_string()),
            held_nano_usd: call.amount.get(),
            opened_at: call.opened_at.to_string(),
        }
    }
}

/// Replaces what is held for a call by what it really cost; a row says who did it.
///
/// # Errors
/// The text is no id, the call is not held, the amount is below zero, or the store cannot be written.
pub async fn reconcile(store: &Store, now: Timestamp, id: &str, cost: NanoUsd, by: &str) -> Result<Held, Coded> {
    let unknown = || Coded::new(Kind::Failed, "gateway.held_unknown", format!("no call `{id}` is held")).next("vox usage --held");
    let interaction_id: InteractionId = id.parse().map_err(|_| unknown())?;
    if cost < NanoUsd::ZERO {
        return Err(Coded::new(Kind::Usage, "gateway.flag_invalid", "a call cannot have cost less than nothing").expected("0 or more"));
    }
    match store.reconcile(Correction { interaction_id, cost, by: by.to_owned(), at: now }).await {
        Ok(call) => Ok(call.into()),
        Err(vox_store::StoreError::NotFound(_)) => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
