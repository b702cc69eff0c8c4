//! The score: the expected cost until a success, in nano-USD, lower is better.
//!
//! `J = (charge + waiting + outage + failing) / success + switching`, each term weighted so that equal weights compare
//! plain money.
//! Everything is integers; rounding is always down, so equal inputs give equal scores on every machine.

use super::filter::{Run, View};
use super::outlook::Outlook;
use super::tiers::Tiers;
use super::{Prefer, Ranked};
use crate::catalog::{Locality, Offer};
use crate::contract::Weights;
use crate::evidence::{EvidenceLevel, Posterior, Standing};
use crate::price;
use serde::Serialize;
use std::cmp::Ordering;
use std::sync::Arc;
use vox_base::{Micros, NanoUsd, Pico};

const MILLION: i64 = 1_000_000;
const TERMS: i64 = 4;
const BEST_SUCCESS_PPM: i64 = 990_000;
const SLOPE_FROM_COMPLEXITY: i64 = 5;
const FAMILY_SHARE_PPM: u32 = 900_000;
/// A session is not expected to go on for more turns than this.
const MOST_TURNS: u32 = 50;

/// What a score is made of. The amounts are weighted; the first four are not yet divided by the success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The expected charge as it counts: the list price, or a stand-in where that is unknown.
    pub charge: NanoUsd,
    /// Whether the charge is a stand-in.
    pub charge_assumed: bool,
    /// Expected success.
    pub success_ppm: u32,
    /// The deepest level of evidence that moved it.
    pub success_level: EvidenceLevel,
    /// Units at that level.
    pub n_units: u32,
    /// Expected output with reasoning.
    pub output_tokens: u64,
    /// Expected share of calls answered.
    pub availability_ppm: u32,
    /// Expected time of the whole answer; the task's own if nobody knows.
    pub latency_ms: u64,
    /// Weighted charge, at the present price of the budget.
    pub cost: NanoUsd,
    /// Weighted waiting.
    pub wait: NanoUsd,
    /// Weighted outage.
    pub outage: NanoUsd,
    /// Weighted failing.
    pub failure: NanoUsd,
    /// Weighted share of reading the session's prompt anew elsewhere; not divided by the success.
    pub switch: NanoUsd,
    /// What is left of the score because the caller prefers the family.
    pub favour_ppm: u32,
}

impl Terms {
    /// Returns the score that these terms would have with another success.
    pub(super) fn cost_until_success(&self, success_ppm: u32, failing: NanoUsd) -> NanoUsd {
        self.sum(NanoUsd::new(share(failing.get(), MILLION - i64::from(success_ppm), MILLION)), success_ppm)
    }

    fn sum(&self, failure: NanoUsd, success_ppm: u32) -> NanoUsd {
        let sum: NanoUsd = [self.cost, self.wait, self.outage, failure].into_iter().sum();
        let j = share(sum.get(), MILLION, i64::from(success_ppm)).saturating_add(self.switch.get());
        NanoUsd::new(share(j, i64::from(self.favour_ppm), MILLION))
    }
}

/// Scores and sorts offers that may answer.
pub(super) fn rank(view: &View, open: &[Arc<Offer>]) -> Vec<Ranked> {
    let scorer = Scorer::new(view);
    let mut seen = Run::default();
    let tiers = Tiers::new(view, open.iter().map(|offer| (offer, view.standing(offer, &mut seen))));
    let expected: Vec<Expected> =
        open.iter().zip(&tiers.priors).map(|(offer, prior)| scorer.expected(offer, prior.standing, tiers.prior_ppm(prior))).collect();
    let assumed = if expected.iter().any(|one| one.charge.is_none()) { scorer.assumed_charge(&expected) } else { NanoUsd::ZERO };
    let mut ranked: Vec<Ranked> = open.iter().zip(expected).map(|(offer, expected)| scorer.score(offer, &expected, assumed)).collect();
    ranked.sort_unstable_by(|a, b| order(view, a, b, &[]));
    ranked
}

/// Returns the weighted cost of an attempt that is sure to fail.
pub(super) fn failing(view: &View) -> NanoUsd {
    let scorer = Scorer::new(view);
    NanoUsd::new(share(scorer.failure_nano, scorer.weights[3], MILLION))
}

/// Puts offers of equal score behind the pick into the order in which the pick's provider wants them tried.
pub(super) fn order_fallbacks(view: &View, ranked: &mut [Ranked]) {
    let Some((pick, rest)) = ranked.split_first_mut() else { return };
    if let Some(next) = view.contract.rules().fallback_graph.get(&*pick.offer.provider) {
        rest.sort_by(|a, b| order(view, a, b, next));
    }
}

