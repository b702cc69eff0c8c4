//! Calls that have ended: written once, with their attempts, decision and money, in one transaction.

use crate::row::{Encode as _, Value};
use crate::rows::gateway::{Attempt, BudgetEntry, Interaction};
use crate::rows::routing::DecisionRow;
use crate::tx::Tx;
use crate::{Store, StoreError, budget, reservations, usage};
use vox_base::{CostSource, InteractionId, Timestamp, TraceId};

/// Everything one ended call writes: all of it or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledCall {
    /// The call. Its `created_at` is within a day of the moment in its id.
    pub interaction: Interaction,
    /// Each try, in order.
    pub attempts: Vec<Attempt>,
    /// Why this offer.
    pub decision: Option<DecisionRow>,
    /// What it costs whom: one entry for the key and one for each key above it.
    pub entries: Vec<BudgetEntry>,
    /// Whether it may have set something aside that other nodes see, see [`Store::reserve`].
    pub is_reserved: bool,
}

/// One call as `vox trace` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The call.
    pub interaction: Interaction,
    /// Each try, in order.
    pub attempts: Vec<Attempt>,
    /// Why this offer.
    pub decision: Option<DecisionRow>,
}

/// Which call is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The one that ended last of all.
    Last,
    /// The one with this interaction id, or the newest of this trace.
    Id(InteractionId),
}

/// What is rolled up already; a call or entry from before must go into the sums at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Horizons {
    pub(crate) usage: Timestamp,
    pub(crate) budget: Timestamp,
}

const DAY_MS: i64 = 86_400_000;

/// Returns the day of a moment, counted from 1970-01-01.
pub(crate) const fn day_number(at: Timestamp) -> i64 {
    at.millis().div_euclid(DAY_MS)
}

/// Returns the marks, which for these days stay where they are until the transaction ends. Whoever writes a call or an
/// entry names its day first, so that the roll-up of that day either waits and finds it, or is seen to be over.
pub(crate) fn horizons(tx: &mut dyn Tx, days: &[i64]) -> Result<Horizons, StoreError> {
    tx.hold_days(days)?;
    let mut horizons = Horizons { usage: Timestamp::from_millis(i64::MIN), budget: Timestamp::from_millis(i64::MIN) };
    tx.query("SELECT rollup, horizon FROM rollup_mark", &[], &mut |row| {
        let horizon = crate::row::column(row, 1, "rollup_mark.horizon")?;
        match row.value(0)? {
            Value::Text(usage::ROLLUP) => horizons.usage = horizon,
            Value::Text(budget::ROLLUP) => horizons.budget = horizon,
            _ => {}
        }
        Ok(())
    })?;
    Ok(horizons)
}

/// Returns what settling these calls needs to know, see [`horizons`].
pub(crate) fn prepare(tx: &mut dyn Tx, calls: &[Box<SettledCall>]) -> Result<Horizons, StoreError> {
    let mut days: Vec<i64> = calls.iter().flat_map(|call| days(call)).collect();
    days.sort_unstable();
    days.dedup();
    horizons(tx, &days)
}

fn days(call: &SettledCall) -> impl Iterator<Item = i64> {
    let entries = call.entries.iter().map(|entry| day_number(entry.at));
    [day_number(call.interaction.created_at), day_number(call.interaction.ended_at)].into_iter().chain(entries)
}

/// Writes these calls: their rows first, and last, so that nobody waits long for them, the sums of days that are summed
/// already.
pub(crate) fn settle(tx: &mut dyn Tx, horizons: &Horizons, calls: &[Box<SettledCall>]) -> Result<(), StoreError> {
    calls.iter().try_for_each(|call| settle_rows(tx, horizons, call))?;
    let late: Vec<&Interaction> = calls.iter().map(|call| &call.interaction).filter(|call| call.created_at < horizons.usage).collect();
    budget::add_late(tx, horizons.budget, calls.iter().flat_map(|call| &call.entries))?;
    usage::roll_up_late(tx, &late)
}

