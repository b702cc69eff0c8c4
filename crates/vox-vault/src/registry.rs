//! Which secrets exist, what they are called in an environment, and what may be done with them.
//!
//! `contracts/secrets/registry.v1.yaml` is the list; plain settings (ports, base URLs, model names) do not belong in it.
//! `check` holds the rules it must obey, `lookup` how a person may name one.

mod check;
mod lookup;
mod shape;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use vox_base::{Document, InvalidConfig};

pub use lookup::LookupError;

/// What a secret is used by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Calls made for the user.
    #[default]
    Runtime,
    /// An account of the user's.
    Account,
    /// Running vox itself.
    Operator,
    /// A service connected to vox.
    Integration,
    /// Who may talk to vox.
    Transport,
    /// Opening the vault.
    Bootstrap,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Material {
    /// A key sent in a header.
    #[default]
    ApiKey,
    /// A token sent as `Authorization: Bearer`.
    Bearer,
    /// A key for signing messages.
    Hmac,
    /// An address with the password in it.
    UrlWithPassword,
    /// A password.
    Password,
    /// An Ed25519 key.
    Ed25519,
    /// An X25519 key.
    X25519,
    /// The content of a file.
    File,
}

/// What sort of service a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Taxonomy {
    /// Models.
    Llm,
    /// Rented graphics processors.
    Gpu,
    /// Search.
    Search,
    /// vox itself.
    Platform,
    /// Source hosting.
    Forge,
    /// Publishing packages.
    Publish,
    /// Everything else one connects.
    Integration,
    /// The user's own devices.
    Mesh,
    /// Telemetry.
    Telemetry,
    /// Who this device is.
    Identity,
}

/// Where a secret may come from is chosen by one switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// A developer's machine.
    #[default]
    Dev,
    /// A build job.
    Ci,
    /// A served node.
    Prod,
}

impl Profile {
    /// Returns the profile with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Dev, Self::Ci, Self::Prod].into_iter().find(|profile| profile.as_str() == name)
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Ci => "ci",
            Self::Prod => "prod",
        }
    }
}

/// How old a value may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationPlan {
    /// A value older than this is due for another.
    pub max_age_days: u32,
    /// So long before that, and before a value's own expiry, there is a warning.
    pub warn_days: u32,
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSpec {
    /// `<owner>.<kind>`, at most 64 of `a-z 0-9 . _ -`.
    pub id: String,
    /// What sort of service it is for.
    pub taxonomy: Taxonomy,
    /// Environment name; by default the id in upper snake case. A device-local secret has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Other environment names that work just as well.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Environment names that work in `dev` with a warning.
    #[serde(default)]
    pub deprecated: Vec<String>,
    /// What it is used by.
    #[serde(default)]
    pub class: Class,
    /// What its value looks like; another shape draws a warning.
    #[serde(default)]
    pub material: Material,
    /// Whether it may follow the user to their other devices.
    #[serde(default)]
    pub shareable: bool,
    /// Whether it never leaves the vault, not even for a caller on this device.
    #[serde(default)]
    pub device_local: bool,
    /// Name of a rotation plan; by default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<String>,
    /// Profiles in which the environment is accepted.
    #[serde(default = "dev_and_ci")]
    pub allow_env: Vec<Profile>,
    /// Where to get one: half a sentence, with an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
}

fn dev_and_ci() -> Vec<Profile> {
    vec![Profile::Dev, Profile::Ci]
}

/// The registry file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Contract {
    #[serde(rename = "x-vox-version")]
    version: u32,
    rotation_plans: BTreeMap<String, RotationPlan>,
    secrets: Vec<SecretSpec>,
}

/// The secrets vox knows, checked.
#[derive(Debug, Clone)]
pub struct Registry {
    secrets: Vec<SecretSpec>,
    plans: BTreeMap<String, RotationPlan>,
    by_id: HashMap<String, usize>,
    by_env: HashMap<String, usize>,
}

/// What to list; an unset field lets everything through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only this class.
    pub class: Option<Class>,
    /// Only this taxonomy.
    pub taxonomy: Option<Taxonomy>,
    /// Only shareable ones, or only the others.
    pub shareable: Option<bool>,
}

const BUILTIN: &str = include_str!("../../../contracts/secrets/registry.v1.yaml");
const BUILTIN_NAME: &str = "contracts/secrets/registry.v1.yaml";

impl Registry {
    /// Returns the registry vox is built with.
    #[must_use]
    pub fn builtin() -> Self {
        Self::parse(BUILTIN_NAME, BUILTIN).expect("the built-in registry is checked by this crate's tests")
    }

    /// Reads a registry and checks its rules.
    ///
    /// # Errors
    /// Names file, line and key of what is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidConfig> {
        let document = Document::parse(file, text)?;
        let contract: Contract = document.decode()?;
        check::check(&document, &contract)?;
        Ok(Self::index(contract))
    }

    fn index(contract: Contract) -> Self {
        let Contract { secrets, rotation_plans: plans, .. } = contract;
        let by_id = secrets.iter().enumerate().map(|(at, spec)| (spec.id.clone(), at)).collect();
        let by_env =
            secrets.iter().enumerate().flat_map(|(at, spec)| spec.env_names().into_iter().map(move |(name, _)| (name, at))).collect();
        Self { secrets, plans, by_id, by_env }
    }

    /// Returns every secret in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &SecretSpec> {
        self.secrets.iter()
    }

    /// Returns the secrets a filter lets through.
    pub fn list(&self, filter: Filter) -> impl Iterator<Item = &SecretSpec> {
        self.secrets.iter().filter(move |spec| {
            filter.class.is_none_or(|class| class == spec.class)
                && filter.taxonomy.is_none_or(|taxonomy| taxonomy == spec.taxonomy)
                && filter.shareable.is_none_or(|shareable| shareable == spec.shareable)
        })
    }

    /// Returns the secret with exactly this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&SecretSpec> {
        self.by_id.get(id).map(|&at| &self.secrets[at])
    }

    /// Returns the secret that an environment name belongs to.
    #[must_use]
    pub fn by_env(&self, name: &str) -> Option<&SecretSpec> {
        self.by_env.get(name).map(|&at| &self.secrets[at])
    }

    /// Returns the rotation plan of a secret; `None` for one that is only changed by hand.
    #[must_use]
    pub fn rotation(&self, spec: &SecretSpec) -> Option<RotationPlan> {
        spec.rotation.as_ref().and_then(|name| self.plans.get(name)).copied()
    }
}

/// How an environment name of a secret is regarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    Canonical,
    Alias,
    Deprecated,
}

impl SecretSpec {
    /// Returns the canonical environment name, or `None` for a secret that has none.
    #[must_use]
    pub fn env_name(&self) -> Option<String> {
        if self.device_local {
            return None;
        }
        let derived = || self.id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        Some(self.env.clone().unwrap_or_else(derived))
    }

    /// Returns every environment name in the order in which they are looked at.
    pub(crate) fn env_names(&self) -> Vec<(String, NameKind)> {
        let canonical = self.env_name().into_iter().map(|name| (name, NameKind::Canonical));
        let aliases = self.aliases.iter().map(|name| (name.clone(), NameKind::Alias));
        let deprecated = self.deprecated.iter().map(|name| (name.clone(), NameKind::Deprecated));
        canonical.chain(aliases).chain(deprecated).collect()
    }
}

/// Returns the JSON Schema of the registry file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Contract).to_value()
}

#[cfg(test)]
mod tests;
