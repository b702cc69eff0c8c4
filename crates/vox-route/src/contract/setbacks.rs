//! The part of the contract that says what takes an offer out of the running for a while.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a caller's requests of one task want a larger context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// A call that uses more of its context than this, in ten-thousandths, is a full one.
    pub utilisation_bp: u32,
    /// So many full calls are too many.
    pub times: u32,
    /// If they come within this time; so long the escalation holds.
    pub window_s: u32,
}

/// What follows when a model gives up on a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PenaltyRules {
    /// Giving up with less confidence than this sets the model back.
    pub abstain_confidence_ppm: u32,
    /// For so long.
    pub ttl_s: u32,
}
