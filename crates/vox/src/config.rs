//! The environment, read in this one place and through the registry `contracts/config/env-vars.v1.yaml`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use vox_base::{Coded, Document, Kind, Secret};

/// The registry of environment variables.
pub(crate) const REGISTRY: &str = include_str!("../../../contracts/config/env-vars.v1.yaml");

/// Returns whether `--json` stands anywhere on a command line that could not be read.
pub(crate) fn wants_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// The process environment as it was at the start.
#[derive(Debug, Clone)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Reads the process environment; names that are not text concern nobody here.
    pub(crate) fn read() -> Self {
        Self(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect())
    }

    /// Returns a variable's text; set but empty counts as not set, as everywhere in vox but in secrets.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().filter(|text| !text.is_empty())
    }

    /// Returns a variable exactly as it is.
    pub(crate) fn raw(&self, name: &str) -> Option<OsString> {
        self.0.get(name).cloned()
    }

    /// Returns the directory in which vox was started, if it is still there.
    pub(crate) fn current_dir(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }

    /// Returns the path of this program.
    pub(crate) fn program(&self) -> Result<PathBuf, Coded> {
        std::env::current_exe()
            .map_err(|error| Coded::new(Kind::Failed, "cli.runtime", format!("the program's own path is unknown: {error}")))
    }

    /// Returns a variable that may hold a secret, empty or not.
    pub(crate) fn secret(&self, name: &str) -> Option<Secret<String>> {
        Some(Secret::new(self.0.get(name)?.to_str()?.to_owned()))
    }

    /// Returns whether a switch is on: set and not `0`, `false`, `no` or `off`.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| !matches!(text.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off"))
    }

    /// Returns the middle parts and values of all variables of a form such as `VOX_PROVIDER_<ID>_BASE_URL`.
    pub(crate) fn placeholders(&self, prefix: &str, suffix: &str) -> Vec<(String, String)> {
        let matching = self.0.keys().filter_map(|name| Some((name, name.strip_prefix(prefix)?.strip_suffix(suffix)?)));
        matching.filter_map(|(name, middle)| Some((middle.to_ascii_lowercase(), self.text(name)?.to_owned()))).collect()
    }

    /// Returns one warning for each `VOX_*` variable that the registry does not know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let unregistered: Vec<&String> = self.0.keys().filter(|name| name.starts_with("VOX_")).collect();
        if unregistered.is_empty() {
            return Vec::new();
        }
        let known = registered();
        let unknown: Vec<&String> = unregistered.into_iter().filter(|name| !known.iter().any(|known| matches_form(known, name))).collect();
        if unknown.is_empty() {
            return Vec::new();
        }
        // Some secrets have names of ours too, such as `VOX_OPENROUTER_API_KEY`.
        let secrets = vox_vault::Registry::builtin();
        let unknown = unknown.into_iter().filter(|name| secrets.by_env(name).is_none());
        unknown.map(|name| warning(name, nearest(name, &known))).collect()
    }
}

fn warning(name: &str, near: Option<&String>) -> String {
    match near {
        Some(near) => format!("`{name}` is set and means nothing here; did you mean `{near}`?"),
        None => format!("`{name}` is set and means nothing here"),
    }
}

fn registered() -> Vec<String> {
    let document = Document::parse("env-vars.v1.yaml", REGISTRY).expect("the shipped registry is tested");
    let entries = document.at("variables").and_then(|node| node.decode::<Vec<Entry>>().ok()).unwrap_or_default();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[derive(serde::Deserialize)]
struct Entry {
    name: String,
}

/// Returns whether a name has the registered form; `<ID>` stands for anything.
fn matches_form(form: &str, name: &str) -> bool {
    match form.split_once('<') {
        None => form == name,
        Some((prefix, rest)) => {
            let suffix = rest.split_once('>').map_or("", |(_, suffix)| suffix);
            name.len() > prefix.len() + suffix.len() && name.starts_with(prefix) && name.ends_with(suffix)
        }
    }
}

fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    known.iter().map(|form| (distance(form, name), form)).filter(|(distance, _)| *distance <= 2).min().map(|(_, form)| form)
}

fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, left) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, right) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;
