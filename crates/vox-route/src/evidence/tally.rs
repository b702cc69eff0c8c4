//! Weighted counts of success and failure that forget, and the watch for a cell that changes.

use super::Unit;
use super::standings::{CellStanding, Level};
use crate::contract::EvidenceRules;
use crate::math::exp2;
use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::Timestamp;

const MILLION: f64 = 1e6;
const DAY_MS: f64 = 86_400_000.0;
/// How strongly a cell's own mean leans on its offer's while it is watched for drift.
const REFERENCE_UNITS: f64 = 8.0;

/// Success and failure at one level.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    success: f64,
    failure: f64,
    n_units: u32,
    /// The latest moment of a unit; both weights are as of then.
    at: Option<Timestamp>,
}

/// One offer on one task.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cell {
    all: Tally,
    callers: BTreeMap<Arc<str>, Tally>,
    /// How far failures have run ahead of what was expected.
    excess: f64,
    drifted_at: Option<Timestamp>,
}

impl Tally {
    pub(super) fn observe(&mut self, rules: &EvidenceRules, unit: &Unit) {
        let last = self.at.unwrap_or(unit.at);
        let weight = f64::from(unit.weight_ppm) / MILLION * aged(rules, unit.at, last);
        self.scale(f64::from(rules.forget_per_unit_ppm) / MILLION * aged(rules, last, unit.at));
        if unit.success {
            self.success += weight;
        } else {
            self.failure += weight;
        }
        self.n_units += 1;
        self.at = Some(last.max(unit.at));
    }

    fn scale(&mut self, by: f64) {
        self.success *= by;
        self.failure *= by;
    }

    /// Keeps a part of the weight, and of the count that the gate looks at.
    fn keep(&mut self, part: f64) {
        self.scale(part);
        self.n_units = (f64::from(self.n_units) * part) as u32;
    }

    /// Returns the share of successes, begun at one half.
    pub(super) fn mean(&self) -> f64 {
        (self.success + 1.0) / (self.success + self.failure + 2.0)
    }

    pub(super) fn level(&self, rules: &EvidenceRules, at: Timestamp) -> Level {
        let part = self.at.map_or(0.0, |last| aged(rules, last, at)) * 1000.0;
        let milli = |weight: f64| (weight * part).round_ties_even() as u64;
        Level { success_milli: milli(self.success), failure_milli: milli(self.failure), n_units: self.n_units }
    }
}

impl Cell {
    /// Takes a unit in, and lets go of most of what was known if failures ran too far ahead of it (a one-sided CUSUM).
    pub(super) fn observe(&mut self, rules: &EvidenceRules, unit: &Unit, of_offer: f64) {
        let watched = self.all.n_units >= rules.min_units;
        let expected = (self.all.success + REFERENCE_UNITS * of_offer) / (self.all.success + self.all.failure + REFERENCE_UNITS);
        self.all.observe(rules, unit);
        if let Some(caller) = &unit.caller {
            self.callers.entry(caller.clone()).or_default().observe(rules, unit);
        }
        if !watched {
            return;
        }
        let slack = f64::from(rules.drift.slack_ppm) / MILLION;
        let residual = expected - f64::from(u8::from(unit.success)) - slack;
        self.excess = (self.excess + residual * f64::from(unit.weight_ppm) / MILLION).max(0.0);
        if self.excess * 1000.0 > f64::from(rules.drift.alarm_milli) {
            let keep = f64::from(rules.drift.keep_ppm) / MILLION;
            self.all.keep(keep);
            self.callers.values_mut().for_each(|caller| caller.keep(keep));
            (self.excess, self.drifted_at) = (0.0, Some(unit.at));
        }
    }

    pub(super) fn standing(&self, rules: &EvidenceRules, at: Timestamp) -> CellStanding {
        // Below the gate a caller's own units change nothing, so a board does not carry them.
        let callers = self.callers.iter().filter(|(_, tally)| tally.n_units >= rules.min_units);
        CellStanding {
            all: self.all.level(rules, at),
            last_at: self.all.at,
            drifted_at: self.drifted_at,
            callers: callers.map(|(caller, tally)| (caller.clone(), tally.level(rules, at))).collect(),
        }
    }
}

#[cfg(test)]
impl Tally {
    pub(super) const fn weights(&self) -> (f64, f64) {
        (self.success, self.failure)
    }
}

#[cfg(test)]
impl Cell {
    pub(super) const fn tally(&self) -> &Tally {
        &self.all
    }

    pub(super) fn by_caller(&self) -> impl Iterator<Item = (&Arc<str>, &Tally)> {
        self.callers.iter()
    }
}

/// Returns what is left of a weight from one moment to another; all of it if that is not later.
pub(super) fn aged(rules: &EvidenceRules, from: Timestamp, to: Timestamp) -> f64 {
    let age_ms = to.millis().saturating_sub(from.millis());
    if age_ms <= 0 {
        return 1.0;
    }
    exp2(-(age_ms as f64) / (f64::from(rules.half_life_days) * DAY_MS))
}
