//! The state of the world a decision may read: which providers have a key, are well, and may see what; what is known of
//! offers; which of them are set back for a while.
//!
//! A board is one immutable value under its digest, and every decision names the one it was made on. So it holds what
//! changes now and then. What changes with every call (the session, what exploration has spent, the price of budget) is
//! in the [`Ask`](crate::Ask), which is stored with its decision. Whoever publishes boards does so at most once a second,
//! and stores those that a decision was made on. Observed prices are a layer of the catalog.

use crate::evidence::{OfferKey, Standing, Standings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::{Digest, Timestamp};

/// What is known about providers and offers right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    state: BoardState,
    digest: Digest,
}

/// What a board is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardState {
    /// Providers by id.
    pub providers: BTreeMap<Arc<str>, ProviderState>,
    /// Health of offers, by id, where it differs from their provider's.
    pub offers: BTreeMap<Arc<str>, Health>,
    /// What outcomes and calls say.
    #[serde(default, skip_serializing_if = "Standings::is_empty")]
    pub standings: Standings,
    /// Offers set back on a task for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub penalties: Vec<Penalty>,
    /// Callers whose requests keep filling a context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalations: Vec<Escalation>,
}

/// An offer set back on one task, because it gave up on a request of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// Who.
    pub offer: OfferKey,
    /// On which task.
    pub task: Arc<str>,
    /// Until when.
    pub until: Timestamp,
}

/// A caller whose requests of one task keep filling the context of an offer: it gets a larger one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// The key or project; `None` for the user's own calls.
    pub caller: Option<Arc<str>>,
    /// On which task.
    pub task: Arc<str>,
    /// Only offers with more context than this.
    pub above_tokens: u64,
    /// Until when.
    pub until: Timestamp,
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
    /// The provider as statistics name it, where that is not its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<Arc<str>>,
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
        Self::of(BoardState { providers, offers, ..BoardState::default() })
    }

    /// Returns a board of all this.
    #[must_use]
    pub fn of(state: BoardState) -> Self {
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

    /// Returns what the board is made of.
    #[must_use]
    pub const fn state(&self) -> &BoardState {
        &self.state
    }

    /// Returns what is known of one model at a provider.
    #[must_use]
    pub fn standing(&self, provider: &str, model_id: &str) -> Option<&Standing> {
        if self.state.standings.is_empty() {
            return None;
        }
        self.state.standings.get(self.canonical(provider), model_id)
    }

    /// Returns the name of a provider in statistics.
    #[must_use]
    pub fn canonical<'a>(&'a self, provider: &'a str) -> &'a str {
        self.provider(provider).and_then(|state| state.canonical.as_deref()).unwrap_or(provider)
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
        Self {
            credential: Credential::Present,
            health: Health::Ok,
            local: false,
            privacy: Privacy::Private,
            dialect: dialect.into(),
            canonical: None,
        }
    }

    /// Returns a healthy engine of the user's own.
    #[must_use]
    pub fn local(dialect: &str) -> Self {
        Self { credential: Credential::NotNeeded, local: true, privacy: Privacy::Local, ..Self::ready(dialect) }
    }
}

fn snapshot(state: &BoardState) -> Vec<u8> {
    serde_json::to_vec(state).expect("the board holds only text and numbers")
}
