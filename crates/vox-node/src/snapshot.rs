//! Everything a call reads, as one immutable value: settings, providers with their keys, routing contract, catalog and
//! board. A reload builds a new one and swaps it; open calls keep the one they began with.

use crate::providers::{Auth, OFFLINE, Provider, Providers, YAML as SHIPPED_PROVIDERS};
use crate::settings::Settings;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use vox_base::{Coded, Document, Kind, Secret};
use vox_route::{Board, Catalog, Contract, Credential as CredentialState, Health, Privacy, ProviderState};
use vox_wire::{Dialect, Verdicts};

/// Everything a call reads.
pub struct Snapshot {
    /// How the gateway behaves.
    pub settings: Arc<Settings>,
    /// Where models can be called.
    pub providers: Providers,
    /// How to choose.
    pub contract: Contract,
    /// What there is to choose from.
    pub catalog: Catalog,
    /// What is known about providers right now.
    pub board: Board,
    /// What happens to each field between dialects.
    pub verdicts: Verdicts,
    routes: HashMap<Arc<str>, Arc<Route>>,
    /// Price lists that calls were settled with, by offer; filled as offers are used.
    prices: Arc<Mutex<HashMap<Arc<str>, PriceSnapshotId>>>,
    /// Whether a decision was made on the board.
    was_used: AtomicBool,
}

/// Names one stored price list.
pub(crate) type PriceSnapshotId = vox_base::Id<vox_base::kind::PriceSnapshot>;

/// What a snapshot is made from.
pub struct Inputs<'a> {
    /// How the gateway behaves.
    pub settings: Settings,
    /// Where models can be called.
    pub providers: Providers,
    /// How to choose.
    pub contract: Contract,
    /// What there is to choose from.
    pub catalog: Catalog,
    /// Returns a secret's value, `None` if there is none.
    pub resolve: &'a dyn Fn(&str) -> Option<Secret<String>>,
}

/// One provider, ready to be called: addresses parsed, headers made.
pub struct Route {
    /// The provider's entry.
    pub provider: Arc<Provider>,
    /// The provider as statistics name it.
    pub canonical: Arc<str>,
    /// Where chat calls go.
    pub chat_url: Uri,
    /// Where embedding calls go.
    pub embeddings_url: Option<Uri>,
    /// Headers of every call.
    pub headers: HeaderMap,
    /// How the key is sent.
    pub credential: Option<Credential>,
    /// Answers without any network.
    pub is_offline: bool,
}

/// A provider's key, ready to be sent.
pub struct Credential {
    /// Id of the secret.
    pub secret_id: String,
    /// Header that carries it.
    pub name: HeaderName,
    /// The header's value.
    pub value: HeaderValue,
    text: Secret<String>,
}

impl Credential {
    /// Returns the key as another header carries it, without any prefix.
    pub(crate) fn under(&self, name: &'static str) -> (HeaderName, HeaderValue) {
        let mut value = HeaderValue::try_from(self.text.expose().as_str()).unwrap_or_else(|_| self.value.clone());
        value.set_sensitive(true);
        (HeaderName::from_static(name), value)
    }
}

impl Snapshot {
    /// Builds a snapshot.
    ///
    /// # Errors
    /// A provider's address or header cannot be sent.
    pub fn build(inputs: Inputs<'_>) -> Result<Self, Coded> {
        let mut routes = HashMap::new();
        let mut states = BTreeMap::new();
        for provider in inputs.providers.iter() {
            let route = Route::new(provider, inputs.resolve)?;
            states.insert(provider.id.clone(), state(&route));
            routes.insert(provider.id.clone(), Arc::new(route));
        }
        for (id, route, state) in offline_routes() {
            states.insert(id.clone(), state);
            routes.insert(id, Arc::new(route));
        }
        // Made ready now, so that no call waits for it.
        let _ = inputs.contract.classifier();
        Ok(Self {
            settings: Arc::new(inputs.settings),
            providers: inputs.providers,
            contract: inputs.contract,
            catalog: inputs.catalog,
            board: Board::new(states, BTreeMap::new()),
            verdicts: Verdicts::built_in(),
            routes,
            prices: Arc::default(),
            was_used: AtomicBool::new(false),
        })
    }

    /// Returns the same snapshot with another board.
    #[must_use]
    pub fn with_board(&self, board: Board) -> Self {
        Self {
            settings: self.settings.clone(),
            providers: self.providers.clone(),
            contract: self.contract.clone(),
            catalog: self.catalog.clone(),
            board,
            verdicts: self.verdicts.clone(),
            routes: self.routes.clone(),
            prices: self.prices.clone(),
            was_used: AtomicBool::new(false),
        }
    }

