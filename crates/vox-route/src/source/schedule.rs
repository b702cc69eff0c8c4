//! When a list is fetched again, and when it counts as stale. One stored time of the last good fetch answers both.

use crate::contract::SourceRules;
use serde::{Deserialize, Serialize};
use vox_base::{Digest, Timestamp};

/// What is remembered of the fetches of one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// When the last good list was fetched.
    pub fetched_at: Option<Timestamp>,
    /// The failures since.
    pub failure: Option<Failure>,
    /// Tells installations apart, so that they do not all ask in the same moment.
    pub seed: u64,
}

/// Fetches that failed one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// When the last one failed.
    pub at: Timestamp,
    /// How many failed in a row.
    pub n_in_row: u32,
    /// How long the provider wants to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What went wrong.
    pub message: String,
}

/// Whether a list is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now, within these limits.
    Now {
        /// Longest wait for an answer.
        timeout_ms: u32,
        /// Longest answer.
        max_body_bytes: u64,
    },
    /// Not before this moment: the list is fresh, failed only just now, or was asked for only just now.
    At(Timestamp),
    /// Never: the contract turns the source off.
    Never,
}

/// Decides whether a list is to be fetched now. With `force_min_s` a person insists: age and earlier failures count no
/// longer, but that much time since the last fetch and what the provider asked for do.
#[must_use]
pub fn due(source: &str, rules: &SourceRules, past: &Past, force_min_s: Option<u32>, now: Timestamp) -> Due {
    if !rules.enabled {
        return Due::Never;
    }
    let at = match force_min_s {
        None => next_refresh(source, rules, past),
        Some(least_s) => insisted(past, least_s),
    };
    // A clock that was set back must not postpone a fetch for ever.
    match at.filter(|at| *at > now && past.last_try().is_none_or(|last| last <= now)) {
        Some(at) => Due::At(at),
        None => Due::Now { timeout_ms: rules.timeout_ms, max_body_bytes: rules.max_body_bytes },
    }
}

impl Past {
    fn last_try(&self) -> Option<Timestamp> {
        self.fetched_at.max(self.failure.as_ref().map(|failure| failure.at))
    }
}

/// Returns when a list is fetched again unasked; `None` if it never was.
#[must_use]
pub fn next_refresh(source: &str, rules: &SourceRules, past: &Past) -> Option<Timestamp> {
    match &past.failure {
        Some(failure) => Some(failure.at.plus_millis(backoff_ms(failure, rules))),
        None => {
            let fetched_at = past.fetched_at?;
            let wait_ms = i64::from(rules.ttl_s.max(rules.min_refresh_s)) * 1000;
            Some(fetched_at.plus_millis(wait_ms + jitter_ms(source, rules, past.seed, fetched_at)))
        }
    }
}

/// Returns whether the last good list is older than it may be.
#[must_use]
pub fn is_stale(rules: &SourceRules, fetched_at: Timestamp, now: Timestamp) -> bool {
    now.millis() - fetched_at.millis() > i64::from(rules.max_age_s) * 1000
}

fn insisted(past: &Past, least_s: u32) -> Option<Timestamp> {
    let last = past.last_try()?;
    let asked_ms = past.failure.as_ref().and_then(|failure| failure.retry_after_ms).map_or(0, millis);
    Some(last.plus_millis(asked_ms.max(i64::from(least_s) * 1000)))
}

/// One minute, two, four …, up to the time a list counts as fresh; longer if the provider says so.
fn backoff_ms(failure: &Failure, rules: &SourceRules) -> i64 {
    let doubled = 60_000_i64 << failure.n_in_row.saturating_sub(1).min(20);
    doubled.min(i64::from(rules.ttl_s) * 1000).max(failure.retry_after_ms.map_or(0, millis))
}

fn millis(wait_ms: u64) -> i64 {
    i64::try_from(wait_ms).unwrap_or(i64::MAX / 4)
}

/// Spread over installations, the same within one until the list is fetched again.
fn jitter_ms(source: &str, rules: &SourceRules, seed: u64, fetched_at: Timestamp) -> i64 {
    let digest = Digest::of(format!("{source} {seed} {}", fetched_at.millis()).as_bytes());
    let word = digest.as_bytes().iter().take(8).fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    i64::try_from(word % (u64::from(rules.jitter_ms) + 1)).unwrap_or(0)
}
