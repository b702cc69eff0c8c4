//! What a board takes from evidence: whole numbers, short when written down, exact when read again.

use super::{CallStanding, OfferKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::Timestamp;

/// What is known about offers, by provider and model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Standings(BTreeMap<Arc<str>, BTreeMap<Arc<str>, Standing>>);

/// What is known about one offer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Over all tasks.
    #[serde(default, skip_serializing_if = "Level::is_empty")]
    pub all: Level,
    /// By task.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<Arc<str>, CellStanding>,
    /// How its calls went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallStanding>,
}

/// What is known about one offer on one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellStanding {
    /// Over all callers.
    pub all: Level,
    /// When the last unit was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// When it was last found to have changed for the worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drifted_at: Option<Timestamp>,
    /// For callers with enough units of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub callers: BTreeMap<Arc<str>, Level>,
}

/// Weighted successes and failures in thousandths, and how many units they came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u32)", into = "(u64, u64, u32)")]
pub struct Level {
    /// Weight of the successes.
    pub success_milli: u64,
    /// Weight of the failures.
    pub failure_milli: u64,
    /// Distinct units.
    pub n_units: u32,
}

impl Standings {
    /// Returns whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is known about one offer.
    #[must_use]
    pub fn get(&self, provider: &str, model_id: &str) -> Option<&Standing> {
        self.provider(provider)?.get(model_id)
    }

    /// Returns what is known about the offers of a provider, by model.
    #[must_use]
    pub fn provider(&self, provider: &str) -> Option<&BTreeMap<Arc<str>, Standing>> {
        self.0.get(provider)
    }

    /// Sets what is known about one offer.
    pub fn insert(&mut self, key: &OfferKey, standing: Standing) {
        self.0.entry(key.provider.clone()).or_default().insert(key.model_id.clone(), standing);
    }
}

impl Level {
    const fn is_empty(&self) -> bool {
        self.n_units == 0
    }
}

impl From<(u64, u64, u32)> for Level {
    fn from((success_milli, failure_milli, n_units): (u64, u64, u32)) -> Self {
        Self { success_milli, failure_milli, n_units }
    }
}

impl From<Level> for (u64, u64, u32) {
    fn from(level: Level) -> Self {
        (level.success_milli, level.failure_milli, level.n_units)
    }
}
