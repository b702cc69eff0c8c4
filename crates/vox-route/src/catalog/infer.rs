//! Applies the contract's rules to a model whose sources do not say what it is good at or what it can do.

use super::{Capabilities, Capability, Entry, Offer, Tier};
use crate::Contract;
use crate::contract::{CapabilityRule, StrengthRule};

/// Why a model is tagged with some strengths: one line a rule that fits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    /// The rule, as people read it.
    pub rule: String,
    /// What it gives.
    pub strengths: Vec<String>,
}

/// What the rules look at.
pub(super) struct Traits<'a> {
    pub(super) name: &'a str,
    pub(super) family: &'a str,
    pub(super) tier: Tier,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) context_tokens: Option<u64>,
}

/// Returns why an offer would be tagged as it is, had no source said it.
#[must_use]
pub fn why_strengths(contract: &Contract, offer: &Offer) -> Vec<Reason> {
    reasons(contract, &traits(offer))
}

pub(super) fn traits(offer: &Offer) -> Traits<'_> {
    Traits {
        name: &offer.native_id,
        family: &offer.family,
        tier: offer.tier,
        capabilities: offer.capabilities,
        context_tokens: offer.context_tokens,
    }
}

pub(super) fn reasons(contract: &Contract, traits: &Traits<'_>) -> Vec<Reason> {
    let rules = &contract.rules().strength_inference;
    let reason = |rule: &StrengthRule, text: String| Reason { rule: text, strengths: rule.strengths().to_vec() };
    let fitting: Vec<Reason> = rules.iter().filter_map(|rule| Some(reason(rule, traits.fit(rule)?))).collect();
    if !fitting.is_empty() {
        return fitting;
    }
    let default = rules.iter().filter(|rule| matches!(rule, StrengthRule::Default { .. }));
    default.map(|rule| reason(rule, "no other rule fits".to_owned())).collect()
}

/// Returns the strengths of these reasons, each once, in the order they come.
pub(super) fn strengths(reasons: &[Reason]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for strength in reasons.iter().flat_map(|reason| &reason.strengths) {
        if !all.contains(strength) {
            all.push(strength.clone());
        }
    }
    all
}

impl Traits<'_> {
    /// Returns what of the model makes a rule fit.
    fn fit(&self, rule: &StrengthRule) -> Option<String> {
        let can = |capability: Capability| self.capabilities.is_some_and(|known| known.has(capability));
        match rule {
            StrengthRule::Capability { r#match, .. } => {
                r#match.iter().find(|capability| can(**capability)).map(|capability| format!("capability {}", capability.as_str()))
            }
            StrengthRule::Family { r#match, .. } => r#match.iter().find(|name| self.is_of(name)).map(|name| format!("family {name}")),
            StrengthRule::NameWord { r#match, .. } => {
                r#match.iter().find(|word| words(self.name).any(|own| own.eq_ignore_ascii_case(word))).map(|word| format!("word {word}"))
            }
            StrengthRule::Context { min_tokens, .. } => {
                self.context_tokens.filter(|tokens| tokens >= min_tokens).map(|tokens| format!("context {tokens} >= {min_tokens}"))
            }
            StrengthRule::Tier { r#match, capability, .. } => (r#match.contains(&self.tier) && can(*capability))
                .then(|| format!("tier {} with capability {}", self.tier, capability.as_str())),
            StrengthRule::Default { .. } => None,
        }
    }

    /// Engines of the user's own do not say who made a model; its name does.
    fn is_of(&self, family: &str) -> bool {
        let own = self.name.rsplit('/').next().unwrap_or(self.name);
        self.family.eq_ignore_ascii_case(family) || own.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
    }
}

/// Returns the runs of letters of a name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty())
}

/// Returns what a model can do by the words of its list; `None` if the list has none.
pub(super) fn capabilities(contract: &Contract, entry: &Entry) -> Option<Capabilities> {
    let rules = &contract.rules().capability_inference;
    let lists = [
        (&entry.supported_parameters, &rules.parameters),
        (&entry.input_modalities, &rules.input),
        (&entry.output_modalities, &rules.output),
    ];
    if lists.iter().all(|(words, _)| words.is_none()) {
        return None;
    }
    Some(lists.into_iter().flat_map(|(words, rules)| meant(words.as_deref().unwrap_or_default(), rules)).collect())
}

fn meant(words: &[String], rules: &[CapabilityRule]) -> Vec<Capability> {
    let means = |rule: &&CapabilityRule| words.iter().any(|word| rule.r#match.iter().any(|pattern| crate::name::fits(pattern, word)));
    rules.iter().filter(means).map(|rule| rule.capability).collect()
}
