//! What follows about a model from what its list does say: rules that tag it with strengths and capabilities.

use crate::catalog::{Capability, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One rule that tags a model with strengths. All rules that fit add theirs; `default` counts where none fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StrengthRule {
    /// It can do one of these.
    Capability {
        /// Any of them.
        r#match: Vec<Capability>,
        /// What it is then good at.
        strengths: Vec<String>,
    },
    /// Somebody of this name made it, or its own name begins so.
    Family {
        /// Any of them.
        r#match: Vec<String>,
        /// What it is then good at.
        strengths: Vec<String>,
    },
    /// A word of its name.
    NameWord {
        /// Any of them.
        r#match: Vec<String>,
        /// What it is then good at.
        strengths: Vec<String>,
    },
    /// It holds at least this much.
    Context {
        /// Least context.
        min_tokens: u64,
        /// What it is then good at.
        strengths: Vec<String>,
    },
    /// It is of one of these tiers and can do this.
    Tier {
        /// Any of them.
        r#match: Vec<Tier>,
        /// And this.
        capability: Capability,
        /// What it is then good at.
        strengths: Vec<String>,
    },
    /// No other rule fits.
    Default {
        /// What it is then good at.
        strengths: Vec<String>,
    },
}

/// What the words of a list mean for what a model can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapabilityInference {
    /// By the names of request parameters it takes.
    pub parameters: Vec<CapabilityRule>,
    /// By the kinds of input it reads.
    pub input: Vec<CapabilityRule>,
    /// By the kinds of output it makes.
    pub output: Vec<CapabilityRule>,
}

/// Words that mean one capability; `*` at the end stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapabilityRule {
    /// Any of them.
    pub r#match: Vec<String>,
    /// What they mean.
    pub capability: Capability,
}

impl StrengthRule {
    /// Returns the strengths that the rule gives.
    #[must_use]
    pub fn strengths(&self) -> &[String] {
        match self {
            Self::Capability { strengths, .. }
            | Self::Family { strengths, .. }
            | Self::NameWord { strengths, .. }
            | Self::Context { strengths, .. }
            | Self::Tier { strengths, .. }
            | Self::Default { strengths } => strengths,
        }
    }
}
