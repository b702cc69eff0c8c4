use super::{HardLimit, NodeSeen, Reserve};
use crate::sample::{NOON, call, interaction_id, key, key_id};
use crate::story::{Home, on_both_engines};
use crate::{SettledCall, Store};
use vox_base::{Id, IncarnationId, NanoUsd};

const LIMIT: i64 = 10_000;

fn node(n: u8) -> IncarnationId {
    Id::from_bytes([n; 16])
}

fn reserve(n: u64, amount: i64) -> Reserve {
    let limit = HardLimit { since: NOON.start_of_day(), amount: NanoUsd::new(LIMIT) };
    Reserve {
        interaction_id: interaction_id(n, NOON),
        key_id: key_id(1),
        incarnation: node(1),
        amount: NanoUsd::new(amount),
        accounts: vec![(key_id(1), vec![limit])],
        now: NOON,
    }
}

fn settled(n: u64) -> SettledCall {
    SettledCall { is_reserved: true, ..call(n, NOON) }
}

async fn open_rows(store: &Store) -> i64 {
    store.read(|tx| tx.value("SELECT count(*) FROM open_reservations", &[])).await.unwrap().unwrap_or(0)
}

async fn spent(store: &Store) -> i64 {
    store.spent(None).await.unwrap().first().map_or(0, |spent| spent.nano_usd.get())
}

on_both_engines!(gw_36_a_limit_covers_what_is_spent_and_what_others_have_set_aside);
async fn gw_36_a_limit_covers_what_is_spent_and_what_others_have_set_aside(home: Home) {
    let store = home.open();
    store.create_key(key(1, None)).await.unwrap();
    assert_eq!(store.reserve(reserve(1, 4000)).await.unwrap(), Ok(()));
    assert_eq!(store.reserve(reserve(2, 6000)).await.unwrap(), Ok(()));
    let refused = store.reserve(reserve(3, 1)).await.unwrap().unwrap_err();
    assert_eq!((refused.spent, refused.reserved), (NanoUsd::ZERO, NanoUsd::new(10_000)));
    // Raising what the call itself has set aside counts it once.
    assert!(store.reserve(reserve(2, 6001)).await.unwrap().is_err());
    assert_eq!(store.reserve(reserve(2, 5000)).await.unwrap(), Ok(()));
    // It cost 1250, and that is what stays of the 4000.
    store.settle(settled(1));
    store.flush().await.unwrap();
    let refused = store.reserve(reserve(3, 3751)).await.unwrap().unwrap_err();
    assert_eq!((refused.spent, refused.reserved), (NanoUsd::new(1250), NanoUsd::new(5000)));
    assert_eq!(store.reserve(reserve(3, 3750)).await.unwrap(), Ok(()));
    store.release(interaction_id(3, NOON)).await.unwrap();
    store.settle(settled(2));
    store.flush().await.unwrap();
    assert_eq!((open_rows(&store).await, spent(&store).await), (0, 2500));
    // Yesterday's sums count in no window of today, and the roll-up changes nothing.
    store.roll_up(NOON.plus_millis(86_400_000)).await.unwrap();
    assert!(store.reserve(reserve(4, 7501)).await.unwrap().is_err());
    assert_eq!(store.reserve(reserve(4, 7500)).await.unwrap(), Ok(()));
}

on_both_engines!(gw_36_of_200_parallel_reservations_only_as_many_are_granted_as_fit);
async fn gw_36_of_200_parallel_reservations_only_as_many_are_granted_as_fit(home: Home) {
    let stores = [home.open(), home.open()];
    stores[0].create_key(key(1, None)).await.unwrap();
    let asked: Vec<_> = (0..200_u64)
        .map(|n| {
            let store = stores[usize::from(!n.is_multiple_of(2))].clone();
            tokio::spawn(async move { store.reserve(reserve(n, 400)).await.unwrap().is_ok() })
        })
        .collect();
    let mut granted = 0;
    for answer in asked {
        granted += i64::from(answer.await.unwrap());
    }
    assert_eq!(granted, LIMIT / 400);
    assert_eq!(open_rows(&stores[0]).await, granted);
}

on_both_engines!(what_a_dead_node_has_set_aside_is_held_and_counted_once_if_it_was_not_dead);
async fn what_a_dead_node_has_set_aside_is_held_and_counted_once_if_it_was_not_dead(home: Home) {
    let store = home.open();
    store.create_key(key(1, None)).await.unwrap();
    for _ in 0..3 {
        store.beat(node(1), NOON).await.unwrap();
    }
    store.beat(node(2), NOON).await.unwrap();
    let seen = store.nodes().await.unwrap();
    assert_eq!(seen, [NodeSeen { incarnation: node(1), beats: 3 }, NodeSeen { incarnation: node(2), beats: 1 }]);
    store.reserve(reserve(1, 4000)).await.unwrap().unwrap();
    store.reserve(reserve(2, 5000)).await.unwrap().unwrap();
    assert_eq!(store.hold_node(node(1)).await.unwrap(), 2);
    assert_eq!(store.hold_node(node(1)).await.unwrap(), 0);
    assert_eq!((open_rows(&store).await, spent(&store).await), (0, 9000));
    assert_eq!(store.held().await.unwrap().len(), 2);
    let refused = store.reserve(reserve(3, 1001)).await.unwrap().unwrap_err();
    assert_eq!(refused.spent, NanoUsd::new(9000));
    // It was only slow: its call settles, and what was held of it goes.
    store.settle(settled(1));
    store.flush().await.unwrap();
    assert_eq!((spent(&store).await, store.held().await.unwrap().len()), (5000 + 1250, 1));
}
