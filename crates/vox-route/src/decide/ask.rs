//! Everything a decision may know about one request.

use crate::board::Privacy;
use crate::catalog::Capabilities;
use crate::{Contract, Wanted};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vox_base::{NanoUsd, Timestamp};

/// Everything a decision may know about one request: numbers, flags and names, never its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The model name, understood.
    pub wanted: Wanted,
    /// Whether the name skips routing; an explicit name that is forced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forced: bool,
    /// Whether an explicit name may be answered by another model when it cannot.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fallback: bool,
    /// Patterns of offer ids the caller may use; `None` allows all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub models_allowed: Option<Vec<String>>,
    /// The task category, where something but the model name states it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub task: Option<String>,
    /// Who said which category it is: `hint`, `name`, `research`, `rules`, `session` or `default`.
    pub task_source: String,
    /// Ids of the classification rules that matched.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: Vec<Arc<str>>,
    /// The complexity that counts.
    pub complexity: u8,
    /// The complexity as given, or as the rules put it.
    pub complexity_raw: i64,
    /// Different tools hinted at, or called of late.
    #[serde(default, skip_serializing_if = "is_default")]
    pub n_tools_used: u32,
    /// What the request cannot do without.
    #[serde(default, skip_serializing_if = "is_default")]
    pub needs: Capabilities,
    /// Input, estimated so that it is not below the truth.
    pub input_tokens: u64,
    /// Longest answer the caller wants.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_output_tokens: Option<u64>,
    /// Most the request may cost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ceiling: Option<NanoUsd>,
    /// Whether an offer without a known price may answer; a ceiling rules it out all the same.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub allow_unpriced: bool,
    /// Longest wait the caller accepts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_latency_ms: Option<u64>,
    /// What the caller prefers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prefer: Prefer,
    /// The policy profile; the contract's default if `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub profile: Option<String>,
    /// Who may see the request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub privacy: Privacy,
    /// Whether nothing on the network may be called.
    #[serde(default, skip_serializing_if = "is_default")]
    pub offline: bool,
    /// The dialect of the request; decides between equals.
    pub dialect: String,
    /// The key or project on whose behalf it is asked, as evidence names it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub caller: Option<Arc<str>>,
    /// The session it continues.
    #[serde(default, skip_serializing_if = "is_default")]
    pub session: Option<Session>,
    /// What exploration has spent so far; `None` where it is not allowed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exploring: Option<Exploring>,
}

/// The session that a request continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The offer that answered last, by id.
    pub offer: Arc<str>,
    /// Tokens of this request that lie in that offer's prompt cache.
    pub cached_tokens: u64,
    /// Until when they do.
    pub cached_until: Timestamp,
    /// Requests answered in the session so far.
    pub n_turns: u32,
}

/// What exploration has spent when a request is decided; rises with every explored call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exploring {
    /// Charges of today's explored calls beyond what their leaders would have charged.
    pub spent_today: NanoUsd,
    /// Expected cost of all explored calls beyond that of their leaders.
    pub debt: NanoUsd,
    /// Expected cost of the leaders of all calls that might have been explored.
    pub leaders: NanoUsd,
    /// Explored calls that have not ended.
    pub n_open: u32,
}

/// What is left out is the default: the value is stored with every call, so it is kept short.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_yes(value: &bool) -> bool {
    *value
}

/// What a caller prefers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// Nothing: the weights of the contract.
    #[default]
    None,
    /// A low charge, and nothing above the economy ceiling.
    Cost,
    /// A high chance of success.
    Quality,
    /// A short wait.
    Speed,
    /// The user's own engines first.
    Local,
    /// A family of models, between near equals.
    Family(String),
}

impl Ask {
    /// Returns an ask that states only the model name; everything else is the contract's default.
    #[must_use]
    pub fn new(contract: &Contract, wanted: Wanted) -> Self {
        let complexity = contract.complexity(None, 0);
        Self {
            wanted,
            forced: false,
            fallback: false,
            models_allowed: None,
            task: None,
            task_source: "default".into(),
            rules: Vec::new(),
            complexity: complexity.clamped,
            complexity_raw: complexity.raw,
            n_tools_used: 0,
            needs: Capabilities::NONE,
            input_tokens: 0,
            max_output_tokens: None,
            ceiling: None,
            allow_unpriced: true,
            max_latency_ms: None,
            prefer: contract.rules().prefer.as_deref().map_or(Prefer::None, Prefer::from_name),
            profile: None,
            privacy: Privacy::default(),
            offline: false,
            dialect: String::new(),
            caller: None,
            session: None,
            exploring: None,
        }
    }
}

impl Prefer {
    /// Returns the preference of this name; any name but the four words is a family's.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "cost" => Self::Cost,
            "quality" => Self::Quality,
            "speed" => Self::Speed,
            "local" => Self::Local,
            family => Self::Family(family.to_owned()),
        }
    }
}
