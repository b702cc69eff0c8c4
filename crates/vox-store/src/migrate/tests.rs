use super::{MIGRATIONS, declared, live, migrate, newest};
use crate::sample::{self, NOON};
use crate::{File, Store, StoreError};
use rusqlite::Connection;
use vox_contract::Schema;

fn migrated(file: File) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    migrate(&connection, file, NOON, "0.0.0").unwrap();
    connection
}

/// Fails naming table and column when a contract was changed without a migration, or the reverse.
#[test]
fn st_24_st_23_all_migrations_from_empty_make_the_schema_of_the_contracts() {
    for file in [File::State, File::Vault] {
        let found = live(&migrated(file)).unwrap();
        let drift: Vec<String> = declared(file).drift(&found).iter().map(ToString::to_string).collect();
        assert_eq!(drift, [] as [String; 0]);
        assert_eq!(found.digest(), declared(file).digest());
    }
    let home = tempfile::tempdir().unwrap();
    let verified = sample::open(home.path()).verify().unwrap();
    assert_eq!((verified[0].file, verified[0].digest), (File::State, declared(File::State).digest()), "what `vox db verify` prints");
}

/// The files that are generated from the contracts are the ones committed.
#[test]
fn generated_files_are_fresh() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut sources = Vec::new();
    for domain in ["gateway", "routing", "storage", "vault"] {
        let path = format!("contracts/db/{domain}.v1.yaml");
        let text = std::fs::read_to_string(format!("{root}/{path}")).unwrap();
        sources.push((path, text));
    }
    let sources: Vec<(&str, &str)> = sources.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    for file in vox_contract::generate(&sources).unwrap() {
        let committed = std::fs::read_to_string(format!("{root}/{}", file.path)).unwrap_or_default();
        assert!(committed == file.text, "`{}` is stale: run `cargo xtask codegen`", file.path);
    }
}

#[test]
fn a_column_only_in_the_contract_or_only_in_the_migrations_is_named() {
    let found = live(&migrated(File::State)).unwrap();
    let changed = |from: &str, to: &str| {
        let text = include_str!("../schema/state.sql");
        assert!(text.contains(from));
        let statements: Vec<String> = super::statements(text).map(|sql| sql.replace(from, to)).collect();
        let drift = Schema::of(statements.iter().map(String::as_str)).drift(&found);
        drift.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let added = changed("  prices_json TEXT NOT NULL", "  prices_json TEXT NOT NULL,\n  currency TEXT");
    assert_eq!(added, ["price_snapshots.currency: expected `TEXT`, found nothing"]);
    let removed = changed("  prices_json TEXT NOT NULL,\n", "");
    assert_eq!(removed, ["price_snapshots.prices_json: expected nothing, found `TEXT NOT NULL`"]);
}

#[test]
fn numbers_have_no_gaps_and_each_text_names_its_file() {
    for (at, migration) in MIGRATIONS.iter().enumerate() {
        assert_eq!(migration.number, at as i64 + 1);
        let texts = std::iter::once(migration.sqlite).chain(migration.postgres);
        let named = texts.into_iter().all(|text| text.starts_with(&format!("-- file: {}\n", migration.file.as_str())));
        assert!(named, "{}", migration.name);
        assert_eq!(migration.postgres.is_some(), migration.file == File::State, "{}", migration.name);
    }
    let last = MIGRATIONS.iter().rev().find(|migration| migration.file == File::State).unwrap();
    assert_eq!((newest(File::State), newest(File::Vault)), (last.number, 2));
}

#[test]
fn migrating_again_applies_nothing() {
    let connection = migrated(File::State);
    migrate(&connection, File::State, NOON.plus_millis(5), "0.0.1").unwrap();
    let applied: i64 = connection.query_row("SELECT count(*) FROM schema_migration", [], |row| row.get(0)).unwrap();
    assert_eq!(applied, super::of(File::State).count() as i64);
}

#[test]
fn an_edited_migration_is_refused() {
    let connection = migrated(File::State);
    connection
        .execute_batch(
            "DROP TRIGGER schema_migration_no_update; UPDATE schema_migration SET sha256 = replace(sha256, substr(sha256, 1, 1), '-')",
        )
        .unwrap();
    let refused = super::unedited(&connection, File::State).unwrap_err();
    assert!(matches!(refused, StoreError::MigrationEdited { number: 1, .. } | StoreError::Damaged { .. }), "{refused}");
}

#[test]
fn two_starters_apply_it_once() {
    let home = tempfile::tempdir().unwrap();
    let open = || sample::open(home.path());
    std::thread::scope(|scope| {
        let starters: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        for starter in starters {
            starter.join().unwrap().close();
        }
    });
    let connection = Connection::open(home.path().join("vox.db")).unwrap();
    let applied: i64 = connection.query_row("SELECT count(*) FROM schema_migration", [], |row| row.get(0)).unwrap();
    assert_eq!(applied, super::of(File::State).count() as i64);
}

fn refusal(home: &std::path::Path) -> StoreError {
    let before = std::fs::read(home.join("vox.db")).unwrap();
    let names = || std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let listed = names();
    let Err(error) = Store::open(sample::options(home)) else { panic!("it opened") };
    assert_eq!(std::fs::read(home.join("vox.db")).unwrap(), before);
    assert_eq!(names(), listed);
    error
}

#[test]
fn a_foreign_or_newer_file_is_refused_untouched() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("vox.db");
    std::fs::write(&path, "just some text").unwrap();
    assert_eq!(refusal(home.path()).code(), "store.foreign");
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert_eq!(refusal(home.path()).code(), "store.foreign");
    std::fs::remove_file(&path).unwrap();
    sample::open(home.path()).close();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(refusal(home.path()).code(), "store.newer");
}

#[test]
fn a_newer_version_that_stands_only_in_the_log_is_seen() {
    let home = tempfile::tempdir().unwrap();
    sample::open(home.path()).close();
    let newer = Connection::open(home.path().join("vox.db")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    // The connection stays open, so the version is in the log and not in the file.
    assert_eq!(refusal(home.path()).code(), "store.newer");
    drop(newer);
}
