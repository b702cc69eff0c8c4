//! Filters 2 to 12: each returns the reason against one offer, in a fixed order; the first one is recorded.

use super::outlook::Outlook;
use super::{Ask, RefusalReason, Refused, score};
use crate::board::{Credential, Escalation, Health, ProviderState};
use crate::catalog::{Locality, Offer, PriceState};
use crate::contract::{Profile, TaskRules};
use crate::decide::Prefer;
use crate::evidence::{EvidenceLevel, Posterior, Standing};
use crate::name::fits;
use crate::{Board, Contract, Wanted, price};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::{NanoUsd, Timestamp};

/// A filter that may be lifted when nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Waiver {
    /// A penalty for giving up.
    Penalty,
    /// The task's strength.
    Strength,
    /// The task's context floor.
    ContextFloor,
    /// The tier floor of the complexity.
    TierFloor,
}

/// What one decision looks at: its inputs, and what follows from them for every offer.
pub(super) struct View<'a> {
    pub(super) contract: &'a Contract,
    pub(super) board: &'a Board,
    pub(super) ask: &'a Ask,
    pub(super) now: Timestamp,
    pub(super) task_name: Arc<str>,
    pub(super) task: &'a TaskRules,
    pub(super) complexity: u8,
    profile: Profile,
    ceiling: NanoUsd,
    /// Only offers with more context than this: the caller keeps filling smaller ones.
    above_tokens: Option<u64>,
}

/// Offers parted into those that may answer and those that may not.
#[derive(Default)]
pub(super) struct Split {
    pub(super) open: Vec<Arc<Offer>>,
    pub(super) refused: Vec<Refused>,
    /// Filters lifted so that anything was left.
    pub(super) waived: Vec<Waiver>,
    /// The caller should have had a larger context, and there is none.
    pub(super) escalation_exhausted: bool,
}

/// An offer with what the board says about its provider.
struct Seen<'a> {
    offer: &'a Offer,
    provider: Option<&'a ProviderState>,
}

/// What the board says about the provider of a run of offers. Offers of one provider share its name and often stand
/// together, so that it is looked up once.
#[derive(Default)]
pub(super) struct Run<'a> {
    provider: Option<&'a Arc<str>>,
    models: Option<&'a BTreeMap<Arc<str>, Standing>>,
}

/// The filters in the order of the specification.
const FILTERS: [fn(&View, &Seen) -> Option<RefusalReason>; 14] = [
    |view, seen| view.retired(seen.offer),
    |view, seen| view.capability(seen.offer),
    |view, seen| view.context(seen.offer),
    |view, seen| view.context_floor(seen.offer),
    |view, seen| view.escalated(seen.offer),
    |view, seen| view.credential(seen),
    |view, seen| view.policy(seen.offer),
    |view, seen| view.privacy(seen),
    |view, seen| view.health(seen),
    |view, seen| view.tier(seen.offer),
    |view, seen| view.strength(seen.offer),
    |view, seen| view.penalised(seen.offer),
    |view, seen| view.money(seen.offer),
    |view, seen| view.latency(seen.offer),
];

impl<'a> View<'a> {
    pub(super) fn new(contract: &'a Contract, board: &'a Board, ask: &'a Ask, now: Timestamp) -> Self {
        let rules = contract.rules();
        let task_name = task_name(contract, ask);
        let profile = ask.profile.as_deref().unwrap_or(&rules.policy.default_profile);
        // An unknown profile allows nothing: whoever names it meant to restrict something.
        let closed = Profile { provider_network: false, local_model_http: false };
        let escalated = |escalation: &&Escalation| {
            escalation.until > now && *escalation.task == *task_name && escalation.caller.as_deref() == ask.caller.as_deref()
        };
        Self {
            contract,
            board,
            ask,
            now,
            above_tokens: board.state().escalations.iter().filter(escalated).map(|escalation| escalation.above_tokens).max(),
            task_name: task_name.into(),
            task: &rules.tasks[task_name],
            complexity: ask.complexity.clamp(rules.complexity.min, rules.complexity.max),
            profile: rules.policy.profiles.get(profile).copied().unwrap_or(closed),
            ceiling: ask.ceiling.map_or(contract.safety_ceiling(), |ceiling| ceiling.min(contract.safety_ceiling())),
        }
    }