    /// Notes that a decision was made on the board, which must be kept then.
    pub(crate) fn use_board(&self) {
        if !self.was_used.load(Ordering::Relaxed) {
            self.was_used.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn was_used(&self) -> bool {
        self.was_used.load(Ordering::Relaxed)
    }

    /// Returns the way to a provider; for `offline` the one that speaks the caller's dialect.
    #[must_use]
    pub fn route(&self, provider: &str, dialect: Dialect) -> Option<&Arc<Route>> {
        match (provider, dialect) {
            (OFFLINE, Dialect::Anthropic) => self.routes.get("offline.anthropic"),
            _ => self.routes.get(provider),
        }
    }

    /// Returns the stored price list of an offer that was used before.
    pub(crate) fn price_snapshot(&self, offer_id: &str) -> Option<PriceSnapshotId> {
        self.prices.lock().get(offer_id).copied()
    }

    /// Remembers the stored price list of an offer.
    pub(crate) fn keep_price_snapshot(&self, offer_id: Arc<str>, id: PriceSnapshotId) {
        self.prices.lock().insert(offer_id, id);
    }

    /// Returns whether a provider of this id exists.
    #[must_use]
    pub fn knows(&self, provider: &str) -> bool {
        provider == OFFLINE || self.providers.get(provider).is_some()
    }
}

impl Route {
    fn new(provider: &Arc<Provider>, resolve: &dyn Fn(&str) -> Option<Secret<String>>) -> Result<Self, Coded> {
        let fault = |what: &str| {
            Coded::new(Kind::Stale, "gateway.config_invalid", format!("provider `{}`: {what}", provider.id))
                .next("`vox providers show` names the file")
        };
        let base = provider.base_url.trim_end_matches('/');
        let url = |path: &str| format!("{base}{path}").parse::<Uri>().map_err(|_| fault("its address and path do not make a URL"));
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("vox/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &provider.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| fault("a header has no valid name"))?;
            headers.insert(name, HeaderValue::try_from(value.as_str()).map_err(|_| fault("a header has no valid value"))?);
        }
        Ok(Self {
            canonical: canonical(provider),
            chat_url: url(provider.chat_path())?,
            embeddings_url: provider.embeddings_path().map(url).transpose()?,
            headers,
            credential: credential(provider, resolve).map_err(|what| fault(&what))?,
            is_offline: false,
            provider: provider.clone(),
        })
    }

    /// Returns a provider's text without the key that was sent to it, and not too long.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let shown: String = match &self.credential {
            Some(credential) => text.replace(credential.text.expose().as_str(), "<REDACTED:known>"),
            None => text.to_owned(),
        };
        shown.chars().filter(|c| !c.is_control()).take(500).collect()
    }
}

fn credential(provider: &Provider, resolve: &dyn Fn(&str) -> Option<Secret<String>>) -> Result<Option<Credential>, String> {
    let (name, prefix) = match &provider.auth {
        Auth::None => return Ok(None),
        Auth::Bearer => (header::AUTHORIZATION, "Bearer "),
        Auth::Header { header, prefix } => {
            (HeaderName::try_from(header.as_str()).map_err(|_| "`auth.header` is no header name")?, prefix.as_str())
        }
    };
    let Some((secret_id, text)) = provider.secret_ids.iter().find_map(|id| Some((id.clone(), resolve(id)?))) else { return Ok(None) };
    let mut value = HeaderValue::try_from(format!("{prefix}{}", text.expose()))
        .map_err(|_| format!("the secret `{secret_id}` has characters no header can carry"))?;
    value.set_sensitive(true);
    Ok(Some(Credential { secret_id, name, value, text }))
}

fn state(route: &Route) -> ProviderState {
    let credential = match (&route.provider.auth, &route.credential) {
        (Auth::None, _) => CredentialState::NotNeeded,
        (_, Some(_)) => CredentialState::Present,
        (_, None) => CredentialState::Missing,
    };
    let privacy = if route.provider.local { Privacy::Local } else { Privacy::Private };
    let canonical = (route.canonical != route.provider.id).then(|| route.canonical.clone());
    let dialect = route.provider.dialect.as_str().into();
    ProviderState { credential, health: Health::Ok, local: route.provider.local, privacy, dialect, canonical }
}

/// Returns the provider as statistics name it: a shipped one by its id, any other by its host and port.
pub(crate) fn canonical(provider: &Provider) -> Arc<str> {
    static SHIPPED: LazyLock<Option<Document>> = LazyLock::new(|| Document::parse("", SHIPPED_PROVIDERS).ok());
    let shipped =
        SHIPPED.as_ref().and_then(|document| document.at(&format!("providers.{}.base_url", provider.id))?.decode::<String>().ok());
    if shipped.as_deref() == Some(provider.base_url.as_str()) {
        return provider.id.clone();
    }
    let Ok(url) = provider.base_url.parse::<Uri>() else { return provider.id.clone() };
    let host = url.host().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let default_port = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let port = url.port_u16().unwrap_or(default_port);
    let loopback =
        host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match (loopback, port == default_port) {
        (true, _) => format!("custom:loopback:{port}"),
        (false, true) => format!("custom:{host}"),
        (false, false) => format!("custom:{host}:{port}"),
    }
    .into()
}

/// The built-in provider without network, once for each dialect so that it never needs translation.
fn offline_routes() -> impl Iterator<Item = (Arc<str>, Route, ProviderState)> {
    [("offline", Dialect::Openai), ("offline.anthropic", Dialect::Anthropic)].into_iter().map(|(id, dialect)| {
        let provider = Provider::offline(dialect);
        let route = Route {
            canonical: OFFLINE.into(),
            chat_url: Uri::from_static("http://127.0.0.1/"),
            embeddings_url: None,
            headers: HeaderMap::new(),
            credential: None,
            is_offline: true,
            provider: Arc::new(provider),
        };
        let state = state(&route);
        (id.into(), route, state)
    })
}

#[cfg(test)]
mod tests;
