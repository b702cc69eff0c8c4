use crate::Snapshot;
use crate::rows::routing::DecisionRow;
use crate::sample::{DAY_MS, NOON, decision, interaction_id};
use crate::story::{Home, on_both_engines};
use vox_base::{Digest, Id};

fn snapshots() -> Vec<Snapshot> {
    ["contract", "catalog", "board"]
        .map(|kind| Snapshot { digest: Digest::of(kind.as_bytes()), kind, blob: kind.as_bytes().to_vec() })
        .to_vec()
}

on_both_engines!(a_decision_comes_back_with_the_inputs_it_was_made_from);
async fn a_decision_comes_back_with_the_inputs_it_was_made_from(home: Home) {
    let store = home.open();
    store.keep_snapshots(snapshots(), NOON).await.unwrap();
    let row = decision(Id::new(NOON, [5; 10]), interaction_id(1, NOON), NOON);
    store.record_decision(row.clone()).await.unwrap();
    let record = store.decision(Some(row.decision_id)).await.unwrap().unwrap();
    assert_eq!(record.decision, row);
    assert_eq!(record.contract.as_deref(), Some(&b"contract"[..]));
    assert_eq!(record.catalog.as_deref(), Some(&b"catalog"[..]));
    assert_eq!(record.board.as_deref(), Some(&b"board"[..]));
    assert_eq!(store.decision(None).await.unwrap().unwrap().decision, row);
    assert_eq!(store.decision(Some(Id::from_bytes([1; 16]))).await.unwrap(), None);
}

on_both_engines!(the_last_decision_that_routing_made_is_found);
async fn the_last_decision_that_routing_made_is_found(home: Home) {
    let store = home.open();
    for (hour, mode) in [(0, "scored"), (1, "explored"), (2, "explicit")] {
        let at = NOON.plus_millis(hour * 3_600_000);
        let id = Id::new(at, [hour as u8; 10]);
        store.record_decision(DecisionRow { mode: mode.into(), ..decision(id, interaction_id(1, NOON), at) }).await.unwrap();
    }
    let found = async |since| store.last_routed(since).await.unwrap().map(|row| row.mode);
    assert_eq!(found(NOON).await.as_deref(), Some("explored"));
    assert_eq!(found(NOON.plus_millis(2 * 3_600_000)).await, None);
}

on_both_engines!(an_input_stays_while_it_is_kept_alive_and_goes_after_its_decisions);
async fn an_input_stays_while_it_is_kept_alive_and_goes_after_its_decisions(home: Home) {
    let store = home.open();
    let [contract, catalog, _] = snapshots().try_into().unwrap();
    store.keep_snapshots(vec![contract.clone(), catalog], NOON).await.unwrap();
    store.keep_snapshots(vec![contract.clone()], NOON.plus_millis(50 * DAY_MS)).await.unwrap();
    store.prune(NOON.plus_millis(93 * DAY_MS)).await.unwrap();
    let kept = store.read(|tx| tx.rows::<crate::rows::routing::SnapshotRow>("", &[])).await.unwrap();
    assert_eq!(kept.iter().map(|row| (row.digest, row.first_at)).collect::<Vec<_>>(), [(contract.digest, NOON)]);
}

on_both_engines!(bytes_that_are_not_those_of_their_digest_are_refused);
async fn bytes_that_are_not_those_of_their_digest_are_refused(home: Home) {
    let store = home.open();
    let forged = Snapshot { digest: Digest::of(b"a"), kind: "board", blob: b"b".to_vec() };
    assert_eq!(store.keep_snapshots(vec![forged], NOON).await.unwrap_err().code(), "store.value");
}
