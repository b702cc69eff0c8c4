use crate::rows::routing::CatalogFetch;
use crate::sample::{self, NOON};
use crate::story::{Home, on_both_engines};
use vox_base::Id;

fn fetch(n: u8, source: &'static str) -> CatalogFetch {
    let (fetch_id, at) = (Id::new(NOON, [n; 10]), NOON.plus_millis(i64::from(n)));
    CatalogFetch { fetch_id, source: source.into(), at, added: 2, changed: 1, ..sample::fetch(n.into()) }
}

on_both_engines!(the_attempts_since_a_moment_are_shown_in_their_order);
async fn the_attempts_since_a_moment_are_shown_in_their_order(home: Home) {
    let store = home.open();
    for (n, source) in [(1, "openrouter"), (3, "local"), (2, "openrouter")] {
        store.record_fetch(fetch(n, source)).await.unwrap();
    }
    let since = store.fetches_since(NOON.plus_millis(2)).await.unwrap();
    assert_eq!(since, [fetch(2, "openrouter"), fetch(3, "local")]);
}
