//! What to expect of one offer for this request: length and time of the answer, and whether there is one.
//!
//! Each is what the catalog or the contract says, moved by the offer's own calls: a weighted mean in which the prior is
//! worth as many calls as the contract says of units.

use super::filter::View;
use crate::catalog::Offer;
use crate::evidence::CallStanding;

const MILLION: u64 = 1_000_000;
const LEAST_VERBOSITY_PPM: u64 = 250_000;
const MOST_VERBOSITY_PPM: u64 = 8_000_000;

pub(super) struct Outlook {
    /// Expected output with reasoning.
    pub(super) output_tokens: u64,
    /// Expected time of the whole answer; the task's own if nobody knows.
    pub(super) latency_ms: u64,
    /// Expected share of calls answered.
    pub(super) availability_ppm: u32,
}

impl Outlook {
    pub(super) fn new(view: &View, offer: &Offer, calls: Option<&CallStanding>) -> Self {
        let rules = view.contract.rules();
        let stated_ppm = u64::from(offer.availability.uptime_ppm.unwrap_or(rules.priors.availability_ppm)).min(MILLION);
        let output_tokens = output_tokens(view, calls);
        let stated_ms = offer.availability.p50_ms;
        let Some(calls) = calls else {
            let latency_ms = stated_ms.unwrap_or(view.task.latency_slo_ms);
            return Self { output_tokens, latency_ms, availability_ppm: stated_ppm as u32 };
        };
        let n_calls_milli = calls.answered_milli + calls.failed_milli;
        let answered_ppm = (calls.answered_milli * MILLION).checked_div(n_calls_milli).unwrap_or(stated_ppm);
        let latency_ms = match seen_ms(calls, output_tokens) {
            Some(seen_ms) => shrunk(view, stated_ms.unwrap_or(view.task.latency_slo_ms), seen_ms, calls.answered_milli),
            None => stated_ms.unwrap_or(view.task.latency_slo_ms),
        };
        Self { output_tokens, latency_ms, availability_ppm: shrunk(view, stated_ppm, answered_ppm, n_calls_milli) as u32 }
    }

    /// Returns the time of a whole answer as stated or seen, `None` if neither.
    pub(super) fn known_latency_ms(view: &View, offer: &Offer, calls: Option<&CallStanding>) -> Option<u64> {
        let seen_ms = calls.and_then(|calls| seen_ms(calls, output_tokens(view, Some(calls))));
        match (offer.availability.p50_ms, seen_ms) {
            (Some(stated_ms), Some(seen_ms)) => Some(shrunk(view, stated_ms, seen_ms, calls?.answered_milli)),
            (stated_ms, seen_ms) => seen_ms.or(stated_ms),
        }
    }
}

/// Returns the task's expected output times the offer's own ratio, up to the caller's maximum.
fn output_tokens(view: &View, calls: Option<&CallStanding>) -> u64 {
    let expected = view.task.expected_output_tokens;
    let ratio_ppm = match calls {
        Some(calls) if calls.counted_milli > 0 => shrunk(view, MILLION, calls.verbosity_ppm, calls.counted_milli),
        _ => MILLION,
    };
    let tokens = expected * ratio_ppm.clamp(LEAST_VERBOSITY_PPM, MOST_VERBOSITY_PPM) / MILLION;
    tokens.min(view.ask.max_output_tokens.unwrap_or(u64::MAX))
}

/// Returns how long an answer of so many tokens takes as seen, `None` if no call was answered.
fn seen_ms(calls: &CallStanding, output_tokens: u64) -> Option<u64> {
    if calls.answered_milli == 0 {
        return None;
    }
    Some(calls.first_token_ms + (output_tokens * MILLION).checked_div(calls.tokens_per_1000_s).unwrap_or(0))
}

/// Returns the mean of a prior and of what was seen with a weight in thousandths of a call.
fn shrunk(view: &View, prior: u64, seen: u64, weight_milli: u64) -> u64 {
    let prior_milli = u64::from(view.contract.rules().priors.pseudo_counts.global) * 1000;
    (prior.saturating_mul(prior_milli).saturating_add(seen.saturating_mul(weight_milli))) / (prior_milli + weight_milli)
}
