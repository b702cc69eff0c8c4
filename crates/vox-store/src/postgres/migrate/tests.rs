use super::{declared, live};
use crate::postgres::{Session, Target};
use crate::sample::{self, call};
use crate::story::Home;
use crate::{Access, File, OpenOptions, Store, StoreError};
use vox_testkit::Postgres;

/// A store in a schema of its own, and what an outside client needs to get at it.
struct Outside {
    server: &'static Postgres,
    home: Home,
    url: String,
    schema: String,
}

fn outside() -> Option<Outside> {
    let server = Postgres::shared()?;
    let url = server.fresh();
    let schema = url.split_once("vox_schema=").unwrap().1.to_owned();
    Some(Outside { server, home: Home::server(url.clone()), url, schema })
}

impl Outside {
    fn sql(&self, sql: &str) -> Result<String, String> {
        self.server.sql(&format!("SET search_path = {}; {sql}", self.schema))
    }

    fn refusal(&self) -> StoreError {
        let Err(error) = Store::open(self.home.options()) else { panic!("it opened") };
        error
    }
}

/// Fails naming table and column when a contract was changed without a migration, or the reverse.
#[test]
fn st_24_st_23_all_migrations_from_empty_make_the_schema_of_the_contracts() {
    let Some(outside) = outside() else { return };
    let store = outside.home.open();
    let mut session = Session::connect(&Target::parse(&outside.url, None).unwrap(), "test").unwrap();
    let found = live(&mut session, &Target::parse(&outside.url, None).unwrap()).unwrap();
    let drift: Vec<String> = declared().drift(&found).iter().map(ToString::to_string).collect();
    assert_eq!(drift, [] as [String; 0]);
    assert_eq!(found.digest(), declared().digest());
    let verified = store.verify().unwrap();
    assert_eq!((verified[0].file, verified[0].digest), (File::State, declared().digest()));
    assert!(verified[0].drift.is_empty());
}

#[test]
fn st_24_each_change_from_outside_is_named_and_refuses_the_next_writer() {
    let Some(outside) = outside() else { return };
    outside.home.open().close();
    for (change, back, named) in [
        ("ALTER TABLE caller_keys ADD COLUMN extra text", "ALTER TABLE caller_keys DROP COLUMN extra", "caller_keys.extra"),
        (
            "ALTER TABLE caller_keys ALTER COLUMN name TYPE text COLLATE \"default\"",
            "ALTER TABLE caller_keys ALTER COLUMN name TYPE text COLLATE \"C\"",
            "caller_keys.name",
        ),
        (
            "ALTER TABLE key_budgets DROP CONSTRAINT key_budgets_limit_not_negative",
            "ALTER TABLE key_budgets ADD CONSTRAINT key_budgets_limit_not_negative CHECK (limit_nano_usd >= 0)",
            "key_budgets.",
        ),
        (
            "ALTER TABLE budget_entries DISABLE TRIGGER budget_entries_no_update",
            "ALTER TABLE budget_entries ENABLE TRIGGER budget_entries_no_update",
            "budget_entries_no_update",
        ),
        (
            "DROP INDEX budget_entries_by_account_at",
            "CREATE INDEX budget_entries_by_account_at ON budget_entries (account, at)",
            "budget_entries_by_account_at",
        ),
    ] {
        outside.sql(change).unwrap();
        let error = outside.refusal();
        assert_eq!(error.code(), "store.drift", "{change}");
        assert!(error.to_string().contains(named), "{error}");
        outside.sql(back).unwrap();
        outside.home.open().close();
    }
}

#[tokio::test]
async fn st_32_an_outside_client_cannot_change_or_delete_what_is_append_only() {
    let Some(outside) = outside() else { return };
    let store = outside.home.open();
    store.settle(call(1, sample::NOON));
    store.flush().await.unwrap();
    for sql in [
        "UPDATE budget_entries SET amount_nano_usd = 0",
        "DELETE FROM budget_entries",
        "TRUNCATE budget_entries",
        "UPDATE llm_interactions SET cost_nano_usd = 0",
        "DELETE FROM llm_interactions",
        "UPDATE schema_migration SET name = 'x'",
        "DELETE FROM schema_migration",
    ] {
        let error = outside.sql(sql).expect_err(sql);
        assert!(error.contains("is append-only") || error.contains("is not rolled up yet"), "{error}");
    }
}

