//! The scoreboard and what providers really charge: measured over windows of days and kept, so that people and later
//! decisions find them ready. Measuring reads every call once and holds nobody up; each window is replaced in one
//! transaction.

use crate::evidence::Names;
use crate::snapshot::Snapshot;
use serde::Serialize;
use vox_base::{Coded, NanoUsd, Timestamp};
use vox_route::catalog::PriceConfidence;
use vox_route::{Contract, Prices, Tier};
use vox_store::rows::routing::{PricingRow, ScoreRow};
use vox_store::{Charged, Grain, Leading, Measured, ScoreKey, Span, Store, Survey};

/// The windows that are kept where nobody names others, in days.
pub const WINDOWS: [i64; 3] = [7, 30, 90];
/// What a provider charges is taken from the calls of so many days.
const PRICING_DAYS: i64 = 30;
const MILLION: i64 = 1_000_000;
/// A 95 % interval reaches so many deviations to each side.
const DEVIATIONS: f64 = 1.959_963_984_540_054;

/// What a roll-up made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RollupReport {
    /// The moment it is about, RFC 3339.
    pub as_of: String,
    /// Whether anything was written.
    pub is_dry_run: bool,
    /// The windows.
    pub windows: Vec<WindowReport>,
    /// Models whose charges were compared with their price list.
    pub n_priced: usize,
}

/// What a roll-up made of one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowReport {
    /// Days before the moment.
    pub days: i64,
    /// Rows of the scoreboard.
    pub n_rows: usize,
    /// Calls they are of.
    pub n_calls: i64,
    /// Calls and runs with an outcome that counts.
    pub n_units: i64,
}

/// What becomes of what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It is told and not written.
    Nothing,
    /// It is written, whoever leads: a person asked for it.
    Asked,
    /// It is written for as long as this node leads.
    Leading(Leading),
}

/// Measures the windows that are kept, once a UTC day and on one of the nodes that share a store: the one that leads.
///
/// # Errors
/// As for [`roll_up`]; besides, another node may have taken the lead.
pub(crate) async fn daily(store: &Store, snapshot: &Snapshot, now: Timestamp) -> Result<(), Coded> {
    let last = store.scores(None).await?.iter().map(|row| row.as_of).max();
    if last.is_some_and(|last| last.start_of_day() >= now.start_of_day()) {
        return Ok(());
    }
    if let Some(leading) = store.leading(now).await? {
        roll_up(store, snapshot, &WINDOWS, now, Keep::Leading(leading)).await?;
    }
    Ok(())
}

/// Measures the windows and keeps what comes out, if it is to be kept. The same moment gives the same rows.
///
/// # Errors
/// The store cannot be read or written; a window that was not replaced keeps its old rows.
pub async fn roll_up(store: &Store, snapshot: &Snapshot, windows: &[i64], as_of: Timestamp, keep: Keep) -> Result<RollupReport, Coded> {
    let (is_dry_run, leading) = match keep {
        Keep::Nothing => (true, None),
        Keep::Asked => (false, None),
        Keep::Leading(leading) => (false, Some(leading)),
    };
    let names = Names::new(snapshot);
    let mut report = RollupReport { as_of: as_of.to_string(), is_dry_run, windows: Vec::new(), n_priced: 0 };
    let survey = store.survey(windows, as_of).await?;
    for &days in windows {
        let rows = window(&survey, &names, &snapshot.contract, days, as_of).await?;
        let everyone = || rows.iter().filter(|row| row.caller_scope == "*");
        report.windows.push(WindowReport {
            days,
            n_rows: rows.len(),
            n_calls: everyone().map(|row| row.n_calls).sum(),
            n_units: everyone().map(|row| row.n_units).sum(),
        });
        if !is_dry_run {
            store.keep_scores(leading, days, rows).await?;
        }
    }
    let pricing = pricing(store, &snapshot.contract, as_of).await?;
    report.n_priced = pricing.len();
    if !is_dry_run {
        store.keep_pricing(leading, as_of.day(), pricing).await?;
    }
    Ok(report)
}

