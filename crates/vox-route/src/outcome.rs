//! Whose word counts about what became of a call or run, and how much: the rules of `model-evidence.v1.yaml`, and what
//! follows from one claim. What the claims add up to is `evidence`'s; keeping them is vox-store's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use vox_base::{Coded, Document, InvalidConfig, Kind};

/// Who says what became of a unit, from the one that counts most as shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A governed run whose result was verified.
    RunVerified,
    /// Tests that passed or failed.
    Tests,
    /// The result was taken over, or thrown away.
    Acceptance,
    /// A person's thumb.
    HumanFeedback,
    /// A case of an evaluation suite.
    Eval,
    /// The model's own doubt.
    Socrates,
    /// What an agent says of itself.
    AgentClaim,
}

/// By which way a claim arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The node's own token.
    Admin,
    /// Somebody at a terminal.
    Person,
    /// A caller key.
    Caller,
    /// The key of a governed run.
    Run,
}

/// What a model decided about its own answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// It answered.
    Answer,
    /// It asked back.
    Ask,
    /// It gave up.
    Abstain,
    /// It wants to know which of several things is meant.
    Disambiguate,
}

/// The rules of `model-evidence.v1.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRules {
    /// Version of the format; 1.
    #[serde(rename = "x-vox-version")]
    pub version: u32,
    /// The sources, from the one that counts most.
    pub sources: Vec<SourceRule>,
    /// Who may speak for which source.
    pub channels: Channels,
}

/// How much one source counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRule {
    /// The source.
    pub source: Source,
    /// The part of one unit that its word is worth.
    pub weight_ppm: u32,
}

/// Who may speak for which source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// The node's own token.
    pub admin: Vec<Source>,
    /// Somebody at a terminal.
    pub person: Vec<Source>,
    /// A caller key.
    pub caller: Vec<Source>,
    /// The key of a governed run.
    pub run: Vec<Source>,
}

/// What one source says of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who says it.
    pub source: Source,
    /// Whether it was a success.
    pub success: Option<bool>,
    /// How good it was.
    pub score_ppm: Option<u32>,
    /// How sure the model was.
    pub confidence_ppm: Option<u32>,
    /// What the model decided.
    pub doubt: Option<Doubt>,
}

/// What follows from a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Whether the unit was a success; `None` where the source does not say.
    pub success: Option<bool>,
    /// What its word is worth.
    pub weight_ppm: u32,
    /// How sure a model was that gave up; one that does not say was not at all.
    pub gave_up_at_ppm: Option<u32>,
}

/// A claim is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The channel may not speak for the source.
    #[error("`{source_name}` may not be sent this way")]
    Channel {
        /// The source.
        source_name: &'static str,
        /// The sources that may.
        allowed: Vec<&'static str>,
    },
    /// The claim has not the form it must have.
    #[error("`{field}` {message}")]
    Form {
        /// The field concerned.
        field: &'static str,
        /// What is wrong with it.
        message: &'static str,
    },
}

const MILLION: u32 = 1_000_000;
/// From this score on a unit is a success.
const HALF: u32 = 500_000;

impl Source {
    /// Every source.
    pub const ALL: [Self; 7] =
        [Self::RunVerified, Self::Tests, Self::Acceptance, Self::HumanFeedback, Self::Eval, Self::Socrates, Self::AgentClaim];

    /// Returns the name used in rows and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunVerified => "run_verified",
            Self::Tests => "tests",
            Self::Acceptance => "acceptance",
            Self::HumanFeedback => "human_feedback",
            Self::Eval => "eval",
            Self::Socrates => "socrates",
            Self::AgentClaim => "agent_claim",
        }
    }

    /// Returns the source of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

impl Doubt {
    const ALL: [Self; 4] = [Self::Answer, Self::Ask, Self::Abstain, Self::Disambiguate];

    /// Returns the name used in rows and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Ask => "ask",
            Self::Abstain => "abstain",
            Self::Disambiguate => "disambiguate",
        }
    }

    /// Returns the decision of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|doubt| doubt.as_str() == name)
    }
}

impl OutcomeRules {
    /// The shipped rules, with a comment for every key.
    pub const YAML: &'static str = include_str!("../../../contracts/orchestration/model-evidence.v1.yaml");

