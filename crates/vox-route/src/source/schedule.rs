//! When a list is fetched again.

use crate::contract::SourceRules;
use vox_base::Timestamp;

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
    /// Not before this moment: the list is fresh, or was asked for only just now.
    At(Timestamp),
    /// Never: the contract turns the source off.
    Never,
}

/// Decides whether a list is to be fetched now; `force` makes the age of the list count no longer, but not the least
/// time between two fetches.
#[must_use]
pub fn due(rules: &SourceRules, last_fetch: Option<Timestamp>, force: bool, now: Timestamp) -> Due {
    if !rules.enabled {
        return Due::Never;
    }
    let fetch = Due::Now { timeout_ms: rules.timeout_ms, max_body_bytes: rules.max_body_bytes };
    let Some(last_fetch) = last_fetch else { return fetch };
    let wait_s = if force { rules.min_refresh_s } else { rules.ttl_s.max(rules.min_refresh_s) };
    let at = last_fetch.plus_millis(i64::from(wait_s) * 1000);
    // A clock that was set back must not postpone a fetch for ever.
    if at <= now || last_fetch > now { fetch } else { Due::At(at) }
}
