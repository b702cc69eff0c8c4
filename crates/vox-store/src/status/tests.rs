use crate::sample;
use crate::{Access, File, OpenOptions, Store, StoreError, VaultChange};
use std::collections::BTreeMap;

fn inspect(home: &std::path::Path) -> Store {
    Store::open(OpenOptions { access: Access::Inspect, ..sample::options(home) }).unwrap()
}

#[tokio::test]
async fn st_08_the_settings_of_each_file_are_read_back_from_the_open_connection() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    store.vault_write(|_| Ok(VaultChange::default())).await.unwrap();
    let status = store.status().unwrap();
    let version: Vec<u32> = status.sqlite_version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(version >= vec![3, 51, 3], "{}", status.sqlite_version);
    assert!(!status.sqlite_source_id.is_empty());
    let expected = [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("busy_timeout", "5000"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("temp_store", "2"),
        ("mmap_size", "0"),
        ("wal_autocheckpoint", "1000"),
        ("journal_size_limit", "67108864"),
        ("defensive", "1"),
    ];
    assert_eq!(status.files.iter().map(|file| file.file).collect::<Vec<_>>(), [File::State, File::Vault]);
    for (file, application_id) in status.files.iter().zip(["1987016787", "1987016790"]) {
        let pragmas: BTreeMap<&str, &str> = file.pragmas.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for (name, value) in expected {
            assert_eq!(pragmas[name], value, "{name} of {}", file.path.display());
        }
        assert_eq!(pragmas["application_id"], application_id);
        assert_eq!(pragmas["user_version"], file.schema_version.to_string());
        assert_eq!(file.pending, 0);
        assert!(file.bytes > 0);
    }
}

#[tokio::test]
async fn the_writer_has_the_settings_too() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    let read = |name: &'static str| store.write(move |tx| tx.value::<i64>(&format!("PRAGMA {name}"), &[]));
    assert_eq!(read("synchronous").await.unwrap(), Some(2));
    assert_eq!(read("foreign_keys").await.unwrap(), Some(1));
    assert_eq!(read("trusted_schema").await.unwrap(), Some(0));
    assert_eq!(read("journal_size_limit").await.unwrap(), Some(64 * 1024 * 1024));
}

#[test]
fn st_04_inspecting_makes_no_file_and_a_missing_store_is_said() {
    let home = tempfile::tempdir().unwrap();
    let options = OpenOptions { access: Access::Inspect, ..sample::options(&home.path().join("data")) };
    assert!(matches!(Store::open(options), Err(StoreError::Missing(_))));
    let options = OpenOptions { access: Access::Existing, ..sample::options(home.path()) };
    assert!(matches!(Store::open(options), Err(StoreError::Missing(_))));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);

    sample::open(home.path()).close();
    let listing = || {
        let mut names: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = listing();
    assert_eq!(before, ["store.lock", "vox.db"]);
    let store = inspect(home.path());
    assert_eq!(store.status().unwrap().files.len(), 1);
    assert_eq!(store.verify().unwrap()[0].drift, []);
    assert_eq!(listing(), before, "not even while it is open");
    drop(store);
    assert_eq!(listing(), before);
}

#[tokio::test]
async fn inspecting_sees_what_a_living_writer_has_committed() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    store.create_key(sample::key(1, None)).await.unwrap();
    let beside = inspect(home.path());
    assert_eq!(beside.keys().await.unwrap().len(), 1);
    assert!(beside.create_key(sample::key(2, None)).await.is_err(), "it cannot write");
    assert!(beside.status().unwrap().files[0].wal_bytes > 0);
}

#[tokio::test]
async fn st_24_a_schema_changed_from_outside_is_listed_and_refuses_the_next_writer() {
    let home = tempfile::tempdir().unwrap();
    sample::open(home.path()).close();
    let outside = rusqlite::Connection::open(home.path().join("vox.db")).unwrap();
    outside.execute_batch("ALTER TABLE caller_keys ADD COLUMN shoe_size INTEGER; DROP INDEX llm_interactions_by_trace_id").unwrap();
    drop(outside);
    let Err(StoreError::Drift(drift)) = Store::open(sample::options(home.path())) else { panic!("a drifted store opened") };
    let lines: Vec<String> = drift.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["caller_keys.shoe_size: expected nothing, found `INTEGER`", "llm_interactions_by_trace_id: expected `present`, found nothing"]
    );
    assert_eq!(inspect(home.path()).verify().unwrap()[0].drift, drift);
}
