//! How each model did, as people read it: the kept rows of one window, or the same calls put together otherwise.

use crate::evidence::Names;
use crate::rollup::{Rates, score_row};
use crate::snapshot::Snapshot;
use serde::Serialize;
use std::collections::BTreeSet;
use vox_base::{Coded, KeyId, NanoUsd, Timestamp};
use vox_route::Locality;
use vox_store::rows::routing::ScoreRow;
use vox_store::{Grain, Span, Store};

/// Which lines are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScoreQuery {
    /// Days of the window.
    pub window_days: i64,
    /// Only models whose name, or whose provider's and name, is this.
    pub model: Option<String>,
    /// Only this task.
    pub task: Option<String>,
    /// Only the calls of this key.
    pub caller: Option<KeyId>,
    /// How calls are put together; `None` for every offer at every task.
    pub group: Option<Group>,
}

/// How calls are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Each model at each provider.
    Offer,
    /// Each model, under the name that its provider has for it.
    Model,
    /// Each provider.
    Provider,
    /// Each task.
    Task,
}

/// One line of a scoreboard; what is `null` is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are the columns of the row, explained in contracts/db/routing.v1.yaml, and `is_priced` is that of `WeekLine`"
)]
pub struct ScoreLine {
    pub provider: String,
    pub model: String,
    pub task: String,
    pub caller: String,
    pub window_days: i64,
    pub n_calls: i64,
    pub n_units: i64,
    pub success_ppm: Option<i64>,
    pub ci_low_ppm: Option<i64>,
    pub ci_high_ppm: Option<i64>,
    pub quality_ppm: Option<i64>,
    pub confidence: String,
    pub p50_latency_ms: Option<i64>,
    pub p99_latency_ms: Option<i64>,
    pub p50_ttft_ms: Option<i64>,
    pub availability_ppm: Option<i64>,
    pub cost_nano_usd: Option<i64>,
    pub unpriced_calls: i64,
    pub cost_per_success_nano_usd: Option<i64>,
    pub cache_savings_nano_usd: Option<i64>,
    pub context_utilization_bp_p50: Option<i64>,
    pub is_priced: bool,
    pub as_of: String,
}

/// Returns the lines, and the moment they are about; `None` if nothing was rolled up yet.
///
/// # Errors
/// The store cannot be read.
pub async fn lines(store: &Store, snapshot: &Snapshot, query: &ScoreQuery) -> Result<Option<(Timestamp, Vec<ScoreLine>)>, Coded> {
    let kept = store.scores(Some(query.window_days)).await?;
    let Some(as_of) = kept.iter().map(|row| row.as_of).max() else { return Ok(None) };
    let is_of = |row: &ScoreRow, wanted: &str| format!("{}/{}", row.provider_canonical, row.model) == wanted;
    let rows = match query.group {
        None => kept.clone(),
        Some(group) => {
            // What is asked for has to be told apart before calls are put together.
            let of_offer = query.model.as_ref().is_some_and(|wanted| kept.iter().any(|row| is_of(row, wanted)));
            grouped(store, snapshot, query, (group, of_offer), as_of).await?
        }
    };
    let caller = query.caller.map_or_else(|| "*".to_owned(), |key| key.to_string());
    let fits = |row: &ScoreRow| {
        row.caller_scope == caller
            && query.model.as_ref().is_none_or(|wanted| *row.model == **wanted || is_of(row, wanted))
            && query.task.as_ref().is_none_or(|task| *row.task == **task || &*row.task == "*")
    };
    let providers: BTreeSet<&str> = kept.iter().chain(&rows).map(|row| &*row.provider_canonical).collect();
    let own: BTreeSet<&str> = providers.into_iter().filter(|provider| locality(snapshot, provider) == "local").collect();
    // A line of several providers has a price if one of them has.
    let is_priced = |line: &ScoreRow| {
        let is_part = |row: &&ScoreRow| (&*line.model == "*" || row.model == line.model) && (&*line.task == "*" || row.task == line.task);
        match &*line.provider_canonical {
            "*" => kept.iter().filter(is_part).any(|row| !own.contains(&*row.provider_canonical)),
            provider => !own.contains(provider),
        }
    };
    Ok(Some((as_of, rows.iter().filter(|row| fits(row)).map(|row| ScoreLine::of(is_priced(row), row.clone())).collect())))
}

async fn grouped(
    store: &Store,
    snapshot: &Snapshot,
    query: &ScoreQuery,
    (group, of_offer): (Group, bool),
    as_of: Timestamp,
) -> Result<Vec<ScoreRow>, Coded> {
    let grain = Grain {
        provider: of_offer || matches!(group, Group::Offer | Group::Provider),
        model: query.model.is_some() || matches!(group, Group::Offer | Group::Model),
        task: group == Group::Task || query.task.is_some(),
        caller: query.caller.is_some(),
    };
    let lines = store.measure(grain, Span::days(query.window_days, as_of)).await?;
    let names = Names::new(snapshot);
    let window = (query.window_days, as_of);
    Ok(lines.iter().map(|(key, measured)| score_row(&names, &snapshot.contract, key, measured, window)).collect())
}

