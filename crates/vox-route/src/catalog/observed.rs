//! What providers were seen to charge, beside what their price lists say.
//!
//! A ratio scales what decisions and reservations expect; what a call cost is still computed from the list, because the
//! ratio itself is found by comparing the two.

use super::{Catalog, OVERRIDES, Offer, PriceState, Prices};
use crate::Contract;
use crate::contract::PricingRules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::Micros;

/// How many calls a ratio rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceConfidence {
    /// Some.
    Medium,
    /// Many.
    High,
}

/// What one offer was seen to charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Charged over computed, in millionths.
    pub ratio_ppm: u64,
    /// How sure that is.
    pub confidence: PriceConfidence,
}

impl PriceConfidence {
    /// Returns how sure an observed price is, by the calls that compare it with the list, or, where there is no list, by
    /// all calls that state a price and never much; `None` if it does not count.
    #[must_use]
    pub fn of(rules: &PricingRules, n_compared: i64, n_stated: i64) -> Option<Self> {
        let [medium, high] = [rules.medium_min_calls, rules.high_min_calls].map(i64::from);
        match n_compared {
            n if n >= high => Some(Self::High),
            n if n >= medium => Some(Self::Medium),
            0 if n_stated >= medium => Some(Self::Medium),
            _ => None,
        }
    }

    /// Returns the name used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

const ONE_PPM: u64 = 1_000_000;
/// A ratio beyond this is a mistake of somebody's, not a price.
const MOST_PPM: u64 = 100 * ONE_PPM;

impl Catalog {
    /// Returns the catalog with what was seen to be charged, by offer. A price that the user wrote down stays as it is, and
    /// so does an offer without known prices; a difference too small to matter is none. Provenance names the observation.
    #[must_use]
    pub fn observing(self, contract: &Contract, observed: &BTreeMap<Arc<str>, Observed>) -> Self {
        if observed.is_empty() {
            return self;
        }
        let least = contract.rules().pricing.ignore_below_ppm;
        let matters = |seen: &Observed| seen.ratio_ppm <= MOST_PPM && seen.ratio_ppm.abs_diff(ONE_PPM) >= least;
        let offers = self.offers.iter().map(|offer| match observed.get(&offer.id) {
            Some(seen) if may_be_observed(offer) && matters(seen) => observing(offer, *seen),
            _ => Offer::clone(offer),
        });
        Self::indexed(offers.collect())
    }
}

fn may_be_observed(offer: &Offer) -> bool {
    offer.price_state == PriceState::Known && offer.provenance.get("prices.input").is_none_or(|source| **source != *OVERRIDES)
}

fn observing(offer: &Offer, seen: Observed) -> Offer {
    let mut offer = Offer { observed: Some(seen), ..offer.clone() };
    for (class, _) in offer.prices.classes().into_iter().filter(|(_, price)| price.is_some()) {
        offer.provenance.insert(format!("prices.{class}").into(), "observed".into());
    }
    offer
}

impl Offer {
    /// Returns the prices that a decision expects to be charged: the list's, scaled by what was seen.
    #[must_use]
    pub fn expected_prices(&self) -> Prices {
        self.observed.map_or(self.prices, |seen| self.prices.scaled(seen.ratio_ppm))
    }

    /// Returns the prices for an upper bound: never below the list's.
    #[must_use]
    pub fn bounding_prices(&self) -> Prices {
        self.observed.map_or(self.prices, |seen| self.prices.scaled(seen.ratio_ppm.max(ONE_PPM)))
    }
}

impl Prices {
    fn scaled(mut self, ratio_ppm: u64) -> Self {
        for (_, price) in self.classes_mut() {
            if let Some(micros) = price {
                let scaled = i128::from(micros.get()) * i128::from(ratio_ppm);
                let rounded = (scaled + i128::from(ONE_PPM) / 2) / i128::from(ONE_PPM);
                *micros = Micros::new(i64::try_from(rounded).unwrap_or(i64::MAX));
            }
        }
        self
    }
}
