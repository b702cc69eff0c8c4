use crate::sample::{self, NOON, call, key, key_id};
use crate::story::{Home, on_both_engines};
use crate::{Correction, HeldCall, Intent, Recovered, Store, StoreError, Wanted, intent};
use std::path::Path;
use vox_base::{Id, NanoUsd};

fn intent(n: u64, amount: i64) -> Intent {
    Intent { interaction_id: sample::interaction_id(n, NOON), key_id: Some(key_id(2)), amount: NanoUsd::new(amount), at: NOON }
}

/// Leaves the intent file as a killed process would: written, unlocked, not removed.
fn killed(home: &Path, intents: &[Intent], torn: &[u8]) {
    let dir = home.join("intents");
    std::fs::create_dir_all(&dir).unwrap();
    let mut bytes: Vec<u8> = intents.iter().flat_map(intent::encoded).collect();
    bytes.extend_from_slice(torn);
    std::fs::write(dir.join(format!("{}.000001.log", Id::<()>::from_bytes([3; 16]))), bytes).unwrap();
}

fn correction(n: u64, cost: i64) -> Correction {
    Correction {
        interaction_id: sample::interaction_id(n, NOON),
        cost: NanoUsd::new(cost),
        by: "console".into(),
        at: NOON.plus_millis(1000),
    }
}

async fn spent(store: &Store, account: u64) -> i64 {
    let all = store.spent(None).await.unwrap();
    all.iter().find(|spent| spent.account == key_id(account).to_string()).map_or(0, |spent| spent.nano_usd.get())
}

on_both_engines!(gw_37_unsettled_calls_of_a_killed_node_are_held_listed_and_reconciled);
async fn gw_37_unsettled_calls_of_a_killed_node_are_held_listed_and_reconciled(home: Home) {
    let store = home.open();
    store.create_key(key(1, None)).await.unwrap();
    store.create_key(key(2, Some(1))).await.unwrap();
    store.settle(call(1, NOON));
    store.flush().await.unwrap();
    killed(home.path(), &[intent(1, 9000), intent(2, 5000), intent(3, 7000)], &[1, 0, 0]);

    assert_eq!(store.hold_unsettled().await.unwrap(), Recovered { files: 1, held: 2 });
    let held = store.held().await.unwrap();
    assert_eq!(held.iter().map(|call| call.amount.get()).collect::<Vec<_>>(), [5000, 7000]);
    assert_eq!(held[0].incarnation, Id::from_bytes([3; 16]));
    assert_eq!(spent(&store, 2).await, 12_000, "a held amount counts for its key");
    assert_eq!(spent(&store, 1).await, 12_000 + 1250, "and for the key above it");

    store.reconcile(correction(2, 1234)).await.unwrap();
    store.reconcile(correction(3, 0)).await.unwrap();
    assert_eq!(store.held().await.unwrap(), []);
    assert_eq!(spent(&store, 2).await, 1234);
    assert_eq!(spent(&store, 1).await, 1234 + 1250);
    let lost = store.call(Wanted::Id(sample::interaction_id(2, NOON))).await.unwrap().unwrap().interaction;
    assert_eq!((lost.outcome.as_ref(), lost.cost_source.as_ref(), lost.cost_nano_usd), ("lost", "held", Some(NanoUsd::new(1234))));
    let audit = store.read(|tx| tx.value::<i64>("SELECT count(*) FROM budget_entries WHERE kind = 'correct' AND by = 'console'", &[]));
    assert_eq!(audit.await.unwrap(), Some(4), "each correction says who made it");
    let again = store.reconcile(correction(2, 1)).await.unwrap_err();
    assert!(matches!(again, StoreError::NotFound(_)), "{again}");
}

on_both_engines!(holding_twice_or_with_the_file_still_there_changes_nothing_more);
async fn holding_twice_or_with_the_file_still_there_changes_nothing_more(home: Home) {
    let store = home.open();
    killed(home.path(), &[intent(1, 5000), intent(2, 5000)], &[]);
    assert_eq!(store.hold_unsettled().await.unwrap().held, 2);
    assert_eq!(std::fs::read_dir(home.path().join("intents")).unwrap().count(), 0);
    // Killed after the commit and before the removal.
    killed(home.path(), &[intent(1, 5000), intent(2, 5000)], &[]);
    assert_eq!(store.hold_unsettled().await.unwrap(), Recovered { files: 1, held: 0 });
    assert_eq!(store.held().await.unwrap().len(), 2);
    assert_eq!(spent(&store, 2).await, 10_000);
}

on_both_engines!(the_intents_of_a_living_process_are_left_alone);
async fn the_intents_of_a_living_process_are_left_alone(home: Home) {
    let store = home.open();
    store.open_intents(Id::from_bytes([4; 16])).unwrap();
    store.intents().unwrap().append(&intent(1, 5000)).unwrap();
    let other = home.open();
    assert_eq!(other.hold_unsettled().await.unwrap(), Recovered::default());
    store.settle(call(1, NOON));
    store.flush().await.unwrap();
    assert_eq!(store.intents().unwrap().open_calls(), 0);
    store.close();
    assert_eq!(std::fs::read_dir(home.path().join("intents")).unwrap().count(), 0, "nothing is open, so nothing stays");
}

on_both_engines!(a_call_without_a_key_is_held_too);
async fn a_call_without_a_key_is_held_too(home: Home) {
    let store = home.open();
    killed(home.path(), &[Intent { key_id: None, ..intent(1, 0) }], &[]);
    assert_eq!(store.hold_unsettled().await.unwrap().held, 1);
    let expected = HeldCall {
        interaction_id: sample::interaction_id(1, NOON),
        key_id: None,
        incarnation: Id::from_bytes([3; 16]),
        amount: NanoUsd::ZERO,
        opened_at: NOON,
    };
    assert_eq!(store.held().await.unwrap(), [expected]);
}

on_both_engines!(a_correction_behind_the_mark_reaches_the_days);
async fn a_correction_behind_the_mark_reaches_the_days(home: Home) {
    let store = home.open();
    killed(home.path(), &[intent(1, 5000)], &[]);
    store.hold_unsettled().await.unwrap();
    store.roll_up(NOON.plus_millis(3 * sample::DAY_MS)).await.unwrap();
    store.reconcile(correction(1, 700)).await.unwrap();
    assert_eq!(spent(&store, 2).await, 700);
    let query = crate::UsageQuery { by: crate::By::Day, since: None, until: None, key: None };
    assert_eq!(store.usage(query).await.unwrap().total.cost, Some(NanoUsd::new(700)));
}
