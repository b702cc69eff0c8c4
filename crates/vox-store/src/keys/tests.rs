use crate::rows::gateway::KeyBudget;
use crate::sample::{NOON, key, key_id};
use crate::story::{Home, on_both_engines};
use crate::{Store, StoreError};
use vox_base::{Digest, NanoUsd};

fn budget(n: u64, window: &'static str, limit: i64) -> KeyBudget {
    KeyBudget { key_id: key_id(n), budget_window: window.into(), limit_nano_usd: NanoUsd::new(limit), mode: "hard".into() }
}

on_both_engines!(a_key_comes_back_as_it_was_stored);
async fn a_key_comes_back_as_it_was_stored(home: Home) {
    let store = home.open();
    let mut first = key(1, None);
    first.key.rpm = Some(60);
    first.key.models_json = Some(r#"["openrouter/*"]"#.into());
    first.budgets = vec![budget(1, "day", 10), budget(1, "total", 100)];
    store.create_key(first.clone()).await.unwrap();
    store.create_key(key(2, Some(1))).await.unwrap();
    assert_eq!(store.key(key_id(1)).await.unwrap(), Some(first.clone()));
    assert_eq!(store.keys().await.unwrap(), [first, key(2, Some(1))]);
    assert_eq!(store.key(key_id(3)).await.unwrap(), None);
}

on_both_engines!(an_update_changes_limits_and_budgets_and_nothing_else);
async fn an_update_changes_limits_and_budgets_and_nothing_else(home: Home) {
    let store = home.open();
    let mut stored = key(1, None);
    stored.budgets = vec![budget(1, "day", 10)];
    store.create_key(stored.clone()).await.unwrap();
    let mut changed = stored.clone();
    changed.key.name = "renamed".into();
    changed.key.tpm = Some(9);
    changed.key.secret_sha256 = Digest::of(b"not this way");
    changed.budgets = vec![budget(1, "week", 20)];
    store.update_key(changed.clone()).await.unwrap();
    changed.key.secret_sha256 = stored.key.secret_sha256;
    assert_eq!(store.key(key_id(1)).await.unwrap(), Some(changed));
    let missing = store.update_key(key(9, None)).await.unwrap_err();
    assert_eq!(missing.code(), "store.not_found");
}

on_both_engines!(rotation_keeps_the_old_secret_until_the_grace_ends);
async fn rotation_keeps_the_old_secret_until_the_grace_ends(home: Home) {
    let store = home.open();
    store.create_key(key(1, None)).await.unwrap();
    store.rotate_key(key_id(1), Digest::of(b"new"), NOON.plus_millis(5)).await.unwrap();
    let rotated = store.key(key_id(1)).await.unwrap().unwrap().key;
    assert_eq!(rotated.secret_sha256, Digest::of(b"new"));
    assert_eq!((rotated.prev_secret_sha256, rotated.prev_valid_until), (Some(key(1, None).key.secret_sha256), Some(NOON.plus_millis(5))));
    store.revoke_key(key_id(1), false, NOON).await.unwrap();
    assert!(store.rotate_key(key_id(1), Digest::of(b"newer"), NOON).await.is_err());
}

async fn family(store: &Store) {
    for (n, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(1)), (5, None)] {
        store.create_key(key(n, parent)).await.unwrap();
    }
}

on_both_engines!(revoking_a_tree_reaches_every_key_below_once);
async fn revoking_a_tree_reaches_every_key_below_once(home: Home) {
    let store = home.open();
    family(&store).await;
    assert_eq!(store.revoke_key(key_id(3), false, NOON).await.unwrap(), [key_id(3)]);
    assert_eq!(store.revoke_key(key_id(1), true, NOON).await.unwrap(), [key_id(1), key_id(2), key_id(4)]);
    assert_eq!(store.revoke_key(key_id(1), true, NOON).await.unwrap(), []);
    let usable: Vec<_> =
        store.keys().await.unwrap().into_iter().filter(|key| key.key.revoked_at.is_none()).map(|key| key.key.key_id).collect();
    assert_eq!(usable, [key_id(5)]);
    assert!(matches!(store.revoke_key(key_id(9), false, NOON).await, Err(StoreError::NotFound(_))));
}

on_both_engines!(every_change_moves_the_version_for_other_processes_and_reading_does_not);
async fn every_change_moves_the_version_for_other_processes_and_reading_does_not(home: Home) {
    let (store, other) = (home.open(), home.open());
    let mut seen = vec![other.keys_version().await.unwrap()];
    store.create_key(key(1, None)).await.unwrap();
    seen.push(other.keys_version().await.unwrap());
    store.update_key(key(1, None)).await.unwrap();
    seen.push(other.keys_version().await.unwrap());
    store.rotate_key(key_id(1), Digest::of(b"new"), NOON).await.unwrap();
    seen.push(other.keys_version().await.unwrap());
    store.revoke_key(key_id(1), false, NOON).await.unwrap();
    seen.push(other.keys_version().await.unwrap());
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    store.touch_keys(vec![key_id(1)], NOON).await.unwrap();
    assert_eq!(store.key(key_id(1)).await.unwrap().unwrap().key.last_used_day.as_deref(), Some("2026-11-21"));
    assert_eq!(other.keys_version().await.unwrap(), seen[4], "use is not a change");
}

on_both_engines!(a_taken_public_id_is_refused_whole);
async fn a_taken_public_id_is_refused_whole(home: Home) {
    let store = home.open();
    store.create_key(key(1, None)).await.unwrap();
    let mut twin = key(2, None);
    twin.key.public_id = key(1, None).key.public_id;
    twin.budgets = vec![budget(2, "day", 1)];
    assert!(matches!(store.create_key(twin).await, Err(StoreError::Value { .. })));
    assert_eq!(store.keys().await.unwrap().len(), 1);
}
