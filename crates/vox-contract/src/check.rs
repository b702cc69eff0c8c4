//! What must hold inside one database contract beyond its form.
//!
//! Each rule looks at one table or column and adds findings; none stops at the first.

use crate::domain::{Column, ColumnType, Domain, File, Placement, Retention, Table};
use vox_base::{Document, InvalidConfig};

const MAX_INLINE_BYTES: i64 = 4096;
const MAX_TEXT: i64 = 65_536;
const MAX_BYTES: i64 = 16 * 1024 * 1024;

pub(crate) fn domain(path: &str, document: &Document, domain: &Domain) -> Vec<InvalidConfig> {
    let mut checker = Checker { document, findings: Vec::new() };
    checker.head(path, domain);
    for (name, table) in domain.tables.iter() {
        checker.table(&format!("tables.{name}"), name, table, domain);
    }
    checker.findings
}

struct Checker<'a> {
    document: &'a Document,
    findings: Vec<InvalidConfig>,
}

impl Checker<'_> {
    fn expect(&mut self, holds: bool, at: &str, message: impl Into<String>) {
        if !holds {
            self.findings.push(self.document.fault(at, message));
        }
    }

    fn head(&mut self, path: &str, domain: &Domain) {
        let stem = path.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
        self.expect(domain.version == 1, "x-vox-version", "expected 1");
        self.expect(domain.domain == stem, "domain", format!("expected `{stem}`, the name of the file"));
        self.expect(is_name(&domain.domain), "domain", "expected a name such as `gateway`");
        let local = domain.file != File::Vault || domain.placement == Placement::Local;
        self.expect(local, "placement", "the vault is always local");
    }

    fn table(&mut self, at: &str, name: &str, table: &Table, domain: &Domain) {
        self.expect(is_name(name), at, "expected a name of lower-case letters, digits and `_`");
        self.expect(!table.doc.trim().is_empty(), &format!("{at}.doc"), "says nothing");
        self.expect(is_type_name(&table.row), &format!("{at}.row"), "expected a Rust type name");
        let shared = table.placement.unwrap_or(domain.placement) == Placement::Shared;
        let in_vault = table.files(domain).contains(&File::Vault);
        self.expect(!(shared && in_vault), at, "a table of the vault file is local");
        for (column_name, column) in table.columns.iter() {
            self.column(&format!("{at}.columns.{column_name}"), column_name, column);
        }
        self.keys(at, table, domain);
        self.retention(&format!("{at}.retention"), table, domain);
    }

    fn column(&mut self, at: &str, name: &str, column: &Column) {
        self.expect(is_name(name), at, "expected a name of lower-case letters, digits and `_`");
        let wants_values = column.kind == ColumnType::Enum;
        self.expect(column.values.is_some() == wants_values, at, "`values` goes with type `enum`, and only with it");
        self.expect(column.of.is_some() == (column.kind == ColumnType::Id), at, "`of` goes with type `id`, and only with it");
        self.expect(column.min.is_none() || column.kind == ColumnType::Int, at, "`min` goes only with type `int`");
        for value in column.values.iter().flatten() {
            self.expect(is_word(value), &format!("{at}.values"), format!("`{value}` is not a plain word"));
        }
        self.length(at, column);
    }

    fn length(&mut self, at: &str, column: &Column) {
        let Some(max) = column.max else { return };
        let at = format!("{at}.max");
        match column.kind {
            ColumnType::Int => self.expect(column.min.is_none_or(|min| min <= max), &at, "is below `min`"),
            ColumnType::Text | ColumnType::Json => self.expect((1..=MAX_TEXT).contains(&max), &at, "expected 1 to 65536"),
            ColumnType::Bytes => {
                self.expect((1..=MAX_BYTES).contains(&max), &at, "expected 1 to 16777216");
                let reasoned = max <= MAX_INLINE_BYTES || column.inline_reason.is_some();
                self.expect(reasoned, &at, "over 4096 bytes belong in a blob file, or need an `inline_reason`");
            }
            _ => self.expect(false, &at, "goes only with `int`, `text`, `json` and `bytes`"),
        }
    }

    fn keys(&mut self, at: &str, table: &Table, domain: &Domain) {
        self.expect(!table.primary_key.is_empty(), &format!("{at}.primary_key"), "names no column");
        self.columns_exist(&format!("{at}.primary_key"), &table.primary_key, table);
        for name in &table.primary_key {
            let nullable = table.columns.get(name).is_some_and(|column| column.nullable);
            self.expect(!nullable, &format!("{at}.primary_key"), format!("`{name}` may be null"));
        }
        for columns in &table.unique {
            self.columns_exist(&format!("{at}.unique"), columns, table);
        }
        for index in &table.indexes {
            self.columns_exist(&format!("{at}.indexes"), &index.columns, table);
        }
        for key in &table.foreign_keys {
            let at = format!("{at}.foreign_keys");
            self.columns_exist(&at, &key.columns, table);
            let parent = domain.tables.get(&key.references);
            self.expect(parent.is_some(), &at, format!("no table `{}` in this domain", key.references));
            let fits = parent.is_none_or(|parent| parent.primary_key.len() == key.columns.len());
            self.expect(fits, &at, format!("does not fit the key of `{}`", key.references));
        }
    }

    fn columns_exist(&mut self, at: &str, names: &[String], table: &Table) {
        for name in names {
            self.expect(table.columns.get(name).is_some(), at, format!("no column `{name}`"));
        }
    }

    fn retention(&mut self, at: &str, table: &Table, domain: &Domain) {
        match &table.retention {
            Retention::KeepForever { reason } | Retention::Manual { reason } | Retention::AppendOnly { reason } => {
                self.expect(!reason.trim().is_empty(), at, "gives no reason");
            }
            Retention::Days { column, days } => {
                self.expect(*days > 0, at, "expected at least one day");
                self.column_of_type(at, column, table, ColumnType::Date);
            }
            Retention::MsDays { column, days } => {
                self.expect(*days > 0, at, "expected at least one day");
                self.column_of_type(at, column, table, ColumnType::TsMs);
            }
            Retention::Expires { column } => self.column_of_type(at, column, table, ColumnType::TsMs),
            Retention::RolledUp { column, days, rollup } => {
                self.expect(*days > 0, at, "expected at least one day");
                self.column_of_type(at, column, table, ColumnType::TsMs);
                self.expect(domain.tables.get(rollup).is_some(), at, format!("no table `{rollup}` in this domain"));
            }
            Retention::KeepLast { n, by } => {
                self.expect(*n > 0, at, "keeps nothing");
                self.columns_exist(at, by, table);
            }
            Retention::CascadeOf { table: parent } => {
                let cascades =
                    table.foreign_keys.iter().any(|key| key.references == *parent && key.on_delete == crate::domain::OnDelete::Cascade);
                self.expect(cascades, at, format!("no cascading reference to `{parent}`"));
            }
        }
    }

    fn column_of_type(&mut self, at: &str, name: &str, table: &Table, kind: ColumnType) {
        let fits = table.columns.get(name).is_some_and(|column| column.kind == kind);
        self.expect(fits, at, format!("`{name}` is not a column of type {kind:?}"));
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_type_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_word(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
