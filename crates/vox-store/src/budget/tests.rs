use crate::sample::{DAY_MS, NOON, call, key_id};
use crate::story::{Home, on_both_engines};
use vox_base::NanoUsd;

on_both_engines!(what_is_spent_since_a_day_is_the_same_before_and_after_the_roll_up);
async fn what_is_spent_since_a_day_is_the_same_before_and_after_the_roll_up(home: Home) {
    let store = home.open();
    for n in 0..10 {
        store.settle(call(n, NOON.plus_millis(n as i64 * DAY_MS)));
    }
    store.flush().await.unwrap();
    let expected = [(None, 10), (Some(0), 10), (Some(4), 6), (Some(9), 1)];
    for rolled_up in [0, 3, 6, 20] {
        store.roll_up(NOON.plus_millis(rolled_up * DAY_MS)).await.unwrap();
        for (since, calls) in expected {
            let spent = store.spent(since.map(|day| NOON.plus_millis(day * DAY_MS))).await.unwrap();
            assert_eq!(spent.len(), 1);
            assert_eq!((spent[0].account.as_str(), spent[0].nano_usd), (key_id(1).to_string().as_str(), NanoUsd::new(calls * 1250)));
        }
    }
    assert_eq!(store.spent(Some(NOON.plus_millis(20 * DAY_MS))).await.unwrap(), []);
}
