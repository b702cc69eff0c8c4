//! How each model did: measured over a window of calls and outcomes, and kept as the scoreboard.
//!
//! Measuring reads every row once, whatever the windows (`survey`), counts outside of the engine (`tally`) and holds
//! nobody up; keeping replaces the rows of one window in one transaction. The percentiles are exact: the value at place
//! ⌈q·n⌉ of the ascending list.

mod survey;
mod tally;

use crate::row::Value;
use crate::rows::routing::ScoreRow;
use crate::{Leading, Store, StoreError};
use std::collections::BTreeMap;
pub use survey::Survey;
use vox_base::{InteractionId, NanoUsd, Timestamp};

/// What one line of measurements is about. A name is empty where calls had none, `*` where all are put together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ScoreKey {
    /// The provider, as statistics name it.
    pub provider: String,
    /// The model, as its provider names it.
    pub model: String,
    /// The task.
    pub task: String,
    /// Id of the caller's key.
    pub caller: String,
}

/// Which names part the calls; the others are put together under `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grain {
    /// By provider.
    pub provider: bool,
    /// By model.
    pub model: bool,
    /// By task.
    pub task: bool,
    /// By caller.
    pub caller: bool,
}

impl Grain {
    /// Every offer at every task, all callers together.
    pub const CELL: Self = Self { provider: true, model: true, task: true, caller: false };
    /// Every offer at every task for every caller.
    pub const CALLER: Self = Self { caller: true, ..Self::CELL };
}

/// What was measured of one line. `None` is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// Distinct calls.
    pub n_calls: i64,
    /// Calls whose cost is unknown, and so not in the cost.
    pub unpriced_calls: i64,
    /// What the priced calls cost.
    pub cost: Option<NanoUsd>,
    /// What prompt caches saved, less what writing them cost.
    pub cache_savings: Option<NanoUsd>,
    /// Tokens answered.
    pub output_tokens: Option<i64>,
    /// The middle of the latencies.
    pub p50_latency_ms: Option<i64>,
    /// The latency that one call in a hundred exceeds.
    pub p99_latency_ms: Option<i64>,
    /// The middle of the times to the first token.
    pub p50_ttft_ms: Option<i64>,
    /// The middle of the used parts of the context.
    pub context_utilization_bp_p50: Option<i64>,
    /// Calls that the provider answered.
    pub answered: i64,
    /// Attempts that it failed, whoever answered the call then.
    pub failed: i64,
    /// Distinct calls and runs with an outcome that counts.
    pub n_units: i64,
    /// Weight of their successes, where 1 000 000 is one whole unit.
    pub success_w_ppm: i64,
    /// Weight of their failures.
    pub fail_w_ppm: i64,
}

/// A stretch of time: after its beginning, and up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What happened at this moment is not in it.
    pub after: Timestamp,
    /// What happened at this moment is.
    pub until: Timestamp,
}

impl Span {
    /// Returns the days up to a moment.
    #[must_use]
    pub fn days(days: i64, until: Timestamp) -> Self {
        Self { after: until.plus_millis(-days.saturating_mul(DAY_MS)), until }
    }

    /// Returns an id below that of every call in it: a call's id is at most a day older than its time.
    pub(crate) fn first_id(self) -> InteractionId {
        if self.after.millis() < 2 * DAY_MS {
            return InteractionId::from_bytes([0; 16]);
        }
        InteractionId::new(self.after.plus_millis(-DAY_MS), [0; 10])
    }

    /// Returns an id above that of every call in it.
    fn last_id(self) -> InteractionId {
        InteractionId::new(self.until.plus_millis(DAY_MS), [255; 10])
    }
}

const DAY_MS: i64 = 86_400_000;

/// The measurements of a window, by line.
pub type Measurements = BTreeMap<ScoreKey, Measured>;

impl Store {
    /// Replaces the rows of one window, as the leader where one is named: a line that is not among the new ones is gone.
    ///
    /// # Errors
    /// The store cannot be written, or another node leads by now; then the old rows are all still there.
    pub async fn keep_scores(&self, leading: Option<Leading>, window_days: i64, rows: Vec<ScoreRow>) -> Result<(), StoreError> {
        self.replace(leading, move |tx| {
            tx.execute("DELETE FROM model_scoreboard WHERE window_days = $1", &[Value::Int(window_days)])?;
            rows.iter().try_for_each(|row| tx.insert(row))
        })
        .await
    }

    /// Returns the scoreboard of one window, or of all, in the order of its key.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn scores(&self, window_days: Option<i64>) -> Result<Vec<ScoreRow>, StoreError> {
        let rest = "WHERE ($1 = 0 OR window_days = $1) ORDER BY window_days, provider_canonical, model, task, caller_scope";
        self.read(move |tx| tx.rows(rest, &[Value::Int(window_days.unwrap_or(0))])).await
    }
}

/// The classes of errors a provider answers for: neither the caller's mistakes and impatience, nor a key that does not pay.
pub const PROVIDER_FAILURES: [&str; 6] = ["network", "server", "rate", "cut", "malformed", "stalled"];

/// Returns those classes as a list of SQL.
pub(crate) fn failures() -> String {
    PROVIDER_FAILURES.map(|class| format!("'{class}'")).join(", ")
}

#[cfg(test)]
pub(crate) mod tests;
