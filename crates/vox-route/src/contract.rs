//! The routing contract: the only hand-maintained rules of routing, as one value.
//!
//! `contracts/orchestration/model-routing.v1.yaml` is the commented default; `layers` lays the files of a user and of a
//! project over it key by key. Form is checked by serde, ranges and cross references by `check`, what a project may say by
//! `narrow`.

mod check;
pub mod classification;
mod discovery;
mod evidence;
mod exploration;
mod inference;
mod layers;
mod narrow;
mod scoring;
mod setbacks;

use crate::catalog::Tier;
use crate::classify::{Classifier, Verdict};
use crate::decide::Waiver;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use vox_base::{Coded, Digest, Document, InvalidConfig, Kind, Micros, NanoUsd, Timestamp};

pub use classification::Classification;
pub use discovery::{Discovery, SourceRules};
pub use evidence::{DriftRules, EvidenceRules, PseudoCounts};
pub use exploration::ExplorationRules;
pub use inference::{CapabilityInference, CapabilityRule, StrengthRule};
pub use layers::{KeyShown, LayerError, LayerKind, Layers, Place, Shadowed};
pub use narrow::ProjectError;
pub use scoring::{LatencyBands, Presets, Priors, Scoring, Weights};
pub use setbacks::{Escalate, PenaltyRules};

/// The routing rules in force, checked, with their digest.
#[derive(Debug, Clone)]
pub struct Contract {
    rules: Rules,
    digest: Digest,
    classifier: OnceLock<Arc<Classifier>>,
}

impl PartialEq for Contract {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

/// Everything the routing contract says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Form of this file.
    #[serde(rename = "x-vox-version")]
    pub version: u32,
    /// Tiers from the lowest to the highest.
    pub tiers: Vec<Tier>,
    /// Names of what a model can be good at.
    pub strengths: Vec<String>,
    /// Names of the task categories.
    pub task_categories: Vec<String>,
    /// The category of a request that names none.
    pub default_task: String,
    /// What each category wants.
    pub tasks: BTreeMap<String, TaskRules>,
    /// How offers are compared.
    pub scoring: Scoring,
    /// What is believed about an offer before anything is known.
    pub priors: Priors,
    /// How verified outcomes are weighed.
    pub evidence: EvidenceRules,
    /// How much may be tried out, and at what cost.
    pub exploration: ExplorationRules,
    /// How complexity is read and what it demands.
    pub complexity: ComplexityRules,
    /// How a request that names no task is given one.
    pub classification: Classification,
    /// What a context must hold.
    pub context: ContextRules,
    /// What follows when a model gives up on a task.
    pub penalties: PenaltyRules,
    /// Filters lifted one after another when nothing is left.
    pub waiver_order: Vec<Waiver>,
    /// The model to beat for demanding work, by premium key.
    pub premium_alias: BTreeMap<String, String>,
    /// Names under `vox/`: a model id, `family:<name>` or `task:<name>`.
    pub aliases: BTreeMap<String, String>,
    /// What is never called: ids of models or offers, or patterns of them in which `*` stands for any text.
    pub retired_ids: Vec<String>,
    /// What a request prefers that does not say so: `cost`, `quality`, `speed`, `local`, or a family of models.
    #[serde(default)]
    pub prefer: Option<String>,
    /// Blended price (three parts input, one part output) above which an offer is left out under `prefer cost`.
    #[schemars(with = "i64")]
    pub economy_ceiling_micros_per_mtok: Micros,
    /// Limits no request may pass.
    pub safety: Safety,
    /// Which providers to try next, among equals.
    pub fallback_graph: BTreeMap<String, Vec<String>>,
    /// What may be called at all.
    pub policy: Policy,
    /// Which offers `vox/auto` may pick from.
    pub admission: Admission,
    /// What providers were seen to charge.
    pub pricing: PricingRules,
    /// What a model is good at, where no source says.
    pub strength_inference: Vec<StrengthRule>,
    /// What a model can do, where its list only names parameters and kinds of input and output.
    pub capability_inference: CapabilityInference,
    /// How model lists are fetched, by kind of source.
    pub discovery: Discovery,
}

