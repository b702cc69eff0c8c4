use crate::sample::{self, NOON, call};
use crate::story::{Home, on_both_engines};
use crate::{OpenOptions, Place, Store, StoreError, VaultChange};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};
use vox_base::{Coded, Id, Kind};

fn modes(dir: &Path, seen: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        seen.push((entry.file_name().into_string().unwrap(), metadata.permissions().mode() & 0o7777));
        if metadata.is_dir() {
            modes(&entry.path(), seen);
        }
    }
}

#[tokio::test]
async fn st_05_directories_are_0700_and_files_0600() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("a/data");
    let store = sample::open(&data);
    store.open_intents(Id::from_bytes([1; 16])).unwrap();
    store.vault_write(|_| Ok(VaultChange::default())).await.unwrap();
    store.settle(call(1, NOON));
    store.flush().await.unwrap();
    let mut seen = Vec::new();
    modes(home.path(), &mut seen);
    for expected in ["vox.db", "vox.db-wal", "vox.db-shm", "vault.db", "vault.db-wal", "store.lock", "intents"] {
        assert!(seen.iter().any(|(name, _)| name == expected), "no {expected} in {seen:?}");
    }
    for (name, mode) in seen {
        let expected = if matches!(name.as_str(), "a" | "data" | "intents") { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{name}");
    }
}

#[test]
fn a_link_out_of_the_directory_is_refused_and_its_target_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let (data, elsewhere) = (home.path().join("data"), home.path().join("elsewhere"));
    std::fs::create_dir_all(&data).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    symlink(elsewhere.join("x.db"), data.join("vox.db")).unwrap();
    assert!(matches!(Store::open(sample::options(&data)), Err(StoreError::SymlinkEscape(_))));
    std::fs::write(elsewhere.join("x.db"), "").unwrap();
    assert!(matches!(Store::open(sample::options(&data)), Err(StoreError::SymlinkEscape(_))));
    assert_eq!(std::fs::read(elsewhere.join("x.db")).unwrap(), b"");
    let options = OpenOptions { db: Some(Place::File(data.join("vox.db"))), ..sample::options(home.path()) };
    assert!(matches!(Store::open(options), Err(StoreError::SymlinkEscape(_))));
}

#[test]
fn a_data_directory_that_is_itself_a_link_works() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("real")).unwrap();
    symlink(home.path().join("real"), home.path().join("data")).unwrap();
    sample::open(&home.path().join("data")).close();
    assert!(home.path().join("real/vox.db").exists());
}

#[tokio::test]
async fn another_place_for_the_state_file_does_not_move_the_vault() {
    let home = tempfile::tempdir().unwrap();
    let store =
        Store::open(OpenOptions { db: Some(Place::File(home.path().join("else/my.db"))), ..sample::options(&home.path().join("data")) })
            .unwrap();
    store.vault_write(|_| Ok(VaultChange::default())).await.unwrap();
    assert!(home.path().join("else/my.db").exists());
    assert!(home.path().join("data/vault.db").exists());
    assert!(!home.path().join("data/vox.db").exists());
}

on_both_engines!(a_failing_operation_undoes_only_itself);
async fn a_failing_operation_undoes_only_itself(home: Home) {
    let store = home.open();
    let writes: Vec<_> = (0..100)
        .map(|n| {
            let store = store.clone();
            // The fiftieth takes the public id of another.
            let mut key = sample::key(n, None);
            if n == 50 {
                key.key.depth = 9;
            }
            tokio::task::spawn_blocking(move || tokio::runtime::Handle::current().block_on(store.create_key(key)))
        })
        .collect();
    let mut refused = 0;
    for write in writes {
        refused += i32::from(write.await.unwrap().is_err());
    }
    assert_eq!(refused, 1);
    assert_eq!(store.keys().await.unwrap().len(), 99);
}

#[tokio::test]
async fn a_lone_write_is_not_delayed_by_the_batch_window() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    store.create_key(sample::key(0, None)).await.unwrap();
    let mut waits: Vec<Duration> = Vec::new();
    for n in 1..40 {
        let started = Instant::now();
        // Without a row there is no sync, so what is left is the wait in the queue.
        store.write(move |_| Ok(n)).await.unwrap();
        waits.push(started.elapsed());
    }
    waits.sort();
    assert!(waits[waits.len() / 2] < Duration::from_millis(3), "{waits:?}");
}

on_both_engines!(what_is_queued_when_the_store_closes_is_committed);
async fn what_is_queued_when_the_store_closes_is_committed(home: Home) {
    let store = home.open();
    for n in 0..1000 {
        store.settle(call(n, NOON));
    }
    store.close();
    assert!(matches!(store.write(|_| Ok(())).await, Err(StoreError::Closed)));
    let again = home.open();
    assert_eq!(again.count_calls().await.unwrap(), 1000);
    assert!(!again.status().unwrap().ended_unclean);
}

#[tokio::test]
async fn nobody_waits_for_a_writer_that_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    let gone = store.write(|_| -> Result<(), StoreError> { panic!("on purpose") }).await;
    assert_eq!(gone, Err(StoreError::Closed));
    assert_eq!(store.write(|_| Ok(())).await, Err(StoreError::Closed));
}

#[test]
fn errors_carry_the_code_and_kind_of_the_specification() {
    let cases = [
        (StoreError::Busy, "store.busy", Kind::Failed),
        (StoreError::Foreign("x".into()), "store.foreign", Kind::Integrity),
        (StoreError::SymlinkEscape("x".into()), "store.symlink_escape", Kind::Refused),
        (StoreError::Newer { path: "x".into(), found: 2, known: 1 }, "store.newer", Kind::Stale),
        (StoreError::Drift(Vec::new()), "store.drift", Kind::Stale),
        (StoreError::Full, "store.full", Kind::Failed),
        (StoreError::Corrupt("x".into()), "store.corrupt", Kind::Integrity),
        (StoreError::value("t.c", "x"), "store.value", Kind::Usage),
    ];
    for (error, code, kind) in cases {
        let coded = Coded::from(error);
        assert_eq!((coded.code, coded.kind), (code, kind));
        assert!(coded.next.is_some());
    }
}
