//! The page of database tables, from `contracts/db`.

use super::{Sources, cell, opening};
use std::fmt::Write as _;
use vox_contract::{Column, Domain, File, Retention, Table};

const HEAD: &str = "\
# Tables

What the store keeps, in which file, how much each column gives away, and when rows go.

Files: `vox.db` holds the state, `vault.db` the sealed secrets; both are SQLite files in the data directory.
Classes: S0 counters and versions, S1 operational metadata without content, S2 lets one infer the shape of a workspace,
S3 content. `vox db status` shows the files of your own store.
";

pub(super) fn page(sources: &Sources) -> Result<String, Vec<String>> {
    let mut out = HEAD.to_owned();
    for (path, text) in sources.yaml("contracts/db/") {
        let domain = vox_contract::read(path, text).map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let _ = writeln!(out, "\n## {}\n\n{}", domain.domain, opening(text));
        for (name, table) in domain.tables.iter() {
            out.push_str(&section(&domain, name, table));
        }
    }
    Ok(out)
}

fn section(domain: &Domain, name: &str, table: &Table) -> String {
    let files: Vec<&str> = table.files(domain).into_iter().map(file_name).collect();
    let mut out = format!(
        "\n### {name}\n\n{} In `{}`. {}\n\n| column | type | class | meaning |\n|---|---|---|---|\n",
        table.doc,
        files.join("` and `"),
        retention(&table.retention)
    );
    for (column, it) in table.columns.iter() {
        let _ = writeln!(out, "| `{column}` | {} | {:?} | {} |", column_type(it), it.class, cell(it.doc.as_deref().unwrap_or_default()));
    }
    out
}

const fn file_name(file: File) -> &'static str {
    match file {
        File::State => "vox.db",
        File::Vault => "vault.db",
    }
}

fn column_type(column: &Column) -> String {
    let kind = match (&column.values, &column.of) {
        (Some(values), _) => values.join(", "),
        (_, Some(of)) => format!("id of {of}"),
        _ => serde_name(column),
    };
    if column.nullable { format!("{kind}, or NULL") } else { kind }
}

/// Returns the name of the type as the contract spells it.
fn serde_name(column: &Column) -> String {
    let name = format!("{:?}", column.kind);
    name.char_indices().fold(String::new(), |mut out, (at, letter)| {
        if at > 0 && letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
        out
    })
}

fn retention(retention: &Retention) -> String {
    match retention {
        Retention::KeepForever { reason } => format!("Kept for ever: {reason}."),
        Retention::Manual { reason } => format!("Goes when a person says so: {reason}."),
        Retention::Days { column, days } | Retention::MsDays { column, days } => format!("Goes {days} days after `{column}`."),
        Retention::Expires { column } => format!("Goes at `{column}`."),
        Retention::AppendOnly { reason } => format!("Append-only, kept for ever: {reason}."),
        Retention::RolledUp { column, days, rollup } => {
            format!("Append-only; goes {days} days after `{column}`, once it is summed up in `{rollup}`.")
        }
        Retention::KeepLast { n, by } => format!("The last {n} of each `{}` stay.", by.join(", ")),
        Retention::CascadeOf { table } => format!("Goes with its row in `{table}`."),
    }
}
