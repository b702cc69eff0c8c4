//! Everything that is generated from the database contracts, as paths and texts.

use crate::ddl::Object;
use crate::domain::{Domain, File};
use crate::{ddl, domain, retention, rust};
use vox_base::InvalidConfig;

/// A file that is generated and committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Path from the root of the repository.
    pub path: String,
    /// What the file must hold.
    pub text: String,
}

/// Returns the generated files of these database contracts (paths from the root of the repository, and texts): the row
/// types, the schema of each file, and the JSON Schema of the contracts. Same input, same bytes.
///
/// # Errors
/// Every finding in every contract.
pub fn generate(files: &[(&str, &str)]) -> Result<Vec<GeneratedFile>, Vec<InvalidConfig>> {
    let mut sources: Vec<&(&str, &str)> = files.iter().collect();
    sources.sort_unstable();
    let mut findings = Vec::new();
    let mut domains = Vec::new();
    for (path, text) in sources {
        match crate::read(path, text) {
            Ok(domain) => domains.push((*path, domain)),
            Err(errors) => findings.extend(errors),
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let mut out: Vec<GeneratedFile> = domains.iter().map(|(path, domain)| rows(path, domain)).collect();
    let domains: Vec<Domain> = domains.into_iter().map(|(_, domain)| domain).collect();
    out.extend([File::State, File::Vault].map(|file| schema(file.as_str(), &ddl::sqlite(&domains, file))));
    out.push(schema("shared", &crate::postgres(&domains)));
    out.push(GeneratedFile { path: "crates/vox-store/src/rows/retention.rs".into(), text: retention::rules(&domains) });
    out.push(json_schema());
    Ok(out)
}

fn rows(path: &str, domain: &Domain) -> GeneratedFile {
    GeneratedFile { path: format!("crates/vox-store/src/rows/{}.rs", domain.domain), text: rust::rows(path, domain) }
}

fn schema(name: &str, objects: &[Object]) -> GeneratedFile {
    let engine = if name == "shared" { "in PostgreSQL" } else { "in SQLite" };
    let mut text = format!("-- The {name} tables {engine}. Generated from contracts/db by `cargo xtask codegen`; do not edit.\n");
    for object in objects {
        text.push('\n');
        text.push_str(&object.sql);
        text.push_str(";\n");
    }
    GeneratedFile { path: format!("crates/vox-store/src/schema/{name}.sql"), text }
}

fn json_schema() -> GeneratedFile {
    let text = serde_json::to_string_pretty(&domain::json_schema()).unwrap_or_default();
    GeneratedFile { path: "contracts/db/domain.v1.schema.json".into(), text: text + "\n" }
}
