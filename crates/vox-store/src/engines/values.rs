//! Every table of every contract: rows with extreme values come back equal, and what does not fit is refused alike.

use crate::row::Value;
use crate::rows::gateway::KeyBudget;
use crate::sample::{NOON, call, decision, interaction_id, key, key_id};
use crate::story::{Home, on_both_engines};
use crate::{Store, StoreError, StoredKey};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use vox_base::{Digest, Id, NanoUsd};
use vox_contract::{Column, ColumnType, Domain, File, Table};

/// Rows of each table in each run.
const ROWS: usize = 12;

fn domains() -> Vec<Domain> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/db");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.iter().map(|path| vox_contract::read(path.to_str().unwrap(), &std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}

/// A value that is kept, and what it should read as.
#[derive(Debug, Clone, PartialEq)]
enum Kept {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Json(serde_json::Value),
    Bytes(Vec<u8>),
}

impl Kept {
    fn read(value: Value<'_>, kind: ColumnType) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(number) => Self::Int(number),
            Value::Real(number) => Self::Real(number),
            Value::Text(text) if kind == ColumnType::Json => Self::Json(serde_json::from_str(text).unwrap()),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Value::Id(bytes) => Self::Text(Id::<()>::from_bytes(*bytes).to_string()),
            Value::Day(day) => Self::Text(vox_base::Timestamp::from_millis(i64::from(day) * 86_400_000).day()),
            Value::Digest(bytes) => Self::Text(Digest::from_bytes(*bytes).to_string()),
        }
    }
}

/// Whether a condition of the table is about this column.
fn is_bound(table: &Table, column: &str) -> bool {
    table.checks.iter().any(|check| check.sql.contains(column))
}

fn values(column: &Column, is_bound: bool) -> BoxedStrategy<Kept> {
    let max = usize::try_from(column.max.unwrap_or(200)).unwrap_or(200);
    let any = match column.kind {
        ColumnType::Int => {
            let (least, most) = (column.min.unwrap_or(i64::MIN), column.max.unwrap_or(i64::MAX));
            prop_oneof![Just(least), Just(most), least..=most].prop_map(Kept::Int).boxed()
        }
        ColumnType::TsMs => prop_oneof![Just(0), Just(i64::MAX), 0..i64::MAX].prop_map(Kept::Int).boxed(),
        // The conditions there are forbid what is below nothing.
        ColumnType::NanoUsd | ColumnType::MicroUsd if is_bound => {
            prop_oneof![Just(0), Just(i64::MAX), 0..i64::MAX].prop_map(Kept::Int).boxed()
        }
        ColumnType::NanoUsd | ColumnType::MicroUsd => {
            prop_oneof![Just(i64::MIN), Just(-1), Just(i64::MAX), any::<i64>()].prop_map(Kept::Int).boxed()
        }
        ColumnType::Bool => (0..=1_i64).prop_map(Kept::Int).boxed(),
        ColumnType::Real => prop_oneof![Just(f64::MIN), Just(f64::MAX), Just(f64::MIN_POSITIVE), -1e9..1e9].prop_map(Kept::Real).boxed(),
        ColumnType::Enum => proptest::sample::select(column.values.clone().unwrap()).prop_map(Kept::Text).boxed(),
        ColumnType::Id => any::<[u8; 16]>().prop_map(|bytes| Kept::Text(Id::<()>::from_bytes(bytes).to_string())).boxed(),
        ColumnType::Digest | ColumnType::Cas => {
            any::<[u8; 32]>().prop_map(|bytes| Kept::Text(Digest::from_bytes(bytes).to_string())).boxed()
        }
        ColumnType::Date => {
            (0..4_000_000_i64).prop_map(|day| Kept::Text(vox_base::Timestamp::from_millis(day % 2_900_000 * 86_400_000).day())).boxed()
        }
        ColumnType::Bytes => proptest::collection::vec(any::<u8>(), 0..=max.min(64)).prop_map(Kept::Bytes).boxed(),
        ColumnType::Text => prop_oneof![
            "[a-zA-Z0-9 '\"\\\\%_]{0,20}",
            "[\u{1}-\u{ff}\u{4e00}-\u{4eff}\u{1f600}-\u{1f64f}]{0,12}",
            Just("\u{10ffff}".repeat(max)),
        ]
        .prop_map(move |text| Kept::Text(text.chars().take(max).collect()))
        .boxed(),
        ColumnType::Json => prop_oneof![
            Just(serde_json::json!({"large": 9_007_199_254_740_993_i64, "least": i64::MIN, "text": "\u{1f600}\u{1}'\"", "none": null})),
            Just(serde_json::json!([])),
            any::<i64>().prop_map(|number| serde_json::json!([number, {"a": {"b": [true, false]}}])),
        ]
        .prop_map(Kept::Json)
        .boxed(),
    };
    if column.nullable { prop_oneof![1 => Just(Kept::Null), 4 => any].boxed() } else { any }
}