    /// Returns the shipped rules.
    ///
    /// # Panics
    /// Never: a test reads the embedded file.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<OutcomeRules> = LazyLock::new(|| {
            let document = Document::parse("model-evidence.v1.yaml", OutcomeRules::YAML).expect("the embedded contract is read by a test");
            OutcomeRules::from_document(&document).expect("the embedded contract is read by a test")
        });
        &BUILTIN
    }

    /// Checks a document.
    ///
    /// # Errors
    /// A key is unknown or missing, a weight is above one, a source stands twice or not at all.
    pub fn from_document(document: &Document) -> Result<Self, InvalidConfig> {
        let rules: Self = document.decode()?;
        if rules.version != 1 {
            return Err(document.fault("x-vox-version", "is not a version this release knows: expected 1"));
        }
        for (at, rule) in rules.sources.iter().enumerate() {
            if rule.weight_ppm > MILLION {
                return Err(document.fault(&format!("sources[{at}].weight_ppm"), "is more than 1000000"));
            }
        }
        for source in Source::ALL {
            if rules.sources.iter().filter(|rule| rule.source == source).count() != 1 {
                return Err(document.fault("sources", format!("must name `{}` once", source.as_str())));
            }
        }
        Ok(rules)
    }

    /// Returns the JSON Schema of the contract file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Returns the names of the sources, from the one that counts most.
    #[must_use]
    pub fn precedence(&self) -> Vec<&'static str> {
        self.sources.iter().map(|rule| rule.source.as_str()).collect()
    }

    /// Judges a claim that arrives by a channel.
    ///
    /// # Errors
    /// The channel may not speak for the source, or the claim says nothing that its source could say.
    pub fn judge(&self, channel: Channel, claim: &Claim) -> Result<Judged, ClaimError> {
        let allowed = match channel {
            Channel::Admin => &self.channels.admin,
            Channel::Person => &self.channels.person,
            Channel::Caller => &self.channels.caller,
            Channel::Run => &self.channels.run,
        };
        if !allowed.contains(&claim.source) {
            let allowed = allowed.iter().map(|source| source.as_str()).collect();
            return Err(ClaimError::Channel { source_name: claim.source.as_str(), allowed });
        }
        claim.check()?;
        let weight_ppm = self.sources.iter().find(|rule| rule.source == claim.source).map_or(0, |rule| rule.weight_ppm);
        let gave_up = claim.source == Source::Socrates && claim.doubt == Some(Doubt::Abstain);
        let success = match claim.source {
            Source::Socrates => gave_up.then_some(false),
            _ => claim.success.or_else(|| claim.score_ppm.map(|score| score >= HALF)),
        };
        Ok(Judged { success, weight_ppm, gave_up_at_ppm: gave_up.then(|| claim.confidence_ppm.unwrap_or(0)) })
    }
}

impl Claim {
    fn check(&self) -> Result<(), ClaimError> {
        let wrong = |field, message| Err(ClaimError::Form { field, message });
        if self.score_ppm.is_some_and(|score| score > MILLION) {
            return wrong("score_ppm", "is more than 1000000");
        }
        if self.confidence_ppm.is_some_and(|confidence| confidence > MILLION) {
            return wrong("confidence_ppm", "is more than 1000000");
        }
        match (self.source, self.doubt, self.success.is_some() || self.score_ppm.is_some()) {
            (Source::Socrates, None, _) => wrong("decision", "is missing: expected answer, ask, abstain or disambiguate"),
            (Source::Socrates, Some(_), true) => wrong("success", "is not `socrates`' to say: it follows from `decision`"),
            (Source::Socrates, Some(_), false) | (_, None, true) => Ok(()),
            (_, Some(_), _) => wrong("decision", "is only `socrates`' to say"),
            (_, None, false) => wrong("success", "is missing: expected `success` or `score_ppm`"),
        }
    }
}

impl From<ClaimError> for Coded {
    fn from(error: ClaimError) -> Self {
        let message = error.to_string();
        match error {
            ClaimError::Channel { allowed, .. } => {
                Self::new(Kind::Refused, "route.outcome_rejected", message).expected(format!("one of {}", allowed.join(", ")))
            }
            ClaimError::Form { field, .. } => Self::new(Kind::Usage, "route.outcome_invalid", message).at(field),
        }
    }
}

/// Parts one unit among those who had a part in it, in proportion; where nobody's part is known, equally. The shares sum
/// to exactly one million.
#[must_use]
pub fn shares(parts: &[u64]) -> Vec<u32> {
    let total: u128 = parts.iter().map(|part| u128::from(*part)).sum();
    let weights: Vec<u128> = if total == 0 { vec![1; parts.len()] } else { parts.iter().map(|part| u128::from(*part)).collect() };
    let total = weights.iter().sum::<u128>().max(1);
    let whole = |weight: &u128| u32::try_from(weight * u128::from(MILLION) / total).unwrap_or(MILLION);
    let mut shares: Vec<u32> = weights.iter().map(whole).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(weights[*at] * u128::from(MILLION) % total));
    let left = MILLION - shares.iter().sum::<u32>().min(MILLION);
    order.iter().take(left as usize).for_each(|at| shares[*at] += 1);
    shares
}

#[cfg(test)]
mod tests;
