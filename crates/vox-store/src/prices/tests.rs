use crate::rows::routing::PriceSnapshot;
use crate::sample::NOON;
use crate::story::{Home, on_both_engines};
use vox_base::Id;

fn prices(n: u8, text: &'static str) -> PriceSnapshot {
    PriceSnapshot {
        price_snapshot_id: Id::new(NOON, [n; 10]),
        provider: "openrouter".into(),
        model_id: "meridian/swift-4".into(),
        prices_json: text.into(),
        source: "catalog".into(),
        valid_from: NOON.plus_millis(i64::from(n)),
    }
}

on_both_engines!(equal_prices_are_kept_once_and_a_change_is_a_new_snapshot);
async fn equal_prices_are_kept_once_and_a_change_is_a_new_snapshot(home: Home) {
    let store = home.open();
    let first = store.keep_prices(prices(1, r#"{"input": 150000}"#)).await.unwrap();
    assert_eq!(store.keep_prices(prices(2, r#"{"input": 150000}"#)).await.unwrap(), first);
    let changed = store.keep_prices(prices(3, r#"{"input": 160000}"#)).await.unwrap();
    assert_eq!(changed, prices(3, r#"{"input": 160000}"#));
    assert_eq!(
        store.keep_prices(prices(4, r#"{"input": 150000}"#)).await.unwrap(),
        prices(4, r#"{"input": 150000}"#),
        "back is a change too"
    );
    assert_eq!(store.prices(first.price_snapshot_id).await.unwrap(), Some(first));
    assert_eq!(store.prices(Id::new(NOON, [2; 10])).await.unwrap(), None);
}
