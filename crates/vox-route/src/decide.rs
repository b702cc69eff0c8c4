//! The one decision function: which offers may answer an ask, which of them first, and why not the others.
//!
//! `ask` is what is known about a request, `filter` what rules offers out, `score` what ranks the rest. The gateway
//! executes the value returned here and `explain` renders the same value; nothing else chooses a model.

mod ask;
mod draws;
mod explore;
mod filter;
mod outlook;
mod refusal;
mod score;
mod tiers;
mod wanted;

use crate::catalog::{Locality, Offer};
use crate::evidence::{EvidenceLevel, Posterior};
use crate::{Board, Catalog, Contract, Wanted};
use explore::Chance;
use filter::{Split, View};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vox_base::{NanoUsd, Timestamp};

pub use ask::{Ask, Exploring, Prefer, Session};
pub use explore::Account;
pub use filter::Waiver;
pub use refusal::{RefusalReason, no_offer};
pub use score::Terms;

/// Draws that decide whether a premium alias keeps its place.
const SWITCH_DRAWS: u32 = 256;
const CERTAIN_PPB: u64 = 1_000_000_000;

/// The outcome of one decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Offers that may answer, the pick first.
    pub ranked: Vec<Ranked>,
    /// Offers that were asked for and may not answer, in the order of their ids.
    pub refused: Vec<Refused>,
    /// How many other offers nobody asked for.
    pub n_not_wanted: usize,
    /// How many offers may answer but stand below the last one kept.
    pub n_beyond: usize,
    /// Filters lifted so that anything was left.
    pub waived: Vec<Waiver>,
    /// The caller keeps filling contexts, and there is no larger one.
    pub escalation_exhausted: bool,
    /// In which way the pick was made.
    pub mode: Mode,
    /// Why the pick is the pick.
    pub reason: PickReason,
    /// The task category that counted.
    pub task: Arc<str>,
    /// The complexity that counted.
    pub complexity: u8,
    /// The seed it was made with.
    pub seed: u64,
    /// How likely the pick was, in parts per billion.
    pub propensity_ppb: u64,
    /// How much was left to chance.
    pub epsilon_ppm: u32,
    /// What an explored pick is believed to cost beyond the leader, by all evidence.
    pub debt: NanoUsd,
    /// Whether anything might have been left to chance: so is its leader's cost part of what exploration may lose.
    pub open_to_exploration: bool,
}

/// An offer that may answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The offer.
    pub offer: Arc<Offer>,
    /// Expected cost until a success; lower is better.
    pub j: NanoUsd,
    /// What that is made of.
    pub terms: Terms,
    /// What is believed about its success, and how firmly.
    pub posterior: Posterior,
    /// How likely it was to be the pick, in parts per billion.
    pub propensity_ppb: u64,
}

/// An offer that may not answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The offer.
    pub offer: Arc<Offer>,
    /// The first reason against it, in the order of the filters.
    pub reason: RefusalReason,
}

/// In which way a pick was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By score.
    Scored,
    /// By the premium alias of the task.
    Premium,
    /// By a name that skips routing.
    Forced,
    /// By a name.
    Explicit,
    /// By chance, to learn.
    Explored,
}

/// Why the pick is the pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PickReason {
    /// It has the lowest expected cost until a success.
    LowestExpectedCost,
    /// It is the one that may answer.
    OnlyOffer,
    /// The task is demanding and this is its premium alias.
    PremiumAlias,
    /// The caller forced it.
    Forced,
    /// The caller named it.
    Explicit,
    /// Too little is known about it.
    Explored,
    /// Nothing may answer.
    NoOffer,
}

/// Decides. Equal inputs give an equal decision, whatever the order in which a catalog was filled.
#[must_use]
pub fn decide(contract: &Contract, catalog: &Catalog, board: &Board, ask: &Ask, now: Timestamp, seed: u64) -> Decision {
    let view = View::new(contract, board, ask, now);
    let wanted = wanted::wanted(contract, catalog, board, &view);
    let split = part(&view, &wanted);
    let mut ranked = score::rank(&view, &split.open);
    let (mode, reason) = pick(&view, &wanted, &mut ranked, seed);
    score::order_fallbacks(&view, &mut ranked);
    let kept = contract.rules().admission.max_candidates.min(ranked.len());
    let n_beyond = ranked.len() - kept;
    ranked.truncate(kept);
    if let Some(pick) = ranked.first_mut() {
        pick.propensity_ppb = CERTAIN_PPB;
    }
    let open_to_exploration = explore::is_open(&view, mode, ranked.len());
    let chance = if open_to_exploration { explore::explore(&view, &mut ranked, score::failing(&view), seed) } else { Chance::NONE };
    let (mode, reason) = explore::after(chance, mode, reason);
    Decision {
        refused: split.refused,
        n_not_wanted: wanted.n_others,
        n_beyond,
        waived: split.waived,
        escalation_exhausted: split.escalation_exhausted,
        mode,
        reason,
        task: view.task_name,
        complexity: view.complexity,
        seed,
        propensity_ppb: ranked.first().map_or(CERTAIN_PPB, |pick| pick.propensity_ppb),
        epsilon_ppm: chance.epsilon_ppm,
        debt: chance.debt,
        open_to_exploration,
        ranked,
    }
}

