//! Why an offer may not answer, with the number that failed, and what the caller is told when none may.

use super::{Ask, Decision};
use crate::catalog::{Capability, Tier};
use serde::{Deserialize, Serialize};
use std::fmt;
use vox_base::{Coded, Kind, Micros, NanoUsd, Timestamp};

/// Why an offer may not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each field is the number that the text of the reason names")]
pub enum RefusalReason {
    /// The name, the key's model set or the alias means another offer.
    NotWanted,
    /// The contract retired the model.
    Retired,
    /// It is not open to `vox/auto`.
    NotAdmitted,
    /// It lacks something the request cannot do without.
    MissingCapability { capability: Capability },
    /// The request does not fit into its context.
    ContextTooSmall { needed_tokens: u64, available_tokens: u64 },
    /// Its context is below what the task should have, or unknown.
    ContextFloor { floor_tokens: u64, available_tokens: Option<u64> },
    /// The caller keeps filling contexts, and it has no larger one.
    ContextEscalated { above_tokens: u64, available_tokens: Option<u64> },
    /// Its provider needs a key and there is none.
    NoCredential,
    /// Its provider refused the key.
    CredentialRejected,
    /// The policy profile forbids providers on the network.
    ProviderNetworkDisabled,
    /// The policy profile forbids the user's own engines.
    LocalModelHttpDisabled,
    /// Its provider may not see a request of this privacy.
    PrivacyClass,
    /// It is on the network and vox is offline.
    Offline,
    /// It failed too often.
    CircuitOpen { until: Timestamp },
    /// It asked to be left alone.
    CoolingDown { until: Timestamp },
    /// The complexity wants a higher tier.
    TierFloor { floor: Tier, tier: Tier },
    /// It is tagged with neither the task's strength nor `generalist`.
    StrengthMismatch,
    /// It gave up on a request of this task.
    Penalised { until: Timestamp },
    /// The upper cost estimate is above what the request may cost.
    OverBudget { bound: NanoUsd, ceiling: NanoUsd },
    /// Its price is not known, and the request has a cost limit.
    PriceUnknown,
    /// Its blended price is above the economy ceiling.
    EconomyCeiling { price: Micros, ceiling: Micros },
    /// Its median time is above what the caller accepts.
    TooSlow { p50_ms: u64, max_ms: u64 },
}

impl RefusalReason {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotWanted => "not_wanted",
            Self::Retired => "retired",
            Self::NotAdmitted => "not_admitted",
            Self::MissingCapability { capability } => capability.missing(),
            Self::ContextTooSmall { .. } => "context_too_small",
            Self::ContextFloor { .. } => "context_floor",
            Self::ContextEscalated { .. } => "context_escalated",
            Self::NoCredential => "no_credential",
            Self::CredentialRejected => "credential_rejected",
            Self::ProviderNetworkDisabled => "route_policy:provider_network_disabled",
            Self::LocalModelHttpDisabled => "route_policy:local_model_http_disabled",
            Self::PrivacyClass => "privacy_class",
            Self::Offline => "offline",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::CoolingDown { .. } => "cooling_down",
            Self::TierFloor { .. } => "tier_floor",
            Self::StrengthMismatch => "strength_mismatch",
            Self::Penalised { .. } => "penalised",
            Self::OverBudget { .. } => "over_budget",
            Self::PriceUnknown => "price_unknown",
            Self::EconomyCeiling { .. } => "economy_ceiling",
            Self::TooSlow { .. } => "too_slow",
        }
    }

    /// Returns the number that failed, and what it was held against; empty where there is none.
    #[must_use]
    pub fn numbers(&self) -> String {
        match self {
            Self::ContextTooSmall { needed_tokens, available_tokens } => format!("needs {needed_tokens} tokens, has {available_tokens}"),
            Self::ContextFloor { floor_tokens, available_tokens: Some(tokens) } => {
                format!("should have {floor_tokens} tokens, has {tokens}")
            }
            Self::ContextFloor { floor_tokens, available_tokens: None } => format!("should have {floor_tokens} tokens, has nobody knows"),
            Self::ContextEscalated { above_tokens, available_tokens } => {
                format!(
                    "should have more than {above_tokens} tokens, has {}",
                    available_tokens.map_or("nobody knows".to_owned(), |tokens| tokens.to_string())
                )
            }
            Self::CircuitOpen { until } | Self::CoolingDown { until } | Self::Penalised { until } => format!("until {until}"),
            Self::TierFloor { floor, tier } => format!("needs {floor}, is {tier}"),
            Self::OverBudget { bound, ceiling } => format!("may cost {bound}, limit {ceiling}"),
            Self::EconomyCeiling { price, ceiling } => format!("{} micro-USD per million tokens, limit {}", price.get(), ceiling.get()),
            Self::TooSlow { p50_ms, max_ms } => format!("takes {p50_ms} ms, limit {max_ms} ms"),
            _ => String::new(),
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.numbers();
        if numbers.is_empty() { f.write_str(self.code()) } else { write!(f, "{} ({numbers})", self.code()) }
    }
}

