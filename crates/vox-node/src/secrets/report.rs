//! What people get to see of a secret: where its value comes from, how old it is, and why; never the value.

use super::{Secrets, State};
use serde::Serialize;
use vox_base::Coded;
use vox_vault::{Filter, Resolution, SecretSpec, Source, Status, redacted};

/// How one secret stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its id.
    pub id: String,
    /// `present`, `shadowed`, `missing_optional` …
    pub status: &'static str,
    /// Where the value comes from.
    pub source: Option<String>,
    /// Its version in the vault.
    pub version: Option<u64>,
    /// When that version was set, RFC 3339.
    pub set_at: Option<String>,
    /// Another value stands in the environment.
    pub shadowed: bool,
    /// Warnings, each with its next step.
    pub warnings: Vec<String>,
}

/// Why one secret resolves as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// The value as it may be shown: a length class and a fingerprint.
    pub shown: Option<String>,
    /// Which chain was used.
    pub profile: &'static str,
    /// Every source, in the order in which it was looked at.
    pub candidates: Vec<Candidate>,
    /// Why there is no value.
    pub error: Option<String>,
    /// Where to get one.
    pub remediation: Option<String>,
}

/// One source that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Which.
    pub source: String,
    /// `found`, `empty`, `refused`, `shadowed` or `absent`.
    pub state: &'static str,
    /// What it holds, comparable and not reversible; only while the vault is open.
    pub fingerprint: Option<String>,
    /// Why it stands so.
    pub why: Option<&'static str>,
}

impl Secrets {
    /// Returns how the secrets stand that a filter lets through, in the order of the registry.
    #[must_use]
    pub fn status(&self, filter: Filter) -> Vec<Standing> {
        let specs: Vec<&SecretSpec> = self.registry.list(filter).filter(|spec| !spec.device_local).collect();
        specs.into_iter().map(|spec| self.standing(spec, &self.resolve_spec(spec, false))).collect()
    }

    /// Returns why a secret resolves as it does.
    ///
    /// # Errors
    /// The text names no secret, or several.
    pub fn explain(&self, text: &str) -> Result<Explained, Coded> {
        let spec = self.registry.find(text)?;
        let resolution = self.resolve_spec(spec, true);
        let shown = resolution.value.as_ref().ok().map(|value| redacted(value.expose(), self.fingerprint(value.expose())));
        let candidates = resolution.candidates.iter().map(|candidate| Candidate {
            source: candidate.source.to_string(),
            state: candidate.state.as_str(),
            fingerprint: candidate.fingerprint.map(|fingerprint| fingerprint.to_string()),
            why: candidate.why,
        });
        Ok(Explained {
            standing: self.standing(spec, &resolution),
            shown,
            profile: self.options.profile.as_str(),
            candidates: candidates.collect(),
            error: resolution.value.as_ref().err().map(ToString::to_string),
            remediation: spec.remediation.clone(),
        })
    }

    fn standing(&self, spec: &SecretSpec, resolution: &Resolution) -> Standing {
        Standing {
            id: spec.id.clone(),
            status: resolution.status.as_str(),
            source: resolution.source.as_ref().map(ToString::to_string),
            version: resolution.version,
            set_at: resolution.source.as_ref().filter(|source| **source == Source::Vault).and_then(|_| self.set_at(&spec.id)),
            shadowed: resolution.status == Status::Shadowed,
            warnings: resolution.warnings.iter().map(|warning| format!("{warning}. Next: {}", warning.next())).collect(),
        }
    }

    fn set_at(&self, id: &str) -> Option<String> {
        match &*self.state.lock() {
            State::Open(opened) => opened.vault.versions(id).last().map(|version| version.created.to_string()),
            State::Absent | State::Locked { .. } => None,
        }
    }

    fn fingerprint(&self, value: &str) -> Option<vox_vault::Fingerprint> {
        match &*self.state.lock() {
            State::Open(opened) => Some(opened.vault.fingerprint(value)),
            State::Absent | State::Locked { .. } => None,
        }
    }

    /// Returns what is damaged in the open vault: which secret, where, and how.
    #[must_use]
    pub fn damage(&self) -> Vec<(Option<String>, String, String)> {
        match &*self.state.lock() {
            State::Open(opened) => {
                opened.vault.damage().iter().map(|damage| (damage.secret_id.clone(), damage.row.clone(), damage.reason.clone())).collect()
            }
            State::Absent | State::Locked { .. } => Vec::new(),
        }
    }
}
