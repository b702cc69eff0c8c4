use crate::sample::{self, DAY_MS, NOON, call, key_id};
use crate::story::{Home, on_both_engines};
use crate::{By, Store, UsageLine, UsageQuery};
use vox_base::NanoUsd;

async fn store_with_calls(home: &std::path::Path) -> Store {
    let store = sample::open(home);
    for n in 0..6 {
        let mut call = call(n, NOON.plus_millis(n as i64 * DAY_MS / 2));
        call.interaction.key_id = Some(key_id(n % 2));
        call.interaction.session_id = (n < 4).then(|| format!("session {}", n / 2).into());
        call.interaction.run_id = (n == 5).then(|| "run".into());
        store.settle(call);
    }
    store.flush().await.unwrap();
    store
}

fn names(lines: &[UsageLine]) -> Vec<(Option<&str>, i64)> {
    lines.iter().map(|line| (line.group.as_deref(), line.totals.calls)).collect()
}

on_both_engines!(lines_follow_what_is_asked_for);
async fn lines_follow_what_is_asked_for(home: Home) {
    let store = store_with_calls(home.path()).await;
    for rolled_up in [false, true] {
        if rolled_up {
            store.roll_up(NOON.plus_millis(2 * DAY_MS)).await.unwrap();
        }
        let ask = async |by| store.usage(UsageQuery { by, since: None, until: None, key: None }).await.unwrap();
        assert_eq!(
            names(&ask(By::Day).await.lines),
            [(Some("2026-11-21"), 1), (Some("2026-11-22"), 2), (Some("2026-11-23"), 2), (Some("2026-11-24"), 1)]
        );
        assert_eq!(names(&ask(By::Session).await.lines), [(None, 2), (Some("session 0"), 2), (Some("session 1"), 2)]);
        assert_eq!(names(&ask(By::Run).await.lines), [(None, 5), (Some("run"), 1)]);
        assert_eq!(names(&ask(By::Task).await.lines), [(Some("code_edit"), 6)]);
        let keys = ask(By::Key).await;
        assert_eq!(names(&keys.lines), [(Some(key_id(0).to_string().as_str()), 3), (Some(key_id(1).to_string().as_str()), 3)]);
        assert_eq!(keys.total.cost, Some(NanoUsd::new(7500)));
    }
}

on_both_engines!(since_until_and_key_narrow_the_report_on_both_sides_of_the_mark);
async fn since_until_and_key_narrow_the_report_on_both_sides_of_the_mark(home: Home) {
    let store = store_with_calls(home.path()).await;
    store.roll_up(NOON.plus_millis(2 * DAY_MS)).await.unwrap();
    let query =
        UsageQuery { by: By::Day, since: Some(NOON.plus_millis(DAY_MS)), until: Some(NOON.plus_millis(2 * DAY_MS)), key: Some(key_id(1)) };
    let report = store.usage(query).await.unwrap();
    assert_eq!(names(&report.lines), [(Some("2026-11-22"), 1), (Some("2026-11-23"), 1)]);
    let until_midnight = UsageQuery { until: Some(NOON.plus_millis(DAY_MS).start_of_day()), since: None, ..query };
    assert_eq!(names(&store.usage(until_midnight).await.unwrap().lines), []);
}

on_both_engines!(an_unknown_cost_is_counted_apart_and_a_free_one_is_zero);
async fn an_unknown_cost_is_counted_apart_and_a_free_one_is_zero(home: Home) {
    let store = home.open();
    let mut unpriced = call(1, NOON);
    unpriced.interaction.cost_nano_usd = None;
    unpriced.interaction.cost_source = "unknown".into();
    store.settle(unpriced);
    store.flush().await.unwrap();
    let ask = async || store.usage(UsageQuery { by: By::Model, since: None, until: None, key: None }).await.unwrap().total;
    assert_eq!((ask().await.cost, ask().await.unpriced_calls), (None, 1));
    let mut free = call(2, NOON);
    free.interaction.cost_nano_usd = Some(NanoUsd::ZERO);
    free.interaction.cost_source = "local".into();
    store.settle(free);
    store.flush().await.unwrap();
    assert_eq!((ask().await.cost, ask().await.unpriced_calls), (Some(NanoUsd::ZERO), 1));
    store.roll_up(NOON.plus_millis(DAY_MS)).await.unwrap();
    assert_eq!((ask().await.cost, ask().await.unpriced_calls), (Some(NanoUsd::ZERO), 1));
}
