//! When a list is fetched again.

use crate::contract::SourceRules;
use vox_base::Timestamp;

/// Whether a list is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
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
    let Some(last_fetch) = last_fetch else { return Due::Now };
    let wait_s = if force { rules.min_refresh_s } else { rules.ttl_s.max(rules.min_refresh_s) };
    let at = last_fetch.plus_millis(i64::from(wait_s) * 1000);
    // A clock that was set back must not postpone a fetch for ever.
    if at <= now || last_fetch > now { Due::Now } else { Due::At(at) }
}
