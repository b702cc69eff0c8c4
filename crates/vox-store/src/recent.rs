//! The newest calls and the attempts that failed, for a node that starts and wants to know how its providers are doing.

use crate::row::{Encode as _, Value, column};
use crate::{Store, StoreError};
use vox_base::{InteractionId, KeyId, Timestamp};

/// What is remembered of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentCall {
    /// The provider, as statistics name it.
    pub provider: String,
    /// The model, as its provider names it.
    pub model: String,
    /// The task.
    pub task: Option<String>,
    /// The key that called.
    pub caller: Option<KeyId>,
    /// How it ended.
    pub outcome: String,
    /// Time to the first token.
    pub ttft_ms: Option<i64>,
    /// Time of the whole answer.
    pub latency_ms: Option<i64>,
    /// Tokens answered, reasoning included.
    pub output_tokens: Option<i64>,
    /// What was used of the context, in ten-thousandths.
    pub context_utilization_bp: Option<i64>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// One attempt that its provider failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Id of the provider's entry.
    pub provider: String,
    /// The model, as its provider names it.
    pub model: String,
    /// When it was made.
    pub at: Timestamp,
}

impl Store {
    /// Returns the newest calls since a moment, oldest first and at most so many, and the failures among their attempts.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn recent(&self, since: Timestamp, limit: i64) -> Result<(Vec<RecentCall>, Vec<FailedAttempt>), StoreError> {
        self.read(move |tx| {
            let (mut calls, mut failures) = (Vec::new(), Vec::new());
            let mut oldest = None;
            let sql = "SELECT interaction_id, provider_canonical, model, task_category, key_id, outcome, ttft_ms, latency_ms, \
                output_tokens + coalesce(reasoning_tokens, 0), context_utilization_bp, ended_at FROM llm_interactions \
                WHERE interaction_id >= $1 AND provider_canonical IS NOT NULL AND model IS NOT NULL ORDER BY interaction_id DESC LIMIT $2";
            let first = InteractionId::new(since, [0; 10]);
            tx.query(sql, &[first.encode(), Value::Int(limit)], &mut |row| {
                oldest = Some(column::<InteractionId>(row, 0, "llm_interactions.interaction_id")?);
                calls.push(RecentCall {
                    provider: column(row, 1, "llm_interactions.provider_canonical")?,
                    model: column(row, 2, "llm_interactions.model")?,
                    task: column(row, 3, "llm_interactions.task_category")?,
                    caller: column(row, 4, "llm_interactions.key_id")?,
                    outcome: column(row, 5, "llm_interactions.outcome")?,
                    ttft_ms: column(row, 6, "llm_interactions.ttft_ms")?,
                    latency_ms: column(row, 7, "llm_interactions.latency_ms")?,
                    output_tokens: column(row, 8, "llm_interactions.output_tokens")?,
                    context_utilization_bp: column(row, 9, "llm_interactions.context_utilization_bp")?,
                    ended_at: column(row, 10, "llm_interactions.ended_at")?,
                });
                Ok(())
            })?;
            calls.reverse();
            let failed = format!(
                "SELECT provider, model, created_at FROM llm_attempts WHERE interaction_id >= $1 AND error_class IN ({}) \
                 ORDER BY interaction_id, attempt_number",
                crate::scoreboard::failures()
            );
            let from = oldest.filter(|_| calls.len() as i64 >= limit).unwrap_or(first);
            tx.query(&failed, &[from.encode()], &mut |row| {
                failures.push(FailedAttempt {
                    provider: column(row, 0, "llm_attempts.provider")?,
                    model: column(row, 1, "llm_attempts.model")?,
                    at: column(row, 2, "llm_attempts.created_at")?,
                });
                Ok(())
            })?;
            Ok((calls, failures))
        })
        .await
    }
}
