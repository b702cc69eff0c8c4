//! The part of the contract that compares offers: weights, bands and priors.

use super::PseudoCounts;
use crate::catalog::Tier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How offers are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Weights of the terms when the caller prefers nothing.
    pub weights: Weights,
    /// Weights for the preferences a caller can state.
    pub presets: Presets,
    /// What counts as fast and as slow.
    pub latency_bands: LatencyBands,
    /// What a failed call costs before the next offer answers.
    pub failover_cost_micros: u64,
    /// Least success an offer is credited with.
    pub success_floor_ppm: u32,
    /// From this complexity on the premium alias is the one to beat.
    pub premium_min_complexity: u8,
    /// How sure it must be that another offer is better before the premium alias loses its place.
    pub switch_confidence_ppm: u32,
    /// An unpriced offer is costed at this quantile of the priced candidates.
    pub unknown_price_quantile_ppm: u32,
}

/// Relative weights; equal weights compare plain money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Of the charge.
    pub efficiency: u32,
    /// Of failing.
    pub precision: u32,
    /// Of waiting.
    pub latency: u32,
    /// Of the provider being down.
    pub availability: u32,
}

/// Weights for the preferences a caller can state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Presets {
    /// For `prefer cost`.
    pub cost_first: Weights,
    /// For `prefer quality`.
    pub quality_first: Weights,
    /// For `prefer speed`.
    pub fast: Weights,
}

/// What counts as fast and as slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyBands {
    /// Up to here waiting costs nothing.
    pub excellent_ms: u64,
    /// From here on it costs the task's full price.
    pub poor_ms: u64,
}

/// What is believed about an offer before anything is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Priors {
    /// Success at complexity 5, by tier.
    pub tier_success_ppm: BTreeMap<Tier, i32>,
    /// Change of success for each point of complexity above 5, by tier.
    pub complexity_slope_ppm: BTreeMap<Tier, i32>,
    /// Added when the offer has the task's strength.
    pub strength_match_ppm: i32,
    /// Added when it has neither that nor `generalist`.
    pub strength_waived_ppm: i32,
    /// Added for each tier below the preferred one.
    pub tier_shortfall_ppm: i32,
    /// Share of calls that a provider answers, where its entry does not say.
    pub availability_ppm: u32,
    /// How many units each level's prior is worth.
    pub pseudo_counts: PseudoCounts,
}

impl Weights {
    /// Returns the sum of the weights.
    #[must_use]
    pub const fn sum(&self) -> u32 {
        self.efficiency + self.precision + self.latency + self.availability
    }
}
