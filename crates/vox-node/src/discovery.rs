//! Model lists of providers: the cache that keeps the last good ones, when each is due, and the catalog made of them.
//!
//! `fetch` talks to providers, and only when `vox model discover` asks. Loading a catalog reads one file and opens no
//! connection; reading a list into entries is `vox_route::source`'s.

mod fetch;

use crate::Config;
use crate::providers::{Provider, Providers, SourceKind};
use crate::secrets::Secrets;
use crate::snapshot::{Inputs, Snapshot};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vox_base::{Coded, Timestamp};
use vox_route::catalog::{CacheFile, CachedSource, PriceOverlay};
use vox_route::contract::SourceRules;
use vox_route::{Board, Catalog, Contract, Credential, Warning};
use vox_store::Store;

pub use fetch::{Discovery, Fetch, Outcome, Wanted, record};

/// Name of the cache file below the cache directory.
pub const CACHE_FILE: &str = "model-catalog.v1.json";

const MAX_CACHE_BYTES: usize = 256 * 1024 * 1024;

/// Builds the catalog from the shipped entries and the last good lists of the providers that still exist.
///
/// A cache that cannot be read is moved aside and warned about; the shipped entries then stand alone.
#[must_use]
pub fn load(cache_dir: &Path, contract: &Contract, providers: &Providers, now: Timestamp) -> (Catalog, Vec<Warning>) {
    let (mut cache, warning) = read_cache(cache_dir, now);
    cache.sources.retain(|name, _| providers.get(name).is_some());
    let mut layers = cache.layers();
    layers.push(Catalog::bootstrap());
    let (catalog, mut warnings) = Catalog::build(contract, layers, &PriceOverlay::builtin());
    warnings.extend(warning);
    (catalog, warnings)
}

/// Returns what a node would read right now, without one: for explaining, listing and examining. Opens no connection,
/// and writes nothing but a damaged cache's new name.
///
/// # Errors
/// A provider's address or header cannot be sent.
pub fn preview(config: Config, secrets: &Secrets, cache_dir: &Path, now: Timestamp) -> Result<(Snapshot, Vec<Warning>), Coded> {
    let (catalog, warnings) = load(cache_dir, &config.contract, &config.providers, now);
    let resolve = |id: &str| secrets.resolve(id).ok()?.value.ok();
    let Config { settings, providers, contract } = config;
    Ok((Snapshot::build(Inputs { settings, providers, contract, catalog, resolve: &resolve })?, warnings))
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
    /// Older than this it counts as stale.
    pub limit_ms: i64,
}

/// Returns every list that the provider entries name, in the order of their ids.
#[must_use]
pub fn sources(contract: &Contract, providers: &Providers) -> Vec<Source> {
    let rules = &contract.rules().discovery;
    let source = |provider: &Arc<Provider>| {
        let kind = provider.catalog.as_ref()?.source;
        let (rules, limit_hours) = match kind {
            _ if provider.local => (&rules.local, 1),
            SourceKind::Openrouter => (&rules.openrouter, 36),
            SourceKind::OpenaiCompatible => (&rules.openai_compatible, 48),
        };
        Some(Source { provider: provider.clone(), kind, rules: rules.clone(), limit_ms: limit_hours * 3_600_000 })
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
    /// When it may be fetched again without force, RFC 3339.
    pub next_refresh_at: Option<String>,
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
        stands(&source, has_key, cache.sources.get(&*source.provider.id), now)
    };
    (sources(contract, providers).into_iter().map(one).collect(), warning)
}

fn stands(source: &Source, has_key: bool, cached: Option<&CachedSource>, now: Timestamp) -> Standing {
    let age_ms = cached.map(|cached| (now.millis() - cached.fetched_at.millis()).max(0));
    let state = match (cached, age_ms) {
        _ if !source.rules.enabled => State::Off,
        (Some(CachedSource { last_error: Some(_), .. }), _) => State::Failed,
        (Some(_), Some(age_ms)) if age_ms > source.limit_ms => State::Stale,
        (Some(_), _) => State::Fresh,
        (None, _) if !has_key && needs_key(source) => State::Unconfigured,
        (None, _) => State::Never,
    };
    Standing {
        source: source.provider.id.to_string(),
        state,
        local: source.provider.local,
        n_models: cached.map(|cached| cached.entries.len()),
        fetched_at: cached.map(|cached| cached.fetched_at.to_string()),
        age_ms,
        limit_ms: source.limit_ms,
        next_refresh_at: cached.map(|cached| cached.expires_at.to_string()),
        last_error: cached.and_then(|cached| cached.last_error.clone()),
    }
}

/// Marks the lists that were asked for and never came: a source that failed from the start has no list to say so.
///
/// # Errors
/// The store cannot be read.
pub async fn with_failures(mut standings: Vec<Standing>, store: &Store) -> Result<Vec<Standing>, Coded> {
    for fetch in store.latest_fetches().await? {
        let failed = fetch.outcome == Outcome::Failed.as_str();
        if let Some(standing) =
            standings.iter_mut().find(|standing| failed && standing.state == State::Never && standing.source == fetch.source)
        {
            standing.state = State::Failed;
            standing.last_error = Some(format!("failed at {}, and never came before", fetch.at));
        }
    }
    Ok(standings)
}

/// OpenRouter's list is public; the other providers want a key for theirs.
fn needs_key(source: &Source) -> bool {
    source.kind != SourceKind::Openrouter && !source.provider.secret_ids.is_empty()
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
