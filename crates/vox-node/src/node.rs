//! `Node`: what a running vox holds, how it opens, and how it notices that files, keys or secrets have changed.

mod neighbours;

use self::neighbours::Neighbours;
use crate::config::{Config, Variables};
use crate::discovery;
use crate::evidence::{Learning, Sightings};
use crate::keys::{Caller, KeyTable};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::rates::RateBook;
use crate::rollup;
use crate::secrets::Secrets;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::Notify;
use vox_base::{Clock, Coded, Entropy, Id, IncarnationId, KeyId, Timestamp};
use vox_host::fs;
use vox_host::http::Http;
use vox_route::Ask;
use vox_route::decide::Account;
use vox_store::{Changes, Store};
use vox_telemetry::SpanId;

/// What a node is opened with.
pub struct NodeOptions {
    /// The store.
    pub store: Store,
    /// The vault and everything else a secret may come from.
    pub secrets: Secrets,
    /// Where the user's configuration is.
    pub config_dir: PathBuf,
    /// The file of the project for which is decided; a node that serves others has none.
    pub project: Option<PathBuf>,
    /// Where the model catalog is cached.
    pub cache_dir: PathBuf,
    /// What the environment says of the configuration.
    pub variables: Variables,
    /// Policy profile that the environment sets.
    pub profile: Option<String>,
    /// Whether `vox/auto` may try what is not known well.
    pub explores: bool,
    /// Nothing on the network may be called.
    pub offline: bool,
    /// The client for providers.
    pub http: Http,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// A running vox.
pub struct Node {
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    pub(crate) rates: RateBook,
    pub(crate) http: Http,
    pub(crate) offline: bool,
    pub(crate) profile: Option<String>,
    /// What trying has cost; `None` where nothing is tried.
    pub(crate) exploring: Option<Mutex<Account>>,
    secrets: Secrets,
    config_dir: PathBuf,
    project: Option<PathBuf>,
    cache_dir: PathBuf,
    variables: Variables,
    clock: Arc<dyn Clock>,
    random: Mutex<Random>,
    snapshot: ArcSwap<Snapshot>,
    keys: ArcSwap<KeyTable>,
    seen: Mutex<Seen>,
    neighbours: Mutex<Neighbours>,
    changes: Mutex<Option<Changes>>,
    stale: ArcSwap<Option<String>>,
    pub(crate) metrics: Metrics,
    pub(crate) sightings: Sightings,
    pub(crate) sessions: Sessions,
    pub(crate) learning: tokio::sync::Mutex<Learning>,
    ending: Arc<Notify>,
    started_at: Timestamp,
}

/// How far back a decision is looked for that tells what exploring had spent.
const EXPLORED_MS: i64 = 2 * 86_400_000;

/// Returns what exploring has spent so far: what the newest decision was told, so that a restart forgives no debt but that
/// of this one decision.
async fn exploration_account(store: &Store, now: Timestamp) -> Result<Account, Coded> {
    let last = store.last_routed(now.plus_millis(-EXPLORED_MS)).await?;
    let spent = last.and_then(|row| Some((serde_json::from_str::<Ask>(&row.features_json).ok()?.exploring?, row.at)));
    Ok(spent.map_or_else(Account::default, |(spent, at)| Account::resumed(spent, at)))
}

/// What the present snapshot and key table were made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    files: Vec<(PathBuf, Option<i128>)>,
    keys_version: i64,
    secrets_version: u64,
    pricing_version: i64,
}

impl Node {
    /// Opens a node: reads configuration, catalog and keys, takes back what an earlier process left open. Opens no
    /// connection.
    ///
    /// # Errors
    /// A configuration file does not hold together, or the store cannot be read or written.
    pub async fn open(options: NodeOptions) -> Result<Arc<Self>, Coded> {
        let now = options.clock.now();
        let mut random = Random::seeded(&*options.entropy);
        let incarnation: IncarnationId = Id::new(now, random.ten());
        let store = options.store;
        let recovered = store.hold_unsettled().await?;
        if recovered.held > 0 {
            tracing::warn!(held = recovered.held, "calls of a process that died are held: `vox usage --held`");
        }
        store.open_intents(incarnation)?;
        let files = watched(&options.config_dir, options.project.as_deref(), &options.cache_dir);
        let secrets_version = options.secrets.version().await?;
        let pricing_version = store.pricing_version().await?;
        options.secrets.refresh().await?;
        let origins = Origins {
            secrets: &options.secrets,
            config_dir: &options.config_dir,
            project: options.project.as_deref(),
            cache_dir: &options.cache_dir,
            variables: &options.variables,
            store: &store,
        };
        let snapshot = build(origins, now).await?;
        let (learning, snapshot) = Learning::begin(&store, snapshot, now).await?;
        let keys_version = store.keys_version().await?;
        let keys = KeyTable::new(&store.keys().await?);
        let sessions = Sessions::open(&store, &*options.entropy).await?;
        let ledger = Ledger::new(store.clone(), incarnation);
        ledger.load(&keys, now).await?;
        let exploring = if options.explores { Some(Mutex::new(exploration_account(&store, now).await?)) } else { None };
        let node = Self {
            ledger,
            rates: RateBook::new(),
            sessions,
            store,
            http: options.http,
            offline: options.offline,
            profile: options.profile,
            exploring,
            secrets: options.secrets,
            config_dir: options.config_dir,
            project: options.project,
            cache_dir: options.cache_dir,
            variables: options.variables,
            clock: options.clock,
            random: Mutex::new(random),
            changes: Mutex::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            keys: ArcSwap::from_pointee(keys),
            neighbours: Mutex::default(),
            seen: Mutex::new(Seen { files, keys_version, secrets_version, pricing_version }),
            stale: ArcSwap::from_pointee(None),
            metrics: Metrics::default(),
            sightings: Sightings::default(),
            learning: tokio::sync::Mutex::new(learning),
            ending: Arc::new(Notify::new()),
            started_at: now,
        };
        node.keep_snapshots().await?;
        Ok(Arc::new(node))
    }

