//! From standings to what is believed about success.

use super::{CellStanding, Level, Standing};
use crate::contract::{EvidenceRules, PseudoCounts};
use crate::math::{exp, log_odds};
use serde::{Deserialize, Serialize};

const MILLION: u64 = 1_000_000;
const HALF: u64 = 2;
/// Eight of ten draws of a normal variable are within this many deviations of its mean.
const EIGHT_OF_TEN: f64 = 1.281_551_565_544_600_5;

/// What is believed about the success of one offer on one task for one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posterior {
    /// The point estimate: what counts in a score. Only levels past the gate have moved it.
    pub mean_ppm: u32,
    /// The deepest level that moved it.
    pub level: EvidenceLevel,
    /// Units at that level; 0 if nothing but the prior speaks.
    pub n_units: u32,
    /// Units of the offer over all tasks, past the gate or not.
    pub n_offer_units: u32,
    /// Pseudo-counts of success in thousandths, of everything known, gate or not: what draws are made from.
    pub alpha_milli: u64,
    /// Pseudo-counts of failure in thousandths.
    pub beta_milli: u64,
}

/// The deepest level that moved an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceLevel {
    /// None: what is believed of its tier.
    #[default]
    Prior,
    /// The offer over all tasks.
    Offer,
    /// The offer on this task.
    Cell,
    /// The offer on this task for this caller.
    Caller,
}

impl Posterior {
    /// Returns what is believed on top of a prior.
    #[must_use]
    pub fn new(
        rules: &EvidenceRules,
        pseudo: &PseudoCounts,
        prior_ppm: u32,
        standing: Option<&Standing>,
        task: &str,
        caller: Option<&str>,
    ) -> Self {
        let mut chain = Chain::begin(prior_ppm, pseudo.task);
        let Some(standing) = standing.filter(|standing| standing.all.n_units > 0) else { return chain.end() };
        chain.posterior.n_offer_units = standing.all.n_units;
        chain.level(EvidenceLevel::Offer, pseudo.global, &standing.all, standing.speaks_for_all_tasks(rules));
        chain.spread(pseudo.task);
        let Some(cell) = standing.tasks.get(task) else { return chain.end() };
        chain.level(EvidenceLevel::Cell, pseudo.task, &cell.all, cell.is_past_gate(rules));
        if let Some(level) = caller.and_then(|caller| cell.callers.get(caller)) {
            chain.level(EvidenceLevel::Caller, pseudo.caller, level, level.n_units >= rules.min_units);
        }
        chain.end()
    }

    /// Returns what everything known says, gate or not.
    #[must_use]
    pub fn believed_ppm(&self) -> u32 {
        let all_milli = self.alpha_milli + self.beta_milli;
        (self.alpha_milli * MILLION).checked_div(all_milli).map_or(self.mean_ppm, |ppm| ppm as u32)
    }

    /// Returns the bounds between which success lies with eight chances of ten.
    #[must_use]
    pub fn interval_ppm(&self) -> (u32, u32) {
        let (mean, deviation) = self.log_odds();
        let share = |log_odds: f64| (1e6 / (1.0 + exp(-log_odds))).round_ties_even() as u32;
        (share(mean - EIGHT_OF_TEN * deviation), share(mean + EIGHT_OF_TEN * deviation))
    }

    /// Returns mean and standard deviation of the log-odds of success.
    pub(crate) fn log_odds(&self) -> (f64, f64) {
        log_odds(self.alpha_milli as f64 / 1000.0, self.beta_milli as f64 / 1000.0)
    }
}

/// Estimates from the prior downwards: one that the gate lets move, and one of everything.
struct Chain {
    posterior: Posterior,
    /// Mean of everything known so far, in parts per million.
    free_ppm: u64,
}

impl Chain {
    fn begin(prior_ppm: u32, pseudo: u32) -> Self {
        let posterior =
            Posterior { mean_ppm: prior_ppm, level: EvidenceLevel::Prior, n_units: 0, n_offer_units: 0, alpha_milli: 0, beta_milli: 0 };
        let mut chain = Self { posterior, free_ppm: u64::from(prior_ppm) };
        chain.spread(pseudo);
        chain
    }

    /// Shrinks a level towards the one above it; past the gate it moves the point estimate.
    fn level(&mut self, level: EvidenceLevel, pseudo: u32, counts: &Level, past_gate: bool) {
        let pseudo_milli = u64::from(pseudo) * 1000;
        let total_milli = pseudo_milli + counts.success_milli + counts.failure_milli;
        // Milli-units times a million fit: a level never weighs more than 1 / (1 − forget) units, or its count.
        let shrunk = |towards_ppm: u64| (pseudo_milli * towards_ppm + counts.success_milli * MILLION + total_milli / HALF) / total_milli;
        if past_gate {
            self.posterior.mean_ppm = shrunk(u64::from(self.posterior.mean_ppm)) as u32;
            (self.posterior.level, self.posterior.n_units) = (level, counts.n_units);
        }
        self.posterior.alpha_milli = pseudo_milli * self.free_ppm / MILLION + counts.success_milli;
        self.posterior.beta_milli = pseudo_milli * (MILLION - self.free_ppm) / MILLION + counts.failure_milli;
        self.free_ppm = shrunk(self.free_ppm);
    }

    /// Makes draws as wide as the next level is before it has units of its own.
    fn spread(&mut self, pseudo: u32) {
        let pseudo_milli = u64::from(pseudo) * 1000;
        self.posterior.alpha_milli = pseudo_milli * self.free_ppm / MILLION;
        self.posterior.beta_milli = pseudo_milli * (MILLION - self.free_ppm) / MILLION;
    }

    const fn end(self) -> Posterior {
        self.posterior
    }
}

impl Standing {
    /// Returns whether an offer's units say something about tasks it was not tried on: there are enough of them, and no
    /// single category carries more than half of that. Failing at one task does not make an offer bad at another.
    fn speaks_for_all_tasks(&self, rules: &EvidenceRules) -> bool {
        let half = rules.min_units.div_ceil(2);
        let spread: u32 = self.tasks.values().map(|cell| cell.all.n_units.min(half)).sum();
        self.all.n_units >= rules.min_units && spread >= rules.min_units
    }
}

impl CellStanding {
    /// Returns whether an estimate rests on this cell. After an alarm it does in any case: to fall back on the level above
    /// would bring back what the alarm refuted.
    pub(crate) fn is_past_gate(&self, rules: &EvidenceRules) -> bool {
        self.all.n_units >= rules.min_units || self.drifted_at.is_some()
    }
}

impl EvidenceLevel {
    /// Returns the name used in explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Offer => "offer",
            Self::Cell => "cell",
            Self::Caller => "caller",
        }
    }
}
