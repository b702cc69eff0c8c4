//! The part of the contract that says how much may be tried out, and at what cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vox_base::Micros;

/// How much may be tried out, and at what cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplorationRules {
    /// Whether anything is tried out at all.
    pub enabled: bool,
    /// Least share of calls that try something out.
    pub epsilon_floor_ppm: u32,
    /// Greatest share of calls that try something out.
    pub epsilon_ceiling_ppm: u32,
    /// Units of a task below which an offer counts as new to it.
    pub min_units_per_arm: u32,
    /// Share of all draws that a new offer is given on top of its own.
    pub novel_bonus_ppm: u32,
    /// Draws that decide how often an offer is tried.
    pub draws: u32,
    /// Greatest number of explored calls at a time.
    pub max_concurrent: u32,
    /// Charges of a day's explored calls beyond what the best known offer would have charged.
    #[schemars(with = "i64")]
    pub budget_micros_per_day: Micros,
    /// Nothing more complex is tried out.
    pub max_complexity: u8,
    /// Greatest expected cost of trying out, as a share of the expected cost of all calls.
    pub loss_allowance_ppm: u32,
}
