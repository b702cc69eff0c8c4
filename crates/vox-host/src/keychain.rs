//! The keyring of the desktop, where there is one: it keeps the key that unlocks the vault.
//!
//! A keyring can be absent, locked or hung, so every call runs on a thread of its own and is given up after a while; the
//! vault then asks for a passphrase or a key file. Nothing falls back to plain text.

use keyring_core::{CredentialStore, Entry, Error};
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use vox_base::Secret;
use zeroize::Zeroizing;

/// The keyring cannot be used now; the text says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the OS keyring is inactive: {0}")]
pub struct Inactive(pub String);

type Open = fn() -> Result<Arc<CredentialStore>, Error>;

/// A key that wraps the vault's root key.
pub type Key = Secret<[u8; 32]>;

const SERVICE: &str = "vox";

/// How long a keyring may take to answer when nobody is there to answer a prompt.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The keyring of this session.
#[derive(Debug, Clone)]
pub struct Keychain {
    open: Result<Open, Inactive>,
    patience: Duration,
}

impl Keychain {
    /// Returns the keyring reachable over this session bus (`DBUS_SESSION_BUS_ADDRESS`), not yet connected. Without a
    /// bus it is inactive and every call says so at once. `patience` is how long one call may take; with a person in
    /// front who may have to unlock the keyring, give more than [`PATIENCE`].
    #[must_use]
    pub fn of_session(bus: Option<&OsStr>, patience: Duration) -> Self {
        let open = match bus {
            Some(address) if !address.is_empty() => platform_store(),
            _ => Err(Inactive("no D-Bus session (`DBUS_SESSION_BUS_ADDRESS` is not set)".into())),
        };
        Self { open, patience }
    }

    /// Checks that the keyring works by writing, reading and deleting an entry.
    ///
    /// # Errors
    /// It does not.
    pub fn probe(&self) -> Result<(), Inactive> {
        self.call(|store| {
            let entry = entry(store, "probe")?;
            entry.set_secret(b"probe")?;
            let read = entry.get_secret();
            entry.delete_credential()?;
            if read? == b"probe" { Ok(()) } else { Err(Error::NotSupportedByStore("it returns other bytes than were stored".into())) }
        })
    }

    /// Returns the key of this name, if there is one.
    ///
    /// # Errors
    /// The keyring cannot be used, or the entry is not a key.
    pub fn get(&self, name: &str) -> Result<Option<Key>, Inactive> {
        let name = name.to_owned();
        let found = self.call(move |store| match entry(store, &name)?.get_secret() {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })?;
        let Some(bytes) = found else { return Ok(None) };
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| Inactive("the entry is not a key of 32 bytes".into()))?;
        Ok(Some(Secret::new(key)))
    }

    /// Stores a key under this name, replacing the one before.
    ///
    /// # Errors
    /// The keyring cannot be used.
    pub fn set(&self, name: &str, key: &Key) -> Result<(), Inactive> {
        let (name, key) = (name.to_owned(), key.clone());
        self.call(move |store| entry(store, &name)?.set_secret(key.expose()))
    }

    /// Removes the key of this name; one that is not there is no error.
    ///
    /// # Errors
    /// The keyring cannot be used.
    pub fn delete(&self, name: &str) -> Result<(), Inactive> {
        let name = name.to_owned();
        self.call(move |store| match entry(store, &name)?.delete_credential() {
            Err(Error::NoEntry) => Ok(()),
            other => other,
        })
    }

    /// Runs a call on a thread of its own, which is left behind when it takes too long.
    fn call<T: Send + 'static>(&self, work: impl FnOnce(&CredentialStore) -> Result<T, Error> + Send + 'static) -> Result<T, Inactive> {
        let open = self.open.clone()?;
        let (send, receive) = channel();
        std::thread::spawn(move || {
            let _ = send.send(open().and_then(|store| work(&*store)));
        });
        match receive.recv_timeout(self.patience) {
            Ok(result) => result.map_err(|error| Inactive(error.to_string())),
            Err(RecvTimeoutError::Timeout) => Err(Inactive(format!("no answer within {:?} (locked, or its daemon hangs)", self.patience))),
            Err(RecvTimeoutError::Disconnected) => Err(Inactive("its client failed".into())),
        }
    }
}

fn entry(store: &CredentialStore, name: &str) -> Result<Entry, Error> {
    store.build(SERVICE, name, None)
}

#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no store yet")]
fn platform_store() -> Result<Open, Inactive> {
    Ok(|| Ok(zbus_secret_service_keyring_store::Store::new()?))
}

#[cfg(not(target_os = "linux"))]
fn platform_store() -> Result<Open, Inactive> {
    Err(Inactive("not supported on this system yet".into()))
}

#[cfg(test)]
mod tests;
