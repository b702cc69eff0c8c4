use crate::outcomes::tests::row as outcome;
use crate::rows::routing::ScoreRow;
use crate::sample::{self, DAY_MS, NOON, interaction_id, key_id};
use crate::story::{Home, on_both_engines};
use crate::{Grain, Measured, Measurements, NewOutcome, ScoreKey, Span, Store};
use vox_base::{NanoUsd, Timestamp};

const LATER: Timestamp = NOON.plus_millis(3_600_000);

pub(crate) async fn settled(store: &Store, calls: impl IntoIterator<Item = crate::SettledCall>) {
    calls.into_iter().for_each(|call| store.settle(call));
    store.flush().await.unwrap();
}

async fn cell(store: &Store) -> Measured {
    let lines = store.measure(Grain::CELL, Span::days(7, LATER)).await.unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_values().next().unwrap()
}

on_both_engines!(rt_47_percentiles_are_the_values_at_their_places);
async fn rt_47_percentiles_are_the_values_at_their_places(home: Home) {
    let store = home.open();
    let latency = |n: u64| {
        let mut call = sample::call(n, NOON.plus_millis(n as i64));
        // In another order than that of the calls.
        call.interaction.latency_ms = Some((n as i64 * 7) % 201);
        call.interaction.ttft_ms = None;
        call
    };
    settled(&store, [latency(1)]).await;
    let one = cell(&store).await;
    assert_eq!((one.p50_latency_ms, one.p99_latency_ms, one.p50_ttft_ms), (Some(7), Some(7), None));
    settled(&store, (2..=200).map(latency)).await;
    let all = cell(&store).await;
    assert_eq!((all.n_calls, all.p50_latency_ms, all.p99_latency_ms), (200, Some(100), Some(198)));
}

on_both_engines!(rt_48_outcomes_do_not_multiply_calls_and_the_last_thumb_counts);
async fn rt_48_outcomes_do_not_multiply_calls_and_the_last_thumb_counts(home: Home) {
    let store = home.open();
    let mut call = sample::call(1, NOON);
    call.interaction.task_category = Some("code_gen".into());
    settled(&store, [call]).await;
    let before = cell(&store).await;
    assert_eq!((before.n_calls, before.n_units, before.success_w_ppm), (1, 0, 0), "RT-51: an answer alone is no success");
    for (n, up) in [(1, true), (2, true), (3, false)] {
        let new = NewOutcome { rows: vec![outcome(n, "human_feedback", up)], penalties: Vec::new(), precedence: vec!["human_feedback"] };
        store.post_outcome(new).await.unwrap();
    }
    let after = cell(&store).await;
    assert_eq!((after.n_calls, after.n_units), (1, 1));
    assert_eq!((after.success_w_ppm, after.fail_w_ppm), (0, 600_000), "one unit of human weight, failed");
}

on_both_engines!(a_window_ends_at_its_moment_and_a_grain_puts_the_rest_together);
async fn a_window_ends_at_its_moment_and_a_grain_puts_the_rest_together(home: Home) {
    let store = home.open();
    let calls = (0..4).map(|n| {
        let mut call = sample::call(n, LATER.plus_millis(-(n as i64) * 7 * DAY_MS / 2));
        call.interaction.key_id = Some(key_id(n % 2));
        call.interaction.cost_nano_usd = (n != 1).then(|| NanoUsd::new(10));
        call
    });
    settled(&store, calls).await;
    let measure = async |grain, days| -> Measurements { store.measure(grain, Span::days(days, LATER)).await.unwrap() };
    let week = measure(Grain { provider: true, ..Grain::default() }, 7).await;
    let line = &week[&ScoreKey { provider: "openrouter".into(), model: "*".into(), task: "*".into(), caller: "*".into() }];
    assert_eq!((line.n_calls, line.unpriced_calls, line.cost), (2, 1, Some(NanoUsd::new(10))), "the call of exactly seven days ago is out");
    let callers = measure(Grain::CALLER, 30).await;
    assert_eq!(callers.iter().map(|(key, line)| (key.caller.clone(), line.n_calls)).collect::<Vec<_>>().len(), 2);
    assert_eq!(measure(Grain::CELL, 30).await.values().map(|line| line.n_calls).sum::<i64>(), 4);
}

