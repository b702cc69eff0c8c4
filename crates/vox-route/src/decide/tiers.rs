//! What is believed of a tier, corrected by those of it that have proven themselves on the task.
//!
//! A gate of thirty units keeps an offer at what is believed of its tier for long. Where that is wrong, it is wrong for
//! the whole tier, and one offer after another would be paid for to find out. So each offer past the gate moves the prior
//! of the *others* in its tier by what it turned out to be beyond its own, as much as a few units would. Its own prior
//! stays what it was: its units speak for themselves.

use super::filter::View;
use super::score::prior_ppm;
use crate::catalog::{Offer, Tier};
use crate::evidence::Standing;
use std::sync::Arc;

const MILLION: u64 = 1_000_000;
const LEAST_PPM: i64 = 10_000;
const MOST_PPM: i64 = 990_000;

/// An offer with what the contract believes of it and what is known of it.
pub(super) struct Prior<'a> {
    offer: &'a Arc<Offer>,
    pub(super) standing: Option<&'a Standing>,
    contract_ppm: i64,
    /// What it turned out to be beyond that, if it is past the gate.
    surprise_ppm: Option<i64>,
}

/// Surprises of one tier.
#[derive(Default, Clone, Copy)]
struct Surprises {
    sum_ppm: i64,
    n_offers: i64,
}

/// What is believed of each of some offers before its own units speak.
pub(super) struct Tiers<'a> {
    pub(super) priors: Vec<Prior<'a>>,
    by_tier: [Surprises; Tier::ALL.len()],
    pseudo: i64,
}

impl<'a> Tiers<'a> {
    pub(super) fn new(view: &View, offers: impl Iterator<Item = (&'a Arc<Offer>, Option<&'a Standing>)>) -> Self {
        let prior = |(offer, standing): (&'a Arc<Offer>, Option<&'a Standing>)| {
            let contract_ppm = i64::from(prior_ppm(view, offer));
            let surprise_ppm = standing.and_then(|standing| proven_ppm(view, standing)).map(|proven| proven - contract_ppm);
            Prior { offer, standing, contract_ppm, surprise_ppm }
        };
        let priors: Vec<Prior> = offers.map(prior).collect();
        let mut by_tier = [Surprises::default(); Tier::ALL.len()];
        for prior in &priors {
            if let Some(surprise_ppm) = prior.surprise_ppm {
                let tier = &mut by_tier[prior.offer.tier as usize];
                tier.sum_ppm += surprise_ppm;
                tier.n_offers += 1;
            }
        }
        Self { priors, by_tier, pseudo: i64::from(view.contract.rules().priors.pseudo_counts.global) }
    }

    /// Returns the prior of one offer: each proven sibling weighs half as much as the tier's own prior.
    pub(super) fn prior_ppm(&self, prior: &Prior) -> u32 {
        let mut siblings = self.by_tier[prior.offer.tier as usize];
        if let Some(own_ppm) = prior.surprise_ppm {
            siblings.sum_ppm -= own_ppm;
            siblings.n_offers -= 1;
        }
        let corrected_ppm = prior.contract_ppm + self.pseudo * siblings.sum_ppm / (2 * self.pseudo + self.pseudo * siblings.n_offers);
        if siblings.n_offers == 0 { prior.contract_ppm as u32 } else { corrected_ppm.clamp(LEAST_PPM, MOST_PPM) as u32 }
    }
}

/// Returns the share of successes of a cell past the gate.
fn proven_ppm(view: &View, standing: &Standing) -> Option<i64> {
    let cell = standing.tasks.get(&view.task_name).filter(|cell| cell.is_past_gate(&view.contract.rules().evidence))?;
    let all_milli = cell.all.success_milli + cell.all.failure_milli;
    (cell.all.success_milli * MILLION).checked_div(all_milli).and_then(|ppm| i64::try_from(ppm).ok())
}