/// What one task category wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskRules {
    /// The strength an offer must be tagged with (or `generalist`).
    pub strength: String,
    /// Key of `premium_alias`, or none.
    pub premium_key: Option<String>,
    /// Each tier below this one lowers the prior success.
    pub preferred_tier: Tier,
    /// Least context an offer should have.
    pub context_floor_tokens: u64,
    /// What noticing and redoing a failed attempt costs the user.
    pub failure_cost_micros: u64,
    /// Output of a typical answer.
    pub expected_output_tokens: u64,
    /// Time in which a typical answer should be there.
    pub latency_slo_ms: u64,
    /// What waiting that long costs the user.
    pub wait_micros_per_slo: u64,
}

/// How complexity is read and what it demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComplexityRules {
    /// Lower values count as this one.
    pub min: u8,
    /// Higher values count as this one.
    pub max: u8,
    /// The complexity of a request that names none.
    pub default: u8,
    /// Least tier from some complexity on.
    pub tier_floors: Vec<TierFloor>,
    /// Success that an offer below the floor has proven on the task, with nine chances of ten, to be let through.
    pub evidence_lift_ppm: u32,
    /// Least complexity of a request that uses several tools.
    pub tool_hint_floor: ToolHintFloor,
}

/// Least tier from some complexity on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierFloor {
    /// From this complexity on,
    pub min_complexity: u8,
    /// an offer needs at least this tier.
    pub min_tier: Tier,
}

/// Least complexity of a request that uses several tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolHintFloor {
    /// From this number of tools hinted at or called on,
    pub min_tools: u32,
    /// a request is at least this complex.
    pub complexity: u8,
}

/// What a context must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextRules {
    /// Output to leave room for when the caller gives no maximum.
    pub output_reserve_tokens: u64,
    /// The steps in which contexts grow.
    pub ladder_tokens: Vec<u64>,
    /// When a caller's requests want a larger context.
    pub escalate: Escalate,
}

/// Limits no request may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Safety {
    /// Greatest upper cost estimate of one request.
    #[schemars(with = "i64")]
    pub max_cost_micros_per_request: Micros,
}

/// What providers were seen to charge, and when that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PricingRules {
    /// Calls from which a difference counts.
    pub medium_min_calls: u32,
    /// Calls from which it is sure.
    pub high_min_calls: u32,
    /// A difference from the price list below this is none.
    pub ignore_below_ppm: u64,
}

/// What may be called at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The profile of a request that names none.
    pub default_profile: String,
    /// Profiles by name.
    pub profiles: BTreeMap<String, Profile>,
}

/// What one profile allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Whether providers on the network may be called.
    pub provider_network: bool,
    /// Whether the user's own engines may be called.
    pub local_model_http: bool,
}

/// Which offers `vox/auto` may pick from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// How offers get in.
    pub mode: AdmissionMode,
    /// How many ranked offers a decision keeps.
    pub max_candidates: usize,
}

/// How offers become eligible for `vox/auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdmissionMode {
    /// Only confirmed ones.
    Curated,
    /// Everything listed and not deprecated.
    All,
    /// Nothing: every request must name its model.
    ExplicitOnly,
}

/// The routing contract does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidContract(#[from] pub InvalidConfig);

impl From<InvalidContract> for Coded {
    fn from(InvalidContract(error): InvalidContract) -> Self {
        let place = format!("{}:{}: {}", error.file, error.line, error.key);
        Self::new(Kind::Stale, "route.contract_invalid", error.message)
            .at(place.trim_end_matches([':', ' ']).to_owned())
            .next("mend the key, then run `vox serve --check`")
    }
}

/// A requested complexity as given and as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complexity {
    /// As given, or the default.
    pub raw: i64,
    /// Raised by tools and clamped.
    pub clamped: u8,
}

impl Contract {
    /// The shipped rules, with a comment for every key.
    pub const YAML: &'static str = include_str!("../../../contracts/orchestration/model-routing.v1.yaml");

    /// Returns the shipped rules.
    ///
    /// # Panics
    /// Never: a test reads the embedded file.
    #[must_use]
    pub fn builtin() -> Self {
        Self::from_document(&Self::document()).expect("the embedded contract is read by a test")
    }

