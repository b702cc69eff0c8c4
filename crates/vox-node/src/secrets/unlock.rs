//! What opens the vault: a key file, a passphrase, or the desktop's keyring, and which of them a new vault is made for.
//!
//! What the user named for this run (`VOX_VAULT_KEY_FILE`, `VOX_VAULT_PASSPHRASE_FD`) goes first, then the keyring if it
//! proves itself, then a question in a terminal; nothing falls back to plain text. `vault-unlock.yaml` remembers the
//! choice and the place of the key file, never a secret.

use super::rows::Contents;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vox_base::{Coded, Document, Entropy, Kind, Secret, Timestamp};
use vox_host::fs::FsError;
use vox_host::keychain::Keychain;
use vox_vault::{NewVault, RootKey, UnlockError, UnlockKey, Unlocker, UnlockerKind, Vault};

/// Name of the file that remembers what opens the vault.
pub(super) const CONFIG_FILE: &str = "vault-unlock.yaml";

const MAX_SMALL_FILE: usize = 4096;

/// What is asked for in a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passphrase {
    /// One for a vault about to be made; ask twice.
    New,
    /// The one of the vault that is there.
    Existing,
}

/// Asks a person.
pub type Ask = Arc<dyn Fn(Passphrase) -> Result<Secret<String>, Coded> + Send + Sync>;

/// Everything at hand that can open a vault.
#[derive(Clone)]
pub struct Unlocking {
    /// The desktop's keyring.
    pub keychain: Keychain,
    /// `VOX_VAULT_KEY_FILE`.
    pub key_file: Option<PathBuf>,
    /// `VOX_VAULT_PASSPHRASE_FD`: a file descriptor to read the passphrase from.
    pub passphrase_fd: Option<u32>,
    /// Asks in a terminal, where somebody sits in front of one.
    pub ask: Option<Ask>,
}

/// An open vault and what opened it.
pub(super) struct Opened {
    pub(super) root: Arc<RootKey>,
    pub(super) vault: Vault,
}

/// A vault that was just made, before its rows are stored.
pub(super) struct Made {
    pub(super) new: NewVault,
    root: Arc<RootKey>,
    key_file: Option<PathBuf>,
}

/// What `vault-unlock.yaml` says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(rename = "x-vox-version")]
    version: u32,
    /// What the vault was made for; that kind is tried first.
    unlocker: String,
    /// Where its key file is, when `VOX_VAULT_KEY_FILE` does not say.
    #[serde(default)]
    key_file: Option<PathBuf>,
}

impl Unlocking {
    /// Returns whether somebody can be asked.
    pub(super) const fn asks(&self) -> bool {
        self.ask.is_some()
    }

    /// Opens the vault; passphrases are stretched on a thread of their own.
    pub(super) async fn open(&self, known: Option<Arc<RootKey>>, contents: Contents, config_dir: &Path) -> Result<Opened, Coded> {
        let (this, config_dir) = (self.clone(), config_dir.to_owned());
        off_the_runtime(move || this.open_now(known, contents, &config_dir)).await
    }

    fn open_now(&self, known: Option<Arc<RootKey>>, contents: Contents, config_dir: &Path) -> Result<Opened, Coded> {
        let Contents { stored, unlockers } = contents;
        if let Some(root) = known
            && let Ok(vault) = Vault::open(&root, stored.clone())
        {
            return Ok(Opened { root, vault });
        }
        let root = Arc::new(self.root(&stored, &unlockers, read_config(config_dir)?)?);
        let vault = Vault::open(&root, stored)?;
        Ok(Opened { root, vault })
    }

