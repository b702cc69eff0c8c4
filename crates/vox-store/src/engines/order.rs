//! Order of text and sums near the edge.

use crate::sample::{NOON, call, key};
use crate::story::{Home, on_both_engines};
use crate::{SettledCall, StoreError};
use vox_base::NanoUsd;

on_both_engines!(st_30_text_is_ordered_by_its_bytes);
async fn st_30_text_is_ordered_by_its_bytes(home: Home) {
    let store = home.open();
    let names = ["b", "B", "a", "A", "ä", "Ä", "z", "é", "e\u{301}", "中", "文", "_", "-", " ", "ß", "ss", "\u{1f600}", "\u{ffff}"];
    for (n, name) in names.iter().enumerate() {
        let mut named = key(n as u64, None);
        named.key.name = (*name).into();
        store.create_key(named).await.unwrap();
    }
    let ordered = store
        .read(|tx| {
            let mut ordered: Vec<String> = Vec::new();
            tx.query("SELECT name FROM caller_keys ORDER BY name", &[], &mut |row| {
                ordered.push(crate::row::column(row, 0, "name")?);
                Ok(())
            })?;
            Ok(ordered)
        })
        .await
        .unwrap();
    let mut by_bytes = names.map(str::to_owned).to_vec();
    by_bytes.sort();
    assert_eq!(ordered, by_bytes);
}

fn costing(n: u64, nano_usd: i64) -> SettledCall {
    let mut call = call(n, NOON);
    call.entries[0].amount_nano_usd = NanoUsd::new(nano_usd);
    call
}

on_both_engines!(st_30_a_sum_is_exact_up_to_the_edge_and_an_error_beyond);
async fn st_30_a_sum_is_exact_up_to_the_edge_and_an_error_beyond(home: Home) {
    let store = home.open();
    store.settle(costing(1, i64::MAX - 7));
    store.settle(costing(2, 7));
    store.flush().await.unwrap();
    assert_eq!(store.spent(None).await.unwrap()[0].nano_usd, NanoUsd::new(i64::MAX));
    store.settle(costing(3, 1));
    store.flush().await.unwrap();
    let beyond: StoreError = store.spent(None).await.unwrap_err();
    assert_eq!(beyond.code(), "store.value", "{beyond}");
    // What would go into a day is as exact.
    let beyond = store.roll_up(NOON.plus_millis(86_400_000)).await.unwrap_err();
    assert_eq!(beyond.code(), "store.value", "{beyond}");
}