    /// Looks whether keys, secrets, observed prices or configuration have changed, and takes the change in. An invalid
    /// change keeps what is, and is told by [`Node::notes`]. To be called several times a second, and whenever
    /// [`Store::changes`] wakes: shared tables are asked less often unless another node told of a change.
    pub async fn refresh(&self) {
        let now = self.now();
        let is_told = self.changes.lock().get_or_insert_with(|| self.store.changes()).take();
        let asks = !self.store.is_shared() || self.neighbours.lock().may_ask(is_told, std::time::Instant::now());
        let seen = self.seen.lock().clone();
        let files = watched(&self.config_dir, self.project.as_deref(), &self.cache_dir);
        let secrets_version = self.secrets.version().await.unwrap_or(seen.secrets_version);
        // What providers charge changes with a roll-up, here, on another node or by a command.
        let pricing_version = match asks {
            true => self.store.pricing_version().await.unwrap_or(seen.pricing_version),
            false => seen.pricing_version,
        };
        if files != seen.files || secrets_version != seen.secrets_version || pricing_version != seen.pricing_version {
            self.rebuild().await;
            let mut seen = self.seen.lock();
            (seen.files, seen.secrets_version, seen.pricing_version) = (files, secrets_version, pricing_version);
        }
        if let Err(error) = self.refresh_evidence(asks).await {
            tracing::warn!(code = error.code, "evidence cannot be read: {error}");
        }
        self.note_used_keys(now).await;
        self.keep_sessions(false).await;
        if self.store.is_shared() {
            self.look_around(now).await;
        }
        if asks {
            self.refresh_keys(&seen, now).await;
        }
    }

    async fn refresh_keys(&self, seen: &Seen, now: Timestamp) {
        match self.store.keys_version().await {
            Ok(version) if version != seen.keys_version => {
                if self.reload_keys(now).await.is_ok() {
                    self.seen.lock().keys_version = version;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "caller keys cannot be read"),
        }
    }

    /// Writes which sessions went on; at the end of a node those of one answer too.
    pub async fn keep_sessions(&self, is_end: bool) {
        if let Err(error) = self.sessions.keep(&self.store, is_end).await {
            tracing::warn!(code = error.code, "sessions cannot be written: {error}");
        }
    }

    /// Reads the configuration anew.
    ///
    /// # Errors
    /// It does not hold together; the old one stays.
    pub async fn reload(&self) -> Result<(), Coded> {
        let now = self.now();
        self.secrets.refresh().await?;
        let origins = Origins {
            secrets: &self.secrets,
            config_dir: &self.config_dir,
            project: self.project.as_deref(),
            cache_dir: &self.cache_dir,
            variables: &self.variables,
            store: &self.store,
        };
        let snapshot = build(origins, now).await?;
        if snapshot.settings.listen != self.snapshot().settings.listen {
            tracing::warn!("`listen` changed: restart the node for it");
        }
        self.install(snapshot).await?;
        self.stale.store(Arc::new(None));
        Ok(())
    }

    /// Writes down, once a day and key, that a key was used.
    async fn note_used_keys(&self, now: Timestamp) {
        let keys = self.keys.load_full();
        let is_new =
            |caller: &&Arc<Caller>| caller.was_used.load(Ordering::Relaxed) && caller.key.last_used_day.as_deref() != Some(&*now.day());
        let used: Vec<KeyId> = keys.callers().filter(is_new).map(|caller| caller.key.key_id).collect();
        if used.is_empty() {
            return;
        }
        if self.store.touch_keys(used, now).await.is_ok() && self.reload_keys(now).await.is_err() {
            tracing::warn!("caller keys cannot be read");
        }
    }

    async fn rebuild(&self) {
        match self.reload().await {
            Ok(()) => tracing::info!("configuration reloaded"),
            Err(error) => {
                tracing::warn!(code = error.code, "the old configuration stays: {error}");
                self.stale.store(Arc::new(Some(error.to_string())));
            }
        }
    }

    async fn reload_keys(&self, now: Timestamp) -> Result<(), Coded> {
        let keys = KeyTable::new(&self.store.keys().await?).succeeding(&self.keys.load());
        self.ledger.load(&keys, now).await?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// Puts a snapshot in the place of the one that calls read.
    pub(crate) fn swap(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Stores what decisions will name: the contract, the catalog and the board, by digest.
    pub(crate) async fn keep_snapshots(&self) -> Result<(), Coded> {
        let snapshot = self.snapshot();
        let kept = [
            ("contract", snapshot.contract.digest(), snapshot.contract.to_snapshot()),
            ("catalog", snapshot.catalog.digest(), snapshot.catalog.to_snapshot()),
            ("board", snapshot.board.digest(), snapshot.board.to_snapshot()),
        ];
        let kept = kept.map(|(kind, digest, blob)| vox_store::Snapshot { digest, kind, blob });
        Ok(self.store.keep_snapshots(kept.to_vec(), self.now()).await?)
    }

    /// Returns what calls read.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Returns how the gateway behaves.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.snapshot.load().settings.clone()
    }

    /// Returns the keys that are good right now.
    #[must_use]
    pub fn keys(&self) -> arc_swap::Guard<Arc<KeyTable>> {
        self.keys.load()
    }

    /// Returns the present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns when this node began.
    #[must_use]
    pub const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Returns the gateway's numbers.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Wakes every open stream when the node ends.
    #[must_use]
    pub const fn ending(&self) -> &Arc<Notify> {
        &self.ending
    }

    /// Returns the store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the parts that cannot work.
    #[must_use]
    pub fn failing(&self) -> Vec<&'static str> {
        if self.store.settles_refused() == 0 { Vec::new() } else { vec!["ledger"] }
    }

    /// Returns what a person should know though everything works.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.stale.load().iter().map(|error| format!("config_stale: {error}")).collect()
    }