#[test]
fn st_57_a_newer_schema_a_behind_one_and_a_foreign_one_are_refused_unchanged() {
    let Some(outside) = outside() else { return };
    let inspect = || Store::open(OpenOptions { access: Access::Inspect, ..outside.home.options() });
    assert!(matches!(inspect(), Err(StoreError::Missing(_))));
    assert!(matches!(Store::open(OpenOptions { access: Access::Existing, ..outside.home.options() }), Err(StoreError::Missing(_))));
    outside.home.open().close();
    outside.sql("ALTER TABLE schema_migration DISABLE TRIGGER USER").unwrap();
    outside.sql("INSERT INTO schema_migration VALUES (99, 'later', repeat('0', 64), 0, '9.9.9', 0)").unwrap();
    let dump = || {
        let migrations = outside.sql("SELECT string_agg(schema_migration::text, ',' ORDER BY number) FROM schema_migration").unwrap();
        let columns = "SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ',' ORDER BY table_name, column_name) \
            FROM information_schema.columns WHERE table_schema = current_schema";
        (migrations, outside.sql(columns).unwrap())
    };
    let newer = dump();
    assert_eq!(outside.refusal().code(), "store.newer");
    assert_eq!(inspect().map(drop).unwrap_err().code(), "store.newer", "not even to look at");
    assert_eq!(dump(), newer, "what a later release made stays as it is");
    outside.sql("DELETE FROM schema_migration WHERE number >= 3").unwrap();
    let behind = dump();
    assert_eq!(outside.refusal().code(), "store.behind");
    assert_eq!(dump(), behind);
    assert_ne!(behind, newer);
    let pending = inspect().unwrap().status().unwrap().server.unwrap().pending;
    assert!(pending >= 1);
    outside.sql("DROP TABLE schema_migration").unwrap();
    assert_eq!(outside.refusal().code(), "store.foreign");
}

#[test]
fn an_edited_migration_is_refused() {
    let Some(outside) = outside() else { return };
    outside.home.open().close();
    outside.sql("ALTER TABLE schema_migration DISABLE TRIGGER USER; UPDATE schema_migration SET sha256 = repeat('0', 64)").unwrap();
    assert_eq!(outside.refusal().code(), "store.migration_edited");
}

#[test]
fn four_starters_apply_each_migration_once() {
    let Some(outside) = outside() else { return };
    let homes: Vec<Home> = (0..4).map(|_| Home::server(outside.url.clone())).collect();
    std::thread::scope(|scope| {
        let starters: Vec<_> = homes.iter().map(|home| scope.spawn(|| home.open())).collect();
        for starter in starters {
            starter.join().unwrap().close();
        }
    });
    let applied = outside.sql("SELECT count(*) FROM schema_migration").unwrap();
    assert_eq!(applied, crate::migrate::of(File::State).count().to_string());
}

#[test]
fn st_57_a_wrong_password_and_a_role_without_rights_are_refused_and_no_password_is_told() {
    let Some(outside) = outside() else { return };
    outside.home.open().close();
    let (server, schema) = (outside.server, &outside.schema);
    server.sql("CREATE ROLE secretive").unwrap();
    server.sql("CREATE ROLE eve LOGIN PASSWORD 'right-horse' IN ROLE secretive").unwrap();
    let open = |password: &str| {
        let url = format!("postgres://eve:{password}@127.0.0.1:{}/postgres?vox_schema={schema}", server.port());
        let Err(error) = Store::open(Home::server(url).options()) else { panic!("it opened") };
        assert!(!format!("{error} {error:?}").contains(password), "{error}");
        error
    };
    assert_eq!(open("wrong-horse").code(), "store.denied");
    assert_eq!(open("right-horse").code(), "store.denied");
    assert_eq!(outside.sql("SELECT count(*) FROM caller_keys").unwrap(), "0");
}

#[test]
fn a_server_that_is_not_there_is_said_so() {
    let Err(error) = Store::open(Home::server("postgres://vox@127.0.0.1:1/postgres".into()).options()) else { panic!("it opened") };
    assert_eq!(error.code(), "store.unreachable");
}