/// Makes one row and reads it back; a table that refers to another gets the parent's row first.
async fn round_trip(store: &Store, runner: &mut TestRunner, (domain, file): (&Domain, File), name: &str, table: &Table) -> bool {
    let mut fixed: Vec<(String, Kept)> = Vec::new();
    for reference in &table.foreign_keys {
        let parent = domain.tables.get(&reference.references).unwrap();
        let row = row(runner, parent, &[]);
        if !insert(store, file, &reference.references, parent, &row).await {
            return false;
        }
        for (own, theirs) in reference.columns.iter().zip(&parent.primary_key) {
            let at = parent.columns.iter().position(|(column, _)| column == theirs).unwrap();
            fixed.push((own.clone(), row[at].clone()));
        }
    }
    let row = row(runner, table, &fixed);
    let is_in = insert(store, file, name, table, &row).await;
    if is_in {
        assert_eq!(read(store, file, name, table, &row).await, [row], "{name}");
    }
    is_in
}

fn row(runner: &mut TestRunner, table: &Table, fixed: &[(String, Kept)]) -> Vec<Kept> {
    let made = |(name, column): (&str, &Column)| match fixed.iter().find(|(known, _)| known == name) {
        Some((_, value)) => value.clone(),
        None => values(column, is_bound(table, name)).new_tree(runner).unwrap().current(),
    };
    table.columns.iter().map(made).collect()
}

fn columns(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|(name, _)| name).collect()
}

async fn run(store: &Store, file: File, sql: String, values: Vec<Kept>, kinds: Vec<ColumnType>) -> Result<Vec<Vec<Kept>>, StoreError> {
    let work = move |tx: &mut dyn crate::tx::Tx| {
        let mut texts = vec![String::new(); values.len()];
        let mut lent: Vec<Value<'_>> = Vec::new();
        for (value, text) in values.iter().zip(&mut texts) {
            if let Kept::Json(json) = value {
                *text = json.to_string();
            }
        }
        for (value, text) in values.iter().zip(&texts) {
            match value {
                Kept::Json(_) => lent.push(Value::Text(text)),
                Kept::Null => lent.push(Value::Null),
                Kept::Int(number) => lent.push(Value::Int(*number)),
                Kept::Real(number) => lent.push(Value::Real(*number)),
                Kept::Text(text) => lent.push(Value::Text(text)),
                Kept::Bytes(bytes) => lent.push(Value::Bytes(bytes)),
            }
        }
        let mut rows = Vec::new();
        tx.query(&sql, &lent, &mut |row| {
            let read = kinds.iter().enumerate().map(|(at, kind)| Ok(Kept::read(row.value(at)?, *kind)));
            rows.push(read.collect::<Result<Vec<_>, StoreError>>()?);
            Ok(())
        })?;
        Ok(rows)
    };
    match file {
        File::State => store.write(work).await,
        File::Vault => store.write_vault(work).await,
    }
}

