//! Secrets of this machine: the vault in the store, opened when first needed, and the one chain by which a secret
//! resolves.
//!
//! The cryptography, the registry and the chain are vox-vault's, the rows are vox-store's; `unlock` finds what opens the
//! vault, `rows` carries rows across, `report` is what people get to see. Opening reads nothing: the first
//! [`Secrets::refresh`] does.

mod report;
mod rows;
mod unlock;

pub use report::{Candidate, Explained, Standing};
pub(crate) use rows::audit;
pub use unlock::{Ask, Passphrase, Unlocking};

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unlock::Opened;
use vox_base::{Clock, Coded, Entropy, Kind, Secret, Timestamp};
use vox_host::keychain::Keychain;
use vox_host::lock::FileLock;
use vox_store::Store;
use vox_vault::{
    Append, By, Profile, Put, Registry, Resolution, SecretSpec, Sources, UnlockError, Vault, VaultAnswer, VaultError, Warning, resolve,
};

/// Looks up an environment variable that may hold a secret.
pub type EnvLookup = Arc<dyn Fn(&str) -> Option<Secret<String>> + Send + Sync>;

/// Longest content of a mounted secret file.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// What secrets are resolved from.
pub struct Options {
    /// The store with the vault; nothing where there is no store yet.
    pub store: Option<Store>,
    /// Where `vault.db` is, to check who else could read it.
    pub data_dir: PathBuf,
    /// Where `vault-unlock.yaml` is.
    pub config_dir: PathBuf,
    /// Directory of mounted secret files (`VOX_SECRET_DIR`).
    pub secret_dir: Option<PathBuf>,
    /// Which chain is used.
    pub profile: Profile,
    /// The environment.
    pub env: EnvLookup,
    /// What can open the vault.
    pub unlocking: Unlocking,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// The secrets of this machine.
pub struct Secrets {
    options: Options,
    registry: Registry,
    state: Mutex<State>,
    /// Held around "make rows, store them, take them over": two appends from one state would claim one place in the log.
    changing: tokio::sync::Mutex<()>,
    told: Mutex<HashSet<Warning>>,
}

/// The vault as far as it is known.
#[derive(Default)]
enum State {
    /// Nobody has asked yet, or there is none.
    #[default]
    Absent,
    /// It is there and nothing at hand opens it.
    Locked { held: BTreeSet<String>, why: Coded },
    /// It is open.
    Open(Box<Opened>),
}

/// A value to keep.
pub struct NewValue<'a> {
    /// Id of the secret.
    pub id: &'a str,
    /// The value.
    pub value: &'a Secret<String>,
    /// When it stops being good.
    pub expires: Option<Timestamp>,
    /// Only if the secret is at this version; 0 means it has none.
    pub if_version: Option<u64>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// Id of the secret.
    pub id: String,
    /// The version it has now.
    pub version: u64,
    /// `create`, `rotate` or `delete`.
    pub op: &'static str,
    /// What opens the vault, if it was made just now.
    pub vault_made_for: Option<&'static str>,
}

impl Secrets {
    /// Prepares to resolve secrets; reads nothing and asks nobody.
    #[must_use]
    pub fn open(options: Options) -> Self {
        Self {
            options,
            registry: Registry::builtin(),
            state: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Returns the secrets there are.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Uses another chain.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.options.profile = profile;
        self
    }

    /// Returns the desktop's keyring.
    pub(crate) const fn keychain(&self) -> &Keychain {
        &self.options.unlocking.keychain
    }

    /// Returns which chain is used.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.options.profile
    }

