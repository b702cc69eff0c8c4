//! What can go wrong with a vault or a secret, and the coded form a person sees.
//!
//! No message holds a value, a key or a passphrase.

use crate::keyring::UnlockerKind;
use crate::resolve::Source;
use vox_base::{Coded, Digest, Kind, Timestamp};

/// The vault cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// Nothing at hand is of a kind that opens this vault, or could open a new one.
    #[error("nothing here can unlock the vault: no keyring, no passphrase, no key file")]
    NoUnlocker,
    /// What was given does not fit.
    #[error("the {} does not open this vault", noun(*.0))]
    WrongKey(UnlockerKind),
    /// An unlocker row or a wrapped key has been changed.
    #[error("the vault's key material is damaged")]
    Corrupt,
    /// A key file has the wrong form.
    #[error("the key file has the wrong form")]
    BadKeyFile,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
}

const fn noun(kind: UnlockerKind) -> &'static str {
    match kind {
        UnlockerKind::Keyring => "key in the keyring",
        UnlockerKind::Passphrase => "passphrase",
        UnlockerKind::KeyFile => "key file",
    }
}

impl From<UnlockError> for Coded {
    fn from(error: UnlockError) -> Self {
        let message = error.to_string();
        match error {
            UnlockError::NoUnlocker => Self::new(Kind::Failed, "vault.no_unlocker", message).next(
                "one of: start a desktop keyring; run the command in a terminal and type a passphrase \
                 (or give it with VOX_VAULT_PASSPHRASE_FD); name a key file of mode 0600 with VOX_VAULT_KEY_FILE",
            ),
            UnlockError::WrongKey(UnlockerKind::Passphrase) => {
                Self::new(Kind::Failed, "vault.wrong_passphrase", message).next("try the passphrase again, or use another unlocker")
            }
            UnlockError::WrongKey(kind) => Self::new(Kind::Failed, "vault.no_unlocker", message).at(noun(kind)).next(
                "one of: unlock with the keyring of the account that made the vault; type its passphrase; \
                 name its key file with VOX_VAULT_KEY_FILE",
            ),
            UnlockError::Corrupt => {
                Self::new(Kind::Integrity, "vault.corrupt", message).at("vault.db").next("restore vault.db from a backup")
            }
            UnlockError::BadKeyFile => Self::new(Kind::Usage, "vault.bad_key_file", message)
                .expected("32 raw bytes or 64 hexadecimal digits")
                .next("make one: `head -c 32 /dev/urandom > FILE && chmod 600 FILE`"),
            UnlockError::EmptyPassphrase => {
                Self::new(Kind::Usage, "vault.empty_passphrase", message).expected("at least one character").next("type a passphrase")
            }
        }
    }
}

/// The vault refuses an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The stored bytes of this secret are not what was written.
    #[error("the stored value of `{secret_id}` is damaged")]
    Corrupt {
        /// The secret.
        secret_id: String,
        /// Where, as far as it is known.
        row: String,
    },
    /// A key, signature or row that the whole vault hangs on is damaged.
    #[error("the vault is damaged: {0}")]
    Unusable(&'static str),
    /// The value does not fit a record.
    #[error("the value of `{secret_id}` has {value_bytes} bytes")]
    TooLarge {
        /// The secret.
        secret_id: String,
        /// Its size.
        value_bytes: usize,
    },
    /// The value is empty.
    #[error("the value of `{0}` is empty")]
    Empty(String),
    /// The id has a form no secret has.
    #[error("`{0}` is not a secret id")]
    BadId(String),
    /// There is nothing to remove.
    #[error("`{0}` has no value in the vault")]
    Missing(String),
    /// Somebody else changed the secret first.
    #[error("`{secret_id}` is at version {found}")]
    VersionMoved {
        /// The secret.
        secret_id: String,
        /// The version the caller wanted to replace.
        expected: u64,
        /// The version it has.
        found: u64,
    },
    /// The vault was written by a later vox; it can only be read.
    #[error("the vault has format {0}, which this version only reads")]
    NewerFormat(u32),
}

