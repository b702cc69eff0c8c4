//! Model lists of providers: the cache that keeps the last good ones, when each is due, and the catalog made of them.
//!
//! `fetch` and `list` talk to providers, and only when `vox model discover` asks. Loading a catalog reads one file and opens
//! no connection; what to ask for and what the answers mean is `vox_route::source`'s.

mod fetch;
mod list;

use crate::Config;
use crate::providers::{Auth, Provider, Providers};
use crate::secrets::Secrets;
use crate::snapshot::{Inputs, Snapshot, canonical};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vox_base::{Coded, Secret, Timestamp};
use vox_route::catalog::{CacheFile, Observed, PriceConfidence};
use vox_route::contract::SourceRules;
use vox_route::source::{SourceKind, is_stale, next_refresh};
use vox_route::{Board, Catalog, Contract, Credential, Offer, Warning};
use vox_store::Store;
use vox_store::rows::routing::PricingRow;

pub use fetch::{Discovery, Fetch, Outcome, Wanted, record};

/// Name of the cache file below the cache directory.
pub const CACHE_FILE: &str = "model-catalog.v1.json";

const MAX_CACHE_BYTES: usize = 256 * 1024 * 1024;

/// Builds the catalog from the shipped entries, the last good lists of the providers that still exist, and what the user
/// says.
///
/// A cache that cannot be read is moved aside and warned about; the shipped entries then stand alone.
#[must_use]
pub fn load(cache_dir: &Path, config: &Config, now: Timestamp) -> (Catalog, Vec<Warning>) {
    let (mut cache, warning) = read_cache(cache_dir, now);
    cache.sources.retain(|name, _| config.providers.get(name).is_some());
    let mut layers = cache.layers();
    layers.push(Catalog::bootstrap());
    let (own, unknown) = config.models.layer(&layers, &|provider| config.providers.get(provider).is_some());
    layers.push(own);
    let (catalog, mut warnings) = Catalog::build(&config.contract, layers, &config.prices);
    warnings.extend(warning);
    warnings.extend(unknown);
    (catalog, warnings)
}

/// Makes what calls read of configuration, lists, and what providers were seen to charge. Opens no connection, and writes
/// nothing but a damaged cache's new name.
///
/// # Errors
/// A provider's address or header cannot be sent.
pub fn assemble(
    config: Config,
    resolve: &dyn Fn(&str) -> Option<Secret<String>>,
    cache_dir: &Path,
    charged: &[PricingRow],
    now: Timestamp,
) -> Result<(Snapshot, Vec<Warning>), Coded> {
    let (catalog, warnings) = load(cache_dir, &config, now);
    let observed = observed(&catalog, &config.providers, charged);
    let catalog = catalog.observing(&config.contract, &observed);
    let Config { settings, providers, contract, .. } = config;
    Ok((Snapshot::build(Inputs { settings, providers, contract, catalog, resolve })?, warnings))
}

/// Returns what a node would read right now, without one: for explaining, listing and examining.
///
/// # Errors
/// A provider's address or header cannot be sent.
pub fn preview(
    config: Config,
    secrets: &Secrets,
    cache_dir: &Path,
    charged: &[PricingRow],
    now: Timestamp,
) -> Result<(Snapshot, Vec<Warning>), Coded> {
    assemble(config, &|id| secrets.resolve(id).ok()?.value.ok(), cache_dir, charged, now)
}

/// Finds the offers of which it is known what they charge: statistics name providers by where they are.
fn observed(catalog: &Catalog, providers: &Providers, charged: &[PricingRow]) -> BTreeMap<Arc<str>, Observed> {
    if charged.is_empty() {
        return BTreeMap::new();
    }
    let rows: BTreeMap<(&str, &str), &PricingRow> = charged.iter().map(|row| ((&*row.provider_canonical, &*row.model), row)).collect();
    let canonical: BTreeMap<Arc<str>, Arc<str>> = providers.iter().map(|provider| (provider.id.clone(), canonical(provider))).collect();
    let seen = |offer: &Arc<Offer>| {
        let row = rows.get(&(&**canonical.get(&offer.provider)?, &*offer.native_id))?;
        let confidence = match &*row.confidence {
            "high" => PriceConfidence::High,
            "medium" => PriceConfidence::Medium,
            _ => return None,
        };
        Some((offer.id.clone(), Observed { ratio_ppm: u64::try_from(row.observed_ratio_ppm?).ok()?, confidence }))
    };
    catalog.offers().iter().filter_map(seen).collect()
}

/// One list that vox can fetch.
#[derive(Debug, Clone)]
pub struct Source {
    /// Whose list it is; its id is the name of the source.
    pub provider: Arc<Provider>,
    /// The form of the list.
    pub kind: SourceKind,
    /// How it is fetched.
    pub rules: SourceRules,
}

/// Returns every list that the provider entries name, in the order of their ids.
#[must_use]
pub fn sources(contract: &Contract, providers: &Providers) -> Vec<Source> {
    let discovery = &contract.rules().discovery;
    let source = |provider: &Arc<Provider>| {
        let kind = provider.catalog.as_ref()?.source;
        Some(Source { provider: provider.clone(), kind, rules: discovery.rules(kind, provider.local).clone() })
    };
    providers.iter().filter_map(source).collect()
}

