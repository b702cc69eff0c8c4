use crate::rows::routing::PricingRow;
use crate::sample::{self, NOON};
use crate::story::{Home, on_both_engines};
use crate::{SettledCall, Span};
use vox_base::NanoUsd;

fn reported(n: u64, cost: i64, computed: Option<i64>) -> SettledCall {
    let mut call = sample::call(n, NOON.plus_millis(n as i64));
    call.interaction.cost_source = "provider_reported".into();
    call.interaction.cost_nano_usd = Some(NanoUsd::new(cost));
    call.interaction.computed_nano_usd = computed.map(NanoUsd::new);
    call
}

on_both_engines!(rt_55_only_what_the_provider_stated_counts_as_reported);
async fn rt_55_only_what_the_provider_stated_counts_as_reported(home: Home) {
    let store = home.open();
    let computed = sample::call(9, NOON);
    for call in [reported(1, 200, Some(100)), reported(2, 400, Some(200)), reported(3, 50, None), computed] {
        store.settle(call);
    }
    store.flush().await.unwrap();
    let found = store.charged(Span::days(30, NOON.plus_millis(1000))).await.unwrap();
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.n_reported, one.n_both, one.n_estimated, one.n_free), (3, 2, 1, 0));
    assert_eq!((one.reported.get(), one.both_reported.get(), one.both_computed.get()), (650, 600, 300));
    assert_eq!((one.reported_tokens, one.last_at), (3 * (812 + 96), NOON.plus_millis(3)));
    assert_eq!(one.prices, sample::call(1, NOON).interaction.price_snapshot_id);
}

on_both_engines!(the_newest_day_of_each_model_is_shown);
async fn the_newest_day_of_each_model_is_shown(home: Home) {
    let store = home.open();
    let row = |day: &'static str, model: &'static str, ratio| PricingRow {
        provider_canonical: "openrouter".into(),
        model: model.into(),
        day: day.into(),
        catalog_input_micros_per_mtok: None,
        catalog_output_micros_per_mtok: None,
        observed_ratio_ppm: Some(ratio),
        observed_blended_micros_per_mtok: None,
        n_reported: 20,
        n_estimated: 0,
        n_free: 0,
        confidence: "medium".into(),
        last_at: NOON,
    };
    store.keep_pricing(None, "2026-11-20".into(), vec![row("2026-11-20", "a", 1), row("2026-11-20", "b", 2)]).await.unwrap();
    store.keep_pricing(None, "2026-11-21".into(), vec![row("2026-11-21", "a", 3)]).await.unwrap();
    store.keep_pricing(None, "2026-11-21".into(), vec![row("2026-11-21", "a", 4)]).await.unwrap();
    let ratios: Vec<_> = store.pricing().await.unwrap().into_iter().map(|row| (row.model, row.observed_ratio_ppm)).collect();
    assert_eq!(ratios, [("a".into(), Some(4)), ("b".into(), Some(2))]);
    assert_eq!(store.pricing_version().await.unwrap(), 3, "whoever keeps prices is noticed");
}