impl From<VaultError> for Coded {
    fn from(error: VaultError) -> Self {
        let message = error.to_string();
        match error {
            VaultError::Corrupt { secret_id, row } => Self::new(Kind::Integrity, "vault.corrupt", message)
                .at(row)
                .next(format!("set it again: `vox secrets set {secret_id}`; other secrets are not affected")),
            VaultError::Unusable(_) => {
                Self::new(Kind::Integrity, "vault.corrupt", message).at("vault.db").next("restore vault.db from a backup")
            }
            VaultError::TooLarge { .. } => Self::new(Kind::Usage, "secret.too_large", message)
                .expected(format!("at most {} bytes", crate::seal::MAX_VALUE_BYTES))
                .next("keep it in a file of this machine"),
            VaultError::Empty(id) => {
                Self::new(Kind::Refused, "secret.empty", message).next(format!("to take the value away: `vox secrets rm {id}`"))
            }
            VaultError::BadId(_) => Self::new(Kind::Usage, "secret.bad_id", message)
                .expected("1 to 64 of a-z, 0-9, `.`, `_`, `-`")
                .next("`vox secrets list` shows every id"),
            VaultError::Missing(id) => {
                Self::new(Kind::Failed, "secret.missing_required", message).next(format!("`vox secrets explain {id}`"))
            }
            VaultError::VersionMoved { secret_id, expected, .. } => Self::new(Kind::Refused, "secret.version_moved", message)
                .expected(format!("version {expected}"))
                .next(format!("look at it first: `vox secrets explain {secret_id}`")),
            VaultError::NewerFormat(_) => Self::new(Kind::Failed, "vault.newer_format", message).next("upgrade vox"),
        }
    }
}

/// A secret does not resolve to a value that may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No source holds it.
    #[error("`{secret_id}` is not set")]
    Missing {
        /// The secret.
        secret_id: String,
        /// Its canonical environment name, if it has one.
        env: Option<String>,
        /// What its registry entry advises.
        remediation: Option<String>,
    },
    /// A source holds an empty value, and the profile does not look past that.
    #[error("{from} holds an empty value for `{secret_id}`")]
    Empty {
        /// The secret.
        secret_id: String,
        /// The source.
        from: Source,
    },
    /// The only sources that hold it are not accepted in this profile.
    #[error("`{secret_id}` is only set in {from}, which this profile does not accept")]
    SourceRefused {
        /// The secret.
        secret_id: String,
        /// The source.
        from: Source,
        /// What the profile does accept.
        accepted: &'static str,
    },
    /// It is only set under a deprecated name.
    #[error("`{secret_id}` is only set as `{name}`, a deprecated name")]
    DeprecatedRefused {
        /// The secret.
        secret_id: String,
        /// The deprecated name.
        name: String,
        /// The name to use.
        canonical: String,
    },
    /// The vault holds it and is locked.
    #[error("`{0}` is in the vault, and the vault is locked")]
    Locked(String),
    /// The vault holds it and its bytes are damaged.
    #[error("the stored value of `{0}` is damaged")]
    Corrupt(String),
    /// It has passed the moment its owner set.
    #[error("`{secret_id}` has expired at {expired}")]
    Expired {
        /// The secret.
        secret_id: String,
        /// When.
        expired: Timestamp,
    },
    /// No caller is ever given it.
    #[error("`{0}` belongs to this device and is given to nobody")]
    DeviceLocal(String),
}

impl From<ResolveError> for Coded {
    fn from(error: ResolveError) -> Self {
        let message = error.to_string();
        match error {
            ResolveError::Missing { secret_id, env, remediation } => {
                let set = format!("`vox secrets set {secret_id}`");
                let next = remediation.map_or_else(|| set.clone(), |advice| format!("{advice}, then {set}"));
                let coded = Self::new(Kind::Failed, "secret.missing_required", message).next(next);
                if let Some(env) = env { coded.at(env) } else { coded }
            }
            ResolveError::Empty { secret_id, from } => Self::new(Kind::Refused, "secret.empty", message)
                .at(from.to_string())
                .next(format!("give it a value or unset it: `vox secrets explain {secret_id}`")),
            ResolveError::SourceRefused { from, accepted, .. } => {
                Self::new(Kind::Refused, "secret.source_refused", message).at(from.to_string()).expected(accepted).next(accepted)
            }
            ResolveError::DeprecatedRefused { name, canonical, .. } => {
                Self::new(Kind::Refused, "secret.deprecated_refused", message).at(name).next(format!("set `{canonical}` instead"))
            }
            ResolveError::Locked(_) => Self::new(Kind::Failed, "secret.locked", message)
                .next("unlock it: in a terminal, with VOX_VAULT_KEY_FILE, or with VOX_VAULT_PASSPHRASE_FD"),
            ResolveError::Corrupt(id) => {
                Self::new(Kind::Integrity, "vault.corrupt", message).at(id.clone()).next(format!("set it again: `vox secrets set {id}`"))
            }
            ResolveError::Expired { secret_id, .. } => {
                Self::new(Kind::Refused, "secret.expired", message).next(format!("`vox secrets set {secret_id}`"))
            }
            ResolveError::DeviceLocal(_) => Self::new(Kind::Refused, "secret.source_refused", message).next("`vox secrets list`"),
        }
    }
}

/// Says where a damaged record is.
pub(crate) fn row_name(device: &Digest, incarnation: u32, seq: u64) -> String {
    format!("vault.db records {}/{incarnation}/{seq}", &device.to_string()[..16])
}
