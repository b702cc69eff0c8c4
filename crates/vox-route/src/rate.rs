//! Requests and tokens a minute of caller keys, by the generic cell rate algorithm: a full minute's worth may come at
//! once, and then as much as time brings back.
//!
//! A key's calls count at every key above it too; a call is admitted by the whole chain or by none of it. Time is what
//! passed since some fixed moment, so that a clock that is set gives nothing away and takes nothing.

use std::collections::HashMap;
use std::time::Duration;
use vox_base::KeyId;

/// The minute over which a limit counts, in nanoseconds.
const MINUTE_NS: i128 = 60_000_000_000;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Calls.
    Requests,
    /// Input and output tokens.
    Tokens,
}

/// One limit of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Whose limit.
    pub key: KeyId,
    /// What it counts.
    pub counted: Counted,
    /// How many a minute, at least 1.
    pub per_minute: u32,
}

/// A call comes too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key may send {per_minute} {counted} a minute; wait {retry_after_ms} ms")]
pub struct TooFast {
    /// Whose limit, which may be a key above the caller's.
    pub key: KeyId,
    /// What it counts.
    pub counted: Counted,
    /// How many a minute.
    pub per_minute: u32,
    /// When the same call would be admitted.
    pub retry_after_ms: u64,
}

/// Where a limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many a minute.
    pub limit: u32,
    /// How many could come now.
    pub remaining: u32,
    /// Milliseconds until all of them could.
    pub reset_ms: u64,
}

/// The limits in use. A key that was never near its limit takes no room for long: what is full again is forgotten.
#[derive(Debug, Default)]
pub struct Rates {
    /// The moment at which all of a limit's minute is there again, in nanoseconds.
    full_at_ns: HashMap<(KeyId, Counted), i128>,
}

impl Counted {
    /// Returns the word used in headers and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Rates {
    /// Counts one call of so many tokens against every limit, or against none.
    ///
    /// A call larger than a whole minute is admitted when the minute is untouched, as it could never be otherwise.
    ///
    /// # Errors
    /// Some limit has no room now.
    pub fn admit(&mut self, limits: &[RateLimit], tokens: u64, now: Duration) -> Result<(), TooFast> {
        let now_ns = nanos(now);
        for limit in limits {
            let needed = limit.cost_ns(tokens).min(MINUTE_NS);
            let late_ns = self.used_ns(limit, now_ns) + needed - MINUTE_NS;
            if late_ns > 0 {
                let retry_after_ms = u64::try_from((late_ns + 999_999) / 1_000_000).unwrap_or(u64::MAX);
                return Err(TooFast { key: limit.key, counted: limit.counted, per_minute: limit.per_minute, retry_after_ms });
            }
        }
        for limit in limits {
            self.add(limit, limit.cost_ns(tokens), now_ns);
        }
        Ok(())
    }

    /// Replaces the tokens a call was admitted with by those it had.
    pub fn correct(&mut self, limits: &[RateLimit], admitted: u64, actual: u64, now: Duration) {
        for limit in limits.iter().filter(|limit| limit.counted == Counted::Tokens) {
            self.add(limit, limit.cost_ns(actual) - limit.cost_ns(admitted), nanos(now));
        }
    }

    /// Returns where a limit stands.
    #[must_use]
    pub fn standing(&self, limit: &RateLimit, now: Duration) -> Standing {
        let used_ns = self.used_ns(limit, nanos(now));
        let left_ns = (MINUTE_NS - used_ns).max(0);
        Standing {
            limit: limit.per_minute,
            remaining: u32::try_from(left_ns * i128::from(limit.per_minute) / MINUTE_NS).unwrap_or(u32::MAX),
            reset_ms: u64::try_from((used_ns + 999_999) / 1_000_000).unwrap_or(u64::MAX),
        }
    }

    fn used_ns(&self, limit: &RateLimit, now_ns: i128) -> i128 {
        let full_at_ns = self.full_at_ns.get(&(limit.key, limit.counted)).copied().unwrap_or(now_ns);
        (full_at_ns - now_ns).max(0)
    }

    fn add(&mut self, limit: &RateLimit, cost_ns: i128, now_ns: i128) {
        let full_at_ns = now_ns + (self.used_ns(limit, now_ns) + cost_ns).max(0);
        self.full_at_ns.insert((limit.key, limit.counted), full_at_ns);
        if self.full_at_ns.len().is_multiple_of(1024) {
            self.full_at_ns.retain(|_, full_at_ns| *full_at_ns > now_ns);
        }
    }
}

impl RateLimit {
    /// Returns how much of the minute a call takes.
    fn cost_ns(&self, tokens: u64) -> i128 {
        let n = match self.counted {
            Counted::Requests => 1,
            Counted::Tokens => i128::from(tokens),
        };
        n * MINUTE_NS / i128::from(self.per_minute.max(1))
    }
}

fn nanos(now: Duration) -> i128 {
    i128::try_from(now.as_nanos()).unwrap_or(i128::MAX / 2)
}

#[cfg(test)]
mod tests;
