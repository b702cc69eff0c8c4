//! Fetches model lists: each list whole or not at all, never more often than the contract allows, and the cache file
//! replaced in one step.

use super::{CachedSource, Source, cache_path, needs_key, read_cache, sources};
use crate::providers::SourceKind;
use crate::snapshot::{Route, Snapshot};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vox_base::{Coded, Digest, Entropy, Id, Kind, Timestamp};
use vox_host::http::{Http, Outgoing, SendError};
use vox_host::lock::FileLock;
use vox_route::catalog::Entry;
use vox_route::source::{Due, Fetched, due, openai_compatible, openrouter, suspicious_empty};
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

/// A list that was read, as it goes into the cache.
struct Taken {
    list: Fetched,
    fingerprint: String,
}

enum Tried {
    Idle(Outcome, Option<Timestamp>),
    Taken(Taken),
    Refused { outcome: Outcome, message: String, n_requests: u32 },
}

/// What came of one list, and the milliseconds that took.
type Timed = (Tried, u64);

async fn timed(work: impl Future<Output = Tried>) -> Timed {
    let started = Instant::now();
    let tried = work.await;
    (tried, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
}

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
        let known = |source: &Source| cache.sources.get(&*source.provider.id);
        self.check_offline(chosen.iter().filter(|source| self.due(source, known(source), wanted.force).is_ok()))?;
        let tries = chosen.iter().map(|source| self.one(source, known(source), wanted.force));
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
    fn due(&self, source: &Source, cached: Option<&CachedSource>, force: bool) -> Result<(Duration, usize), Tried> {
        let has_key = || self.route(source).is_some_and(|route| route.credential.is_some());
        match due(&source.rules, cached.map(|cached| cached.fetched_at), force, self.now) {
            Due::Never => Err(Tried::Idle(Outcome::Off, None)),
            Due::At(at) => Err(Tried::Idle(Outcome::Fresh, Some(at))),
            Due::Now { .. } if needs_key(source) && !has_key() => Err(Tried::Idle(Outcome::Unconfigured, None)),
            Due::Now { timeout_ms, max_body_bytes } => {
                Ok((Duration::from_millis(u64::from(timeout_ms)), usize::try_from(max_body_bytes).unwrap_or(usize::MAX)))
            }
        }
    }

    fn route(&self, source: &Source) -> Option<&Arc<Route>> {
        self.snapshot.route(&source.provider.id, source.provider.dialect)
    }

    async fn one(&self, source: &Source, cached: Option<&CachedSource>, force: bool) -> Tried {
        let (limit, max_bytes) = match self.due(source, cached, force) {
            Ok(limits) => limits,
            Err(idle) => return idle,
        };
        let body = match tokio::time::timeout(limit, self.body(source, max_bytes)).await {
            Ok(Ok(body)) => body,
            Ok(Err((outcome, message))) => return Tried::Refused { outcome, message, n_requests: 1 },
            Err(_) => {
                return Tried::Refused { outcome: Outcome::Failed, message: format!("no whole answer within {limit:?}"), n_requests: 1 };
            }
        };
        match self.read(source, &body, cached.map_or(0, |cached| cached.entries.len()), force) {
            Ok(taken) => Tried::Taken(taken),
            Err(error) => Tried::Refused { outcome: Outcome::Failed, message: error.message, n_requests: 1 },
        }
    }

    async fn body(&self, source: &Source, max_bytes: usize) -> Result<Bytes, (Outcome, String)> {
        let failed = |message: String| (Outcome::Failed, message);
        let outgoing = self.outgoing(source).map_err(failed)?;
        let incoming = self.http.send(outgoing).await.map_err(|error| match error {
            SendError::Connect { .. } | SendError::ConnectTimeout { .. } if source.provider.local => {
                (Outcome::NotRunning, error.to_string())
            }
            error => failed(error.to_string()),
        })?;
        match incoming.status {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let secret = source.provider.secret_ids.first().map_or("ID", String::as_str);
                return Err(failed(format!("{status}: the key is refused; `vox secrets set {secret}`")));
            }
            status => return Err(failed(format!("answered {status}"))),
        }
        incoming.body.collect(max_bytes).await.map_err(|error| failed(error.to_string()))
    }

    fn outgoing(&self, source: &Source) -> Result<Outgoing, String> {
        let route = self.route(source).ok_or("the provider has no route")?;
        let base = source.provider.base_url.trim_end_matches('/');
        let url: Uri = format!("{base}{}", source.provider.paths.models).parse().map_err(|_| "its address and path do not make a URL")?;
        let mut headers: HeaderMap = route.headers.clone();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(credential) = &route.credential {
            headers.insert(credential.name.clone(), credential.value.clone());
        }
        Ok(Outgoing { method: Method::GET, url, headers, body: Bytes::new(), allow_private: source.provider.local })
    }

    fn read(&self, source: &Source, body: &[u8], n_known: usize, force: bool) -> Result<Taken, Coded> {
        let provider = &source.provider;
        let mapping = provider.catalog.as_ref().map(|catalog| catalog.fields.clone()).unwrap_or_default();
        let list = match source.kind {
            SourceKind::Openrouter => openrouter(body, self.now),
            SourceKind::OpenaiCompatible => openai_compatible(&provider.id, provider.local, &mapping, body, self.now),
        }?;
        if !force {
            suspicious_empty(n_known, list.entries.len())?;
        }
        Ok(Taken { list, fingerprint: Digest::of(body).to_string() })
    }

    /// Lays what was taken into the cache as it is now on disk, so that a discovery beside this one loses nothing.
    fn keep(&self, chosen: &[Source], tried: Vec<Timed>) -> Result<Vec<Fetch>, Coded> {
        let unwritable = |error: String| {
            Coded::new(Kind::Failed, "route.source_failed", format!("the catalog cache cannot be written: {error}"))
                .next("`vox db path` shows the cache directory")
        };
        if tried.iter().all(|(tried, _)| matches!(tried, Tried::Idle(..))) {
            return Ok(self.report(chosen, tried, &mut read_cache(self.cache_dir, self.now).0.sources));
        }
        vox_host::fs::create_cache_dir(self.cache_dir, self.entropy).map_err(|error| unwritable(error.to_string()))?;
        let _lock = FileLock::acquire(&self.cache_dir.join("model-catalog.lock")).map_err(|error| unwritable(error.to_string()))?;
        let (mut cache, _) = read_cache(self.cache_dir, self.now);
        let report = self.report(chosen, tried, &mut cache.sources);
        vox_host::fs::replace(&cache_path(self.cache_dir), &cache.render(), self.entropy).map_err(|error| unwritable(error.to_string()))?;
        Ok(report)
    }

    fn report(&self, chosen: &[Source], tried: Vec<Timed>, cache: &mut BTreeMap<String, CachedSource>) -> Vec<Fetch> {
        chosen.iter().zip(tried).map(|(source, (tried, took))| Fetch { duration_ms: took, ..self.settle(source, tried, cache) }).collect()
    }

    fn settle(&self, source: &Source, tried: Tried, cache: &mut BTreeMap<String, CachedSource>) -> Fetch {
        let name = source.provider.id.to_string();
        let n_before = cache.get(&name).map_or(0, |cached| cached.entries.len());
        let mut fetch = Fetch {
            source: name.clone(),
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
        };
        match tried {
            Tried::Idle(outcome, at) => {
                fetch.outcome = outcome;
                fetch.next_refresh_at = at.map(|at| at.to_string());
            }
            Tried::Refused { outcome, message, n_requests } => {
                if let Some(cached) = cache.get_mut(&name) {
                    cached.last_error = Some(message.clone());
                }
                fetch.outcome = outcome;
                fetch.error = Some(message);
                fetch.n_requests = n_requests;
            }
            Tried::Taken(taken) => self.take(source, taken, &mut fetch, cache),
        }
        fetch
    }

    fn take(&self, source: &Source, taken: Taken, fetch: &mut Fetch, cache: &mut BTreeMap<String, CachedSource>) {
        let expires_at = self.now.plus_millis(i64::from(source.rules.ttl_s) * 1000);
        let before = cache.get(&fetch.source).map_or(&[][..], |cached| &cached.entries);
        (fetch.n_added, fetch.n_removed, fetch.n_changed) = difference(before, &taken.list.entries);
        fetch.n_after = taken.list.entries.len();
        fetch.n_requests = 1;
        fetch.next_refresh_at = Some(expires_at.to_string());
        fetch.warnings = taken.list.warnings.iter().map(ToString::to_string).collect();
        let cached = CachedSource {
            fetched_at: self.now,
            expires_at,
            fingerprint: taken.fingerprint,
            last_error: None,
            entries: taken.list.entries,
        };
        cache.insert(fetch.source.clone(), cached);
    }
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