impl ScoreLine {
    /// Where nothing has a price, what it cost is unknown, which is not the same as free.
    fn of(is_priced: bool, row: ScoreRow) -> Self {
        let money = |amount: Option<NanoUsd>| amount.filter(|_| is_priced).map(NanoUsd::get);
        Self {
            provider: row.provider_canonical.into(),
            model: row.model.into(),
            task: row.task.into(),
            caller: row.caller_scope.into(),
            window_days: row.window_days,
            n_calls: row.n_calls,
            n_units: row.n_units,
            success_ppm: row.success_ppm,
            ci_low_ppm: row.ci_low_ppm,
            ci_high_ppm: row.ci_high_ppm,
            quality_ppm: row.quality_ppm,
            confidence: row.confidence.into(),
            p50_latency_ms: row.p50_latency_ms,
            p99_latency_ms: row.p99_latency_ms,
            p50_ttft_ms: row.p50_ttft_ms,
            availability_ppm: row.availability_ppm,
            cost_nano_usd: money(row.cost_nano_usd),
            unpriced_calls: row.unpriced_calls,
            cost_per_success_nano_usd: money(row.cost_per_success_nano_usd),
            cache_savings_nano_usd: row.cache_savings_nano_usd.map(NanoUsd::get),
            context_utilization_bp_p50: row.context_utilization_bp_p50,
            is_priced,
            as_of: row.as_of.to_string(),
        }
    }
}

/// What one provider did in a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WeekLine {
    /// The provider, as statistics name it.
    pub provider: String,
    /// Where its models run: `remote`, `local` or `mesh`; `unknown` if it is in no list any more.
    pub locality: String,
    /// Calls.
    pub n_calls: i64,
    /// Calls and runs with an outcome that counts.
    pub n_units: i64,
    /// Share of successes by weight.
    pub success_ppm: Option<i64>,
    /// Bounds of its 95 % interval.
    pub interval_ppm: Option<(i64, i64)>,
    /// Whether a call there has a price; an engine of one's own has none, which is not the same as free.
    pub is_priced: bool,
    /// What the priced calls cost.
    pub cost_nano_usd: Option<i64>,
    /// Calls whose cost is unknown.
    pub unpriced_calls: i64,
    /// Cost over successes.
    pub cost_per_success_nano_usd: Option<i64>,
    /// The middle of the latencies.
    pub p50_latency_ms: Option<i64>,
    /// What prompt caches saved.
    pub cache_savings_nano_usd: Option<i64>,
}

/// Returns what each provider did in the days up to a moment, the busiest first.
///
/// # Errors
/// The store cannot be read.
pub async fn week(store: &Store, snapshot: &Snapshot, span: Span) -> Result<Vec<WeekLine>, Coded> {
    let measured = store.measure(Grain { provider: true, ..Grain::default() }, span).await?;
    let mut lines: Vec<WeekLine> = measured
        .into_iter()
        .map(|(key, measured)| {
            let locality = locality(snapshot, &key.provider);
            let is_priced = locality != "local";
            let rates = Rates::of(&measured);
            WeekLine {
                provider: key.provider,
                locality: locality.to_owned(),
                n_calls: measured.n_calls,
                n_units: measured.n_units,
                success_ppm: rates.success_ppm,
                interval_ppm: rates.interval_ppm,
                is_priced,
                cost_nano_usd: measured.cost.filter(|_| is_priced).map(NanoUsd::get),
                unpriced_calls: measured.unpriced_calls,
                cost_per_success_nano_usd: rates.cost_per_success.filter(|_| is_priced).map(NanoUsd::get),
                p50_latency_ms: measured.p50_latency_ms,
                cache_savings_nano_usd: measured.cache_savings.map(NanoUsd::get),
            }
        })
        .collect();
    lines.sort_by(|a, b| b.n_calls.cmp(&a.n_calls).then_with(|| a.provider.cmp(&b.provider)));
    Ok(lines)
}

fn locality(snapshot: &Snapshot, canonical: &str) -> &'static str {
    let own = |provider: &str| snapshot.board.canonical(provider) == canonical;
    if snapshot.board.providers().iter().any(|(id, state)| state.local && own(id)) {
        return "local";
    }
    match snapshot.catalog.offers().iter().find(|offer| own(&offer.provider)).map(|offer| offer.locality) {
        Some(Locality::Local) => "local",
        Some(_) => "remote",
        None if snapshot.board.providers().keys().any(|id| own(id)) => "remote",
        None => "unknown",
    }
}
