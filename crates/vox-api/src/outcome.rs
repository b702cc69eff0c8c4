//! What became of a call or run: `POST /api/v1/outcomes`.

use serde::{Deserialize, Serialize};
use vox_base::InteractionId;

/// One source's word about one call or run; names exactly one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostOutcome {
    /// The call, as its `x-vox-interaction` header named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction_id: Option<InteractionId>,
    /// The governed run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Who says it: `tests`, `acceptance`, `human_feedback` …
    pub source: String,
    /// Whether it was a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// How good it was; from half a million on it is a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_ppm: Option<u32>,
    /// How sure the model was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_ppm: Option<u32>,
    /// What the model decided: `answer`, `ask`, `abstain` or `disambiguate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Where the proof is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_ref: Option<String>,
    /// Names this post: sent again, it gets the first answer.
    pub idempotency_key: String,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomePosted {
    /// Names the outcome.
    pub outcome_id: String,
    /// `call` or `run`.
    pub unit_kind: String,
    /// The call or run.
    pub unit_id: String,
    /// Who said it.
    pub source: String,
    /// Whether it was a success; `None` if the source does not say.
    pub success: Option<bool>,
    /// What the source's word is worth; 0 is kept and counts for nothing.
    pub weight_ppm: i64,
    /// Who had which share.
    pub credits: Vec<Credited>,
    /// When it was written, RFC 3339.
    pub observed_at: String,
    /// Until when the model is not asked about this task again.
    pub penalised_until: Option<String>,
}

/// The share one model had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credited {
    /// The provider, as statistics name it.
    pub provider: String,
    /// The model, as its provider names it.
    pub model: String,
    /// The task.
    pub task: String,
    /// Its share; the shares of a unit sum to one million.
    pub share_ppm: i64,
}
