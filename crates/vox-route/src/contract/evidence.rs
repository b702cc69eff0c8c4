//! The part of the contract that says how outcomes are weighed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How verified outcomes are weighed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRules {
    /// Units that a level needs before it moves the point estimate.
    pub min_units: u32,
    /// What is left of a unit's weight with each later unit of its level.
    pub forget_per_unit_ppm: u32,
    /// Days after which a unit weighs half.
    pub half_life_days: u32,
    /// When a cell counts as changed.
    pub drift: DriftRules,
}

/// When a cell counts as changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftRules {
    /// Shortfall of a unit that raises no suspicion.
    pub slack_ppm: u32,
    /// Sum of shortfalls, in thousandths of a unit, that is an alarm.
    pub alarm_milli: u32,
    /// What an alarm leaves of the weights.
    pub keep_ppm: u32,
}

/// Units that each level's prior is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PseudoCounts {
    /// The tier's prior, for an offer over all tasks.
    pub global: u32,
    /// The offer, for one of its tasks.
    pub task: u32,
    /// The offer on a task, for one caller.
    pub caller: u32,
}