fn settle_rows(tx: &mut dyn Tx, horizons: &Horizons, call: &SettledCall) -> Result<(), StoreError> {
    let interaction = &call.interaction;
    // Ranges of time are read by the key, see `usage`.
    if (interaction.created_at.millis() - interaction.interaction_id.timestamp().millis()).abs() > DAY_MS {
        return Err(StoreError::value("llm_interactions.created_at", "is more than a day from the moment in the id"));
    }
    tx.insert(interaction)?;
    call.attempts.iter().try_for_each(|attempt| tx.insert(attempt))?;
    if let Some(decision) = &call.decision {
        tx.insert(decision)?;
    }
    call.entries.iter().try_for_each(|entry| tx.insert(entry))?;
    if call.is_reserved {
        reservations::settle(tx, horizons, interaction.interaction_id, interaction.ended_at)?;
    }
    Ok(())
}

impl Interaction {
    /// Returns a call of which only this much is known; everything else is NULL, its outcome `lost` and its cost unknown.
    #[must_use]
    pub fn unknown(interaction_id: InteractionId, created_at: Timestamp) -> Self {
        Self {
            interaction_id,
            trace_id: interaction_id.cast(),
            span_id: "".into(),
            parent_span_id: None,
            trace_origin: "local".into(),
            session_id: None,
            run_id: None,
            task_id: None,
            key_id: None,
            dialect_in: None,
            endpoint: None,
            requested_model: None,
            decision_id: None,
            provider: None,
            provider_canonical: None,
            model: None,
            model_reported: None,
            task_category: None,
            strength_tag: None,
            complexity: None,
            outcome: "lost".into(),
            stop_reason: None,
            stop_reason_raw: None,
            streamed: false,
            translated: false,
            attempts: 0,
            input_tokens: None,
            cache_read_tokens: None,
            cache_write_5m_tokens: None,
            cache_write_1h_tokens: None,
            output_tokens: None,
            reasoning_tokens: None,
            server_tool_units_json: None,
            context_utilization_bp: None,
            cost_nano_usd: None,
            computed_nano_usd: None,
            cost_source: CostSource::Unknown.as_str().into(),
            price_snapshot_id: None,
            cache_savings_nano_usd: None,
            ttft_ms: None,
            latency_ms: None,
            gateway_overhead_us: None,
            request_bytes: None,
            response_bytes: None,
            flags_json: None,
            created_at,
            ended_at: created_at,
        }
    }
}

impl Store {
    /// Returns a call with its attempts and decision.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn call(&self, wanted: Wanted) -> Result<Option<CallRecord>, StoreError> {
        self.read(move |tx| {
            let Some(interaction) = find(tx, wanted)? else { return Ok(None) };
            let id = interaction.interaction_id;
            let attempts = tx.rows("WHERE interaction_id = $1 ORDER BY attempt_number", &[id.encode()])?;
            let decision = match &interaction.decision_id {
                Some(decision) => tx.first("WHERE decision_id = $1", &[decision.encode()])?,
                None => None,
            };
            Ok(Some(CallRecord { interaction, attempts, decision }))
        })
        .await
    }

    /// Returns how many calls are stored.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn count_calls(&self) -> Result<i64, StoreError> {
        self.read(|tx| Ok(tx.value("SELECT count(*) FROM llm_interactions", &[])?.unwrap_or(0))).await
    }
}

/// A trace that began here has the id of its call, so only traces brought by callers are looked up by their own index.
fn find(tx: &mut dyn Tx, wanted: Wanted) -> Result<Option<Interaction>, StoreError> {
    let Wanted::Id(id) = wanted else { return tx.first("ORDER BY interaction_id DESC LIMIT 1", &[]) };
    if let Some(interaction) = tx.first("WHERE interaction_id = $1", &[id.encode()])? {
        return Ok(Some(interaction));
    }
    let trace: TraceId = id.cast();
    tx.first("WHERE trace_id = $1 AND trace_origin = 'inbound' ORDER BY interaction_id DESC LIMIT 1", &[trace.encode()])
}

#[cfg(test)]
mod tests;