/// Returns whether the row is in; by chance it may have the key of another.
async fn insert(store: &Store, file: File, name: &str, table: &Table, row: &[Kept]) -> bool {
    let columns = columns(table);
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
    let sql = format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), places.join(", "));
    match run(store, file, sql, row.to_vec(), Vec::new()).await {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().to_lowercase().contains("unique"), "{name}: {error}");
            false
        }
    }
}

async fn read(store: &Store, file: File, name: &str, table: &Table, row: &[Kept]) -> Vec<Vec<Kept>> {
    let key: Vec<String> = table.primary_key.iter().enumerate().map(|(at, column)| format!("{column} = ${}", at + 1)).collect();
    let sql = format!("SELECT {} FROM {name} WHERE {}", columns(table).join(", "), key.join(" AND "));
    let place = |wanted: &String| table.columns.iter().position(|(column, _)| column == wanted).unwrap();
    let values = table.primary_key.iter().map(|column| row[place(column)].clone()).collect();
    run(store, file, sql, values, table.columns.iter().map(|(_, column)| column.kind).collect()).await.unwrap()
}

on_both_engines!(st_29_rows_of_every_table_come_back_as_they_were_written);
async fn st_29_rows_of_every_table_come_back_as_they_were_written(home: Home) {
    let store = home.open();
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut tables = 0;
    for domain in domains() {
        for (name, table) in domain.tables.iter() {
            // What the store keeps about itself, in each of its files, has its own rules, and one row of each.
            let &[file] = table.files(&domain).as_slice() else { continue };
            let mut kept = 0;
            for _ in 0..ROWS {
                kept += usize::from(round_trip(&store, &mut runner, (&domain, file), name, table).await);
            }
            assert!(kept >= ROWS / 4, "{kept} rows of {name}");
            tables += 1;
        }
    }
    assert!(tables >= 20, "{tables}");
}

fn refused(outcome: Result<(), StoreError>, part: &str) {
    let error = outcome.expect_err(part);
    assert_eq!(error.code(), "store.value", "{part}: {error}");
    assert!(error.to_string().contains(part), "{part}: {error}");
}

fn named(name: &str) -> StoredKey {
    let mut named = key(1, None);
    named.key.name = name.to_owned().into();
    named
}

on_both_engines!(st_29_what_does_not_fit_is_refused_alike_and_names_its_column);
async fn st_29_what_does_not_fit_is_refused_alike_and_names_its_column(home: Home) {
    let store = home.open();
    refused(store.create_key(named("a\0b")).await, "caller_keys.name");
    refused(store.create_key(named(&"\u{1f600}".repeat(129))).await, "caller_keys.name");
    store.create_key(named(&"\u{1f600}".repeat(128))).await.unwrap();
    let mut deep = key(2, None);
    deep.key.depth = 5;
    refused(store.create_key(deep).await, "depth");
    let budget = |mode: &'static str| KeyBudget {
        key_id: key_id(3),
        budget_window: "day".into(),
        limit_nano_usd: NanoUsd::new(1),
        mode: mode.into(),
    };
    refused(store.create_key(StoredKey { budgets: vec![budget("elastic")], ..key(3, None) }).await, "mode");
    for text in [r#"{"a": "\u0000"}"#, r#"{"a": "\ud800"}"#, "{", r#"{"a": 1e999999}"#] {
        let mut odd = decision(Id::new(NOON, [1; 10]), interaction_id(1, NOON), NOON);
        odd.features_json = text.into();
        refused(store.record_decision(odd).await, "route_decisions.features_json");
    }
    let mut odd = key(4, None);
    odd.key.last_used_day = Some("2026-02-30".into());
    refused(store.create_key(odd).await, "caller_keys.last_used_day");
    // A call with a value that does not fit takes nothing else with it.
    store.settle(call(1, NOON));
    store.flush().await.unwrap();
    assert_eq!(store.count_calls().await.unwrap(), 1);
}
