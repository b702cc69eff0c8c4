//! What became of calls and runs. Outcomes are only added: a better source supersedes what a lesser one said of the same
//! unit, and every change of the evidence has the next number of one row that all nodes of a store count with.

use crate::row::{Encode as _, Value, column};
use crate::rows::routing::{OutcomeRow, PenaltyRow};
use crate::tx::Tx;
use crate::{Store, StoreError};
use vox_base::{InteractionId, KeyId, Timestamp};

/// What an outcome is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// One call.
    Call(InteractionId),
    /// All calls of one governed run.
    Run(String),
}

/// The part one model had in a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The provider, as statistics name it; `None` if none was called.
    pub provider_canonical: Option<String>,
    /// The model, as its provider names it.
    pub model: Option<String>,
    /// The task the calls were made for.
    pub task: Option<String>,
    /// The key that called.
    pub caller: Option<KeyId>,
    /// Tokens answered, reasoning included.
    pub output_tokens: i64,
    /// Calls.
    pub calls: i64,
}

/// One source's word about one unit, with the penalties that follow from it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOutcome {
    /// One row for each part of the unit. Their `version` and `superseded_by` are set when they are written.
    pub rows: Vec<OutcomeRow>,
    /// Penalties to begin at once.
    pub penalties: Vec<PenaltyRow>,
    /// All sources, from the one that counts most.
    pub precedence: Vec<&'static str>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// The rows, as they are stored.
    pub rows: Vec<OutcomeRow>,
    /// Whether they were written now, and not when the same key was used before.
    pub is_new: bool,
}

const META: &str = "evidence_version";

const NEXT: &str = "INSERT INTO store_meta (key, value) VALUES ($1, '1') \
    ON CONFLICT (key) DO UPDATE SET value = cast(cast(store_meta.value AS bigint) + 1 AS text) RETURNING value";

const SUPERSEDE: &str = "UPDATE model_outcomes SET superseded_by = $2 WHERE outcome_id = $1";

/// Returns the next number. On a shared store the row stays locked until the end of the transaction, so numbers become
/// visible in their order.
pub(crate) fn next_version(tx: &mut dyn Tx) -> Result<i64, StoreError> {
    let value: Option<String> = tx.value(NEXT, &[Value::Text(META)])?;
    value.and_then(|value| value.parse().ok()).ok_or_else(|| StoreError::Damaged { column: "store_meta.value".to_owned() })
}

impl Store {
    /// Returns who had which part in a unit; nothing if there is no such call or run.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn credits(&self, unit: Unit) -> Result<Vec<Credit>, StoreError> {
        self.read(move |tx| {
            let (condition, id) = match &unit {
                Unit::Call(id) => ("interaction_id = $1", id.encode()),
                Unit::Run(id) => ("run_id = $1", Value::Text(id)),
            };
            let sql = format!(
                "SELECT provider_canonical, model, task_category, key_id, \
                 cast(sum(coalesce(output_tokens, 0) + coalesce(reasoning_tokens, 0)) AS bigint), count(*) \
                 FROM llm_interactions WHERE {condition} GROUP BY provider_canonical, model, task_category, key_id \
                 ORDER BY provider_canonical, model, task_category, key_id"
            );
            let mut credits = Vec::new();
            tx.query(&sql, &[id], &mut |row| {
                credits.push(Credit {
                    provider_canonical: column(row, 0, "llm_interactions.provider_canonical")?,
                    model: column(row, 1, "llm_interactions.model")?,
                    task: column(row, 2, "llm_interactions.task_category")?,
                    caller: column(row, 3, "llm_interactions.key_id")?,
                    output_tokens: column(row, 4, "llm_interactions.output_tokens")?,
                    calls: column(row, 5, "count")?,
                });
                Ok(())
            })?;
            Ok(credits)
        })
        .await
    }

    /// Writes an outcome, or returns what the same poster wrote under the same key before.
    ///
    /// # Errors
    /// A value does not fit, or the store cannot be written.
    pub async fn post_outcome(&self, new: NewOutcome) -> Result<Posted, StoreError> {
        self.change(move |tx| post(tx, new.clone())).await
    }

    /// Returns how many changes the evidence has seen.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn evidence_version(&self) -> Result<i64, StoreError> {
        self.read(|tx| {
            let value: Option<String> = tx.value("SELECT value FROM store_meta WHERE key = $1", &[Value::Text(META)])?;
            Ok(value.and_then(|value| value.parse().ok()).unwrap_or(0))
        })
        .await
    }

    /// Returns the outcomes that count and were observed since a moment, in the order in which they came.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn outcomes(&self, since: Timestamp) -> Result<Vec<OutcomeRow>, StoreError> {
        let rest = "WHERE superseded_by IS NULL AND weight_ppm > 0 AND success IS NOT NULL AND observed_at >= $1 ORDER BY version, part";
        self.read(move |tx| tx.rows(rest, &[since.encode()])).await
    }

    /// Returns the outcomes written after a change of this number, in the order in which they came.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn outcomes_after(&self, version: i64) -> Result<Vec<OutcomeRow>, StoreError> {
        self.read(move |tx| tx.rows("WHERE version > $1 ORDER BY version, part", &[Value::Int(version)])).await
    }

    /// Returns every outcome of a unit, in the order in which they came.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn outcomes_of(&self, unit: Unit) -> Result<Vec<OutcomeRow>, StoreError> {
        self.read(move |tx| {
            let (kind, id) = unit.key();
            tx.rows("WHERE unit_id = $1 AND unit_kind = $2 ORDER BY version, part", &[Value::Text(&id), Value::Text(kind)])
        })
        .await
    }
}

impl Unit {
    /// Returns the kind and the id as a row holds them.
    #[must_use]
    pub fn key(&self) -> (&'static str, String) {
        match self {
            Self::Call(id) => ("call", id.to_string()),
            Self::Run(id) => ("run", id.clone()),
        }
    }
}

fn post(tx: &mut dyn Tx, new: NewOutcome) -> Result<Posted, StoreError> {
    let NewOutcome { mut rows, penalties, precedence } = new;
    let Some(first) = rows.first().cloned() else { return Ok(Posted { rows, is_new: false }) };
    let version = next_version(tx)?;
    let same_key = "WHERE posted_by = $1 AND idempotency_key = $2 ORDER BY part";
    let before: Vec<OutcomeRow> = tx.rows(same_key, &[first.posted_by.encode(), first.idempotency_key.encode()])?;
    if !before.is_empty() {
        return Ok(Posted { rows: before, is_new: false });
    }
    let rank = |source: &str| precedence.iter().position(|known| *known == source).unwrap_or(usize::MAX);
    let of_unit = "WHERE unit_id = $1 AND unit_kind = $2 AND superseded_by IS NULL ORDER BY version, part";
    let live: Vec<OutcomeRow> = tx.rows(of_unit, &[first.unit_id.encode(), first.unit_kind.encode()])?;
    let better = live.iter().find(|row| rank(&row.source) < rank(&first.source)).map(|row| row.outcome_id);
    for row in &mut rows {
        (row.version, row.superseded_by) = (version, better);
        tx.insert(row)?;
    }
    for row in live.iter().filter(|_| better.is_none()) {
        tx.execute(SUPERSEDE, &[row.outcome_id.encode(), first.outcome_id.encode()])?;
    }
    penalties.iter().try_for_each(|penalty| tx.insert(penalty))?;
    Ok(Posted { rows, is_new: true })
}

#[cfg(test)]
pub(crate) mod tests;