    /// Returns a number that changes whenever any process changes the vault; costs one small read.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn version(&self) -> Result<u64, Coded> {
        match &self.options.store {
            Some(store) => rows::version(store).await,
            None => Ok(0),
        }
    }

    /// Reads the vault as it is now and opens it if that needs nobody's help or somebody may be asked.
    /// A vault that stays locked is no error: its secrets are then `locked`, the others resolve.
    ///
    /// # Errors
    /// The store cannot be read, somebody else could read the vault's files, or the vault's own keys are damaged.
    pub async fn refresh(&self) -> Result<(), Coded> {
        let state = match &self.options.store {
            Some(store) => self.read(store).await?,
            None => State::Absent,
        };
        *self.state.lock() = state;
        Ok(())
    }

    async fn read(&self, store: &Store) -> Result<State, Coded> {
        // First, because the store closes what stands open when it opens a file for writing.
        check_modes(&self.options.data_dir, &self.options.config_dir)?;
        let Some(contents) = rows::read(store).await? else { return Ok(State::Absent) };
        let held: BTreeSet<String> = contents.stored.heads.iter().filter(|head| !head.deleted).map(|head| head.secret_id.clone()).collect();
        let known_root = match &*self.state.lock() {
            State::Open(opened) => Some(opened.root.clone()),
            State::Absent | State::Locked { .. } => None,
        };
        // Asking a keyring or a person for a vault that holds nothing would be for nothing.
        if held.is_empty() && known_root.is_none() {
            return Ok(State::Locked { held, why: UnlockError::NoUnlocker.into() });
        }
        match self.options.unlocking.open(known_root, contents, &self.options.config_dir).await {
            Ok(opened) => Ok(State::Open(Box::new(opened))),
            Err(why) if why.kind == Kind::Integrity => Err(why),
            Err(why) => Ok(State::Locked { held, why }),
        }
    }

    /// Resolves a secret with what the last [`Secrets::refresh`] read.
    ///
    /// # Errors
    /// No secret has this id.
    pub fn resolve(&self, id: &str) -> Result<Resolution, Coded> {
        let spec = self.registry.get(id).ok_or_else(|| VaultError::BadId(id.to_owned()))?;
        Ok(self.resolve_spec(spec, true))
    }

    fn resolve_spec(&self, spec: &SecretSpec, is_required: bool) -> Resolution {
        let state = self.state.lock();
        let fingerprint = |value: &str| match &*state {
            State::Open(opened) => Some(opened.vault.fingerprint(value)),
            State::Absent | State::Locked { .. } => None,
        };
        // Without an open vault there is no key to fingerprint with, and the closure is not handed on.
        let shown = |value: &str| fingerprint(value).expect("handed on only while the vault is open");
        let is_open = matches!(&*state, State::Open(_));
        let env = |name: &str| (self.options.env)(name);
        let sources = Sources {
            flag: None,
            file: self.options.secret_dir.as_deref().and_then(|dir| mounted(dir, spec)),
            env: &env,
            vault: answer(&state, &spec.id),
            fingerprint: is_open.then_some(&shown),
        };
        resolve(&self.registry, spec, self.options.profile, sources, is_required, self.options.clock.now())
    }

    /// Returns the warnings of a resolution that this process has not given yet, ready for people.
    #[must_use]
    pub fn news(&self, resolution: &Resolution) -> Vec<String> {
        let mut told = self.told.lock();
        let new = resolution.warnings.iter().filter(|warning| told.insert((*warning).clone()));
        new.map(|warning| format!("{warning}. Next: {}", warning.next())).collect()
    }

    /// Returns why the vault is locked, if it is there and locked.
    #[must_use]
    pub fn locked(&self) -> Option<Coded> {
        match &*self.state.lock() {
            State::Locked { why, held } if !held.is_empty() => Some(why.clone()),
            _ => None,
        }
    }

    /// Keeps a value; makes the vault if there is none.
    ///
    /// # Errors
    /// The value is empty or too large, nothing opens the vault or could open a new one, or the store cannot be written.
    pub async fn set(&self, new: &NewValue<'_>) -> Result<Changed, Coded> {
        let by = self.by();
        self.change(true, |vault, now, entropy| {
            let put = Put { secret_id: new.id, value: new.value.expose(), expires: new.expires, if_version: new.if_version, by };
            vault.put(&put, now, entropy)
        })
        .await
    }

    /// Takes a value away; the old one is kept sealed for 24 hours.
    ///
    /// # Errors
    /// There is no value, nothing opens the vault, or the store cannot be written.
    pub async fn remove(&self, id: &str) -> Result<Changed, Coded> {
        let by = self.by();
        self.refresh().await?;
        if matches!(&*self.state.lock(), State::Absent) {
            return Err(VaultError::Missing(id.to_owned()).into());
        }
        self.change(false, |vault, now, entropy| vault.remove(id, by, now, entropy)).await
    }

    const fn by(&self) -> By<'static> {
        By { kind: if self.options.unlocking.asks() { "cli_tty" } else { "cli_pipe" }, id: None }
    }

    async fn change(
        &self,
        may_make: bool,
        make: impl Fn(&Vault, Timestamp, &dyn Entropy) -> Result<Append, VaultError>,
    ) -> Result<Changed, Coded> {
        let store =
            self.options.store.as_ref().ok_or_else(|| Coded::new(Kind::Failed, "store.missing", "there is no store yet").next("vox up"))?;
        let _changing = self.changing.lock().await;
        for attempt in 0.. {
            let (mut opened, vault_made_for) = self.unlocked(store, may_make).await?;
            let append = make(&opened.vault, self.options.clock.now(), &*self.options.entropy)?;
            match rows::append(store, &append).await {
                // Another process took the place in the log between our reading and writing.
                Err(error) if error.code == "store.value" && attempt < 3 => continue,
                stored => stored?,
            }
            let version = &append.version;
            let changed = Changed { id: version.secret_id.clone(), version: version.version, op: version.op.as_str(), vault_made_for };
            opened.vault.apply(append);
            *self.state.lock() = State::Open(opened);
            return Ok(changed);
        }
        unreachable!("the loop ends by returning")
    }

    /// Returns the vault, freshly read and open; made first if there is none and it may be.
    async fn unlocked(&self, store: &Store, may_make: bool) -> Result<(Box<Opened>, Option<&'static str>), Coded> {
        check_modes(&self.options.data_dir, &self.options.config_dir)?;
        let Some(contents) = rows::read(store).await? else {
            if !may_make {
                return Err(UnlockError::NoUnlocker.into());
            }
            return self.make(store).await;
        };
        let known_root = match &*self.state.lock() {
            State::Open(opened) => Some(opened.root.clone()),
            State::Absent | State::Locked { .. } => None,
        };
        Ok((Box::new(self.options.unlocking.open(known_root, contents, &self.options.config_dir).await?), None))
    }

    /// Makes the vault, unless another process makes one right now.
    async fn make(&self, store: &Store) -> Result<(Box<Opened>, Option<&'static str>), Coded> {
        let _making = FileLock::acquire(&self.options.data_dir.join("vault.lock"))
            .map_err(|error| Coded::new(Kind::Failed, "store.busy", error.to_string()).next("try again"))?;
        if let Some(contents) = rows::read(store).await? {
            return Ok((Box::new(self.options.unlocking.open(None, contents, &self.options.config_dir).await?), None));
        }
        let made = self.options.unlocking.make(self.options.clock.now(), &self.options.entropy).await?;
        rows::create(store, &made.new).await?;
        let kind = made.new.unlocker.kind.as_str();
        made.remember(&self.options.config_dir, &*self.options.entropy)?;
        Ok((Box::new(made.opened()), Some(kind)))
    }
}

