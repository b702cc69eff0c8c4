//! Fetches model lists: each list whole or not at all, never more often than the contract allows, and the cache file
//! replaced in one step. How one list is asked for is `list`.

use super::list::{Lister, Missed};
use super::{Source, cache_path, needs_key, read_cache, sources};
use crate::snapshot::{Route, Snapshot};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vox_base::{Coded, Entropy, Id, Kind, Timestamp};
use vox_host::http::Http;
use vox_host::lock::FileLock;
use vox_route::catalog::{CacheFile, CachedSource, Entry};
use vox_route::source::{Due, Failure, Fetched, Subject, due, next_refresh, suspicious_empty};
use vox_store::Store;
use vox_store::rows::routing::CatalogFetch;

/// What a discovery works with.
pub struct Discovery<'a> {
    /// Providers, their keys, and the rules.
    pub snapshot: &'a Snapshot,
    /// The client.
    pub http: &'a Http,
    /// Where the cache file is.
    pub cache_dir: &'a Path,
    /// Names temporary files.
    pub entropy: &'a dyn Entropy,
    /// The present moment.
    pub now: Timestamp,
    /// Whether nothing but this machine may be reached.
    pub offline: bool,
}

/// Which lists, and how eagerly.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Names of sources; empty for all.
    pub only: Vec<String>,
    /// Fetches lists that are still fresh, but never within the least time between two fetches, and takes an empty list.
    pub force: bool,
}

/// How it went with one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new list was taken.
    Fetched,
    /// The list is young enough; nothing was asked for.
    Fresh,
    /// The last fetch failed; the next one is not due yet.
    BackingOff,
    /// The contract turns it off.
    Off,
    /// Its provider needs a key and there is none.
    Unconfigured,
    /// Nobody answers at the engine's address.
    NotRunning,
    /// The list could not be had; the last good one is kept.
    Failed,
}

/// What happened to one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fetch {
    /// Its name.
    pub source: String,
    /// How it went.
    pub outcome: Outcome,
    /// Models before.
    pub n_before: usize,
    /// Models after.
    pub n_after: usize,
    /// Models that are new.
    pub n_added: usize,
    /// Models that are gone.
    pub n_removed: usize,
    /// Models of which something changed.
    pub n_changed: usize,
    /// Requests made.
    pub n_requests: u32,
    /// How long that took.
    pub duration_ms: u64,
    /// When it may be fetched again without force, RFC 3339.
    pub next_refresh_at: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Entries that were skipped or changed, and why.
    pub warnings: Vec<String>,
}

enum Tried {
    Idle(Outcome, Option<Timestamp>),
    Taken(Fetched, u32),
    Missed(Missed, u32),
}

/// What came of one list, and the milliseconds that took.
type Timed = (Tried, u64);

async fn timed(work: impl Future<Output = Tried>) -> Timed {
    let started = Instant::now();
    let tried = work.await;
    (tried, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Whoever holds the lock reads and writes one file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Notes every list that was asked for, so that a failure is still known when another process looks.
///
/// # Errors
/// The store cannot be written.
pub async fn record(store: &Store, entropy: &dyn Entropy, now: Timestamp, fetches: &[Fetch]) -> Result<(), Coded> {
    for fetch in fetches.iter().filter(|fetch| fetch.n_requests > 0) {
        let mut random = [0; 10];
        entropy.fill(&mut random);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let row = CatalogFetch {
            fetch_id: Id::new(now, random),
            source: fetch.source.clone().into(),
            at: now,
            outcome: fetch.outcome.as_str().into(),
            requests: fetch.n_requests.into(),
            added: count(fetch.n_added),
            removed: count(fetch.n_removed),
            changed: count(fetch.n_changed),
            duration_ms: i64::try_from(fetch.duration_ms).unwrap_or(i64::MAX),
            error_code: (fetch.outcome == Outcome::Failed).then(|| "route.source_failed".into()),
        };
        store.record_fetch(row).await?;
    }
    Ok(())
}

impl Outcome {
    /// Returns the name used in rows and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Fresh => "fresh",
            Self::BackingOff => "backing_off",
            Self::Off => "off",
            Self::Unconfigured => "unconfigured",
            Self::NotRunning => "not_running",
            Self::Failed => "failed",
        }
    }
}

