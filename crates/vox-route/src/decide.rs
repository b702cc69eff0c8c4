//! The one decision function: which offers may answer an ask, which of them first, and why not the others.
//!
//! `ask` is what is known about a request, `filter` what rules offers out, `score` what ranks the rest. The gateway
//! executes the value returned here and `explain` renders the same value; nothing else chooses a model.

mod ask;
mod filter;
mod refusal;
mod score;
mod wanted;

use crate::catalog::{Locality, Offer};
use crate::evidence::Posterior;
use crate::{Board, Catalog, Contract, Wanted};
use filter::View;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vox_base::{NanoUsd, Timestamp};

pub use ask::{Ask, Exploring, Prefer, Session};
pub use filter::Waiver;
pub use refusal::{RefusalReason, no_offer};
pub use score::Terms;

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
    /// Nothing may answer.
    NoOffer,
}

/// Decides. Equal inputs give an equal decision, whatever the order in which a catalog was filled.
#[must_use]
pub fn decide(contract: &Contract, catalog: &Catalog, board: &Board, ask: &Ask, now: Timestamp, seed: u64) -> Decision {
    let view = View::new(contract, board, ask, now);
    let wanted = wanted::wanted(contract, catalog, board, &view);
    let (open, refused, waived) = part(&view, &wanted);
    let mut ranked = score::rank(&view, &open);
    let (mode, reason) = pick(&view, &wanted, &mut ranked);
    score::order_fallbacks(&view, &mut ranked);
    let kept = contract.rules().admission.max_candidates.min(ranked.len());
    let n_beyond = ranked.len() - kept;
    ranked.truncate(kept);
    Decision {
        ranked,
        refused,
        n_not_wanted: wanted.n_others,
        n_beyond,
        waived,
        mode,
        reason,
        task: view.task_name,
        complexity: view.complexity,
        seed,
        propensity_ppb: 1_000_000_000,
        epsilon_ppm: 0,
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
fn part(view: &View, wanted: &wanted::WantedOffers) -> (Vec<Arc<Offer>>, Vec<Refused>, Vec<Waiver>) {
    let Some(named) = wanted.named.as_ref().filter(|_| wanted.offers.len() > 1) else {
        return view.split_lifting(&wanted.offers);
    };
    // Who names a model has decided that it is good enough; the others must still be as good as the task wants.
    let (mut open, mut refused, waived) = view.split_lifting(std::slice::from_ref(named));
    let others: Vec<Arc<Offer>> = wanted.offers.iter().filter(|offer| offer.id != named.id).cloned().collect();
    let (more_open, more_refused) = view.split(&others, &[]);
    open.extend(more_open);
    refused.extend(more_refused);
    refused.sort_by(|a, b| a.offer.id.cmp(&b.offer.id));
    (open, refused, waived)
}

/// Moves what outranks the score to the front and says why it did.
fn pick(view: &View, wanted: &wanted::WantedOffers, ranked: &mut [Ranked]) -> (Mode, PickReason) {
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
        && let Some(at) = premium(view, ranked)
    {
        ranked[..=at].rotate_right(1);
        return (Mode::Premium, PickReason::PremiumAlias);
    }
    (mode, if ranked.len() == 1 { PickReason::OnlyOffer } else { PickReason::LowestExpectedCost })
}

/// Returns the place of the task's premium alias, if the task is demanding and the alias may answer.
fn premium(view: &View, ranked: &[Ranked]) -> Option<usize> {
    let rules = view.contract.rules();
    if view.complexity < rules.scoring.premium_min_complexity {
        return None;
    }
    let model_id = rules.premium_alias.get(view.task.premium_key.as_ref()?)?;
    let at = ranked.iter().position(|ranked| *ranked.offer.model_id == **model_id)?;
    // Who prefers local engines gets the premium model only if it is one.
    let far =
        view.ask.prefer == Prefer::Local && ranked[0].offer.locality == Locality::Local && ranked[at].offer.locality != Locality::Local;
    (!far).then_some(at)
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
            Self::NoOffer => "no_offer",
        }
    }
}

#[cfg(test)]
mod tests;
