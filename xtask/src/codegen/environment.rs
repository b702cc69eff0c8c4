//! The page of environment variables, from `contracts/config/env-vars.v1.yaml`.

use super::{Sources, cell};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt::Write as _;

/// Every environment variable vox reads as a setting.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Registry {
    /// Version of the format; 1.
    #[serde(rename = "x-vox-version")]
    version: u32,
    /// The variables.
    variables: Vec<Variable>,
}

/// One environment variable.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Variable {
    /// Its name, with at most one `<PLACEHOLDER>`.
    name: String,
    /// The crate that gives it a meaning.
    owner_crate: String,
    /// What it holds.
    kind: VariableKind,
    /// What holds when it is not set.
    default: String,
    /// `false`, or the id of the secret it may carry.
    secret: SecretId,
    /// Older names that it replaces.
    deprecates: Vec<String>,
    /// What it does.
    description: String,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum VariableKind {
    String,
    Int,
    Bool,
    Path,
    Url,
    Enum,
    Duration,
}

impl VariableKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Int => "number",
            Self::Bool => "switch",
            Self::Path => "path",
            Self::Url => "URL",
            Self::Enum => "one of",
            Self::Duration => "time",
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum SecretId {
    Not(bool),
    Id(String),
}

const HEAD: &str = "\
# Environment variables

A flag beats the variable, the variable beats your file, your file beats the default. A variable that is set and empty
counts as not set. A `VOX_*` variable that is not on this page is answered with a warning. Secrets have names of their own
besides these: `vox secrets list` shows them.

| variable | holds | default | what it does |
|---|---|---|---|
";

pub(super) fn page(sources: &Sources) -> Result<String, Vec<String>> {
    let mut out = HEAD.to_owned();
    for (path, registry) in sources.decode::<Registry>("contracts/config/env-vars")? {
        let findings = findings(path, &registry);
        if !findings.is_empty() {
            return Err(findings);
        }
        for variable in &registry.variables {
            out.push_str(&row(variable));
        }
    }
    Ok(out)
}

fn row(variable: &Variable) -> String {
    let mut what = cell(&variable.description);
    if let SecretId::Id(id) = &variable.secret {
        let _ = write!(what, " Also the secret `{id}`.");
    }
    if !variable.deprecates.is_empty() {
        let _ = write!(what, " Replaces `{}`.", variable.deprecates.join("`, `"));
    }
    format!("| `{}` | {} | {} | {what} |\n", variable.name, variable.kind.as_str(), cell(&variable.default))
}

fn findings(path: &str, registry: &Registry) -> Vec<String> {
    let mut findings = Vec::new();
    if registry.version != 1 {
        findings.push(format!("{path}: `x-vox-version`: expected 1"));
    }
    for (at, variable) in registry.variables.iter().enumerate() {
        if !variable.owner_crate.starts_with("vox") {
            findings.push(format!("{path}: `{}`: `{}` is no crate", variable.name, variable.owner_crate));
        }
        if registry.variables[..at].iter().any(|other| other.name == variable.name) {
            findings.push(format!("{path}: `{}` stands there twice", variable.name));
        }
        if matches!(variable.secret, SecretId::Not(true)) {
            findings.push(format!("{path}: `{}`: `secret` is false or the id of a secret", variable.name));
        }
    }
    findings
}
