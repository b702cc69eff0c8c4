//! How each model did: measured over a window of calls and outcomes, and kept as the scoreboard.
//!
//! Measuring reads one snapshot and holds nobody up; keeping replaces the rows of one window in one transaction. The
//! percentiles are exact: the value at place ⌈q·n⌉ of the ascending list, by window functions that both engines have.

use crate::row::{Encode as _, Value, column};
use crate::rows::routing::ScoreRow;
use crate::tx::Tx;
use crate::{Store, StoreError};
use std::collections::BTreeMap;
use vox_base::{InteractionId, NanoUsd, Timestamp};

/// What one line of measurements is about. A name is empty where calls had none, `*` where all are put together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
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
}

const DAY_MS: i64 = 86_400_000;

/// The measurements of a window, by line.
pub type Measurements = BTreeMap<ScoreKey, Measured>;

impl Store {
    /// Measures all calls and outcomes of a stretch of time.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn measure(&self, grain: Grain, span: Span) -> Result<Measurements, StoreError> {
        self.read(move |tx| {
            let mut lines = Measurements::new();
            calls(tx, grain, span, &mut lines)?;
            percentiles(tx, grain, span, "latency_ms", &mut lines, |line, p50, p99| {
                (line.p50_latency_ms, line.p99_latency_ms) = (p50, p99);
            })?;
            percentiles(tx, grain, span, "ttft_ms", &mut lines, |line, p50, _| line.p50_ttft_ms = p50)?;
            percentiles(tx, grain, span, "context_utilization_bp", &mut lines, |line, p50, _| line.context_utilization_bp_p50 = p50)?;
            failures_of(tx, grain, span, &mut lines)?;
            outcomes(tx, grain, span, &mut lines)?;
            Ok(lines)
        })
        .await
    }

    /// Replaces the rows of one window: a line that is not among the new ones is gone.
    ///
    /// # Errors
    /// The store cannot be written; then the old rows are all still there.
    pub async fn keep_scores(&self, window_days: i64, rows: Vec<ScoreRow>) -> Result<(), StoreError> {
        self.write(move |tx| {
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

/// The names of a line, in the order of [`ScoreKey`].
fn names(grain: Grain, [provider, model, task, caller]: [&str; 4]) -> String {
    let name = |wanted: bool, column: &str, alias: &str| match wanted {
        true => format!("coalesce(cast({column} AS text), '') AS {alias}"),
        false => format!("'*' AS {alias}"),
    };
    [
        name(grain.provider, provider, "g_provider"),
        name(grain.model, model, "g_model"),
        name(grain.task, task, "g_task"),
        name(grain.caller, caller, "g_caller"),
    ]
    .join(", ")
}

const CALLS: [&str; 4] = ["provider_canonical", "model", "task_category", "key_id"];
const NAMES: &str = "g_provider, g_model, g_task, g_caller";
const IN_SPAN: &str = "created_at > $1 AND created_at <= $2 AND interaction_id >= $3 AND provider_canonical IS NOT NULL";

fn key(row: &dyn crate::row::Row) -> Result<ScoreKey, StoreError> {
    Ok(ScoreKey {
        provider: column(row, 0, "provider_canonical")?,
        model: column(row, 1, "model")?,
        task: column(row, 2, "task")?,
        caller: column(row, 3, "caller")?,
    })
}

fn calls(tx: &mut dyn Tx, grain: Grain, span: Span, lines: &mut Measurements) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {}, count(*), cast(sum(CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END) AS bigint), \
         cast(sum(cost_nano_usd) AS bigint), cast(sum(cache_savings_nano_usd) AS bigint), cast(sum(output_tokens) AS bigint), \
         cast(sum(CASE WHEN outcome IN ('complete', 'truncated', 'refused') THEN 1 ELSE 0 END) AS bigint) \
         FROM llm_interactions WHERE {IN_SPAN} GROUP BY {NAMES}",
        names(grain, CALLS)
    );
    tx.query(&sql, &[span.after.encode(), span.until.encode(), span.first_id().encode()], &mut |row| {
        let line = lines.entry(key(row)?).or_default();
        line.n_calls = column(row, 4, "count")?;
        line.unpriced_calls = column(row, 5, "count")?;
        line.cost = column(row, 6, "cost_nano_usd")?;
        line.cache_savings = column(row, 7, "cache_savings_nano_usd")?;
        line.output_tokens = column(row, 8, "output_tokens")?;
        line.answered = column(row, 9, "count")?;
        Ok(())
    })
}

/// Reads the values at places ⌈n/2⌉ and ⌈99n/100⌉ of a column of each line; NULL has no place.
fn percentiles(
    tx: &mut dyn Tx,
    grain: Grain,
    span: Span,
    measured: &'static str,
    lines: &mut Measurements,
    set: impl Fn(&mut Measured, Option<i64>, Option<i64>),
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {NAMES}, max(CASE WHEN place = (n * 50 + 99) / 100 THEN measured END), max(CASE WHEN place = (n * 99 + 99) / 100 THEN \
         measured END) FROM (SELECT {NAMES}, measured, row_number() OVER (PARTITION BY {NAMES} ORDER BY measured) AS place, \
         count(*) OVER (PARTITION BY {NAMES}) AS n FROM (SELECT {}, {measured} AS measured FROM llm_interactions WHERE {IN_SPAN} \
         AND {measured} IS NOT NULL) AS calls) AS placed GROUP BY {NAMES}",
        names(grain, CALLS)
    );
    tx.query(&sql, &[span.after.encode(), span.until.encode(), span.first_id().encode()], &mut |row| {
        set(lines.entry(key(row)?).or_default(), column(row, 4, measured)?, column(row, 5, measured)?);
        Ok(())
    })
}