impl Discovery<'_> {
    /// Fetches what is wanted and due, all lists at once, and replaces the cache in one step.
    ///
    /// # Errors
    /// A name is no source, vox is offline and a list on the network is due, or the cache cannot be written. A list that
    /// fails is no error here: it is reported and its last good state stays.
    pub async fn run(&self, wanted: &Wanted) -> Result<Vec<Fetch>, Coded> {
        let chosen = self.chosen(wanted)?;
        let (cache, _) = read_cache(self.cache_dir, self.now);
        self.check_offline(chosen.iter().filter(|source| self.due(source, &cache, wanted.force).is_ok()))?;
        let tries = chosen.iter().map(|source| self.one(source, &cache, wanted.force));
        let tried = futures_util::future::join_all(tries.map(timed)).await;
        self.keep(&chosen, tried)
    }

    fn chosen(&self, wanted: &Wanted) -> Result<Vec<Source>, Coded> {
        let all = sources(&self.snapshot.contract, &self.snapshot.providers);
        if let Some(unknown) = wanted.only.iter().find(|name| !all.iter().any(|source| *source.provider.id == ***name)) {
            let names: Vec<&str> = all.iter().map(|source| &*source.provider.id).collect();
            return Err(Coded::new(Kind::Usage, "route.source_unknown", format!("no model list is called `{unknown}`"))
                .expected(format!("one of {}", names.join(", ")))
                .next("vox model sources"));
        }
        Ok(all
            .into_iter()
            .filter(|source| wanted.only.is_empty() || wanted.only.iter().any(|name| **name == *source.provider.id))
            .collect())
    }

    fn check_offline<'a>(&self, mut due: impl Iterator<Item = &'a Source>) -> Result<(), Coded> {
        match due.find(|source| self.offline && !source.provider.local) {
            Some(source) => Err(Coded::new(
                Kind::Offline,
                "route.offline",
                format!("the list of `{}` is on the network and vox is offline", source.provider.id),
            )
            .next("the last good lists stay in use; run it again without `--offline`, or name an engine on this machine with `--source`")),
            None => Ok(()),
        }
    }

    /// Returns the limits of a fetch that is due, or why nothing is to be asked for.
    fn due(&self, source: &Source, cache: &CacheFile, force: bool) -> Result<(Duration, usize), Tried> {
        let name = &source.provider.id;
        let has_key = || self.route(source).is_some_and(|route| route.credential.is_some());
        let insists = force.then_some(self.snapshot.contract.rules().discovery.force_min_s);
        match due(name, &source.rules, &cache.past(name), insists, self.now) {
            Due::Never => Err(Tried::Idle(Outcome::Off, None)),
            _ if needs_key(source) && !has_key() => Err(Tried::Idle(Outcome::Unconfigured, None)),
            Due::At(at) => Err(Tried::Idle(waiting(cache, name), Some(at))),
            Due::Now { timeout_ms, max_body_bytes } => {
                Ok((Duration::from_millis(u64::from(timeout_ms)), usize::try_from(max_body_bytes).unwrap_or(usize::MAX)))
            }
        }
    }

    fn route(&self, source: &Source) -> Option<&Arc<Route>> {
        self.snapshot.route(&source.provider.id, source.provider.dialect)
    }

    async fn one(&self, source: &Source, cache: &CacheFile, force: bool) -> Tried {
        let (limit, max_bytes) = match self.due(source, cache, force) {
            Ok(limits) => limits,
            Err(idle) => return idle,
        };
        let Some(route) = self.route(source) else { return Tried::Idle(Outcome::Off, None) };
        let lister = Lister { http: self.http, route, source, limit, max_bytes, now: self.now };
        let (list, n_requests) = lister.list(self.subject(source)).await;
        let n_known = cache.sources.get(&*source.provider.id).map_or(0, |cached| cached.entries.len());
        let list = list.and_then(|list| match suspicious_empty(n_known, list.entries.len()) {
            Err(error) if !force => Err(Missed { outcome: Outcome::Failed, message: error.to_string(), retry_after_ms: None }),
            _ => Ok(list),
        });
        match list {
            Ok(list) => Tried::Taken(list, n_requests),
            Err(missed) => Tried::Missed(missed, n_requests),
        }
    }

    fn subject(&self, source: &Source) -> Subject {
        let (provider, discovery) = (&source.provider, &self.snapshot.contract.rules().discovery);
        Subject {
            provider: provider.id.clone(),
            kind: source.kind,
            local: provider.local,
            mapping: provider.catalog.as_ref().map(|catalog| catalog.fields.clone()).unwrap_or_default(),
            path: provider.models_path().to_owned(),
            max_pages: discovery.max_pages,
            ollama_num_ctx_cap: discovery.ollama_num_ctx_cap,
            at: self.now,
        }
    }

    /// Lays what was taken into the cache as it is now on disk, so that a discovery beside this one loses nothing.
    fn keep(&self, chosen: &[Source], tried: Vec<Timed>) -> Result<Vec<Fetch>, Coded> {
        let unwritable = |error: String| {
            Coded::new(Kind::Failed, "route.source_failed", format!("the catalog cache cannot be written: {error}"))
                .next("`vox db path` shows the cache directory")
        };
        if tried.iter().all(|(tried, _)| matches!(tried, Tried::Idle(..))) {
            return Ok(self.report(chosen, tried, &mut read_cache(self.cache_dir, self.now).0));
        }
        vox_host::fs::create_cache_dir(self.cache_dir, self.entropy).map_err(|error| unwritable(error.to_string()))?;
        let lock = self.cache_dir.join("model-catalog.lock");
        let _lock = FileLock::acquire_within(&lock, LOCK_PATIENCE).map_err(|error| unwritable(error.to_string()))?;
        let (mut cache, _) = read_cache(self.cache_dir, self.now);
        if cache.seed == 0 {
            cache.seed = self.seed();
        }
        let report = self.report(chosen, tried, &mut cache);
        vox_host::fs::replace(&cache_path(self.cache_dir), &cache.render(), self.entropy).map_err(|error| unwritable(error.to_string()))?;
        Ok(report)
    }

    /// Few enough bits for every reader of JSON.
    fn seed(&self) -> u64 {
        let mut random = [0; 8];
        self.entropy.fill(&mut random[3..]);
        u64::from_be_bytes(random).max(1)
    }

    fn report(&self, chosen: &[Source], tried: Vec<Timed>, cache: &mut CacheFile) -> Vec<Fetch> {
        chosen.iter().zip(tried).map(|(source, (tried, took))| Fetch { duration_ms: took, ..self.settle(source, tried, cache) }).collect()
    }

    fn settle(&self, source: &Source, tried: Tried, cache: &mut CacheFile) -> Fetch {
        let name = source.provider.id.to_string();
        let mut fetch = Fetch::before(&name, cache);
        match tried {
            Tried::Idle(outcome, at) => {
                fetch.outcome = outcome;
                fetch.next_refresh_at = at.map(|at| at.to_string());
                return fetch;
            }
            Tried::Missed(missed, n_requests) => {
                fetch.n_requests = n_requests;
                self.miss(&mut fetch, missed, cache);
            }
            Tried::Taken(list, n_requests) => {
                fetch.n_requests = n_requests;
                self.take(&mut fetch, list, cache);
            }
        }
        fetch.next_refresh_at = next_refresh(&name, &source.rules, &cache.past(&name)).map(|at| at.to_string());
        fetch
    }

    /// An engine that does not run is no failure: it is asked again as soon as somebody wants to know.
    fn miss(&self, fetch: &mut Fetch, missed: Missed, cache: &mut CacheFile) {
        fetch.outcome = missed.outcome;
        fetch.error = Some(missed.message.clone());
        if missed.outcome == Outcome::Failed {
            let n_in_row = cache.failures.get(&fetch.source).map_or(0, |failure| failure.n_in_row).saturating_add(1);
            let failure = Failure { at: self.now, n_in_row, retry_after_ms: missed.retry_after_ms, message: missed.message };
            cache.failures.insert(fetch.source.clone(), failure);
        }
    }

    fn take(&self, fetch: &mut Fetch, list: Fetched, cache: &mut CacheFile) {
        let before = cache.sources.get(&fetch.source).map_or(&[][..], |cached| &cached.entries);
        (fetch.n_added, fetch.n_removed, fetch.n_changed) = difference(before, &list.entries);
        fetch.n_after = list.entries.len();
        fetch.warnings = list.warnings.iter().map(ToString::to_string).collect();
        cache.failures.remove(&fetch.source);
        cache.sources.insert(fetch.source.clone(), CachedSource { fetched_at: self.now, entries: list.entries });
    }
}

