//! The SQLite schema of a database contract.
//!
//! Tables are STRICT. A key of one whole number is the rowid; other tables are WITHOUT ROWID unless their rows are wide
//! (see `keeps_rowid`). Same contract, same bytes.

use crate::domain::{Column, ColumnType, Domain, File, ForeignKey, OnDelete, Retention, Table};

/// One thing a schema is made of: a table, an index or a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The statement that makes it, without a semicolon at the end.
    pub sql: String,
}

/// Returns the statements that make the tables of these domains in one file, in the order of the contracts.
#[must_use]
pub fn sqlite(domains: &[Domain], file: File) -> Vec<Object> {
    let mut objects = Vec::new();
    for domain in domains {
        for (name, table) in domain.tables.iter().filter(|(_, table)| table.files(domain).contains(&file)) {
            objects.push(create_table(name, table, domain));
            objects.extend(indexed_columns(table).into_iter().map(|(columns, only)| create_index(name, &columns, only.as_deref())));
            objects.extend(guards(name, table));
        }
    }
    objects
}

fn create_table(name: &str, table: &Table, domain: &Domain) -> Object {
    let rowid_key = has_rowid_key(table);
    let mut items: Vec<String> = table.columns.iter().map(|(column_name, column)| define(column_name, column)).collect();
    items.push(format!("PRIMARY KEY ({})", table.primary_key.join(", ")));
    items.extend(table.unique.iter().map(|columns| format!("UNIQUE ({})", columns.join(", "))));
    items.extend(table.foreign_keys.iter().map(|key| references(key, domain)));
    items.extend(table.checks.iter().map(|check| format!("CONSTRAINT {} CHECK ({})", check.name, check.sql)));
    let options = if rowid_key || keeps_rowid(table) { "STRICT" } else { "STRICT, WITHOUT ROWID" };
    Object { sql: format!("CREATE TABLE {name} (\n  {}\n) {options}", items.join(",\n  ")) }
}

/// Returns a reference as both engines write it.
pub(crate) fn references(key: &ForeignKey, domain: &Domain) -> String {
    let parent = domain.tables.get(&key.references).map_or_else(String::new, |parent| parent.primary_key.join(", "));
    let action = match key.on_delete {
        OnDelete::Cascade => "CASCADE",
        OnDelete::Restrict => "RESTRICT",
    };
    format!("FOREIGN KEY ({}) REFERENCES {} ({parent}) ON DELETE {action}", key.columns.join(", "), key.references)
}

fn has_rowid_key(table: &Table) -> bool {
    let [only] = table.primary_key.as_slice() else { return false };
    table.columns.get(only).is_some_and(|column| column.kind == ColumnType::Int)
}

/// In a WITHOUT ROWID table inner pages hold whole rows, so wide rows make a deep tree that is rebalanced at every few
/// insertions; such tables keep a rowid and pay for a second, narrow tree.
fn keeps_rowid(table: &Table) -> bool {
    const WIDE_COLUMNS: usize = 24;
    let has_large_value = table.columns.iter().any(|(_, column)| match column.kind {
        ColumnType::Bytes | ColumnType::Json => column.max.is_none_or(|max| max > 1024),
        _ => false,
    });
    table.columns.0.len() > WIDE_COLUMNS || has_large_value
}

fn define(name: &str, column: &Column) -> String {
    let sql_type = match column.kind {
        ColumnType::Int | ColumnType::Bool | ColumnType::TsMs | ColumnType::MicroUsd | ColumnType::NanoUsd => "INTEGER",
        ColumnType::Real => "REAL",
        ColumnType::Bytes => "BLOB",
        _ => "TEXT",
    };
    let null = if column.nullable { "" } else { " NOT NULL" };
    let check = condition(name, column).map_or_else(String::new, |condition| format!(" CHECK ({condition})"));
    format!("{name} {sql_type}{null}{check}")
}

/// Lengths of text are checked where rows are written: the engine would have to count characters at every insertion.
/// Values of an enum are compared one by one: for `IN` the engine builds a temporary tree at every insertion.
fn condition(name: &str, column: &Column) -> Option<String> {
    match column.kind {
        ColumnType::Bool => Some(format!("{name} IN (0, 1)")),
        ColumnType::Enum => {
            let cases: Vec<String> = column.values.iter().flatten().map(|value| format!("{name} = '{value}'")).collect();
            Some(cases.join(" OR "))
        }
        ColumnType::Int => match (column.min, column.max) {
            (Some(min), Some(max)) => Some(format!("{name} BETWEEN {min} AND {max}")),
            (Some(min), None) => Some(format!("{name} >= {min}")),
            (None, Some(max)) => Some(format!("{name} <= {max}")),
            (None, None) => None,
        },
        _ => None,
    }
}

/// Returns the columns and condition of each index: the declared ones, and one for every reference that lacks one.
pub(crate) fn indexed_columns(table: &Table) -> Vec<(Vec<String>, Option<String>)> {
    let declared = table.indexes.iter().map(|index| (index.columns.clone(), index.only.clone()));
    let for_references = table.foreign_keys.iter().filter(|key| !is_led_by(table, &key.columns)).map(|key| (key.columns.clone(), None));
    declared.chain(for_references).collect()
}

/// Says whether some key or index begins with these columns.
fn is_led_by(table: &Table, columns: &[String]) -> bool {
    let indexes = table.indexes.iter().filter(|index| index.only.is_none()).map(|index| &index.columns);
    std::iter::once(&table.primary_key).chain(&table.unique).chain(indexes).any(|led| led.starts_with(columns))
}

fn create_index(table: &str, columns: &[String], only: Option<&str>) -> Object {
    let condition = only.map_or_else(String::new, |only| format!(" WHERE {only}"));
    Object { sql: format!("CREATE INDEX {table}_by_{} ON {table} ({}){condition}", columns.join("_"), columns.join(", ")) }
}

/// Triggers that make the engine itself refuse what the retention forbids, also to an outside client.
fn guards(name: &str, table: &Table) -> Vec<Object> {
    let refuse = |event: &str, when: &str, why: &str| Object {
        sql: format!(
            "CREATE TRIGGER {name}_no_{} BEFORE {event} ON {name}{when}\nBEGIN\n  SELECT RAISE(ABORT, '{name} {why}');\nEND",
            event.to_ascii_lowercase()
        ),
    };
    match &table.retention {
        Retention::AppendOnly { .. } => vec![refuse("UPDATE", "", "is append-only"), refuse("DELETE", "", "is append-only")],
        Retention::RolledUp { column, rollup, .. } => {
            let ahead = format!("\nWHEN OLD.{column} >= coalesce((SELECT horizon FROM rollup_mark WHERE rollup = '{rollup}'), 0)");
            vec![refuse("UPDATE", "", "is append-only"), refuse("DELETE", &ahead, "is not rolled up yet")]
        }
        _ => Vec::new(),
    }
}