fn answer(state: &State, id: &str) -> VaultAnswer {
    match state {
        State::Absent => VaultAnswer::Absent,
        State::Locked { held, .. } if held.contains(id) => VaultAnswer::Locked,
        State::Locked { .. } => VaultAnswer::Absent,
        State::Open(opened) => opened.vault.answer(id),
    }
}

/// Returns the mounted file of a secret: named like its id, or like its environment name. One line end is not part of it.
fn mounted(dir: &Path, spec: &SecretSpec) -> Option<(String, Secret<String>)> {
    let names = [Some(spec.id.clone()), spec.env_name()];
    names.into_iter().flatten().find_map(|name| {
        let path = dir.join(name);
        let text = String::from_utf8(vox_host::fs::read(&path, MAX_FILE_BYTES).ok()?).ok()?;
        let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text)).to_owned();
        Some((path.display().to_string(), Secret::new(text)))
    })
}

/// Refuses files of the vault that somebody else could read or write.
///
/// # Errors
/// `vault.file_mode` with the command that mends it.
pub(crate) fn check_modes(data_dir: &Path, config_dir: &Path) -> Result<(), Coded> {
    let vault = data_dir.join("vault.db");
    if !vault.exists() {
        return Ok(());
    }
    for path in [data_dir.to_owned(), vault, config_dir.join(unlock::CONFIG_FILE)] {
        match vox_host::fs::check_private(&path) {
            Ok(()) => {}
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(unlock::file_mode(&path, &error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
