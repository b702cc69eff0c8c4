//! What a command has at hand: settings, directories, output; and the store, vault and node, opened when first asked for.

mod vault;

use crate::cli::{Color, Global};
use crate::config::Environment;
use crate::output::Output;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use vox_base::{Clock, Coded, Entropy, Timestamp};
use vox_host::http::{AddressPolicy, Http};
use vox_host::paths::{DirFlags, Dirs};
use vox_node::{Config, Node, NodeOptions, Variables};
use vox_store::{Access, OpenOptions, Place, Store};

/// Returns the URL that Ollama's own way of writing a host means: scheme and port may be missing, and an address that it
/// listens on everywhere is reached on this machine.
fn ollama_url(host: &str) -> String {
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let authority = rest.trim_end_matches('/');
    let authority = if authority.contains(':') || host.contains("://") { authority.to_owned() } else { format!("{authority}:11434") };
    format!("{scheme}://{}", authority.replacen("0.0.0.0", "127.0.0.1", 1))
}

/// What a command has at hand.
pub(crate) struct Context {
    pub(crate) env: Environment,
    pub(crate) global: Global,
    pub(crate) out: Output,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Context {
    pub(crate) fn new(global: Global, env: Environment) -> Self {
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if env.text("VOX_COLOR") == Some("always") => true,
            Color::Auto if env.text("VOX_COLOR") == Some("never") => false,
            Color::Auto => {
                env.text("NO_COLOR").is_none()
                    && env.text("TERM") != Some("dumb")
                    && std::io::stdout().is_terminal()
                    && std::io::stderr().is_terminal()
            }
        };
        let out = Output::new(global.json, color && !global.json, global.quiet);
        Self { env, global, out, clock: Arc::new(vox_host::SystemClock), entropy: Arc::new(vox_host::SystemEntropy) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.global.offline || self.env.is_on("VOX_OFFLINE")
    }

    /// Whether a question may be asked: a terminal on both ends, and nobody said no.
    pub(crate) fn may_ask(&self) -> bool {
        crate::output::is_interactive()
            && !self.global.no_input
            && !self.env.is_on("VOX_NO_INPUT")
            && !self.env.is_on("CI")
            && !self.out.json
    }

    /// Returns the five directories, with what decided each.
    pub(crate) fn dirs(&self) -> Result<Dirs, Coded> {
        let flags = DirFlags {
            data: self.global.data_dir.clone(),
            state: self.global.state_dir.clone(),
            config: self.global.config_dir.clone(),
            cache: self.global.cache_dir.clone(),
            spool: self.global.spool_dir.clone(),
        };
        Dirs::resolve(&flags, &|name| self.env.raw(name)).map_err(Into::into)
    }

    /// Opens the store for reading and writing and makes it if there is none.
    pub(crate) fn store(&self) -> Result<Store, Coded> {
        self.open_store(Access::Create, false)
    }

    /// Opens the store if there is one; creates nothing.
    pub(crate) fn existing_store(&self) -> Result<Option<Store>, Coded> {
        match self.open_store(Access::Inspect, false) {
            Err(error) if error.code == "store.missing" => Ok(None),
            other => other.map(Some),
        }
    }

    /// Opens the store as [`Self::store`] does, and migrates a shared database that an earlier release made.
    pub(crate) fn migrated_store(&self) -> Result<Store, Coded> {
        self.open_store(Access::Create, true)
    }

    fn open_store(&self, access: Access, may_migrate: bool) -> Result<Store, Coded> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        let now = self.now();
        let store_id = vox_base::Id::new(now, random);
        let options = OpenOptions {
            data_dir: self.dirs()?.data.path,
            db: self.place()?,
            may_migrate: may_migrate || self.env.is_on("VOX_DB_AUTO_MIGRATE"),
            access,
            now,
            vox_version: env!("CARGO_PKG_VERSION"),
            store_id,
        };
        Store::open(options).map_err(Into::into)
    }

    /// Opens a node in this process: the same calls, store and secrets as the served one.
    pub(crate) async fn open_node(&self) -> Result<Arc<Node>, Coded> {
        self.open_node_of(None).await
    }

    /// Opens a node in this process that decides as the project here wants it.
    pub(crate) async fn open_node_here(&self) -> Result<Arc<Node>, Coded> {
        self.open_node_of(self.project()).await
    }