/// Compares by locality where that is preferred, then score to the micro-USD, then the units that moved the estimate, the
/// order of fallbacks, price, dialect and id. Units below the gate do not count here either.
fn order(view: &View, a: &Ranked, b: &Ranked, fallbacks: &[String]) -> Ordering {
    let far = |ranked: &Ranked| view.ask.prefer == Prefer::Local && ranked.offer.locality != Locality::Local;
    let micros = |ranked: &Ranked| ranked.j.get().div_euclid(1000);
    let place = |ranked: &Ranked| fallbacks.iter().position(|id| **id == *ranked.offer.provider).unwrap_or(fallbacks.len());
    let foreign = |ranked: &Ranked| view.board.provider(&ranked.offer.provider).is_none_or(|state| *state.dialect != *view.ask.dialect);
    far(a)
        .cmp(&far(b))
        .then_with(|| micros(a).cmp(&micros(b)))
        .then_with(|| b.terms.n_units.cmp(&a.terms.n_units))
        .then_with(|| place(a).cmp(&place(b)))
        .then_with(|| a.terms.charge.cmp(&b.terms.charge))
        .then_with(|| foreign(a).cmp(&foreign(b)))
        .then_with(|| a.offer.id.cmp(&b.offer.id))
}

struct Scorer<'a> {
    view: &'a View<'a>,
    weights: [i64; 4],
    failure_nano: i64,
    warm: Option<Warm<'a>>,
}

/// A prompt cache that is alive.
struct Warm<'a> {
    offer: &'a str,
    n_tokens: u64,
    /// Requests over which the price of leaving is spread.
    n_turns: i64,
}

/// What one offer is expected to do and to cost.
struct Expected {
    outlook: Outlook,
    posterior: Posterior,
    /// `None` if a price is unknown.
    charge: Option<NanoUsd>,
}

impl<'a> Scorer<'a> {
    fn new(view: &'a View<'a>) -> Self {
        let scoring = &view.contract.rules().scoring;
        let weights = match view.ask.prefer {
            Prefer::Cost => scoring.presets.cost_first,
            Prefer::Quality => scoring.presets.quality_first,
            Prefer::Speed => scoring.presets.fast,
            Prefer::None | Prefer::Local | Prefer::Family(_) => scoring.weights,
        };
        let session = view.ask.session.as_ref().filter(|session| session.cached_until > view.now);
        Self {
            view,
            weights: shares_ppm(&weights),
            failure_nano: share(nano(view.task.failure_cost_micros), i64::from(view.complexity), 5),
            warm: session.map(|session| Warm {
                offer: &session.offer,
                n_tokens: session.cached_tokens.min(view.ask.input_tokens),
                n_turns: i64::from(session.n_turns.clamp(1, MOST_TURNS)),
            }),
        }
    }

    fn expected(&self, offer: &Offer, standing: Option<&Standing>, prior_ppm: u32) -> Expected {
        let rules = self.view.contract.rules();
        let outlook = Outlook::new(self.view, offer, standing.and_then(|standing| standing.calls.as_ref()));
        let caller = self.view.ask.caller.as_deref();
        let pseudo = &rules.priors.pseudo_counts;
        Expected {
            charge: self.charge(offer, outlook.output_tokens),
            outlook,
            posterior: Posterior::new(&rules.evidence, pseudo, prior_ppm, standing, &self.view.task_name, caller),
        }
    }

    /// Returns the expected charge, or `None` if a price is unknown. What is cached at the session's offer would be cached
    /// at any other after its first turn; that turn's price is [`Scorer::switch`].
    fn charge(&self, offer: &Offer, output_tokens: u64) -> Option<NanoUsd> {
        let n_cached = self.warm.as_ref().map_or(0, |warm| warm.n_tokens);
        price::expected(&offer.expected_prices(), self.view.ask.input_tokens - n_cached, n_cached, output_tokens)
    }

    /// Returns what reading the cached part of the prompt anew costs, spread over as many turns as the session has had.
    fn switch(&self, offer: &Offer) -> NanoUsd {
        let Some(warm) = self.warm.as_ref().filter(|warm| *warm.offer != *offer.id) else { return NanoUsd::ZERO };
        let prices = offer.expected_prices();
        let (Some(cold), Some(read)) = (prices.cache_write_5m.or(prices.input), prices.cache_read.or(prices.input)) else {
            return NanoUsd::ZERO;
        };
        let dearer = Micros::new(cold.get().saturating_sub(read.get()).max(0));
        NanoUsd::new(Pico::ZERO.plus_tokens(warm.n_tokens, dearer).settle().get() / warm.n_turns)
    }

    /// Returns what an unpriced offer is taken to cost: a high quantile of the priced ones, or, where all that is priced
    /// is free, the tokens at the economy ceiling. Never nothing.
    fn assumed_charge(&self, expected: &[Expected]) -> NanoUsd {
        let mut known: Vec<NanoUsd> = expected.iter().filter_map(|one| one.charge).filter(|charge| *charge > NanoUsd::ZERO).collect();
        known.sort_unstable();
        let quantile = u64::from(self.view.contract.rules().scoring.unknown_price_quantile_ppm);
        // Nearest rank: the smallest value that at least this share of the values does not exceed.
        let rank = (known.len() as u64 * quantile).div_ceil(1_000_000).max(1);
        let at = usize::try_from(rank - 1).unwrap_or(usize::MAX);
        known.get(at).copied().unwrap_or_else(|| {
            let ceiling: Micros = self.view.contract.rules().economy_ceiling_micros_per_mtok;
            let n_tokens = self.view.ask.input_tokens.saturating_add(self.view.task.expected_output_tokens);
            Pico::ZERO.plus_tokens(n_tokens, ceiling).settle()
        })
    }

