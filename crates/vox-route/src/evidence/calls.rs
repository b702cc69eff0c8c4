//! How an offer's calls went: answered or not, how soon, how fast, how long. None of it says anything about success.

use super::OfferKey;
use super::tally::aged;
use crate::contract::EvidenceRules;
use crate::math::{exp2, ln};
use serde::{Deserialize, Serialize};
use vox_base::Timestamp;

const MILLION: f64 = 1e6;
const LN_2: f64 = std::f64::consts::LN_2;
/// Steps in which times and rates are told to a board, to the doubling: about four in a hundred each, so that a board
/// does not change with every call.
const STEPS_TO_DOUBLE: f64 = 16.0;

/// One finished call as transport saw it. What the caller broke off or got wrong is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSeen {
    /// Who was called.
    pub offer: OfferKey,
    /// When it ended.
    pub at: Timestamp,
    /// How it was answered; `None` if the provider failed.
    pub answered: Option<Answered>,
}

/// How a call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Time to the first token.
    pub first_token_ms: u64,
    /// Time of the whole answer.
    pub whole_ms: u64,
    /// Output with reasoning; 0 if nobody counted it.
    pub output_tokens: u64,
    /// What the task was expected to take, before any ratio and without the caller's maximum.
    pub expected_output_tokens: u64,
    /// Whether it was cut at a limit, and would have been longer.
    pub is_cut: bool,
}

/// What a board knows of an offer's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64, u64, u64, u64)", into = "(u64, u64, u64, u64, u64, u64)")]
pub struct CallStanding {
    /// Weight of the calls that were answered, in thousandths.
    pub answered_milli: u64,
    /// Weight of the calls that were not, in thousandths.
    pub failed_milli: u64,
    /// Geometric mean of the time to the first token; 0 if unknown.
    pub first_token_ms: u64,
    /// Geometric mean of the output tokens in 1000 seconds; 0 if unknown.
    pub tokens_per_1000_s: u64,
    /// Geometric mean of real to expected output; 0 if unknown.
    pub verbosity_ppm: u64,
    /// Weight of the calls with counted output, in thousandths.
    pub counted_milli: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Calls {
    answered: f64,
    failed: f64,
    counted: f64,
    /// Weighted sums of logarithms.
    first_token: f64,
    rate: f64,
    verbosity: f64,
    at: Option<Timestamp>,
}

impl Calls {
    pub(super) fn observe(&mut self, rules: &EvidenceRules, call: &CallSeen) {
        let last = self.at.unwrap_or(call.at);
        let weight = aged(rules, call.at, last);
        self.scale(f64::from(rules.forget_per_unit_ppm) / MILLION * aged(rules, last, call.at));
        self.at = Some(last.max(call.at));
        let Some(answered) = &call.answered else {
            self.failed += weight;
            return;
        };
        self.answered += weight;
        self.first_token += weight * ln(at_least_one(answered.first_token_ms));
        if answered.output_tokens > 0 && answered.expected_output_tokens > 0 {
            let tokens = answered.output_tokens as f64;
            let writing_ms = at_least_one(answered.whole_ms.saturating_sub(answered.first_token_ms));
            self.counted += weight;
            self.rate += weight * ln(tokens * 1e6 / writing_ms);
            let ratio = tokens / answered.expected_output_tokens as f64;
            // A caller's short limit says nothing of how much a model writes.
            let least = if answered.is_cut { 1.0 } else { 0.25 };
            self.verbosity += weight * ln(ratio.clamp(least, 8.0));
        }
    }

    fn scale(&mut self, by: f64) {
        for sum in [&mut self.answered, &mut self.failed, &mut self.counted, &mut self.first_token, &mut self.rate, &mut self.verbosity] {
            *sum *= by;
        }
    }

    pub(super) fn standing(&self, rules: &EvidenceRules, at: Timestamp) -> Option<CallStanding> {
        let part = aged(rules, self.at?, at);
        let mean = |sum: f64, weight: f64, unit: f64| if weight > 0.0 { coarse(sum / weight + ln(unit)) } else { 0 };
        Some(CallStanding {
            answered_milli: coarse_weight(self.answered * part),
            failed_milli: coarse_weight(self.failed * part),
            first_token_ms: mean(self.first_token, self.answered, 1.0),
            tokens_per_1000_s: mean(self.rate, self.counted, 1.0),
            verbosity_ppm: mean(self.verbosity, self.counted, MILLION),
            counted_milli: coarse_weight(self.counted * part),
        })
    }
}

/// Returns the number of this logarithm, to the nearest step.
fn coarse(logarithm: f64) -> u64 {
    exp2((logarithm / LN_2 * STEPS_TO_DOUBLE).round_ties_even() / STEPS_TO_DOUBLE).round_ties_even() as u64
}

/// Returns a weight in thousandths, to the nearest step.
fn coarse_weight(weight: f64) -> u64 {
    if weight < 1e-3 { 0 } else { coarse(ln(weight * 1000.0)) }
}

fn at_least_one(number: u64) -> f64 {
    number.max(1) as f64
}

impl From<(u64, u64, u64, u64, u64, u64)> for CallStanding {
    fn from(parts: (u64, u64, u64, u64, u64, u64)) -> Self {
        let (answered_milli, failed_milli, first_token_ms, tokens_per_1000_s, verbosity_ppm, counted_milli) = parts;
        Self { answered_milli, failed_milli, first_token_ms, tokens_per_1000_s, verbosity_ppm, counted_milli }
    }
}

impl From<CallStanding> for (u64, u64, u64, u64, u64, u64) {
    fn from(calls: CallStanding) -> Self {
        (calls.answered_milli, calls.failed_milli, calls.first_token_ms, calls.tokens_per_1000_s, calls.verbosity_ppm, calls.counted_milli)
    }
}
