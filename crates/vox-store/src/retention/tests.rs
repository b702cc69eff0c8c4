use crate::sample::{DAY_MS, NOON, call};
use crate::story::{Home, on_both_engines};
use crate::{By, Pruned, Store, StoreError, UsageQuery, UsageReport};
use vox_base::{NanoUsd, Timestamp};

async fn usage(store: &Store, by: By) -> UsageReport {
    store.usage(UsageQuery { by, since: None, until: None, key: None }).await.unwrap()
}

fn days(n: i64) -> Timestamp {
    NOON.plus_millis(n * DAY_MS)
}

/// Three priced calls on each of four days, one unpriced, one failed.
async fn four_days(store: &Store) {
    for n in 0..12 {
        store.settle(call(n, days(n as i64 / 3)));
    }
    let mut unpriced = call(100, days(1));
    unpriced.interaction.cost_nano_usd = None;
    unpriced.interaction.cost_source = "unknown".into();
    unpriced.entries.clear();
    store.settle(unpriced);
    let mut failed = call(101, days(2));
    failed.interaction.outcome = "upstream_cut".into();
    failed.interaction.model = None;
    failed.interaction.input_tokens = None;
    failed.interaction.cache_read_tokens = None;
    failed.interaction.output_tokens = None;
    store.settle(failed);
    store.flush().await.unwrap();
}

on_both_engines!(gw_61_totals_do_not_change_when_the_calls_are_rolled_up_and_deleted);
async fn gw_61_totals_do_not_change_when_the_calls_are_rolled_up_and_deleted(home: Home) {
    let store = home.open();
    four_days(&store).await;
    let groups = [By::Day, By::Model, By::Provider, By::Key, By::Task];
    let mut before = Vec::new();
    for by in groups {
        before.push(usage(&store, by).await);
    }
    let spent = store.spent(None).await.unwrap();
    assert_eq!(before[0].lines.len(), 4);
    assert_eq!((before[0].total.calls, before[0].total.unpriced_calls, before[0].total.errors), (14, 1, 1));
    assert_eq!((before[0].total.unmetered_calls, before[0].total.cost), (1, Some(NanoUsd::new(13 * 1250))));

    store.roll_up(days(3)).await.unwrap();
    store.roll_up(days(3)).await.unwrap();
    for (by, before) in groups.into_iter().zip(&before) {
        assert_eq!(usage(&store, by).await, *before, "{by:?} after the roll-up");
    }
    assert_eq!(store.spent(None).await.unwrap(), spent);

    let pruned = store.prune(days(3000)).await.unwrap();
    let of = |table: &str| pruned.iter().find(|pruned| pruned.table == table).map(|pruned| pruned.deleted);
    assert_eq!(of("llm_interactions"), Some(11), "the last day is not rolled up and stays");
    assert_eq!(of("budget_entries"), Some(10));
    assert_eq!(of("usage_daily"), Some(5), "5 years are over for the sums");
    assert_eq!(store.spent(None).await.unwrap(), spent, "a budget over all time never shrinks");
}

on_both_engines!(deleting_the_calls_alone_leaves_every_total);
async fn deleting_the_calls_alone_leaves_every_total(home: Home) {
    let store = home.open();
    four_days(&store).await;
    let (before, by_model) = (usage(&store, By::Day).await, usage(&store, By::Model).await);
    store.roll_up(days(10)).await.unwrap();
    let pruned = store.prune(days(400)).await.unwrap();
    assert!(pruned.contains(&Pruned { table: "llm_interactions", deleted: 14 }), "{pruned:?}");
    assert!(pruned.contains(&Pruned { table: "route_decisions", deleted: 14 }), "{pruned:?}");
    assert!(pruned.contains(&Pruned { table: "llm_attempts", deleted: 14 }), "{pruned:?}");
    assert_eq!(store.count_calls().await.unwrap(), 0);
    assert_eq!(usage(&store, By::Day).await, before);
    assert_eq!(usage(&store, By::Model).await, by_model);
    assert_eq!(by_model.lines[0].group, None, "an unknown model is its own group");
    assert_eq!(store.prune(days(400)).await.unwrap(), [], "a second time finds nothing");
}

on_both_engines!(a_call_that_settles_behind_the_mark_is_counted_once);
async fn a_call_that_settles_behind_the_mark_is_counted_once(home: Home) {
    let store = home.open();
    store.roll_up(days(5)).await.unwrap();
    store.settle(call(1, days(0)));
    store.flush().await.unwrap();
    store.roll_up(days(6)).await.unwrap();
    let report = usage(&store, By::Day).await;
    assert_eq!((report.total.calls, report.total.cost), (1, Some(NanoUsd::new(1250))));
    assert_eq!(store.spent(None).await.unwrap()[0].nano_usd, NanoUsd::new(1250));
}