impl Fetch {
    /// Returns the report of a list of which nothing new is known.
    fn before(source: &str, cache: &CacheFile) -> Self {
        let n_before = cache.sources.get(source).map_or(0, |cached| cached.entries.len());
        Self {
            source: source.to_owned(),
            outcome: Outcome::Fetched,
            n_before,
            n_after: n_before,
            n_added: 0,
            n_removed: 0,
            n_changed: 0,
            n_requests: 0,
            duration_ms: 0,
            next_refresh_at: None,
            error: None,
            warnings: Vec::new(),
        }
    }
}

/// A list that failed waits for its next try, any other is fresh.
fn waiting(cache: &CacheFile, source: &str) -> Outcome {
    if cache.failures.contains_key(source) { Outcome::BackingOff } else { Outcome::Fresh }
}

/// Returns how many entries are new, gone and different; when a price was looked up is no difference.
fn difference(before: &[Entry], after: &[Entry]) -> (usize, usize, usize) {
    let dateless = |entry: &Entry| Entry { as_of: None, ..entry.clone() };
    let old: BTreeMap<&str, Entry> = before.iter().map(|entry| (entry.native_id.as_str(), dateless(entry))).collect();
    let (mut n_added, mut n_changed) = (0, 0);
    for entry in after {
        match old.get(entry.native_id.as_str()) {
            None => n_added += 1,
            Some(known) => n_changed += usize::from(*known != dateless(entry)),
        }
    }
    (n_added, old.len() + n_added - after.len(), n_changed)
}