    /// Returns whether the caller's key may use this offer.
    pub(super) fn allowed(&self, offer: &Offer) -> bool {
        self.ask.models_allowed.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| offer.matches(pattern)))
    }

    /// Returns what is known about an offer.
    pub(super) fn standing<'o>(&'o self, offer: &'o Offer, run: &mut Run<'o>) -> Option<&'o Standing> {
        let standings = &self.board.state().standings;
        if standings.is_empty() {
            return None;
        }
        if run.provider.is_none_or(|provider| !Arc::ptr_eq(provider, &offer.provider)) {
            run.provider = Some(&offer.provider);
            run.models = standings.provider(self.board.canonical(&offer.provider));
        }
        run.models?.get(&offer.model_id)
    }

    /// Returns every reason against an offer.
    pub(super) fn reasons<'o>(&'o self, offer: &'o Offer) -> impl Iterator<Item = RefusalReason> + 'o {
        self.reasons_seen(Seen { offer, provider: self.board.provider(&offer.provider) })
    }

    fn reasons_seen<'o>(&'o self, seen: Seen<'o>) -> impl Iterator<Item = RefusalReason> + 'o {
        FILTERS.iter().filter_map(move |filter| filter(self, &seen))
    }

    /// Parts offers into those that may answer and those that may not, with some filters lifted.
    pub(super) fn split(&self, offers: &[Arc<Offer>], lifted: &[Waiver], escalated: bool) -> (Vec<Arc<Offer>>, Vec<Refused>) {
        let mut open = Vec::with_capacity(offers.len());
        let mut refused = Vec::new();
        let mut last: Option<(&Arc<str>, Option<&ProviderState>)> = None;
        for offer in offers {
            // Offers of one provider stand together and share its name, so it is looked up once.
            let provider = match last {
                Some((name, state)) if Arc::ptr_eq(name, &offer.provider) => state,
                _ => self.board.provider(&offer.provider),
            };
            last = Some((&offer.provider, provider));
            let holds = |reason: &RefusalReason| match reason {
                RefusalReason::ContextEscalated { .. } => escalated,
                _ => reason.waiver().is_none_or(|waiver| !lifted.contains(&waiver)),
            };
            match self.reasons_seen(Seen { offer, provider }).find(holds) {
                None => open.push(offer.clone()),
                Some(reason) => refused.push(Refused { offer: offer.clone(), reason }),
            }
        }
        (open, refused)
    }

    /// Parts offers, lifting filters one after another until something is left: first a larger context than there is, then
    /// those of the waiver order. Also returns the lifted filters that mattered for it.
    pub(super) fn split_lifting(&self, offers: &[Arc<Offer>]) -> Split {
        let order = &self.contract.rules().waiver_order;
        let mut split = Split::default();
        for escalated in [true, false].into_iter().skip(usize::from(self.above_tokens.is_none())) {
            for n_lifted in 0..=order.len() {
                let lifted = &order[..n_lifted];
                (split.open, split.refused) = self.split(offers, lifted, escalated);
                if !split.open.is_empty() {
                    let reasons = || split.open.iter().flat_map(|offer| self.reasons(offer));
                    split.waived =
                        lifted.iter().filter(|waiver| reasons().any(|reason| reason.waiver() == Some(**waiver))).copied().collect();
                    split.escalation_exhausted = self.above_tokens.is_some() && !escalated;
                    return split;
                }
            }
        }
        split
    }

    /// Returns the longest answer to make room and money for.
    pub(super) fn output_tokens(&self) -> u64 {
        self.ask.max_output_tokens.unwrap_or(self.contract.rules().context.output_reserve_tokens)
    }

    fn retired(&self, offer: &Offer) -> Option<RefusalReason> {
        let retired = &self.contract.rules().retired_ids;
        retired.iter().any(|id| fits(id, &offer.model_id) || fits(id, &offer.id)).then_some(RefusalReason::Retired)
    }

    fn capability(&self, offer: &Offer) -> Option<RefusalReason> {
        // What nobody stated may well be there; a refusal needs a list that leaves it out.
        let capability = self.ask.needs.first_missing_in(offer.capabilities?)?;
        Some(RefusalReason::MissingCapability { capability })
    }

    fn context(&self, offer: &Offer) -> Option<RefusalReason> {
        let available_tokens = offer.context_tokens?;
        let needed_tokens = self.ask.input_tokens.saturating_add(self.output_tokens());
        (needed_tokens > available_tokens).then_some(RefusalReason::ContextTooSmall { needed_tokens, available_tokens })
    }

    fn context_floor(&self, offer: &Offer) -> Option<RefusalReason> {
        let floor_tokens = self.task.context_floor_tokens;
        (offer.context_tokens.unwrap_or(0) < floor_tokens)
            .then_some(RefusalReason::ContextFloor { floor_tokens, available_tokens: offer.context_tokens })
    }

    fn escalated(&self, offer: &Offer) -> Option<RefusalReason> {
        let above_tokens = self.above_tokens?;
        let available_tokens = offer.context_tokens;
        available_tokens
            .is_none_or(|tokens| tokens <= above_tokens)
            .then_some(RefusalReason::ContextEscalated { above_tokens, available_tokens })
    }

    fn penalised(&self, offer: &Offer) -> Option<RefusalReason> {
        let penalties = &self.board.state().penalties;
        if penalties.is_empty() {
            return None;
        }
        let provider = self.board.canonical(&offer.provider);
        let until = penalties
            .iter()
            .filter(|penalty| {
                penalty.task == self.task_name && penalty.offer.model_id == offer.model_id && *penalty.offer.provider == *provider
            })
            .map(|penalty| penalty.until)
            .max()?;
        (until > self.now).then_some(RefusalReason::Penalised { until })
    }

    fn credential(&self, seen: &Seen) -> Option<RefusalReason> {
        match seen.provider.map(|provider| provider.credential) {
            Some(Credential::Present | Credential::NotNeeded) => None,
            Some(Credential::Rejected) => Some(RefusalReason::CredentialRejected),
            Some(Credential::Missing) | None => Some(RefusalReason::NoCredential),
        }
    }

    fn policy(&self, offer: &Offer) -> Option<RefusalReason> {
        match offer.locality {
            Locality::Remote if !self.profile.provider_network => Some(RefusalReason::ProviderNetworkDisabled),
            Locality::Local if !self.profile.local_model_http => Some(RefusalReason::LocalModelHttpDisabled),
            Locality::Remote if self.ask.offline => Some(RefusalReason::Offline),
            _ => None,
        }
    }

    fn privacy(&self, seen: &Seen) -> Option<RefusalReason> {
        (seen.provider?.privacy > self.ask.privacy).then_some(RefusalReason::PrivacyClass)
    }

    fn health(&self, seen: &Seen) -> Option<RefusalReason> {
        let provider = seen.provider.map_or(Health::Ok, |provider| provider.health);
        [provider, self.board.offer(&seen.offer.id)].into_iter().find_map(|health| match health {
            Health::CircuitOpen { until } if until > self.now => Some(RefusalReason::CircuitOpen { until }),
            Health::CoolingDown { until } if until > self.now => Some(RefusalReason::CoolingDown { until }),
            _ => None,
        })
    }

    fn tier(&self, offer: &Offer) -> Option<RefusalReason> {
        let rank = self.contract.tier_rank(offer.tier);
        let floors = self.contract.rules().complexity.tier_floors.iter().filter(|floor| self.complexity >= floor.min_complexity);
        let floor = floors.map(|floor| floor.min_tier).find(|floor| rank < self.contract.tier_rank(*floor))?;
        (!self.has_proven_itself(offer)).then_some(RefusalReason::TierFloor { floor, tier: offer.tier })
    }

    /// Returns whether evidence of the task lifts an offer above its tier.
    fn has_proven_itself(&self, offer: &Offer) -> bool {
        let rules = self.contract.rules();
        let standing = self.standing(offer, &mut Run::default());
        if standing.is_none() {
            return false;
        }
        let prior_ppm = score::prior_ppm(self, offer);
        let caller = self.ask.caller.as_deref();
        let posterior = Posterior::new(&rules.evidence, &rules.priors.pseudo_counts, prior_ppm, standing, &self.task_name, caller);
        posterior.level >= EvidenceLevel::Cell && posterior.interval_ppm().0 >= rules.complexity.evidence_lift_ppm
    }

    /// Returns whether an offer is tagged with the task's strength.
    pub(super) fn has_strength(&self, offer: &Offer) -> bool {
        offer.strengths.iter().any(|strength| **strength == *self.task.strength)
    }

    fn strength(&self, offer: &Offer) -> Option<RefusalReason> {
        let fits = self.has_strength(offer) || offer.strengths.iter().any(|strength| **strength == *"generalist");
        (!fits).then_some(RefusalReason::StrengthMismatch)
    }

    fn money(&self, offer: &Offer) -> Option<RefusalReason> {
        if offer.price_state == PriceState::Free {
            return None;
        }
        let thrifty = self.ask.prefer == Prefer::Cost;
        let output_tokens = self.output_tokens().min(offer.max_output_tokens.unwrap_or(u64::MAX));
        let Some(bound) = price::upper_bound(&offer.bounding_prices(), self.ask.input_tokens, output_tokens) else {
            let capped = self.ask.ceiling.is_some() || thrifty || !self.ask.allow_unpriced;
            return capped.then_some(RefusalReason::PriceUnknown);
        };
        if bound > self.ceiling {
            return Some(RefusalReason::OverBudget { bound, ceiling: self.ceiling });
        }
        let ceiling = self.contract.rules().economy_ceiling_micros_per_mtok;
        let price = offer.blended_price().filter(|price| thrifty && *price > ceiling)?;
        Some(RefusalReason::EconomyCeiling { price, ceiling })
    }

    fn latency(&self, offer: &Offer) -> Option<RefusalReason> {
        // An unknown time passes; the explanation shows that nobody stated it.
        let max_ms = self.ask.max_latency_ms?;
        let calls = self.standing(offer, &mut Run::default()).and_then(|standing| standing.calls.as_ref());
        let p50_ms = Outlook::known_latency_ms(self, offer, calls)?;
        (p50_ms > max_ms).then_some(RefusalReason::TooSlow { p50_ms, max_ms })
    }
}