    /// Returns the shipped rules as a document that a user's file can be laid over.
    ///
    /// # Panics
    /// Never: a test reads the embedded file.
    #[must_use]
    pub fn document() -> Document {
        Document::parse("model-routing.v1.yaml", Self::YAML).expect("the embedded contract is read by a test")
    }

    /// Checks a complete document.
    ///
    /// # Errors
    /// A key is unknown or missing, a value has the wrong type or range, a reference leads nowhere or in a circle; the
    /// error names file, line and key.
    pub fn from_document(document: &Document) -> Result<Self, InvalidContract> {
        let rules: Rules = document.decode()?;
        check::check(document, &rules)?;
        Ok(Self::new(rules))
    }

    fn new(rules: Rules) -> Self {
        let digest = Digest::of(&snapshot(&rules));
        Self { rules, digest, classifier: OnceLock::new() }
    }

    /// Returns the classification rules, made ready the first time they are wanted.
    ///
    /// # Panics
    /// Never: the check of the contract bounds their number and length.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        self.classifier.get_or_init(|| {
            let Rules { classification, task_categories, .. } = &self.rules;
            Arc::new(Classifier::compile(classification, task_categories).expect("the check bounds what the rules hold"))
        })
    }

    /// Returns the rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Returns the digest of [`Contract::to_snapshot`].
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns bytes from which the same contract can be restored.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        snapshot(&self.rules)
    }

    /// Restores a contract.
    ///
    /// # Errors
    /// The bytes are no snapshot of this version.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self::new)
    }

    /// Returns the JSON Schema of the contract file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Rules).to_value()
    }

    /// Returns the rules of a task category.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskRules> {
        self.rules.tasks.get(name)
    }

    /// Returns the place of a tier in the order of the contract; higher is better.
    #[must_use]
    pub fn tier_rank(&self, tier: Tier) -> usize {
        self.rules.tiers.iter().position(|known| *known == tier).unwrap_or(0)
    }

    /// Returns the complexity that counts for a hint and a number of tools hinted at or called.
    #[must_use]
    pub fn complexity(&self, hint: Option<i64>, n_tools: u32) -> Complexity {
        let rules = &self.rules.complexity;
        let raw = hint.unwrap_or(i64::from(rules.default));
        let raised = if n_tools >= rules.tool_hint_floor.min_tools { raw.max(i64::from(rules.tool_hint_floor.complexity)) } else { raw };
        let clamped = raised.clamp(i64::from(rules.min), i64::from(rules.max));
        Complexity { raw, clamped: u8::try_from(clamped).unwrap_or(rules.max) }
    }

    /// Returns until when a model is set back that gave up with this confidence at a moment; `None` if it was sure enough.
    #[must_use]
    pub fn penalty_until(&self, confidence_ppm: u32, at: Timestamp) -> Option<Timestamp> {
        let rules = &self.rules.penalties;
        (confidence_ppm < rules.abstain_confidence_ppm).then(|| at.plus_millis(i64::from(rules.ttl_s) * 1000))
    }

    /// Returns the task that tools hinted at speak for: research, if one of them looks things up.
    #[must_use]
    pub fn task_of_tools(&self, tools: &[String]) -> Option<&'static str> {
        let means_research = tools.iter().any(|tool| self.rules.classification.research_tools.contains(tool));
        Some("research").filter(|research| means_research && self.rules.tasks.contains_key(*research))
    }

    /// Returns whether the rules speak for another task so clearly that a session changes to it.
    #[must_use]
    pub fn leads(&self, verdict: &Verdict, session_task: &str) -> bool {
        let margin = crate::classify::thousandths(self.rules.classification.session_margin);
        let leads = |task: &Arc<str>| verdict.weight(task) - verdict.weight(session_task) >= margin;
        verdict.task.as_ref().is_some_and(|task| **task == *session_task || leads(task))
    }

    /// Returns the greatest upper cost estimate that any request may have.
    #[must_use]
    pub fn safety_ceiling(&self) -> NanoUsd {
        NanoUsd::new(self.rules.safety.max_cost_micros_per_request.get().saturating_mul(1000))
    }
}

fn snapshot(rules: &Rules) -> Vec<u8> {
    serde_json::to_vec(rules).expect("the rules hold only text, numbers and lists")
}

#[cfg(test)]
mod tests;