async fn window(survey: &Survey, names: &Names, contract: &Contract, days: i64, as_of: Timestamp) -> Result<Vec<ScoreRow>, Coded> {
    let everyone = survey.lines(Grain::CELL, days).await?;
    let callers = survey.lines(Grain::CALLER, days).await?;
    let lines = everyone.into_iter().chain(callers.into_iter().filter(|(key, _)| !key.caller.is_empty()));
    Ok(lines.map(|(key, measured)| score_row(names, contract, &key, &measured, (days, as_of))).collect())
}

/// Returns a line of measurements as a row of the scoreboard. A line of models of several tiers has no quality: there is
/// no one prior that its outcomes could be held against.
pub(crate) fn score_row(names: &Names, contract: &Contract, key: &ScoreKey, measured: &Measured, window: (i64, Timestamp)) -> ScoreRow {
    match names.tier(&key.provider, &key.model) {
        Some(tier) => score(contract, tier, key, measured, window),
        None => ScoreRow { quality_ppm: None, ..score(contract, Tier::Unknown, key, measured, window) },
    }
}

fn score(contract: &Contract, tier: Tier, key: &ScoreKey, measured: &Measured, (window_days, as_of): (i64, Timestamp)) -> ScoreRow {
    let rates = Rates::of(measured);
    ScoreRow {
        provider_canonical: key.provider.clone().into(),
        model: key.model.clone().into(),
        task: key.task.clone().into(),
        caller_scope: key.caller.clone().into(),
        window_days,
        n_calls: measured.n_calls,
        n_units: measured.n_units,
        success_w_ppm: measured.success_w_ppm,
        fail_w_ppm: measured.fail_w_ppm,
        success_ppm: rates.success_ppm,
        ci_low_ppm: rates.interval_ppm.map(|(low, _)| low),
        ci_high_ppm: rates.interval_ppm.map(|(_, high)| high),
        p50_latency_ms: measured.p50_latency_ms,
        p99_latency_ms: measured.p99_latency_ms,
        p50_ttft_ms: measured.p50_ttft_ms,
        availability_ppm: rates.availability_ppm,
        cost_nano_usd: measured.cost,
        unpriced_calls: measured.unpriced_calls,
        cost_per_success_nano_usd: rates.cost_per_success,
        quality_ppm: quality(contract, tier, measured),
        cache_savings_nano_usd: measured.cache_savings,
        context_utilization_bp_p50: measured.context_utilization_bp_p50,
        confidence: confidence(contract, measured.n_units).into(),
        as_of,
    }
}

/// What follows from measurements alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    /// Share of the weight that is success; `None` without any outcome.
    pub success_ppm: Option<i64>,
    /// Its 95 % interval (Wilson 1927).
    pub interval_ppm: Option<(i64, i64)>,
    /// Share of attempts that the provider answered.
    pub availability_ppm: Option<i64>,
    /// Everything priced over the weight of successes; `None` without a success or a price.
    pub cost_per_success: Option<NanoUsd>,
}

impl Rates {
    /// Returns the rates of a line.
    #[must_use]
    pub fn of(measured: &Measured) -> Self {
        let weight = measured.success_w_ppm + measured.fail_w_ppm;
        let share = |part: i64, all: i64| (all > 0).then(|| ratio(part, MILLION, all));
        let cost = measured.cost.filter(|_| measured.success_w_ppm > 0);
        Self {
            success_ppm: share(measured.success_w_ppm, weight),
            interval_ppm: (weight > 0).then(|| interval(measured.success_w_ppm, weight)),
            availability_ppm: share(measured.answered, measured.answered + measured.failed),
            cost_per_success: cost.map(|cost| NanoUsd::new(ratio(cost.get(), MILLION, measured.success_w_ppm))),
        }
    }
}

