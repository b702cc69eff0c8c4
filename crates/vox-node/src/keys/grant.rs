//! What a key may do, with what the keys above it take away: a child only ever narrows.

use vox_base::Timestamp;
use vox_route::budget::Limit;
use vox_route::name::fits;
use vox_store::StoredKey;

/// What a key may do, with everything above it counted in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Patterns of models; `None` for all.
    pub(crate) models: Option<Vec<String>>,
    /// When it ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// Requests at a time.
    pub(crate) concurrency: Option<i64>,
    /// Requests a minute.
    pub(crate) rpm: Option<i64>,
    /// Tokens a minute.
    pub(crate) tpm: Option<i64>,
    /// Whether a call of unknown price is admitted.
    pub(crate) unpriced: bool,
    /// Its own budgets.
    pub(crate) budgets: Vec<Limit>,
}

impl Grant {
    /// Returns what a key itself allows.
    pub(crate) fn of(stored: &StoredKey) -> Self {
        let key = &stored.key;
        let budgets: Vec<Limit> = stored.budgets.iter().filter_map(super::limit).collect();
        let is_hard = budgets.iter().any(|limit| limit.mode == vox_route::BudgetMode::Hard);
        Self {
            // Patterns that cannot be read allow nothing, rather than everything.
            models: key.models_json.as_deref().map(|json| serde_json::from_str(json).unwrap_or_default()),
            expires_at: key.expires_at,
            concurrency: key.concurrency,
            rpm: key.rpm,
            tpm: key.tpm,
            unpriced: key.allow_unpriced || !is_hard,
            budgets,
        }
    }

    /// Takes away what the key above may not do. Budgets stay apart: each key counts against its own and all above.
    pub(crate) fn narrow(&mut self, above: &Self) {
        self.models = match (self.models.take(), &above.models) {
            (own, None) => own,
            (None, Some(above)) => Some(above.clone()),
            (Some(own), Some(above)) => Some(both(&own, above)),
        };
        self.expires_at = least(self.expires_at, above.expires_at);
        self.concurrency = least(self.concurrency, above.concurrency);
        self.rpm = least(self.rpm, above.rpm);
        self.tpm = least(self.tpm, above.tpm);
        self.unpriced &= above.unpriced;
    }
}

/// Returns whether every name that fits one pattern fits the other: a `*` is matched by nothing but a `*`.
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    fits(wide, narrow)
}

/// Returns the patterns that both lists allow. Two that only overlap allow nothing.
fn both(own: &[String], above: &[String]) -> Vec<String> {
    let mut allowed = Vec::new();
    for own in own {
        if above.iter().any(|above| covers(above, own)) {
            allowed.push(own.clone());
        } else {
            allowed.extend(above.iter().filter(|above| covers(own, above)).cloned());
        }
    }
    allowed
}

fn least<T: Ord>(own: Option<T>, above: Option<T>) -> Option<T> {
    match (own, above) {
        (Some(own), Some(above)) => Some(own.min(above)),
        (own, above) => own.or(above),
    }
}
