//! `vox doctor`: what is wrong with store, vault, providers and catalog, and the one command that mends each.
//!
//! It reads the data and changes nothing. It opens no connection at all: whether a provider answers is
//! `vox providers test`'s question. One file per area below.

mod catalog;
mod providers;
mod store;
mod vault;

pub use catalog::age;

use crate::Config;
use crate::discovery::Standing;
use crate::secrets::Secrets;
use serde::Serialize;
use vox_base::{Coded, Kind, Timestamp};
use vox_host::paths::Dirs;
use vox_store::Store;

/// The areas there are, in the order in which they are examined.
pub const AREAS: [&str; 4] = ["store", "vault", "providers", "catalog"];

/// What is examined.
pub struct Patient<'a> {
    /// Where things are.
    pub dirs: &'a Dirs,
    /// The store: nothing where there is none yet, or why it does not open.
    pub store: Result<Option<Store>, Coded>,
    /// The secrets.
    pub secrets: &'a Secrets,
    /// Reads the user's configuration.
    pub config: &'a dyn Fn() -> Result<Config, Coded>,
    /// Whether this looks like a build job (`CI` is set).
    pub in_ci: bool,
    /// The present moment.
    pub now: Timestamp,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something does not work, or is not what it must be.
    Error,
    /// A check could not be made.
    Unknown,
    /// Something works and should be looked at.
    Warn,
    /// Good to know.
    Info,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the check.
    pub id: &'static str,
    /// Which area it belongs to.
    pub area: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What it is about: a file, a provider, a secret.
    pub subject: String,
    /// What was found, with its numbers.
    pub evidence: String,
    /// The one command that mends it.
    pub next: Option<String>,
    #[serde(skip)]
    kind: Kind,
}

impl Finding {
    fn new(level: Level, id: &'static str, subject: impl Into<String>, evidence: impl Into<String>) -> Self {
        let area = AREAS.into_iter().find(|area| id.starts_with(area)).unwrap_or(AREAS[0]);
        Self { id, area, level, subject: subject.into(), evidence: evidence.into(), next: None, kind: Kind::Failed }
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    const fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Returns a coded error as a finding.
    fn from_error(id: &'static str, subject: impl Into<String>, error: &Coded) -> Self {
        let finding = Self::new(Level::Error, id, subject, error.to_string()).of_kind(error.kind);
        Self { next: error.next.clone(), ..finding }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The findings, worst first within an area.
    pub findings: Vec<Finding>,
    /// How every model list stands.
    pub sources: Vec<Standing>,
    /// How many errors.
    pub n_errors: usize,
    /// How many checks could not be made.
    pub n_unknown: usize,
    /// How many warnings.
    pub n_warnings: usize,
}

impl Report {
    /// Returns the exit code: 7 if a stored byte is not what it must be, 5 if everything wrong is only out of step,
    /// else 1 for any error; warnings alone are 0, or 5 when they are not tolerated.
    #[must_use]
    pub fn exit(&self, strict: bool) -> u8 {
        let errors = || self.findings.iter().filter(|finding| finding.level == Level::Error);
        if errors().any(|finding| finding.kind == Kind::Integrity) {
            return 7;
        }
        if errors().next().is_some() {
            return if errors().all(|finding| finding.kind == Kind::Stale) { 5 } else { 1 };
        }
        match (strict, self.n_unknown, self.n_warnings) {
            (true, 1.., _) => 1,
            (true, 0, 1..) => 5,
            _ => 0,
        }
    }
}

/// Examines one area, or all of them.
///
/// # Errors
/// There is no such area.
pub async fn examine(patient: &Patient<'_>, area: Option<&str>) -> Result<Report, Coded> {
    if let Some(unknown) = area.filter(|area| !AREAS.contains(area)) {
        let error = Coded::new(Kind::Usage, "doctor.area_unknown", format!("there is no area `{unknown}`"));
        return Err(error.expected(format!("one of {}", AREAS.join(", "))));
    }
    let wanted = |name: &str| area.is_none_or(|area| area == name);
    let mut findings = Vec::new();
    let mut sources = Vec::new();
    if wanted("store") {
        findings.extend(store::examine(patient).await);
    }
    // Providers and catalog are judged by the keys there are, so the vault is read in any case.
    let vault = vault::examine(patient).await;
    if wanted("vault") {
        findings.extend(vault);
    }
    match (patient.config)() {
        Err(error) if wanted("providers") => findings.push(Finding::from_error("providers-config", "configuration", &error)),
        Err(_) => {}
        Ok(config) => {
            let (in_providers, in_catalog, standing) = offers(patient, config);
            findings.extend(in_providers.into_iter().filter(|_| wanted("providers")));
            if wanted("catalog") {
                findings.extend(in_catalog);
                sources = standing;
            }
        }
    }
    findings.sort_by_key(|finding| (AREAS.iter().position(|area| *area == finding.area), finding.level));
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    Ok(Report { n_errors: count(Level::Error), n_unknown: count(Level::Unknown), n_warnings: count(Level::Warn), findings, sources })
}

fn offers(patient: &Patient<'_>, config: Config) -> (Vec<Finding>, Vec<Finding>, Vec<Standing>) {
    match crate::discovery::preview(config, patient.secrets, &patient.dirs.cache.path, &[], patient.now) {
        Err(error) => (vec![Finding::from_error("providers-config", "configuration", &error)], Vec::new(), Vec::new()),
        Ok((snapshot, warnings)) => {
            let (in_catalog, sources) = catalog::examine(patient, &snapshot, &warnings);
            (providers::examine(&snapshot), in_catalog, sources)
        }
    }
}

#[cfg(test)]
mod tests;
