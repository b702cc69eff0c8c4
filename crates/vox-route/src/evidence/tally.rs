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
/// Deviations from the expected that count as more than chance.
const BEYOND_CHANCE: f64 = 3.5;

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
    run: Run,
    drifted_at: Option<Timestamp>,
}

/// Units of a cell since failures began to run ahead of what was expected.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Run {
    /// By how much, beyond the slack.
    excess: f64,
    tally: Tally,
    /// Sums of expected less real success, and of its variance.
    shortfall: f64,
    variance: f64,
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

    /// Keeps a part of what came before something, and all of what came since.
    fn keep(&mut self, part: f64, since: &Self) {
        let kept = |all: f64, since: f64| (all - since).max(0.0) * part + since;
        (self.success, self.failure) = (kept(self.success, since.success), kept(self.failure, since.failure));
        let before = self.success + self.failure - since.success - since.failure;
        self.n_units = since.n_units + before as u32;
    }

    /// Returns the share of successes, begun at one half.
    pub(super) fn mean(&self) -> f64 {
        (self.success + 1.0) / (self.success + self.failure + 2.0)
    }

    /// Returns the share of successes, leaning on another one.
    fn shrunk(&self, towards: f64) -> f64 {
        (self.success + REFERENCE_UNITS * towards) / (self.success + self.failure + REFERENCE_UNITS)
    }

    pub(super) fn level(&self, rules: &EvidenceRules, at: Timestamp) -> Level {
        let part = self.at.map_or(0.0, |last| aged(rules, last, at)) * 1000.0;
        let milli = |weight: f64| (weight * part).round_ties_even() as u64;
        Level { success_milli: milli(self.success), failure_milli: milli(self.failure), n_units: self.n_units }
    }
}

impl Cell {
    /// Takes a unit in. If failures ran too far ahead of what was expected (a one-sided CUSUM), lets go of most of what
    /// was known before they began to.
    pub(super) fn observe(&mut self, rules: &EvidenceRules, unit: &Unit, of_offer: f64) {
        let watched = self.all.n_units >= rules.min_units;
        let expected = self.all.shrunk(of_offer);
        self.all.observe(rules, unit);
        if let Some(caller) = &unit.caller {
            self.callers.entry(caller.clone()).or_default().observe(rules, unit);
        }
        if watched {
            self.watch(rules, unit, expected);
        }
    }

    fn watch(&mut self, rules: &EvidenceRules, unit: &Unit, expected: f64) {
        let weight = f64::from(unit.weight_ppm) / MILLION;
        let shortfall = expected - f64::from(u8::from(unit.success));
        self.run.excess += weight * (shortfall - f64::from(rules.drift.slack_ppm) / MILLION);
        if self.run.excess <= 0.0 {
            self.run = Run::default();
            return;
        }
        self.run.tally.observe(rules, unit);
        self.run.shortfall += weight * shortfall;
        self.run.variance += weight * weight * expected * (1.0 - expected);
        // Over thousands of units chance alone exceeds any alarm where success is a toss of a coin.
        let beyond_chance = self.run.shortfall * self.run.shortfall > BEYOND_CHANCE * BEYOND_CHANCE * self.run.variance;
        if beyond_chance && self.run.excess * 1000.0 > f64::from(rules.drift.alarm_milli) {
            let keep = f64::from(rules.drift.keep_ppm) / MILLION;
            self.all.keep(keep, &self.run.tally);
            self.callers.values_mut().for_each(|caller| caller.keep(keep, &Tally::default()));
            (self.run, self.drifted_at) = (Run::default(), Some(unit.at));
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