/// The classes of errors a provider answers for: neither the caller's mistakes and impatience, nor a key that does not pay.
pub const PROVIDER_FAILURES: [&str; 6] = ["network", "server", "rate", "cut", "malformed", "stalled"];

/// Returns those classes as a list of SQL.
pub(crate) fn failures() -> String {
    PROVIDER_FAILURES.map(|class| format!("'{class}'")).join(", ")
}

/// Counts failed attempts: a call that another provider saved is a failure of the first one. An attempt names its
/// provider's entry; statistics know it by the calls it answered, or by the same name.
fn failures_of(tx: &mut dyn Tx, grain: Grain, span: Span, lines: &mut Measurements) -> Result<(), StoreError> {
    let failed = failures();
    let sql = format!(
        "SELECT {}, count(*) FROM (SELECT coalesce(known.provider_canonical, attempt.provider) AS provider, attempt.model, call.task_category, call.key_id \
         FROM llm_attempts AS attempt JOIN llm_interactions AS call ON call.interaction_id = attempt.interaction_id \
         LEFT JOIN (SELECT provider, max(provider_canonical) AS provider_canonical FROM llm_interactions WHERE {IN_SPAN} \
         GROUP BY provider) AS known ON known.provider = attempt.provider \
         WHERE attempt.interaction_id >= $3 AND attempt.error_class IN ({failed}) AND call.created_at > $1 AND call.created_at <= $2) AS failed \
         GROUP BY {NAMES}",
        names(grain, ["provider", "model", "task_category", "key_id"])
    );
    tx.query(&sql, &[span.after.encode(), span.until.encode(), span.first_id().encode()], &mut |row| {
        lines.entry(key(row)?).or_default().failed = column(row, 4, "count")?;
        Ok(())
    })
}

/// Sums the outcomes that count, each with the weight of its source and its share of the unit.
fn outcomes(tx: &mut dyn Tx, grain: Grain, span: Span, lines: &mut Measurements) -> Result<(), StoreError> {
    let weight = "weight_ppm * share_ppm / 1000000";
    let sql = format!(
        "SELECT {}, count(DISTINCT unit_kind || ':' || unit_id), cast(sum(CASE WHEN success THEN {weight} ELSE 0 END) AS bigint), \
         cast(sum(CASE WHEN success THEN 0 ELSE {weight} END) AS bigint) FROM model_outcomes WHERE observed_at > $1 \
         AND observed_at <= $2 AND superseded_by IS NULL AND weight_ppm > 0 AND success IS NOT NULL GROUP BY {NAMES}",
        names(grain, ["provider_canonical", "model", "task", "caller_ref"])
    );
    tx.query(&sql, &[span.after.encode(), span.until.encode()], &mut |row| {
        let line = lines.entry(key(row)?).or_default();
        line.n_units = column(row, 4, "count")?;
        (line.success_w_ppm, line.fail_w_ppm) = (column(row, 5, "sum")?, column(row, 6, "sum")?);
        Ok(())
    })
}

#[cfg(test)]
pub(crate) mod tests;