/// Returns what a caller is told when a decision left nothing: the most telling common cause, and the next step.
#[must_use]
pub fn no_offer(decision: &Decision, ask: &Ask) -> Coded {
    const WHY: &str = "vox model explain --all-reasons";
    if ask.forced {
        let first = decision.refused.first().map_or_else(|| "not_wanted".to_owned(), |refused| refused.reason.to_string());
        let message = format!("the forced model may not answer: {first}; no other was called");
        return Coded::new(Kind::Refused, "route.force_refused", message).next(WHY);
    }
    let keyless = |reason: &RefusalReason| matches!(reason, RefusalReason::NoCredential | RefusalReason::CredentialRejected);
    if ask.offline && decision.all_refused_for(|reason| keyless(reason) || matches!(reason, RefusalReason::Offline)) {
        return Coded::new(Kind::Offline, "route.offline", "vox is offline and no engine on this machine can answer").next(WHY);
    }
    if decision.all_refused_for(|reason| matches!(reason, RefusalReason::PriceUnknown)) {
        return Coded::new(
            Kind::Refused,
            "route.price_unknown",
            "no offer with a known price can answer, and the request has a cost limit",
        )
        .next("give the model a price, or drop the limit");
    }
    let error = Coded::new(Kind::Refused, "route.no_offer", format!("no model can answer: {}", summary(decision)));
    if decision.all_refused_for(keyless) { error.next("set a provider's key with `vox secrets set`") } else { error.next(WHY) }
}

/// Returns the refusals counted by code, and the cheapest bound where money was the reason.
fn summary(decision: &Decision) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for refused in &decision.refused {
        let code = refused.reason.code();
        match counts.iter_mut().find(|(known, _)| *known == code) {
            Some((_, n)) => *n += 1,
            None => counts.push((code, 1)),
        }
    }
    counts.sort_by_key(|&(code, n)| (std::cmp::Reverse(n), code));
    let mut parts: Vec<String> = counts.iter().map(|(code, n)| format!("{n} {code}")).collect();
    if let Some(bound) = decision.cheapest_bound() {
        parts.push(format!("the cheapest may cost {bound}"));
    }
    if parts.is_empty() { "the catalog has no such offer".to_owned() } else { parts.join(", ") }
}

impl Decision {
    /// Returns whether a cause stands against every offer; filters that had been lifted anyway do not count.
    fn all_refused_for(&self, cause: impl Fn(&RefusalReason) -> bool) -> bool {
        let mut hard = self.refused.iter().map(|refused| &refused.reason).filter(|reason| reason.waiver().is_none()).peekable();
        hard.peek().is_some() && hard.all(cause)
    }

    /// Returns the lowest upper cost estimate among the offers refused for money.
    #[must_use]
    pub fn cheapest_bound(&self) -> Option<NanoUsd> {
        let bounds = self.refused.iter().filter_map(|refused| match refused.reason {
            RefusalReason::OverBudget { bound, .. } => Some(bound),
            _ => None,
        });
        bounds.min()
    }
}
