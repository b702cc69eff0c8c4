//! A decision in words and numbers, made of the very value that was or would be executed.

use crate::catalog::{Locality, Offer, PriceState, Tier};
use crate::decide::{Terms, all_reasons};
use crate::{Ask, Board, Catalog, Contract, Decision, RefusalReason};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use vox_base::{NanoUsd, Timestamp};

/// Everything about one decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What was asked.
    pub ask: AskShown,
    /// What was picked; `None` if nothing may answer.
    pub pick: Option<Pick>,
    /// Offers that may answer, best first.
    pub candidates: Vec<Candidate>,
    /// Offers that were asked for and may not answer.
    pub refused: Vec<RefusedShown>,
    /// How many others nobody asked for or admitted.
    pub n_not_wanted: usize,
    /// How many may answer but stand below the last one kept.
    pub n_beyond: usize,
    /// Filters lifted so that anything was left.
    pub waived: Vec<&'static str>,
    /// Whether the caller keeps filling contexts and there is no larger one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub escalation_exhausted: bool,
    /// What it was decided on.
    pub evidence: Evidence,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AskShown {
    /// The task category that counted.
    pub task: String,
    /// Who said so.
    pub task_source: String,
    /// The complexity as given.
    pub complexity_raw: i64,
    /// The complexity that counted.
    pub complexity: u8,
    /// Everything else, as recorded.
    #[serde(flatten)]
    pub ask: BTreeMap<String, serde_json::Value>,
}

/// What was picked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pick {
    /// `provider/native_id`.
    pub offer: String,
    /// The model whoever serves it.
    pub model_id: String,
    /// In which way it was picked.
    pub mode: &'static str,
    /// Why it is the pick.
    pub reason: &'static str,
    /// Expected cost until a success.
    pub j_nano_usd: NanoUsd,
    /// How likely the pick was, in parts per billion.
    pub propensity_ppb: u64,
    /// How much more the second one costs until a success; negative if a rule put the pick before it.
    pub margin_nano_usd: Option<i64>,
}

/// An offer that may answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// From 1.
    pub rank: usize,
    /// `provider/native_id`.
    pub offer: String,
    /// How capable it is taken to be.
    pub tier: Tier,
    /// What it is good at.
    pub strengths: Vec<String>,
    /// Input and output together.
    pub context_tokens: Option<u64>,
    /// Where it runs.
    pub locality: Locality,
    /// What is known about its prices.
    pub price_state: PriceState,
    /// Expected cost until a success.
    pub j_nano_usd: NanoUsd,
    /// How likely it was to be the pick, in parts per billion.
    pub propensity_ppb: u64,
    /// Bounds of its success by all that is known, gate or not, with eight chances of ten.
    pub success_between_ppm: (u32, u32),
    /// When the last outcome of it on this task was observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_at: Option<Timestamp>,
    /// When it was last found to have become worse at this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drifted_at: Option<Timestamp>,
    /// What the score is made of.
    #[serde(flatten)]
    pub terms: Terms,
}

/// An offer that may not answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedShown {
    /// `provider/native_id`.
    pub offer: String,
    /// The code of the first reason.
    pub reason: &'static str,
    /// The number that failed.
    pub numbers: String,
}

/// What it was decided on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Digest of the rules.
    pub contract: String,
    /// Digest of the offers.
    pub catalog: String,
    /// Digest of the state of the providers.
    pub board: String,
    /// The seed.
    pub seed: u64,
    /// How much was left to chance.
    pub epsilon_ppm: u32,
}

/// Why one offer is not the pick.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhyNot {
    /// `provider/native_id`.
    pub offer: String,
    /// Its rank from 1, if it may answer.
    pub rank: Option<usize>,
    /// Every reason against it.
    pub reasons: Vec<RefusedShown>,
    /// What would have to change.
    pub would_need: Vec<String>,
}

impl Explanation {
    /// Renders a decision made from exactly these inputs.
    #[must_use]
    pub fn new(contract: &Contract, catalog: &Catalog, board: &Board, ask: &Ask, decision: &Decision) -> Self {
        Self {
            ask: ask_shown(ask, decision),
            pick: pick(decision),
            candidates: candidates(board, decision),
            refused: decision.refused.iter().map(|refused| shown(&refused.offer, &refused.reason)).collect(),
            n_not_wanted: decision.n_not_wanted,
            n_beyond: decision.n_beyond,
            waived: decision.waived.iter().map(|waiver| waiver.as_str()).collect(),
            escalation_exhausted: decision.escalation_exhausted,
            evidence: Evidence {
                contract: contract.digest().to_string(),
                catalog: catalog.digest().to_string(),
                board: board.digest().to_string(),
                seed: decision.seed,
                epsilon_ppm: decision.epsilon_ppm,
            },
        }
    }
}

/// Returns every offer that may not answer with every reason, also those nobody asked for.
#[must_use]
pub fn all_refusals(
    contract: &Contract,
    catalog: &Catalog,
    board: &Board,
    ask: &Ask,
    decision: &Decision,
    now: Timestamp,
) -> Vec<RefusedShown> {
    let ranked: HashSet<&str> = decision.ranked.iter().map(|ranked| &*ranked.offer.id).collect();
    let unlisted =
        decision.refused.iter().map(|refused| &refused.offer).filter(|offer| catalog.find(&offer.provider, &offer.native_id).is_none());
    let others = catalog.offers().iter().filter(|offer| !ranked.contains(&*offer.id)).chain(unlisted);
    let all = all_reasons((contract, catalog, board), ask, now, others);
    all.iter().flat_map(|(offer, reasons)| reasons.iter().map(|reason| shown(offer, reason))).collect()
}