on_both_engines!(a_provider_that_another_one_had_to_save_is_less_available);
async fn a_provider_that_another_one_had_to_save_is_less_available(home: Home) {
    let store = home.open();
    let mut saved = sample::call(1, NOON);
    let second = crate::rows::gateway::Attempt { attempt_number: 2, ..saved.attempts[0].clone() };
    saved.attempts[0].provider = "flaky".into();
    saved.attempts[0].outcome = "failed".into();
    saved.attempts[0].error_class = Some("server".into());
    saved.attempts.push(second);
    let mut mistaken = sample::call(2, NOON);
    (mistaken.attempts[0].outcome, mistaken.attempts[0].error_class) = ("failed".into(), Some("request".into()));
    mistaken.interaction.outcome = "upstream_error".into();
    settled(&store, [saved, mistaken]).await;
    let lines = store.measure(Grain { provider: true, ..Grain::default() }, Span::days(7, LATER)).await.unwrap();
    let found: Vec<_> = lines.iter().map(|(key, line)| (key.provider.as_str(), line.answered, line.failed, line.n_calls)).collect();
    assert_eq!(found, [("flaky", 0, 1, 0), ("openrouter", 1, 0, 2)], "a caller's mistake counts for nobody");
}

pub(crate) fn score(model: &'static str, window_days: i64) -> ScoreRow {
    ScoreRow {
        provider_canonical: "openrouter".into(),
        model: model.into(),
        task: "code_gen".into(),
        caller_scope: "*".into(),
        window_days,
        n_calls: 1,
        n_units: 0,
        success_w_ppm: 0,
        fail_w_ppm: 0,
        success_ppm: None,
        ci_low_ppm: None,
        ci_high_ppm: None,
        p50_latency_ms: Some(1),
        p99_latency_ms: Some(1),
        p50_ttft_ms: None,
        availability_ppm: None,
        cost_nano_usd: None,
        unpriced_calls: 1,
        cost_per_success_nano_usd: None,
        quality_ppm: None,
        cache_savings_nano_usd: None,
        context_utilization_bp_p50: None,
        confidence: "none".into(),
        as_of: NOON,
    }
}

on_both_engines!(rt_49_the_rows_of_a_window_are_replaced_whole_or_not_at_all);
async fn rt_49_the_rows_of_a_window_are_replaced_whole_or_not_at_all(home: Home) {
    let store = home.open();
    store.keep_scores(None, 7, vec![score("old", 7), score("both", 7)]).await.unwrap();
    store.keep_scores(None, 30, vec![score("old", 30)]).await.unwrap();
    store.keep_scores(None, 7, vec![score("both", 7), score("new", 7)]).await.unwrap();
    let models = async |window| store.scores(window).await.unwrap().into_iter().map(|row| row.model).collect::<Vec<_>>();
    assert_eq!(models(Some(7)).await, ["both", "new"]);
    assert_eq!(models(None).await, ["both", "new", "old"]);
    assert!(store.keep_scores(None, 7, vec![score("twice", 7), score("twice", 7)]).await.is_err());
    assert_eq!(models(Some(7)).await, ["both", "new"], "a failure in the middle leaves the old rows");
}

on_both_engines!(rt_49_of_two_that_replace_a_window_at_once_one_comes_last_and_is_whole);
async fn rt_49_of_two_that_replace_a_window_at_once_one_comes_last_and_is_whole(home: Home) {
    let stores = [home.open(), home.open()];
    let models = ["one", "other"];
    for _ in 0..10 {
        let rows = |own: &'static str| vec![score("both", 7), score(own, 7)];
        let (one, other) = tokio::join!(stores[0].keep_scores(None, 7, rows(models[0])), stores[1].keep_scores(None, 7, rows(models[1])));
        assert_eq!((one, other), (Ok(()), Ok(())));
        let kept: Vec<_> = stores[0].scores(Some(7)).await.unwrap().into_iter().map(|row| row.model).collect();
        assert!(kept == ["both", "one"] || kept == ["both", "other"], "{kept:?}");
    }
}

on_both_engines!(rt_51_what_has_no_outcome_has_no_weight);
async fn rt_51_what_has_no_outcome_has_no_weight(home: Home) {
    let store = home.open();
    settled(&store, (1..50).map(|n| sample::call(n, NOON))).await;
    let mut claim = outcome(1, "agent_claim", true);
    claim.interaction_id = Some(interaction_id(1, NOON));
    store.post_outcome(NewOutcome { rows: vec![claim], penalties: Vec::new(), precedence: vec!["agent_claim"] }).await.unwrap();
    let measured = cell(&store).await;
    assert_eq!((measured.n_calls, measured.n_units, measured.success_w_ppm, measured.fail_w_ppm), (49, 0, 0, 0));
}