    /// Writes what is still to be written and closes the store cleanly.
    pub fn close(&self) {
        self.store.close();
    }

    /// Sums up and deletes what is old enough.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn housekeeping(&self) -> Result<(), Coded> {
        let now = self.now();
        self.store.roll_up(now).await?;
        self.store.prune(now).await?;
        rollup::daily(&self.store, &self.snapshot(), now).await?;
        // What decisions name stays while they are made: its day is moved on.
        self.keep_snapshots().await
    }

    pub(crate) fn new_id<K>(&self, now: Timestamp) -> Id<K> {
        Id::new(now, self.random.lock().ten())
    }

    pub(crate) fn new_span(&self) -> SpanId {
        SpanId(self.random.lock().eight())
    }

    pub(crate) fn random_ten(&self) -> [u8; 10] {
        self.random.lock().ten()
    }

    pub(crate) fn random(&self) -> u64 {
        u64::from_ne_bytes(self.random.lock().eight())
    }
}

/// Returns the files a snapshot is made from, with the times they were changed.
fn watched(config_dir: &Path, project: Option<&Path>, cache_dir: &Path) -> Vec<(PathBuf, Option<i128>)> {
    let mut files = Config::files(config_dir, project);
    files.push(cache_dir.join(discovery::CACHE_FILE));
    files.into_iter().map(|file| (file.clone(), fs::modified_ns(&file))).collect()
}

/// Where a snapshot is made from.
struct Origins<'a> {
    secrets: &'a Secrets,
    config_dir: &'a Path,
    project: Option<&'a Path>,
    cache_dir: &'a Path,
    variables: &'a Variables,
    store: &'a Store,
}

/// Reads configuration and catalog into a snapshot.
async fn build(origins: Origins<'_>, now: Timestamp) -> Result<Snapshot, Coded> {
    let Origins { secrets, config_dir, project, cache_dir, variables, store } = origins;
    let config = Config::read(config_dir, project, variables, secrets.registry())?;
    let charged = store.pricing().await?;
    let (snapshot, warnings) = discovery::assemble(config, &|id| value(secrets, id), cache_dir, &charged, now)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(snapshot)
}

/// Returns a secret's value; what a person should know about it is logged, without the value.
fn value(secrets: &Secrets, id: &str) -> Option<vox_base::Secret<String>> {
    match secrets.resolve(id) {
        Ok(resolution) => {
            for news in secrets.news(&resolution) {
                tracing::warn!("{news}");
            }
            resolution.value.ok()
        }
        Err(error) => {
            tracing::warn!(code = error.code, secret = id, "{error}");
            None
        }
    }
}

/// Ids and spans need to be unique, not secret: one generator seeded once, without a system call per id
/// (xoshiro256++, Blackman and Vigna 2019).
struct Random([u64; 4]);

impl Random {
    fn seeded(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        let mut state = [1; 4];
        for (word, chunk) in state.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(chunk.try_into().expect("chunks of eight"));
        }
        Self(state)
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    fn eight(&mut self) -> [u8; 8] {
        self.next().to_ne_bytes()
    }

    fn ten(&mut self) -> [u8; 10] {
        let (first, second) = (self.next().to_ne_bytes(), self.next().to_ne_bytes());
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&first);
        bytes[8..].copy_from_slice(&second[..2]);
        bytes
    }
}
