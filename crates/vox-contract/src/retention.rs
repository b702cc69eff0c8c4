//! The retention of every table as Rust data, so that an installed binary prunes without any contract file.

use crate::domain::{Domain, Retention, Table};
use std::fmt::Write as _;

pub(crate) fn rules(domains: &[Domain]) -> String {
    let mut out = String::from(
        "//! When rows of each table go. Generated from contracts/db by `cargo xtask codegen`; do not edit.\n\n\
         use crate::retention::{Keep, Rule};\nuse vox_contract::File;\n\n\
         /// One rule per table and file.\npub(crate) const RULES: &[Rule] = &[\n",
    );
    for domain in domains {
        for (name, table) in domain.tables.iter() {
            for file in table.files(domain) {
                let _ = writeln!(out, "    Rule {{ table: \"{name}\", file: File::{file:?}, keep: {} }},", keep(table));
            }
        }
    }
    out.push_str("];\n\n/// The key of each table.\npub(crate) const KEYS: &[(&str, &str)] = &[\n");
    for (name, table) in domains.iter().flat_map(|domain| domain.tables.iter()) {
        let _ = writeln!(out, "    (\"{name}\", \"{}\"),", table.primary_key.join(", "));
    }
    out.push_str("];\n");
    out
}

fn keep(table: &Table) -> String {
    match &table.retention {
        Retention::KeepForever { .. } | Retention::Manual { .. } | Retention::AppendOnly { .. } | Retention::CascadeOf { .. } => {
            "Keep::All".into()
        }
        Retention::Days { column, days } => format!("Keep::Days {{ column: \"{column}\", days: {days} }}"),
        Retention::MsDays { column, days } => format!("Keep::MsDays {{ column: \"{column}\", days: {days} }}"),
        Retention::Expires { column } => format!("Keep::Until {{ column: \"{column}\" }}"),
        Retention::RolledUp { column, days, rollup } => {
            format!("Keep::RolledUp {{ column: \"{column}\", days: {days}, rollup: \"{rollup}\" }}")
        }
        Retention::KeepLast { n, by } => {
            let newest = table.primary_key.last().map_or("", String::as_str);
            format!("Keep::Last {{ n: {n}, by: \"{}\", newest: \"{newest}\" }}", by.join(", "))
        }
    }
}