on_both_engines!(the_engine_refuses_to_change_money_rows_or_to_delete_them_before_their_sum);
async fn the_engine_refuses_to_change_money_rows_or_to_delete_them_before_their_sum(home: Home) {
    let store = home.open();
    four_days(&store).await;
    store.roll_up(days(2)).await.unwrap();
    let refused = [
        "UPDATE budget_entries SET amount_nano_usd = 0",
        "UPDATE llm_interactions SET cost_nano_usd = 0",
        "DELETE FROM budget_entries",
        "DELETE FROM llm_interactions",
        "DELETE FROM schema_migration",
    ];
    for sql in refused {
        let outcome = store.write(move |tx| tx.execute(sql, &[])).await;
        assert!(matches!(outcome, Err(StoreError::Value { .. })), "{sql}: {outcome:?}");
    }
    assert_eq!(usage(&store, By::Day).await.total.calls, 14);
}

on_both_engines!(only_the_newest_versions_of_a_secret_stay);
async fn only_the_newest_versions_of_a_secret_stay(home: Home) {
    let store = home.open();
    let version = |secret: &str, version: i64| crate::rows::vault::SecretVersion {
        secret_id: secret.to_owned().into(),
        version,
        record_hash: vec![version as u8; 32],
        op: "rotate".into(),
        by_device: vec![1; 32],
        by_caller: "console".into(),
        created_ms: NOON,
        hold_until_ms: None,
    };
    let versions: Vec<_> = (1..=13).map(|n| version("a.api_key", n)).chain((1..=3).map(|n| version("b.api_key", n))).collect();
    store.vault_write(move |_| Ok(crate::VaultChange { versions, ..Default::default() })).await.unwrap();
    assert_eq!(store.prune(NOON).await.unwrap(), [Pruned { table: "secret_versions", deleted: 3 }]);
    let kept: Vec<i64> = store.secret_versions("a.api_key".into()).await.unwrap().iter().map(|row| row.version).collect();
    assert_eq!(kept, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4]);
    assert_eq!(store.secret_versions("b.api_key".into()).await.unwrap().len(), 3);
}

/// RT-58: scores go 180 days after their moment and prices 90 days after their day; a decision whose inputs are kept is
/// still there with all of them.
#[tokio::test]
async fn rt_58_scores_and_prices_go_when_their_time_has_come_and_decisions_keep_their_inputs() {
    let home = tempfile::tempdir().unwrap();
    let store = crate::sample::open(home.path());
    let old = crate::sample::NOON;
    let kept = |kind, blob: &[u8]| crate::Snapshot { digest: vox_base::Digest::of(blob), kind, blob: blob.to_vec() };
    store.settle(crate::sample::call(1, old.plus_millis(100 * DAY_MS)));
    store.flush().await.unwrap();
    let inputs = vec![kept("contract", b"contract"), kept("catalog", b"catalog"), kept("board", b"board")];
    store.keep_snapshots(inputs, old.plus_millis(100 * DAY_MS)).await.unwrap();
    let mut score = crate::scoreboard::tests::score("old", 7);
    store.keep_scores(None, 7, vec![score.clone()]).await.unwrap();
    score.as_of = old.plus_millis(DAY_MS);
    score.window_days = 30;
    store.keep_scores(None, 30, vec![score]).await.unwrap();
    let price = |day: vox_base::Timestamp| crate::rows::routing::PricingRow {
        provider_canonical: "openrouter".into(),
        model: day.day().into(),
        day: day.day().into(),
        catalog_input_micros_per_mtok: None,
        catalog_output_micros_per_mtok: None,
        observed_ratio_ppm: None,
        observed_blended_micros_per_mtok: None,
        n_reported: 0,
        n_estimated: 1,
        n_free: 0,
        confidence: "none".into(),
        last_at: day,
    };
    let (gone, stays) = (old.plus_millis(89 * DAY_MS), old.plus_millis(90 * DAY_MS));
    for day in [gone, stays] {
        store.keep_pricing(None, day.day(), vec![price(day)]).await.unwrap();
    }
    store.prune(old.plus_millis(180 * DAY_MS + 1)).await.unwrap();
    let days: Vec<String> = store.pricing().await.unwrap().iter().map(|row| row.day.to_string()).collect();
    assert_eq!(days, [stays.day()], "on each side of the border");
    let windows: Vec<i64> = store.scores(None).await.unwrap().iter().map(|row| row.window_days).collect();
    assert_eq!(windows, [30], "on each side of the border");
    let record = store.decision(None).await.unwrap().unwrap();
    assert!(record.contract.is_some() && record.catalog.is_some() && record.board.is_some());
}
