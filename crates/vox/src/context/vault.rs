//! Where secrets come from for this command: the environment, mounted files, and whatever may open the vault.

use super::Context;
use std::sync::Arc;
use std::time::Duration;
use vox_base::{Coded, Kind, Secret};
use vox_host::keychain::{self, Keychain};
use vox_node::secrets::{Ask, Options, Passphrase, Secrets, Unlocking};
use vox_store::Store;
use vox_vault::Profile;

/// How long a keyring may take while a person sits there to unlock it.
const KEYRING_PATIENCE: Duration = Duration::from_secs(60);

impl Context {
    /// Returns the secrets of this machine; opens nothing yet.
    pub(crate) fn secrets(&self, store: Option<Store>) -> Result<Secrets, Coded> {
        let dirs = self.dirs()?;
        let env = self.env.clone();
        Ok(Secrets::open(Options {
            store,
            data_dir: dirs.data.path,
            config_dir: dirs.config.path,
            secret_dir: self.env.text("VOX_SECRET_DIR").map(Into::into),
            profile: self.profile()?,
            env: Arc::new(move |name| env.secret(name)),
            unlocking: self.unlocking()?,
            entropy: self.entropy.clone(),
            clock: self.clock.clone(),
        }))
    }

    fn profile(&self) -> Result<Profile, Coded> {
        let Some(name) = self.env.text("VOX_SECRETS_PROFILE") else { return Ok(Profile::Dev) };
        Profile::parse(name).ok_or_else(|| {
            Coded::new(Kind::Usage, "secret.bad_profile", format!("no profile is called `{name}`"))
                .at("VOX_SECRETS_PROFILE")
                .expected("`dev`, `ci` or `prod`")
        })
    }

    fn unlocking(&self) -> Result<Unlocking, Coded> {
        let patience = if self.may_ask() { KEYRING_PATIENCE } else { keychain::PATIENCE };
        let passphrase_fd = match self.env.text("VOX_VAULT_PASSPHRASE_FD") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                Coded::new(Kind::Usage, "secret.bad_profile", format!("`{text}` is no file descriptor"))
                    .at("VOX_VAULT_PASSPHRASE_FD")
                    .expected("a number such as 3")
            })?),
        };
        Ok(Unlocking {
            keychain: Keychain::of_session(self.env.raw("DBUS_SESSION_BUS_ADDRESS").as_deref(), patience),
            key_file: self.env.text("VOX_VAULT_KEY_FILE").map(Into::into),
            passphrase_fd,
            ask: self.may_ask().then(|| Arc::new(ask) as Ask),
        })
    }
}

/// Asks for a passphrase without showing it.
fn ask(wanted: Passphrase) -> Result<Secret<String>, Coded> {
    let prompt = match wanted {
        Passphrase::New => "passphrase for the new vault:",
        Passphrase::Existing => "vault passphrase:",
    };
    let mut question = inquire::Password::new(prompt).without_confirmation();
    if wanted == Passphrase::New {
        question = inquire::Password::new(prompt).with_custom_confirmation_message("once more:");
    }
    let answer = question.prompt().map_err(|_| Coded::new(Kind::Cancelled, "cli.cancelled", "no passphrase was given"))?;
    Ok(Secret::new(answer))
}