    fn root(&self, stored: &vox_vault::StoredVault, unlockers: &[Unlocker], config: Option<Config>) -> Result<RootKey, Coded> {
        let mut refusal: Option<Coded> = None;
        for kind in order(config.as_ref()) {
            for unlocker in unlockers.iter().filter(|unlocker| unlocker.kind == kind) {
                let opened = match self.key_for(unlocker, config.as_ref()) {
                    Ok(Some(key)) => RootKey::unlock(stored.meta.vault_id, unlocker, &key).map_err(Coded::from),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                };
                match opened {
                    Ok(root) => return Ok(root),
                    Err(error) => refusal = refusal.or(Some(error)),
                }
            }
        }
        Err(refusal.unwrap_or_else(|| UnlockError::NoUnlocker.into()))
    }

    /// Returns the key for an unlocker, if there is one at hand.
    fn key_for(&self, unlocker: &Unlocker, config: Option<&Config>) -> Result<Option<UnlockKey>, Coded> {
        match unlocker.kind {
            UnlockerKind::KeyFile => {
                let path = self.key_file.as_ref().or_else(|| config.and_then(|config| config.key_file.as_ref()));
                path.map(|path| read_key_file(path)).transpose()
            }
            UnlockerKind::Keyring => {
                let key =
                    self.keychain.get(&unlocker.id).map_err(|inactive| Coded::from(UnlockError::NoUnlocker).at(inactive.to_string()))?;
                Ok(key.map(UnlockKey::Keyring))
            }
            UnlockerKind::Passphrase => self.passphrase(Passphrase::Existing),
        }
    }

    fn passphrase(&self, purpose: Passphrase) -> Result<Option<UnlockKey>, Coded> {
        if let Some(fd) = self.passphrase_fd {
            return read_fd(fd).map(|passphrase| Some(UnlockKey::Passphrase(passphrase)));
        }
        let asked = self.ask.as_ref().map(|ask| ask(purpose)).transpose()?;
        Ok(asked.map(UnlockKey::Passphrase))
    }

    /// Makes a vault for the best that is at hand; the keyring's half is in the keyring when this returns.
    pub(super) async fn make(&self, now: Timestamp, entropy: &Arc<dyn Entropy>) -> Result<Made, Coded> {
        let (this, entropy) = (self.clone(), entropy.clone());
        off_the_runtime(move || this.make_now(now, &*entropy)).await
    }

    fn make_now(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<Made, Coded> {
        let key = self.key_for_new(entropy)?;
        let new = Vault::create(&key, now, entropy)?;
        if let UnlockKey::Keyring(half) = &key {
            self.keychain.set(&new.unlocker.id, half).map_err(|inactive| Coded::from(UnlockError::NoUnlocker).at(inactive.to_string()))?;
        }
        let root = Arc::new(RootKey::unlock(new.meta.vault_id, &new.unlocker, &key)?);
        let key_file = self.key_file.clone().filter(|_| key.kind() == UnlockerKind::KeyFile);
        Ok(Made { new, root, key_file })
    }

    fn key_for_new(&self, entropy: &dyn Entropy) -> Result<UnlockKey, Coded> {
        if let Some(path) = &self.key_file {
            return read_key_file(path);
        }
        if let Some(fd) = self.passphrase_fd {
            return read_fd(fd).map(UnlockKey::Passphrase);
        }
        match self.keychain.probe() {
            Ok(()) => Ok(UnlockKey::Keyring(UnlockKey::new_for_keyring(entropy))),
            Err(inactive) => {
                let refusal = || Coded::from(UnlockError::NoUnlocker).at(inactive.to_string());
                self.passphrase(Passphrase::New)?.ok_or_else(refusal)
            }
        }
    }
}

impl Made {
    /// Remembers what opens the vault, for the next process.
    pub(super) fn remember(&self, config_dir: &Path, entropy: &dyn Entropy) -> Result<(), Coded> {
        let mut text = format!(
            "# What opens the vault. Written by vox; it holds no secret.\nx-vox-version: 1\nunlocker: {}\n",
            self.new.unlocker.kind.as_str()
        );
        if let Some(path) = &self.key_file {
            // A JSON string is a YAML string.
            text.push_str(&format!("key_file: {}\n", serde_json::json!(path)));
        }
        let unwritable = |error: FsError| {
            Coded::new(Kind::Failed, "config.unwritable", error.to_string()).next("`vox db path` shows the config directory")
        };
        vox_host::fs::create_dir(config_dir).map_err(unwritable)?;
        vox_host::fs::replace(&config_dir.join(CONFIG_FILE), text.as_bytes(), entropy).map_err(unwritable)
    }

