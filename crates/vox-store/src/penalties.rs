//! Models that are not to be asked about a task for a while. A penalty ends by time, or when a person clears it.

use crate::outcomes::next_version;
use crate::row::{Encode as _, Value};
use crate::rows::routing::PenaltyRow;
use crate::{Store, StoreError};
use vox_base::Timestamp;

const CLEAR: &str = "UPDATE model_penalties SET cleared_by = $4, cleared_at = $5 \
    WHERE provider_canonical = $1 AND model = $2 AND ($3 = '' OR task = $3) AND until_at > $5 AND cleared_by IS NULL";

impl Store {
    /// Returns the penalties that have not ended, oldest first. One that begins in the future was written by a clock
    /// that has been set back since, and counts for nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn penalties(&self, now: Timestamp) -> Result<Vec<PenaltyRow>, StoreError> {
        let rest = "WHERE until_at > $1 AND from_at <= $2 AND cleared_by IS NULL ORDER BY from_at, penalty_id";
        self.read(move |tx| tx.rows(rest, &[now.encode(), now.plus_millis(CLOCK_SKEW_MS).encode()])).await
    }

    /// Returns every penalty that is stored, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn all_penalties(&self) -> Result<Vec<PenaltyRow>, StoreError> {
        self.read(|tx| tx.rows("ORDER BY from_at DESC, penalty_id DESC", &[])).await
    }

    /// Ends the penalties of a model, of one task or of all, and returns how many there were; the rows say who did it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn clear_penalties(
        &self,
        (provider_canonical, model): (String, String),
        task: Option<String>,
        by: String,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let task = task.unwrap_or_default();
        self.change(move |tx| {
            let values = [Value::Text(&provider_canonical), Value::Text(&model), Value::Text(&task), Value::Text(&by), now.encode()];
            let n_cleared = tx.execute(CLEAR, &values)?;
            if n_cleared > 0 {
                next_version(tx)?;
            }
            Ok(n_cleared)
        })
        .await
    }
}

/// How far the clocks of two nodes of one store may be apart.
const CLOCK_SKEW_MS: i64 = 60_000;