/// Returns why one offer is not the pick; `None` if the catalog does not have it.
#[must_use]
pub fn why_not(
    contract: &Contract,
    catalog: &Catalog,
    board: &Board,
    ask: &Ask,
    decision: &Decision,
    now: Timestamp,
    id: &str,
) -> Option<WhyNot> {
    let (provider, native_id) = id.split_once('/')?;
    let offer = catalog.find(provider, native_id)?;
    let rank = decision.ranked.iter().position(|ranked| ranked.offer.id == offer.id);
    let reasons = match rank {
        Some(_) => Vec::new(),
        None => all_reasons((contract, catalog, board), ask, now, [offer]).remove(0).1,
    };
    let would_need = match rank {
        Some(0) => Vec::new(),
        Some(at) => vec![nearer(decision, at)],
        None if reasons.is_empty() => vec!["a place among the ranked offers that are kept (`admission.max_candidates`)".into()],
        None => reasons.iter().map(|reason| remedy(reason).to_owned()).collect(),
    };
    let reasons = reasons.iter().map(|reason| shown(offer, reason)).collect();
    Some(WhyNot { offer: offer.id.to_string(), rank: rank.map(|at| at + 1), reasons, would_need })
}

fn ask_shown(ask: &Ask, decision: &Decision) -> AskShown {
    let mut fields: BTreeMap<String, serde_json::Value> = serde_json::to_value(ask).and_then(serde_json::from_value).unwrap_or_default();
    for known in ["task", "task_source", "complexity_raw", "complexity"] {
        fields.remove(known);
    }
    AskShown {
        task: decision.task.to_string(),
        task_source: ask.task_source.clone(),
        complexity_raw: ask.complexity_raw,
        complexity: decision.complexity,
        ask: fields,
    }
}

fn pick(decision: &Decision) -> Option<Pick> {
    let pick = decision.pick()?;
    Some(Pick {
        offer: pick.offer.id.to_string(),
        model_id: pick.offer.model_id.to_string(),
        mode: decision.mode.as_str(),
        reason: decision.reason.as_str(),
        j_nano_usd: pick.j,
        propensity_ppb: decision.propensity_ppb,
        margin_nano_usd: decision.ranked.get(1).map(|second| second.j.saturating_sub(pick.j).get()),
    })
}

fn candidates(board: &Board, decision: &Decision) -> Vec<Candidate> {
    let cell = |offer: &Offer| board.standing(&offer.provider, &offer.model_id)?.tasks.get(&decision.task);
    let candidate = |(at, ranked): (usize, &crate::Ranked)| Candidate {
        propensity_ppb: ranked.propensity_ppb,
        success_between_ppm: ranked.posterior.interval_ppm(),
        evidence_at: cell(&ranked.offer).and_then(|cell| cell.last_at),
        drifted_at: cell(&ranked.offer).and_then(|cell| cell.drifted_at),
        rank: at + 1,
        offer: ranked.offer.id.to_string(),
        tier: ranked.offer.tier,
        strengths: ranked.offer.strengths.iter().map(ToString::to_string).collect(),
        context_tokens: ranked.offer.context_tokens,
        locality: ranked.offer.locality,
        price_state: ranked.offer.price_state,
        j_nano_usd: ranked.j,
        terms: ranked.terms,
    };
    decision.ranked.iter().enumerate().map(candidate).collect()
}

fn shown(offer: &Offer, reason: &RefusalReason) -> RefusedShown {
    RefusedShown { offer: offer.id.to_string(), reason: reason.code(), numbers: reason.numbers() }
}

fn nearer(decision: &Decision, at: usize) -> String {
    let (pick, offer) = (&decision.ranked[0], &decision.ranked[at]);
    let gap = offer.j.saturating_sub(pick.j);
    if gap <= NanoUsd::ZERO {
        return format!("a name instead of routing: a rule put {} before it", pick.offer.id);
    }
    format!("an expected cost until success lower by {gap}, to be below {}", pick.offer.id)
}

const fn remedy(reason: &RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NotWanted => "a model name, and a key's model set, that mean it",
        RefusalReason::Retired => "its id gone from `retired_ids`",
        RefusalReason::NotAdmitted => "its own name in the request, or `admission.mode: all`",
        RefusalReason::MissingCapability { .. } => "a request without that feature",
        RefusalReason::ContextTooSmall { .. } => "a shorter request or fewer output tokens",
        RefusalReason::ContextFloor { .. } => "a lower `context_floor_tokens` of the task",
        RefusalReason::ContextEscalated { .. } => "time, or shorter requests",
        RefusalReason::NoCredential => "a key: `vox secrets set`",
        RefusalReason::CredentialRejected => "another key: `vox secrets set`",
        RefusalReason::ProviderNetworkDisabled => "a policy profile with `provider_network`",
        RefusalReason::LocalModelHttpDisabled => "a policy profile with `local_model_http`",
        RefusalReason::PrivacyClass => "a request of a more open privacy class",
        RefusalReason::Offline => "vox to be online",
        RefusalReason::CircuitOpen { .. } | RefusalReason::CoolingDown { .. } => "time",
        RefusalReason::Penalised { .. } => "time, or `vox model penalties --clear`",
        RefusalReason::TierFloor { .. } => "a lower complexity, or a lower floor in `complexity.tier_floors`",
        RefusalReason::StrengthMismatch => "the task's strength among its own",
        RefusalReason::OverBudget { .. } => "a higher cost limit or fewer tokens",
        RefusalReason::PriceUnknown => "a known price, or no cost limit",
        RefusalReason::EconomyCeiling { .. } => "another preference than cost",
        RefusalReason::TooSlow { .. } => "a longer accepted wait",
    }
}

#[cfg(test)]
mod tests;
