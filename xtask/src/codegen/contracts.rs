//! The page of contracts: what each file holds, its schema, and the crates that read it.

use super::{Sources, opening, prose};
use crate::files;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# Contracts

A contract is a commented file with the shipped defaults, a JSON Schema, and one Rust type that refuses unknown keys. Paths
are below `contracts/`. Files that you may lay over a contract are named in its first lines and in
[the guide](../guide/routing.md).
";

pub(super) fn page(root: &Path, sources: &Sources, schemas: &[&str]) -> String {
    let code = files(&root.join("crates"), "rs");
    let mut out = HEAD.to_owned();
    let mut folder = "";
    for (path, text) in sources.0.iter().filter(|(path, _)| !path.ends_with(".schema.json")) {
        let name = path.trim_start_matches("contracts/");
        let (domain, _) = name.split_once('/').unwrap_or(("", name));
        if domain != folder {
            let _ = writeln!(out, "\n## {domain}");
            folder = domain;
        }
        let _ = writeln!(out, "\n### {name}\n\n{}\n", prose(&about(path, text)));
        if let Some(schema) = schema(schemas, path) {
            let _ = writeln!(out, "- Schema: `{}`", schema.trim_start_matches("contracts/"));
        }
        let _ = writeln!(out, "- Read by: {}", readers(root, &code, path));
    }
    out
}

fn about(path: &str, text: &str) -> String {
    if path.ends_with(".yaml") {
        return opening(text);
    }
    let data: Value = serde_json::from_str(text).unwrap_or_default();
    let key = |name: &str| data.get(name).and_then(Value::as_str);
    match (key("format"), key("made_by"), key("as_of")) {
        (Some(format), Some(made_by), _) => format!("Test vectors of the format `{format}`, made by {made_by}."),
        (_, _, Some(month)) => format!("What is known as of {month}, before any list is fetched."),
        _ => String::new(),
    }
}

/// Returns the schema beside a contract: the one of the same name, or the one all files of its folder share.
fn schema<'a>(schemas: &[&'a str], path: &str) -> Option<&'a str> {
    let (folder, file) = path.rsplit_once('/')?;
    let name = file.split('.').next()?;
    let shared = match folder {
        "contracts/db" => "domain",
        "contracts/errors" => "errors",
        _ => name,
    };
    let wanted = format!("{folder}/{shared}.v1.schema.json");
    schemas.iter().copied().find(|path| *path == wanted)
}

/// Returns the crates whose sources name a contract; a database contract is read through what is generated from it.
fn readers(root: &Path, code: &[(std::path::PathBuf, String)], path: &str) -> String {
    let crates: BTreeSet<String> = code
        .iter()
        .filter(|(_, text)| text.contains(path))
        .filter_map(|(file, _)| {
            Some(file.strip_prefix(root.join("crates")).ok()?.components().next()?.as_os_str().to_string_lossy().into_owned())
        })
        .collect();
    if crates.is_empty() { "nobody".into() } else { crates.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ") }
}
