//! Where a secret's value comes from: one chain, chosen by profile, and the same answer for using and for explaining.
//!
//! In `dev` the vault goes before the environment: a forgotten `export` would silently undo `vox secrets set`. In `ci`
//! the environment goes first, in `prod` it is refused unless the registry allows it. Candidates arrive as arguments; the
//! environment as a lookup, so that nothing here reads it. `chain` puts them in order, `outcome` judges them.

mod chain;
mod outcome;

use crate::display::Fingerprint;
use crate::error::ResolveError;
use crate::registry::{Profile, Registry, SecretSpec};
use crate::vault::Current;
use std::fmt;
use vox_base::{Secret, Timestamp};

/// Where a value may come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// Named on this command line.
    Flag,
    /// The vault.
    Vault,
    /// A mounted file, by its path.
    File(String),
    /// The environment, by its name there.
    Env(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Vault => f.write_str("vault"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

/// What the vault says about one secret.
#[derive(Default)]
pub enum VaultAnswer {
    /// It has no value for it, or there is no vault.
    #[default]
    Absent,
    /// It has this value.
    Holds(Current),
    /// It has a value and is locked: its stored heads name the secret.
    Locked,
    /// It has a value, and the stored bytes are damaged.
    Corrupt,
}

/// What the sources hold for one secret.
pub struct Sources<'a> {
    /// The value named on this command line.
    pub flag: Option<Secret<String>>,
    /// The mounted file of this secret: path and content.
    pub file: Option<(String, Secret<String>)>,
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<Secret<String>>,
    /// The vault's answer.
    pub vault: VaultAnswer,
    /// Fingerprints a value, see [`crate::Vault::fingerprint`]; without it none are shown.
    pub fingerprint: Option<&'a dyn Fn(&str) -> Fingerprint>,
}

/// How a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateState {
    /// Holds a value: the one that is used, or one equal to it.
    Found,
    /// Holds an empty value.
    Empty,
    /// Holds a value that may not be used here.
    Refused,
    /// Holds another value than the one that is used.
    Shadowed,
    /// Holds nothing.
    Absent,
}

impl CandidateState {
    /// Returns the name used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Empty => "empty",
            Self::Refused => "refused",
            Self::Shadowed => "shadowed",
            Self::Absent => "absent",
        }
    }
}

/// One source that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub source: Source,
    /// How it stands.
    pub state: CandidateState,
    /// Fingerprint of what it holds.
    pub fingerprint: Option<Fingerprint>,
    /// Why it stands so, where that needs a word.
    pub why: Option<&'static str>,
}

/// How a secret stands after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Has a value; nothing to say.
    Present,
    /// Has a value, and the environment holds another one.
    Shadowed,
    /// Has a value, under a deprecated name.
    DeprecatedAlias,
    /// Has a value that will soon be too old.
    NearExpiry,
    /// Has a value that is older than its rotation plan allows.
    RotationDue,
    /// Has a value whose own date has passed; `prod` refuses it.
    Expired,
    /// Has no value and needs none.
    MissingOptional,
    /// Has no value and needs one.
    MissingRequired,
    /// Has only an empty value.
    Empty,
    /// Has a value only where this profile does not accept it.
    SourceRefused,
    /// Has a value in the vault, which is locked.
    Locked,
    /// Has a value in the vault whose bytes are damaged.
    Corrupt,
}

impl Status {
    /// Returns the name used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Shadowed => "shadowed",
            Self::DeprecatedAlias => "deprecated_alias",
            Self::NearExpiry => "near_expiry",
            Self::RotationDue => "rotation_due",
            Self::Expired => "expired",
            Self::MissingOptional => "missing_optional",
            Self::MissingRequired => "missing_required",
            Self::Empty => "empty",
            Self::SourceRefused => "source_refused",
            Self::Locked => "locked",
            Self::Corrupt => "corrupt",
        }
    }
}

/// Something to tell the user; equal warnings are to be told once per process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Warning {
    /// The environment holds another value than the one that is used.
    Shadowed {
        /// The secret.
        secret_id: String,
        /// The name in the environment.
        name: String,
        /// What is used instead.
        used: Source,
        /// Its version, if it has one.
        version: Option<u64>,
    },
    /// A source holds an empty value and was passed over.
    Empty {
        /// The secret.
        secret_id: String,
        /// The source.
        from: Source,
    },
    /// A deprecated name was used.
    Deprecated {
        /// The deprecated name.
        name: String,
        /// The name to use.
        canonical: String,
    },
    /// The value will soon be too old.
    NearExpiry {
        /// The secret.
        secret_id: String,
        /// When it will be.
        at: Timestamp,
    },
    /// The value is older than its rotation plan allows.
    RotationDue {
        /// The secret.
        secret_id: String,
        /// Since when.
        since: Timestamp,
    },
    /// The value's own date has passed.
    Expired {
        /// The secret.
        secret_id: String,
        /// When.
        at: Timestamp,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shadowed { name, used, version: Some(version), .. } => {
                write!(f, "`{name}` in your environment differs from the {used} (v{version}); the {used} is used")
            }
            Self::Shadowed { name, used, version: None, .. } => {
                write!(f, "`{name}` in your environment differs from {used}, which is used")
            }
            Self::Empty { secret_id, from } => write!(f, "{from} is empty and was passed over for `{secret_id}`"),
            Self::Deprecated { name, canonical } => write!(f, "`{name}` is a deprecated name: use `{canonical}`"),
            Self::NearExpiry { secret_id, at } => write!(f, "`{secret_id}` should be replaced before {}", at.day()),
            Self::RotationDue { secret_id, since } => write!(f, "`{secret_id}` is due for another value since {}", since.day()),
            Self::Expired { secret_id, at } => write!(f, "`{secret_id}` has expired on {}", at.day()),
        }
    }
}

impl Warning {
    /// Returns the one thing to do about it.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Shadowed { secret_id, .. } | Self::Empty { secret_id, .. } => format!("vox secrets explain {secret_id}"),
            Self::Deprecated { name, canonical } => format!("rename `{name}` to `{canonical}`"),
            Self::NearExpiry { secret_id, .. } | Self::RotationDue { secret_id, .. } | Self::Expired { secret_id, .. } => {
                format!("vox secrets set {secret_id}")
            }
        }
    }
}

/// How one secret resolves, and everything that led to it.
pub struct Resolution {
    /// The value that is used, or why there is none.
    pub value: Result<Secret<String>, ResolveError>,
    /// Where it came from.
    pub source: Option<Source>,
    /// Its version in the vault.
    pub version: Option<u64>,
    /// How the secret stands.
    pub status: Status,
    /// Every source in the order in which it was looked at.
    pub candidates: Vec<Candidate>,
    /// What to tell the user.
    pub warnings: Vec<Warning>,
}

/// Resolves one secret.
///
/// `is_required` only decides between `missing_required` and `missing_optional`.
#[must_use]
pub fn resolve(
    registry: &Registry,
    spec: &SecretSpec,
    profile: Profile,
    sources: Sources<'_>,
    is_required: bool,
    now: Timestamp,
) -> Resolution {
    if spec.device_local {
        return outcome::device_local(spec);
    }
    let fingerprint = sources.fingerprint;
    let held = chain::in_order(spec, profile, sources);
    outcome::judge(&outcome::Asked { registry, spec, profile, is_required, now, fingerprint }, held)
}

#[cfg(test)]
mod tests;