    async fn open_node_of(&self, project: Option<PathBuf>) -> Result<Arc<Node>, Coded> {
        let dirs = self.dirs()?;
        let store = self.store()?;
        let options = NodeOptions {
            secrets: self.secrets(Some(store.clone()))?,
            store,
            config_dir: dirs.config.path,
            project,
            cache_dir: dirs.cache.path,
            variables: self.variables(),
            profile: self.env.text("VOX_ROUTE_POLICY_PROFILE").map(str::to_owned),
            explores: self.env.text("VOX_ROUTE_EXPLORE").is_none() || self.env.is_on("VOX_ROUTE_EXPLORE"),
            offline: self.is_offline(),
            http: self.http(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        };
        Node::open(options).await
    }

    /// Returns the global flags that a node in the background must get too; the environment it inherits.
    pub(crate) fn passed_on(&self) -> Vec<OsString> {
        let global = &self.global;
        let dirs = [
            ("--data-dir", &global.data_dir),
            ("--state-dir", &global.state_dir),
            ("--config-dir", &global.config_dir),
            ("--cache-dir", &global.cache_dir),
            ("--spool-dir", &global.spool_dir),
        ];
        let mut flags: Vec<OsString> =
            dirs.into_iter().filter_map(|(flag, dir)| Some([flag.into(), dir.clone()?.into_os_string()])).flatten().collect();
        // An address may hold a password, and arguments are for everybody to see.
        if let Some(db) = global.db.as_ref().filter(|db| !db.contains("://")) {
            flags.extend(["--db".into(), db.into()]);
        }
        if global.offline {
            flags.push("--offline".into());
        }
        flags
    }

    /// Returns the client for providers.
    pub(crate) fn http(&self) -> Http {
        Http::new(AddressPolicy { offline: self.is_offline() })
    }

    /// Returns what the environment says of the configuration.
    pub(crate) fn variables(&self) -> Variables {
        let numbers = [("_MIN_REFRESH_S", "min_refresh_s"), ("_JITTER_MS", "jitter_ms")].into_iter().flat_map(|(suffix, key)| {
            let set = self.env.placeholders("VOX_DISCOVERY_", suffix).into_iter();
            set.map(move |(source, value)| (source.clone(), key, value, format!("VOX_DISCOVERY_{}{suffix}", source.to_ascii_uppercase())))
        });
        Variables { base_urls: self.base_urls(), discovery: numbers.collect() }
    }

    /// Returns the base URLs that the environment sets, by provider id; later ones count.
    fn base_urls(&self) -> Vec<(String, String)> {
        let mut urls: Vec<(String, String)> = self.ollama_host().into_iter().map(|url| ("ollama".to_owned(), url)).collect();
        urls.extend(self.env.placeholders("VOX_PROVIDER_", "_BASE_URL"));
        urls.extend(self.env.text("VOX_OLLAMA_URL").map(|url| ("ollama".to_owned(), url.to_owned())));
        urls
    }

    /// Returns where Ollama's own variable puts it.
    fn ollama_host(&self) -> Option<String> {
        let host = self.env.text("OLLAMA_HOST")?;
        let url = ollama_url(host);
        if self.env.text("VOX_OLLAMA_URL").is_none() {
            self.out.note(&format!("`OLLAMA_HOST` is set: Ollama is taken to be at {url}; `VOX_OLLAMA_URL` says otherwise"));
        }
        Some(url)
    }

    /// Reads the configuration directory.
    pub(crate) fn config(&self) -> Result<Config, Coded> {
        self.config_of(None)
    }

    /// Reads the configuration directory, and what the project here says of it.
    pub(crate) fn config_here(&self) -> Result<Config, Coded> {
        self.config_of(self.project().as_deref())
    }

    fn config_of(&self, project: Option<&Path>) -> Result<Config, Coded> {
        Config::read(&self.dirs()?.config.path, project, &self.variables(), &vox_vault::Registry::builtin())
    }

    /// Returns the file of the project in which vox was started: the nearest one up to the root of its repository.
    fn project(&self) -> Option<PathBuf> {
        vox_host::fs::find_upwards(&self.env.current_dir()?, vox_node::PROJECT, ".git")
    }

    /// Returns how long the node drains, where the environment says so.
    pub(crate) fn drain(&self) -> Option<Duration> {
        self.env.text("VOX_GATEWAY_DRAIN_S")?.parse().ok().map(Duration::from_secs)
    }

    /// Returns the address that a node in the background must get by its environment, because it may hold a password.
    pub(crate) fn passed_on_secretly(&self) -> Option<(&'static str, String)> {
        let address = self.global.db.clone().filter(|db| db.contains("://"))?;
        Some(("VOX_DB_URL", address))
    }

    /// Returns where the shared tables are, if `--db` or `VOX_DB_URL` says so.
    pub(crate) fn place(&self) -> Result<Option<Place>, Coded> {
        let Some(address) = self.global.db.as_deref().or_else(|| self.env.text("VOX_DB_URL")) else { return Ok(None) };
        Ok(Some(Place::parse(address, self.env.secret("VOX_DB_TOKEN").as_ref())?))
    }
}