/// Returns every reason against each of these offers, in the order of the filters; none for an offer that may answer.
#[must_use]
pub fn all_reasons<'o>(
    (contract, catalog, board): (&Contract, &Catalog, &Board),
    ask: &Ask,
    now: Timestamp,
    offers: impl IntoIterator<Item = &'o Arc<Offer>>,
) -> Vec<(&'o Arc<Offer>, Vec<RefusalReason>)> {
    let view = View::new(contract, board, ask, now);
    let wanted = wanted::wanted(contract, catalog, board, &view);
    let reasons = |offer: &Offer| if wanted.holds(offer) { view.reasons(offer).collect() } else { vec![wanted.why_not(offer)] };
    offers.into_iter().map(|offer| (offer, reasons(offer))).collect()
}

/// Parts the wanted offers into those that may answer and those that may not.
fn part(view: &View, wanted: &wanted::WantedOffers) -> Split {
    let Some(named) = wanted.named.as_ref().filter(|_| wanted.offers.len() > 1) else {
        return view.split_lifting(&wanted.offers);
    };
    // Who names a model has decided that it is good enough; the others must still be as good as the task wants.
    let mut split = view.split_lifting(std::slice::from_ref(named));
    let others: Vec<Arc<Offer>> = wanted.offers.iter().filter(|offer| offer.id != named.id).cloned().collect();
    let (more_open, more_refused) = view.split(&others, &[], true);
    split.open.extend(more_open);
    split.refused.extend(more_refused);
    split.refused.sort_by(|a, b| a.offer.id.cmp(&b.offer.id));
    split
}

/// Moves what outranks the score to the front and says why it did.
fn pick(view: &View, wanted: &wanted::WantedOffers, ranked: &mut [Ranked], seed: u64) -> (Mode, PickReason) {
    let mode = match view.ask.wanted {
        _ if view.ask.forced => Mode::Forced,
        Wanted::Explicit { .. } => Mode::Explicit,
        _ => Mode::Scored,
    };
    if ranked.is_empty() {
        return (mode, PickReason::NoOffer);
    }
    if let Some(named) = &wanted.named {
        if let Some(at) = ranked.iter().position(|ranked| ranked.offer.id == named.id) {
            ranked[..=at].rotate_right(1);
        }
        return (mode, if mode == Mode::Forced { PickReason::Forced } else { PickReason::Explicit });
    }
    if wanted.open_to_premium
        && let Some(at) = premium(view, ranked, seed)
    {
        ranked[..=at].rotate_right(1);
        return (Mode::Premium, PickReason::PremiumAlias);
    }
    (mode, if ranked.len() == 1 { PickReason::OnlyOffer } else { PickReason::LowestExpectedCost })
}

/// Returns the place of the task's premium alias, if the task is demanding, the alias may answer, and evidence does not
/// say that the best of the others is better.
fn premium(view: &View, ranked: &[Ranked], seed: u64) -> Option<usize> {
    let rules = view.contract.rules();
    if view.complexity < rules.scoring.premium_min_complexity {
        return None;
    }
    let model_id = rules.premium_alias.get(view.task.premium_key.as_ref()?)?;
    let at = ranked.iter().position(|ranked| *ranked.offer.model_id == **model_id)?;
    // Who prefers local engines gets the premium model only if it is one.
    let far =
        view.ask.prefer == Prefer::Local && ranked[0].offer.locality == Locality::Local && ranked[at].offer.locality != Locality::Local;
    (!far && !dethroned(view, ranked, at, seed)).then_some(at)
}

/// Returns whether the first in rank costs less until a success than the alias in enough draws, one of them being known.
fn dethroned(view: &View, ranked: &[Ranked], alias: usize, seed: u64) -> bool {
    let rules = view.contract.rules();
    let known = |ranked: &Ranked| ranked.posterior.level > EvidenceLevel::Prior;
    if alias == 0 || !(known(&ranked[0]) || known(&ranked[alias])) {
        return false;
    }
    let two = [ranked[0].clone(), ranked[alias].clone()];
    let wins = draws::wins(&two, score::failing(view), SWITCH_DRAWS, seed);
    u64::from(wins[0]) * 1_000_000 >= u64::from(SWITCH_DRAWS) * u64::from(rules.scoring.switch_confidence_ppm)
}

impl Decision {
    /// Returns the pick, or `None` if nothing may answer.
    #[must_use]
    pub fn pick(&self) -> Option<&Ranked> {
        self.ranked.first()
    }

    /// Returns whether another offer may be tried when the pick fails.
    #[must_use]
    pub const fn may_fall_back(&self) -> bool {
        self.ranked.len() > 1
    }
}

impl Mode {
    /// Returns the name used in rows and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::Premium => "premium",
            Self::Forced => "forced",
            Self::Explicit => "explicit",
            Self::Explored => "explored",
        }
    }
}

impl PickReason {
    /// Returns the name used in rows and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LowestExpectedCost => "lowest_expected_cost",
            Self::OnlyOffer => "only_offer",
            Self::PremiumAlias => "premium_alias",
            Self::Forced => "forced",
            Self::Explicit => "explicit",
            Self::Explored => "explored",
            Self::NoOffer => "no_offer",
        }
    }
}

#[cfg(test)]
mod tests;