/// Returns `a · b / c` to the nearest whole number.
fn ratio(a: i64, b: i64, c: i64) -> i64 {
    let (product, divisor) = (i128::from(a) * i128::from(b), i128::from(c.max(1)));
    i64::try_from((product + divisor / 2).div_euclid(divisor)).unwrap_or(i64::MAX)
}

fn interval(success: i64, weight: i64) -> (i64, i64) {
    let n = weight as f64 / 1e6;
    let share = success as f64 / weight as f64;
    let z2 = DEVIATIONS * DEVIATIONS;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = DEVIATIONS * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
    let ppm = |share: f64| (share.clamp(0.0, 1.0) * 1e6).round() as i64;
    (ppm(middle - half), ppm(middle + half))
}

/// Returns the posterior mean of success on top of what is believed of the tier; `None` without any outcome.
fn quality(contract: &Contract, tier: Tier, measured: &Measured) -> Option<i64> {
    if measured.n_units == 0 {
        return None;
    }
    let priors = &contract.rules().priors;
    let prior_ppm = i64::from(priors.tier_success_ppm.get(&tier).copied().unwrap_or(0));
    let pseudo_w = i64::from(priors.pseudo_counts.task) * MILLION;
    let weight = pseudo_w + measured.success_w_ppm + measured.fail_w_ppm;
    Some(ratio(pseudo_w / MILLION * prior_ppm + measured.success_w_ppm, MILLION, weight))
}

fn confidence(contract: &Contract, n_units: i64) -> &'static str {
    let gate = i64::from(contract.rules().evidence.min_units);
    match n_units {
        0 => "none",
        n if n < gate => "low",
        n if n < 3 * gate => "medium",
        _ => "high",
    }
}

/// Returns what each provider charged in the month before a moment, against its price list.
///
/// # Errors
/// The store cannot be read.
pub async fn pricing(store: &Store, contract: &Contract, as_of: Timestamp) -> Result<Vec<PricingRow>, Coded> {
    let mut rows = Vec::new();
    for charged in store.charged(Span::days(PRICING_DAYS, as_of)).await? {
        let prices = match charged.prices {
            Some(id) => store.prices(id).await?.and_then(|kept| serde_json::from_str::<Prices>(&kept.prices_json).ok()),
            None => None,
        };
        rows.push(priced(contract, &charged, prices.as_ref(), as_of));
    }
    Ok(rows)
}

fn priced(contract: &Contract, charged: &Charged, prices: Option<&Prices>, as_of: Timestamp) -> PricingRow {
    let tokens = charged.reported_tokens;
    PricingRow {
        provider_canonical: charged.provider.clone().into(),
        model: charged.model.clone().into(),
        day: as_of.day().into(),
        catalog_input_micros_per_mtok: prices.and_then(|prices| prices.input).map(vox_base::Micros::get),
        catalog_output_micros_per_mtok: prices.and_then(|prices| prices.output).map(vox_base::Micros::get),
        observed_ratio_ppm: observed_ratio_ppm(charged),
        observed_blended_micros_per_mtok: (tokens > 0 && charged.n_reported > 0).then(|| ratio(charged.reported.get(), 1000, tokens)),
        n_reported: charged.n_reported,
        n_estimated: charged.n_estimated,
        n_free: charged.n_free,
        confidence: PriceConfidence::of(&contract.rules().pricing, charged.n_both, charged.n_reported)
            .map_or("none", PriceConfidence::as_str)
            .into(),
        last_at: charged.last_at,
    }
}

/// Returns what was charged over what the price list says, on the calls that have both.
fn observed_ratio_ppm(charged: &Charged) -> Option<i64> {
    (charged.both_computed > NanoUsd::ZERO).then(|| ratio(charged.both_reported.get(), MILLION, charged.both_computed.get()))
}

#[cfg(test)]
mod tests;
