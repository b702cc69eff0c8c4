//! The PostgreSQL schema of a database contract: the same tables as in `ddl`, in the types of the other engine.
//!
//! Every condition has a name and is written the way the server reads it back, so that `Schema` can compare. Text is
//! ordered by bytes on both engines. Same contract, same bytes.

use crate::ddl::{Object, indexed_columns, references};
use crate::domain::{Column, ColumnType, Domain, File, Retention, Table};

/// What triggers call; the tables that need them name them.
const REFUSE_CHANGE: &str = "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$";

const REFUSE_BEFORE_ROLLUP: &str = "CREATE FUNCTION refuse_before_rollup() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  horizon bigint;
BEGIN
  EXECUTE format('SELECT horizon FROM %I.rollup_mark WHERE rollup = $1', TG_TABLE_SCHEMA) INTO horizon USING TG_ARGV[1];
  IF (to_jsonb(OLD) ->> TG_ARGV[0])::bigint >= coalesce(horizon, 0) THEN
    RAISE EXCEPTION '% is not rolled up yet', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END
$$";

/// Returns the statements that make the tables of these domains in the shared database, in the order of the contracts.
#[must_use]
pub fn postgres(domains: &[Domain]) -> Vec<Object> {
    let mut objects: Vec<Object> = [REFUSE_CHANGE, REFUSE_BEFORE_ROLLUP].map(|sql| Object { sql: sql.into() }).into();
    for domain in domains {
        for (name, table) in domain.tables.iter().filter(|(_, table)| table.files(domain).contains(&File::State)) {
            objects.push(create_table(name, table, domain));
            objects.extend(indexed_columns(table).into_iter().map(|(columns, only)| create_index(name, &columns, only.as_deref())));
            objects.extend(guards(name, table));
        }
    }
    objects
}

fn create_table(name: &str, table: &Table, domain: &Domain) -> Object {
    let mut items: Vec<String> = table.columns.iter().map(|(column_name, column)| define(column_name, column)).collect();
    items.push(format!("CONSTRAINT {name}_pkey PRIMARY KEY ({})", table.primary_key.join(", ")));
    items.extend(table.unique.iter().map(|columns| format!("CONSTRAINT {name}_{}_key UNIQUE ({})", columns.join("_"), columns.join(", "))));
    items.extend(
        table.foreign_keys.iter().map(|key| format!("CONSTRAINT {name}_{}_fkey {}", key.columns.join("_"), references(key, domain))),
    );
    let conditions = table.columns.iter().filter_map(|(column_name, column)| Some((column_name, condition(column_name, column)?)));
    items.extend(conditions.map(|(column_name, condition)| format!("CONSTRAINT {name}_{column_name}_check CHECK ({condition})")));
    items.extend(table.checks.iter().map(|check| format!("CONSTRAINT {name}_{} CHECK ({})", check.name, check.sql)));
    Object { sql: format!("CREATE TABLE {name} (\n  {}\n)", items.join(",\n  ")) }
}

fn define(name: &str, column: &Column) -> String {
    let sql_type = match column.kind {
        ColumnType::Id => "uuid",
        ColumnType::Int | ColumnType::TsMs | ColumnType::MicroUsd | ColumnType::NanoUsd => "bigint",
        ColumnType::Bool => "boolean",
        ColumnType::Real => "double precision",
        ColumnType::Date => "date",
        ColumnType::Json => "jsonb",
        ColumnType::Bytes => "bytea",
        ColumnType::Text | ColumnType::Enum | ColumnType::Digest | ColumnType::Cas => "text COLLATE \"C\"",
    };
    let null = if column.nullable { "" } else { " NOT NULL" };
    format!("{name} {sql_type}{null}")
}

fn condition(name: &str, column: &Column) -> Option<String> {
    match column.kind {
        ColumnType::Enum => {
            let values: Vec<String> = column.values.iter().flatten().map(|value| format!("'{value}'")).collect();
            match values.as_slice() {
                [only] => Some(format!("{name} = {only}")),
                _ => Some(format!("{name} = ANY (ARRAY[{}])", values.join(", "))),
            }
        }
        ColumnType::Int => {
            let bounds = [(">=", column.min), ("<=", column.max)];
            let bounds: Vec<String> =
                bounds.into_iter().filter_map(|(sign, bound)| Some(format!("{name} {sign} {}", number(bound?)))).collect();
            (!bounds.is_empty()).then(|| bounds.join(" AND "))
        }
        _ => None,
    }
}

/// The server reads a number back in quotes unless it is a small positive one.
fn number(bound: i64) -> String {
    if (0..=i64::from(i32::MAX)).contains(&bound) { bound.to_string() } else { format!("'{bound}'") }
}

fn create_index(table: &str, columns: &[String], only: Option<&str>) -> Object {
    let condition = only.map_or_else(String::new, |only| format!(" WHERE {only}"));
    Object { sql: format!("CREATE INDEX {table}_by_{} ON {table} USING btree ({}){condition}", columns.join("_"), columns.join(", ")) }
}

/// Triggers that make the engine itself refuse what the retention forbids, also to an outside client.
fn guards(name: &str, table: &Table) -> Vec<Object> {
    let rows = |event: &str, function: &str| Object {
        sql: format!(
            "CREATE TRIGGER {name}_no_{} BEFORE {event} ON {name} FOR EACH ROW EXECUTE FUNCTION {function}",
            event.to_ascii_lowercase()
        ),
    };
    let truncate = Object {
        sql: format!("CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"),
    };
    match &table.retention {
        Retention::AppendOnly { .. } => vec![rows("UPDATE", "refuse_change()"), rows("DELETE", "refuse_change()"), truncate],
        Retention::RolledUp { column, rollup, .. } => {
            let delete = format!("refuse_before_rollup('{column}', '{rollup}')");
            vec![rows("UPDATE", "refuse_change()"), rows("DELETE", &delete), truncate]
        }
        _ => Vec::new(),
    }
}
