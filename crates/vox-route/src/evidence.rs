//! What verified outcomes and finished calls say about offers.
//!
//! [`Evidence`] is the running account, one unit after another; [`Standings`] are what a board takes from it at one
//! moment: a few whole numbers for each offer and task, from which the same [`Posterior`] follows on every machine. Which
//! outcomes count, and how much, is decided by whoever makes the units; nothing here reads a price or a clock.
//!
//! Success is a chain of Beta posteriors. What is believed of a tier is the prior of the offer over all tasks, that of the
//! offer on this task (the *cell*), and that of the cell for one caller. Each level shrinks towards the one above it by
//! the contract's pseudo-counts, and moves the point estimate only once it holds `evidence.min_units` units.

mod calls;
mod posterior;
mod standings;
mod tally;

use crate::contract::EvidenceRules;
use calls::Calls;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tally::{Cell, Tally};
use vox_base::Timestamp;

pub use calls::{Answered, CallSeen, CallStanding};
pub use posterior::{EvidenceLevel, Posterior};
pub use standings::{CellStanding, Level, Standing, Standings};

/// An offer as evidence knows it: the provider under its canonical name, and the model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferKey {
    /// The provider as statistics name it.
    pub provider: Arc<str>,
    /// The model whoever serves it.
    pub model_id: Arc<str>,
}

/// The share of one verified run or call that one offer has on one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Who did it.
    pub offer: OfferKey,
    /// The task category.
    pub task: Arc<str>,
    /// The key or project it was done for.
    pub caller: Option<Arc<str>>,
    /// What came out.
    pub success: bool,
    /// Weight of the source times the offer's share of the unit.
    pub weight_ppm: u32,
    /// When the outcome was observed.
    pub at: Timestamp,
}

/// Everything observed, one unit after another. Equal units in equal order give equal evidence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    offers: BTreeMap<OfferKey, OfferEvidence>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct OfferEvidence {
    all: Tally,
    tasks: BTreeMap<Arc<str>, Cell>,
    calls: Calls,
}

impl Evidence {
    /// Returns the evidence of these units, observed one after another.
    pub fn from_units<'a>(rules: &EvidenceRules, units: impl IntoIterator<Item = &'a Unit>) -> Self {
        let mut evidence = Self::default();
        units.into_iter().for_each(|unit| evidence.observe(rules, unit));
        evidence
    }

    /// Takes one unit in, in time that does not depend on how many came before.
    ///
    /// Each level's weight falls by `forget_per_unit` and with time, and the new unit is added at its full weight. A unit
    /// that arrives late counts as old as it is.
    pub fn observe(&mut self, rules: &EvidenceRules, unit: &Unit) {
        if unit.weight_ppm == 0 {
            return;
        }
        let offer = self.offers.entry(unit.offer.clone()).or_default();
        offer.all.observe(rules, unit);
        let reference = offer.all.mean();
        offer.tasks.entry(unit.task.clone()).or_default().observe(rules, unit, reference);
    }

    /// Takes one finished call in: whether it was answered, how fast, and how long. Says nothing about success.
    pub fn observe_call(&mut self, rules: &EvidenceRules, call: &CallSeen) {
        self.offers.entry(call.offer.clone()).or_default().calls.observe(rules, call);
    }

    /// Returns what a board takes from this at a moment.
    #[must_use]
    pub fn standings(&self, rules: &EvidenceRules, at: Timestamp) -> Standings {
        let mut standings = Standings::default();
        for (key, offer) in &self.offers {
            let tasks = offer.tasks.iter().map(|(task, cell)| (task.clone(), cell.standing(rules, at))).collect();
            let standing = Standing { all: offer.all.level(rules, at), tasks, calls: offer.calls.standing(rules, at) };
            standings.insert(key, standing);
        }
        standings
    }
}

#[cfg(test)]
mod tests;
