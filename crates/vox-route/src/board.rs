//! The state of the world a decision may read: which providers have a key, are well, and may see what.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::{Digest, Timestamp};

/// What is known about providers and offers right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    state: State,
    digest: Digest,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    providers: BTreeMap<Arc<str>, ProviderState>,
    offers: BTreeMap<Arc<str>, Health>,
}

/// What is known about one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderState {
    /// Whether it can be called with a key.
    pub credential: Credential,
    /// Whether it answers.
    pub health: Health,
    /// Whether it is an engine of the user's own.
    pub local: bool,
    /// The strictest class of request it may serve.
    pub privacy: Privacy,
    /// What its endpoint speaks.
    pub dialect: Arc<str>,
}

/// Whether a provider can be called with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// There is a key.
    Present,
    /// There is none.
    Missing,
    /// The provider refused it, and it has not changed since.
    Rejected,
    /// None is needed.
    NotNeeded,
}

/// Whether a provider or offer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As far as is known.
    Ok,
    /// It failed too often; not to be called before that moment.
    CircuitOpen {
        /// When it may be tried again.
        until: Timestamp,
    },
    /// It asked to be left alone until that moment.
    CoolingDown {
        /// When it may be called again.
        until: Timestamp,
    },
}

/// Who may see a request, from the strictest to the most open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Nobody but the user's own engines.
    Local,
    /// The user's own accounts.
    #[default]
    Private,
    /// Providers the user trusts.
    Trusted,
    /// Anybody.
    Public,
}

impl Board {
    /// Returns a board of these providers and of offers, by id, whose health differs from their provider's.
    #[must_use]
    pub fn new(providers: BTreeMap<Arc<str>, ProviderState>, offers: BTreeMap<Arc<str>, Health>) -> Self {
        Self::of(State { providers, offers })
    }

    fn of(state: State) -> Self {
        let digest = Digest::of(&snapshot(&state));
        Self { state, digest }
    }

    /// Returns what is known about a provider.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&ProviderState> {
        self.state.providers.get(id)
    }

    /// Returns all providers by id.
    #[must_use]
    pub const fn providers(&self) -> &BTreeMap<Arc<str>, ProviderState> {
        &self.state.providers
    }

    /// Returns the health of one offer apart from its provider's.
    #[must_use]
    pub fn offer(&self, id: &str) -> Health {
        if self.state.offers.is_empty() {
            return Health::Ok;
        }
        self.state.offers.get(id).copied().unwrap_or(Health::Ok)
    }

    /// Returns the digest of [`Board::to_snapshot`].
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns bytes from which the same board can be restored.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        snapshot(&self.state)
    }

    /// Restores a board.
    ///
    /// # Errors
    /// The bytes are no snapshot of this version.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self::of)
    }
}

impl ProviderState {
    /// Returns a healthy provider on the network with a key, as most are.
    #[must_use]
    pub fn ready(dialect: &str) -> Self {
        Self { credential: Credential::Present, health: Health::Ok, local: false, privacy: Privacy::Private, dialect: dialect.into() }
    }

    /// Returns a healthy engine of the user's own.
    #[must_use]
    pub fn local(dialect: &str) -> Self {
        Self { credential: Credential::NotNeeded, local: true, privacy: Privacy::Local, ..Self::ready(dialect) }
    }
}

fn snapshot(state: &State) -> Vec<u8> {
    serde_json::to_vec(state).expect("the board holds only text and numbers")
}