/// Returns the category that counts: what a header or flag states, the model name, an alias, the default.
fn task_name<'a>(contract: &'a Contract, ask: &'a Ask) -> &'a str {
    let rules = contract.rules();
    let named = match &ask.wanted {
        Wanted::Auto { task } => task.as_deref(),
        Wanted::Alias(alias) => rules.aliases.get(alias).and_then(|target| target.strip_prefix("task:")),
        _ => None,
    };
    let known = |name: &&str| rules.tasks.contains_key(*name);
    ask.task.as_deref().filter(known).or(named.filter(known)).unwrap_or(&rules.default_task)
}

impl RefusalReason {
    /// Returns the filter whose lifting lets this offer through.
    pub(super) const fn waiver(&self) -> Option<Waiver> {
        match self {
            Self::Penalised { .. } => Some(Waiver::Penalty),
            Self::StrengthMismatch => Some(Waiver::Strength),
            Self::ContextFloor { .. } => Some(Waiver::ContextFloor),
            Self::TierFloor { .. } => Some(Waiver::TierFloor),
            _ => None,
        }
    }
}

impl Waiver {
    /// Returns the name used in the contract and in explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Penalty => "penalty",
            Self::Strength => "strength",
            Self::ContextFloor => "context_floor",
            Self::TierFloor => "tier_floor",
        }
    }
}