    pub(super) fn opened(self) -> Opened {
        Opened { root: self.root, vault: self.new.vault }
    }
}

/// The kind that the vault was made for goes first; a question to a person comes last.
fn order(config: Option<&Config>) -> Vec<UnlockerKind> {
    let mut kinds = vec![UnlockerKind::KeyFile, UnlockerKind::Keyring, UnlockerKind::Passphrase];
    if let Some(first) = config.and_then(|config| UnlockerKind::parse(&config.unlocker)) {
        kinds.sort_by_key(|kind| *kind != first);
    }
    kinds
}

fn read_config(config_dir: &Path) -> Result<Option<Config>, Coded> {
    let path = config_dir.join(CONFIG_FILE);
    let text = match vox_host::fs::read(&path, MAX_SMALL_FILE) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => {
            return Err(Coded::new(Kind::Stale, "config.unreadable", error.to_string()).next(format!("look at {}", path.display())));
        }
    };
    let name = path.display().to_string();
    let document = Document::parse(&name, &text);
    let config = document.and_then(|document| {
        let config: Config = document.decode()?;
        if config.version != 1 {
            return Err(document.fault("x-vox-version", "expected 1"));
        }
        if UnlockerKind::parse(&config.unlocker).is_none() {
            return Err(document.fault("unlocker", "expected keyring, passphrase or key_file"));
        }
        Ok(config)
    });
    config.map(Some).map_err(|error| {
        Coded::new(Kind::Stale, "config.invalid", error.message)
            .at(format!("{}:{}: {}", error.file, error.line, error.key))
            .next("mend the key")
    })
}

fn read_key_file(path: &Path) -> Result<UnlockKey, Coded> {
    vox_host::fs::check_private(path).map_err(|error| file_mode(path, &error))?;
    if let Some(tree) = path.ancestors().skip(1).find(|directory| directory.join(".git").exists()) {
        return Err(Coded::new(Kind::Usage, "vault.bad_key_file", format!("the key file lies in the git work tree `{}`", tree.display()))
            .at(path.display().to_string())
            .next("move it out of the work tree"));
    }
    let bytes = vox_host::fs::read(path, MAX_SMALL_FILE).map_err(|error| file_mode(path, &error))?;
    Ok(UnlockKey::from_key_file(&bytes)?)
}

fn read_fd(fd: u32) -> Result<Secret<String>, Coded> {
    let unreadable = |why: String| {
        Coded::new(Kind::Failed, "vault.no_unlocker", format!("no passphrase can be read from file descriptor {fd}: {why}"))
            .at("VOX_VAULT_PASSPHRASE_FD")
            .next("open it for vox: `VOX_VAULT_PASSPHRASE_FD=3 vox … 3<FILE`")
    };
    let bytes =
        vox_host::fs::read(&PathBuf::from(format!("/dev/fd/{fd}")), MAX_SMALL_FILE).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".into()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// Returns the refusal of a file that somebody else could read, with the command that mends it.
pub(super) fn file_mode(path: &Path, error: &FsError) -> Coded {
    let coded = Coded::new(Kind::Failed, "vault.file_mode", error.to_string()).at(path.display().to_string());
    match error {
        FsError::Mode { wanted, .. } => coded.next(format!("chmod {wanted:04o} {}", path.display())),
        FsError::Owner { .. } => coded.next(format!("chown \"$USER\" {}", path.display())),
        _ => coded.next("name a file that is there and yours"),
    }
}

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> Result<T, Coded> + Send + 'static) -> Result<T, Coded> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(Coded::new(Kind::Failed, "vault.no_unlocker", format!("the vault could not be opened: {error}")).next("run it again"))
        }
    }
}
