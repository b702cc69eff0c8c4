use super::failures;
use crate::outcomes::tests::row as outcome;
use crate::row::{Encode as _, column};
use crate::sample::{self, DAY_MS, NOON, interaction_id, key_id};
use crate::scoreboard::tests::settled;
use crate::story::{Home, on_both_engines};
use crate::tx::Tx;
use crate::{Grain, Measurements, NewOutcome, ScoreKey, Span, Store, StoreError};
use vox_base::{Id, NanoUsd, Timestamp};

const CALLS: u64 = 150;
const WINDOWS: [i64; 3] = [30, 7, 90];
const GRAINS: [Grain; 4] = [
    Grain::CELL,
    Grain::CALLER,
    Grain { provider: true, model: false, task: false, caller: false },
    Grain { provider: false, model: false, task: true, caller: true },
];

/// Numbers that look like chance and are always the same.
fn chance(n: u64, among: u64) -> u64 {
    (n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) % among
}

fn at(n: u64) -> Timestamp {
    // Some of them at the very edge of a window, some after its end.
    NOON.plus_millis(-(n as i64 - 3) * DAY_MS / 2)
}

fn call(n: u64) -> crate::SettledCall {
    let mut call = sample::call(n, at(n));
    let some = |name: &'static str, of: u64| Some(format!("{name}{}", chance(n, of)).into());
    let row = &mut call.interaction;
    (row.provider, row.provider_canonical) =
        (some("entry", 4), (!n.is_multiple_of(11)).then(|| format!("provider{}", chance(n, 4) % 2).into()));
    (row.model, row.task_category) = (some("model", 3), (!n.is_multiple_of(5)).then(|| format!("task{}", chance(n + 7, 3)).into()));
    row.key_id = (!n.is_multiple_of(7)).then(|| key_id(chance(n + 3, 3)));
    row.cost_nano_usd = (!n.is_multiple_of(4)).then(|| NanoUsd::new(chance(n, 1000) as i64));
    row.cache_savings_nano_usd = (n.is_multiple_of(3)).then(|| NanoUsd::new(chance(n, 900) as i64 - 300));
    (row.output_tokens, row.latency_ms) =
        ((!n.is_multiple_of(6)).then_some(n as i64), (!n.is_multiple_of(8)).then(|| chance(n, 40) as i64));
    (row.ttft_ms, row.context_utilization_bp) = ((n.is_multiple_of(2)).then(|| chance(n, 9) as i64), Some(chance(n, 10_000) as i64));
    row.outcome = ["complete", "truncated", "refused", "upstream_error", "lost"][chance(n, 5) as usize].into();
    let attempt = &mut call.attempts[0];
    attempt.provider = format!("entry{}", chance(n + 1, 6)).into();
    attempt.model = format!("model{}", chance(n, 4)).into();
    attempt.error_class = ["server", "request", "rate", "auth"].get(chance(n, 6) as usize).map(|class| (*class).into());
    call
}

/// Runs that several models have a part in, calls with one, in every window and some in two.
async fn outcomes(store: &Store) {
    for n in 0..60_u8 {
        let rows = (0..=chance(n.into(), 3)).map(|part| {
            let mut row = outcome(n, if n.is_multiple_of(9) { "agent_claim" } else { "tests" }, chance(u64::from(n) + part, 2) == 0);
            row.outcome_id = Id::new(NOON.plus_millis(i64::from(n)), [n, part as u8, 0, 0, 0, 0, 0, 0, 0, 0]);
            (row.part, row.unit_kind) = (part as i64, if part == 0 { "call" } else { "run" }.into());
            row.unit_id =
                if n.is_multiple_of(2) { format!("run {}", n % 13).into() } else { interaction_id(n.into(), NOON).to_string().into() };
            (row.provider_canonical, row.model) = (format!("provider{}", part % 2).into(), format!("model{}", chance(n.into(), 3)).into());
            (row.caller_ref, row.share_ppm) = ((!n.is_multiple_of(3)).then(|| key_id(part).to_string().into()), 333_333);
            row.observed_at = at(u64::from(n) * 3 + part * 30);
            row
        });
        let new = NewOutcome { rows: rows.collect(), penalties: Vec::new(), precedence: vec!["tests", "agent_claim"] };
        store.post_outcome(new).await.unwrap();
    }
}

