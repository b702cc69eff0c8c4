//! Several processes and one file.

use crate::child::command;
use crate::sample;
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use vox_store::StoreError;

pub(crate) fn st_05_modes_hold_under_an_empty_umask(_: u32) {
    let home = tempfile::tempdir().expect("a directory");
    let data = home.path().join("data");
    command(&[], "modes", &data, 0).status().expect("the child runs");
    let mut seen = Vec::new();
    modes(&data, &mut seen);
    for expected in ["vox.db", "vox.db-wal", "vox.db-shm", "vault.db", "vault.db-wal", "store.lock", "intents"] {
        assert!(seen.iter().any(|(name, _)| name == expected), "no {expected} in {seen:?}");
    }
    for (name, mode) in seen {
        assert_eq!(mode, if name == "intents" || name == "data" { 0o700 } else { 0o600 }, "{name}");
    }
}

fn modes(path: &Path, seen: &mut Vec<(String, u32)>) {
    let metadata = path.metadata().expect("it is there");
    let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
    seen.push((name, metadata.permissions().mode() & 0o777));
    if metadata.is_dir() {
        for entry in path.read_dir().expect("it can be read") {
            modes(&entry.expect("it can be read").path(), seen);
        }
    }
}

pub(crate) fn st_11_eight_processes_write_one_file(_: u32) {
    let home = tempfile::tempdir().expect("a directory");
    let children: Vec<_> = (0..8).map(|n| command(&[], "prices", home.path(), n).spawn().expect("the child starts")).collect();
    for mut child in children {
        assert!(child.wait().expect("the child ends").success());
    }
    let connection = Connection::open(home.path().join("vox.db")).expect("it opens");
    let rows: i64 = connection.query_row("SELECT count(*) FROM price_snapshots", [], |row| row.get(0)).expect("it reads");
    assert_eq!(rows, 8000);
}

pub(crate) fn st_11_a_foreign_lock_is_waited_for_and_then_busy(_: u32) {
    let home = tempfile::tempdir().expect("a directory");
    let store = sample::open(home.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let held_for = |patience: Duration, key: u64| {
        let (release, released) = mpsc::channel::<()>();
        let (locked, is_locked) = mpsc::channel::<()>();
        let path = home.path().join("vox.db");
        let holder = std::thread::spawn(move || {
            let connection = Connection::open(path).expect("it opens");
            connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
            locked.send(()).expect("somebody waits");
            let _ = released.recv_timeout(patience);
            connection.execute_batch("ROLLBACK").expect("it ends");
        });
        is_locked.recv().expect("the lock is taken");
        let started = Instant::now();
        let outcome = runtime.block_on(store.create_key(sample::key(key, None)));
        let waited = started.elapsed();
        drop(release);
        holder.join().expect("the holder ends");
        (outcome, waited)
    };
    let (outcome, waited) = held_for(Duration::from_secs(3), 1);
    assert_eq!(outcome, Ok(()));
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    let (outcome, waited) = held_for(Duration::from_secs(10), 2);
    assert_eq!(outcome, Err(StoreError::Busy));
    assert!((Duration::from_millis(4500)..Duration::from_secs(8)).contains(&waited), "{waited:?}");
    assert_eq!(held_for(Duration::ZERO, 3).0, Ok(()), "afterwards it serves again");
}