/// How a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The contract turns it off.
    Off,
    /// Its provider needs a key and there is none.
    Unconfigured,
    /// It has never been fetched.
    Never,
    /// It is young enough.
    Fresh,
    /// It is older than its limit.
    Stale,
    /// The last fetch failed; the list before it is kept.
    Failed,
}

/// How one list stands, for people and for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its name, the provider's id.
    pub source: String,
    /// How it stands.
    pub state: State,
    /// Whether it is an engine of the user's own.
    pub local: bool,
    /// Models in the last good list.
    pub n_models: Option<usize>,
    /// When that was fetched, RFC 3339.
    pub fetched_at: Option<String>,
    /// How long ago that was.
    pub age_ms: Option<i64>,
    /// Age from which it counts as stale.
    pub limit_ms: i64,
    /// Age from which it is fetched again.
    pub ttl_ms: i64,
    /// When it may be fetched again without force, RFC 3339.
    pub next_refresh_at: Option<String>,
    /// Requests made for it in the last hour, as far as the ledger knows.
    pub n_requests_last_hour: Option<i64>,
    /// Why the last fetch failed.
    pub last_error: Option<String>,
}

/// Returns how every list stands. Reads the cache; writes nothing but a damaged cache's new name.
#[must_use]
pub fn standing(
    cache_dir: &Path,
    contract: &Contract,
    providers: &Providers,
    board: &Board,
    now: Timestamp,
) -> (Vec<Standing>, Option<Warning>) {
    let (cache, warning) = read_cache(cache_dir, now);
    let one = |source: Source| {
        let has_key = board.provider(&source.provider.id).is_some_and(|state| state.credential != Credential::Missing);
        stands(&source, has_key, &cache, now)
    };
    (sources(contract, providers).into_iter().map(one).collect(), warning)
}

fn stands(source: &Source, has_key: bool, cache: &CacheFile, now: Timestamp) -> Standing {
    let (name, rules) = (&*source.provider.id, &source.rules);
    let (cached, past) = (cache.sources.get(name), cache.past(name));
    let state = match past.fetched_at {
        _ if !rules.enabled => State::Off,
        _ if !has_key && needs_key(source) => State::Unconfigured,
        _ if past.failure.is_some() => State::Failed,
        Some(fetched_at) if is_stale(rules, fetched_at, now) => State::Stale,
        Some(_) => State::Fresh,
        None => State::Never,
    };
    Standing {
        source: name.to_owned(),
        state,
        local: source.provider.local,
        n_models: cached.map(|cached| cached.entries.len()),
        fetched_at: past.fetched_at.map(|at| at.to_string()),
        age_ms: past.fetched_at.map(|at| (now.millis() - at.millis()).max(0)),
        limit_ms: i64::from(rules.max_age_s) * 1000,
        ttl_ms: i64::from(rules.ttl_s) * 1000,
        next_refresh_at: next_refresh(name, rules, &past).map(|at| at.to_string()),
        n_requests_last_hour: None,
        last_error: past.failure.map(|failure| failure.message),
    }
}

impl Standing {
    /// Returns whether the last good list is older than it may be. An engine of the user's own is not running most of the
    /// time, so its age says nothing; nor does that of a list that nobody may fetch.
    #[must_use]
    pub fn is_too_old(&self) -> bool {
        !self.local && matches!(self.state, State::Stale | State::Failed) && self.age_ms.is_some_and(|age_ms| age_ms > self.limit_ms)
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Adds what the ledger knows of the last hour.
///
/// # Errors
/// The store cannot be read.
pub async fn with_requests(mut standings: Vec<Standing>, store: &Store, now: Timestamp) -> Result<Vec<Standing>, Coded> {
    let fetches = store.fetches_since(now.plus_millis(-HOUR_MS)).await?;
    for standing in &mut standings {
        let own = fetches.iter().filter(|fetch| fetch.source == standing.source);
        standing.n_requests_last_hour = Some(own.map(|fetch| fetch.requests).sum());
    }
    Ok(standings)
}

/// OpenRouter's list is public; the other providers want a key for theirs.
fn needs_key(source: &Source) -> bool {
    source.kind != SourceKind::Openrouter && source.provider.auth != Auth::None
}

fn cache_path(cache_dir: &Path) -> PathBuf {
    cache_dir.join(CACHE_FILE)
}

/// Reads the cache; what cannot be read is moved aside, so that the next fetch starts clean and nothing is lost.
fn read_cache(cache_dir: &Path, now: Timestamp) -> (CacheFile, Option<Warning>) {
    let path = cache_path(cache_dir);
    let warn = |message: String| Some(Warning { source: "cache".into(), entry: path.display().to_string(), message });
    let bytes = match vox_host::fs::read(&path, MAX_CACHE_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.is_missing() => return (CacheFile::default(), None),
        Err(error) => return (CacheFile::default(), warn(format!("cannot be read ({error}): the shipped catalog is used"))),
    };
    match CacheFile::parse(&bytes) {
        Ok(cache) => (cache, None),
        Err(error) => {
            let aside = path.with_file_name(format!("{CACHE_FILE}.bad-{}", now.millis()));
            let moved = match std::fs::rename(&path, &aside) {
                Ok(()) => format!("moved to {}", aside.display()),
                Err(error) => format!("it cannot be moved aside: {error}"),
            };
            (CacheFile::default(), warn(format!("{error}; {moved}; the shipped catalog is used until `vox model discover`")))
        }
    }
}

#[cfg(test)]
mod tests;