/// Measures with the engine's own sums and window functions, a statement a figure.
fn by_the_engine(tx: &mut dyn Tx, grain: Grain, span: Span) -> Result<Measurements, StoreError> {
    let names = |columns: [&str; 4]| {
        let wanted = [grain.provider, grain.model, grain.task, grain.caller];
        let name = |(at, column): (usize, &str)| match wanted[at] {
            true => format!("coalesce(cast({column} AS text), '') AS g{at}"),
            false => format!("'*' AS g{at}"),
        };
        columns.into_iter().enumerate().map(name).collect::<Vec<_>>().join(", ")
    };
    let of_calls = names(["provider_canonical", "model", "task_category", "key_id"]);
    let group = "GROUP BY g0, g1, g2, g3";
    let calls = "FROM llm_interactions WHERE created_at > $1 AND created_at <= $2 AND provider_canonical IS NOT NULL";
    let places = |measured: &str| {
        format!(
            "SELECT g0, g1, g2, g3, max(CASE WHEN place = (n * 50 + 99) / 100 THEN measured END), \
             max(CASE WHEN place = (n * 99 + 99) / 100 THEN measured END) FROM (SELECT g0, g1, g2, g3, measured, \
             row_number() OVER (PARTITION BY g0, g1, g2, g3 ORDER BY measured) AS place, count(*) OVER (PARTITION BY g0, g1, g2, g3) AS n \
             FROM (SELECT {of_calls}, {measured} AS measured {calls} AND {measured} IS NOT NULL) AS given) AS placed {group}"
        )
    };
    let weight =
        |success: &str| format!("cast(sum(CASE WHEN success = {success} THEN weight_ppm * share_ppm / 1000000 ELSE 0 END) AS bigint)");
    let statements = [
        format!(
            "SELECT {of_calls}, count(*), count(*) - count(cost_nano_usd), cast(sum(cost_nano_usd) AS bigint), \
             cast(sum(cache_savings_nano_usd) AS bigint), cast(sum(output_tokens) AS bigint), \
             count(CASE WHEN outcome IN ('complete', 'truncated', 'refused') THEN 1 END) {calls} {group}"
        ),
        places("latency_ms"),
        places("ttft_ms"),
        places("context_utilization_bp"),
        format!(
            "SELECT {}, count(*) FROM (SELECT coalesce(known.canonical, attempt.provider) AS provider, attempt.model, call.task_category, \
             call.key_id FROM llm_attempts AS attempt JOIN llm_interactions AS call ON call.interaction_id = attempt.interaction_id \
             LEFT JOIN (SELECT provider, max(provider_canonical) AS canonical {calls} GROUP BY provider) AS known \
             ON known.provider = attempt.provider WHERE attempt.error_class IN ({}) AND call.created_at > $1 AND call.created_at <= $2) \
             AS failed {group}",
            names(["provider", "model", "task_category", "key_id"]),
            failures()
        ),
        format!(
            "SELECT {}, count(DISTINCT unit_kind || ':' || unit_id), {}, {} FROM model_outcomes WHERE observed_at > $1 \
             AND observed_at <= $2 AND superseded_by IS NULL AND weight_ppm > 0 AND success IS NOT NULL {group}",
            names(["provider_canonical", "model", "task", "caller_ref"]),
            weight("true"),
            weight("false")
        ),
    ];
    let mut lines = Measurements::new();
    for (at, sql) in statements.iter().enumerate() {
        tx.query(sql, &[span.after.encode(), span.until.encode()], &mut |row| {
            let name = |at| column::<String>(row, at, "name");
            let key = ScoreKey { provider: name(0)?, model: name(1)?, task: name(2)?, caller: name(3)? };
            let line = lines.entry(key).or_default();
            let (number, known) = (|at| column::<i64>(row, at, "number"), |at| column::<Option<i64>>(row, at, "number"));
            match at {
                0 => {
                    (line.n_calls, line.unpriced_calls, line.answered) = (number(4)?, number(5)?, number(9)?);
                    (line.cost, line.cache_savings) = (known(6)?.map(NanoUsd::new), known(7)?.map(NanoUsd::new));
                    line.output_tokens = known(8)?;
                }
                1 => (line.p50_latency_ms, line.p99_latency_ms) = (known(4)?, known(5)?),
                2 => line.p50_ttft_ms = known(4)?,
                3 => line.context_utilization_bp_p50 = known(4)?,
                4 => line.failed = number(4)?,
                _ => (line.n_units, line.success_w_ppm, line.fail_w_ppm) = (number(4)?, number(5)?, number(6)?),
            }
            Ok(())
        })?;
    }
    Ok(lines)
}

on_both_engines!(rt_47_rt_48_one_scan_measures_what_the_engines_own_functions_do);
async fn rt_47_rt_48_one_scan_measures_what_the_engines_own_functions_do(home: Home) {
    let store = home.open();
    settled(&store, (0..CALLS).map(call)).await;
    outcomes(&store).await;
    let spans = WINDOWS.map(|days| Span::days(days, NOON));
    let survey = store.survey(&WINDOWS, NOON).await.unwrap();
    // A page that ends anywhere makes no difference, not even in the middle of a unit.
    let small = store.tallies(&spans, 7).await.unwrap();
    let single = store.tallies(&spans, 1).await.unwrap();
    for (days, span) in WINDOWS.into_iter().zip(spans) {
        for grain in GRAINS {
            let expected = store.read(move |tx| by_the_engine(tx, grain, span)).await.unwrap();
            assert!(
                expected.len() > 2 && expected.values().any(|line| line.failed > 0) && expected.values().any(|line| line.n_units > 0),
                "{days} {grain:?}"
            );
            assert_eq!(survey.lines(grain, days).await.unwrap(), expected, "{days} {grain:?}");
            assert_eq!(store.measure(grain, span).await.unwrap(), expected, "{days} {grain:?}");
            assert_eq!((small.lines(grain, span.after), single.lines(grain, span.after)), (expected.clone(), expected));
        }
    }
}

on_both_engines!(rt_49_the_same_moment_measures_the_same_whatever_is_written_later);
async fn rt_49_the_same_moment_measures_the_same_whatever_is_written_later(home: Home) {
    let store = home.open();
    settled(&store, (0..40).map(call)).await;
    let lines = async || store.survey(&[7], NOON).await.unwrap().lines(Grain::CALLER, 7).await.unwrap();
    let before = lines().await;
    settled(&store, (40..80).map(|n| sample::call(n, NOON.plus_millis(n as i64)))).await;
    assert_eq!(lines().await, before);
    assert_eq!(store.survey(&[], NOON).await.unwrap().lines(Grain::CELL, 7).await.unwrap(), Measurements::new());
}