    fn score(&self, offer: &Arc<Offer>, expected: &Expected, assumed: NanoUsd) -> Ranked {
        let rules = self.view.contract.rules();
        let [efficiency, latency, availability, precision] = self.weights;
        let Expected { outlook, posterior, charge } = expected;
        let success_ppm = posterior.mean_ppm.max(rules.scoring.success_floor_ppm);
        let missing_ppm = |present_ppm: u32| MILLION - i64::from(present_ppm);
        let outage = share(nano(rules.scoring.failover_cost_micros), missing_ppm(outlook.availability_ppm), MILLION);
        let failure = share(self.failure_nano, missing_ppm(success_ppm), MILLION);
        let weighted = |amount: i64, weight_ppm: i64| NanoUsd::new(share(amount, weight_ppm, MILLION));
        let terms = Terms {
            charge: charge.unwrap_or(assumed),
            charge_assumed: charge.is_none(),
            success_ppm,
            success_level: posterior.level,
            n_units: posterior.n_units,
            output_tokens: outlook.output_tokens,
            availability_ppm: outlook.availability_ppm,
            latency_ms: outlook.latency_ms,
            cost: weighted(charge.unwrap_or(assumed).get(), efficiency),
            wait: weighted(self.wait_nano(outlook.latency_ms), latency),
            outage: weighted(outage, availability),
            failure: weighted(failure, precision),
            switch: weighted(self.switch(offer).get(), efficiency),
            favour_ppm: if self.favoured(offer) { FAMILY_SHARE_PPM } else { MILLION as u32 },
        };
        let j = terms.sum(terms.failure, success_ppm);
        Ranked { offer: offer.clone(), j, terms, posterior: *posterior, propensity_ppb: 0 }
    }

    /// Returns what waiting costs: nothing up to `excellent_ms`, rising to the task's price at `poor_ms`, and rising on
    /// beyond the task's own time.
    fn wait_nano(&self, latency_ms: u64) -> i64 {
        let bands = self.view.contract.rules().scoring.latency_bands;
        let slo_ms = self.view.task.latency_slo_ms;
        let width_ms = bands.poor_ms - bands.excellent_ms;
        let inside_ms = latency_ms.saturating_sub(bands.excellent_ms).min(width_ms);
        let price = nano(self.view.task.wait_micros_per_slo);
        let inside = share(price, whole(inside_ms), whole(width_ms));
        inside.saturating_add(share(price, whole(latency_ms.saturating_sub(slo_ms)), whole(slo_ms)))
    }

    fn favoured(&self, offer: &Offer) -> bool {
        let Prefer::Family(name) = &self.view.ask.prefer else { return false };
        let target = self.view.contract.rules().aliases.get(name).unwrap_or(name);
        **target == *offer.family || **target == *offer.model_id || target.strip_prefix("family:") == Some(&*offer.family)
    }
}

/// Returns the prior success: by tier, falling with complexity, moved by strength and by tiers below the preferred.
pub(super) fn prior_ppm(view: &View, offer: &Offer) -> u32 {
    let rules = view.contract.rules();
    let priors = &rules.priors;
    let at = |by_tier: &std::collections::BTreeMap<_, i32>| i64::from(by_tier.get(&offer.tier).copied().unwrap_or(0));
    let strength = if view.has_strength(offer) {
        priors.strength_match_ppm
    } else if offer.strengths.iter().any(|strength| **strength == *"generalist") {
        0
    } else {
        priors.strength_waived_ppm
    };
    let preferred = view.contract.tier_rank(view.task.preferred_tier);
    let n_below = preferred.saturating_sub(view.contract.tier_rank(offer.tier)) as i64;
    let success = at(&priors.tier_success_ppm)
        + at(&priors.complexity_slope_ppm) * (i64::from(view.complexity) - SLOPE_FROM_COMPLEXITY)
        + i64::from(strength)
        + i64::from(priors.tier_shortfall_ppm) * n_below;
    let success = success.clamp(i64::from(rules.scoring.success_floor_ppm), BEST_SUCCESS_PPM);
    u32::try_from(success).unwrap_or(rules.scoring.success_floor_ppm)
}

/// Returns each weight in parts per million of the mean weight: charge, waiting, outage, failing.
fn shares_ppm(weights: &Weights) -> [i64; 4] {
    let share = |weight: u32| TERMS * i64::from(weight) * MILLION / i64::from(weights.sum());
    [share(weights.efficiency), share(weights.latency), share(weights.availability), share(weights.precision)]
}

/// Returns `amount × part / of`, rounded down, or the largest amount if it does not fit. None of them is negative.
fn share(amount: i64, part: i64, of: i64) -> i64 {
    match amount.checked_mul(part) {
        Some(product) => product / of,
        None => i64::try_from(i128::from(amount) * i128::from(part) / i128::from(of)).unwrap_or(i64::MAX),
    }
}

fn nano(micros: u64) -> i64 {
    whole(micros).saturating_mul(1000)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
