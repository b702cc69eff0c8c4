//! Provider entries: where a model can be called, in which dialect, with which secret, and how to read its numbers.
//!
//! The shipped entries are `contracts/orchestration/providers.v1.yaml`; files in the user's `providers.d` are laid over
//! them key by key. Adding a provider is an edit of such a file and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use vox_base::{Document, InvalidConfig, Node};
use vox_host::http::check_base_url;
use vox_route::ListMapping;
use vox_route::source::SourceKind;
use vox_vault::Registry;
use vox_wire::{Dialect, UsageRules};

/// The shipped entries, with a comment for every key.
pub const YAML: &str = include_str!("../../../contracts/orchestration/providers.v1.yaml");

/// The provider that answers without any network, for `vox up` and tests of a set-up.
pub const OFFLINE: &str = "offline";

/// One place that answers model calls.
#[derive(Debug, Clone, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The key of its entry.
    #[serde(skip)]
    pub id: Arc<str>,
    /// Its name for people.
    #[serde(default)]
    pub display: String,
    /// What the endpoint speaks.
    pub dialect: Dialect,
    /// Where it is.
    pub base_url: String,
    /// What to append to the base URL.
    #[serde(default)]
    pub paths: Paths,
    /// How the key is sent.
    #[serde(default)]
    pub auth: Auth,
    /// Secrets to try, in order.
    #[serde(default)]
    pub secret_ids: Vec<String>,
    /// Fixed request headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether it is an engine of the user's own.
    #[serde(default)]
    pub local: bool,
    /// When it reports usage in streams.
    #[serde(default)]
    pub stream_usage: StreamUsage,
    /// How to read its numbers.
    #[serde(default)]
    pub usage_rules: UsageRules,
    /// Whether a stream needs its end marker to be complete.
    #[serde(default)]
    pub requires_done: bool,
    /// Whether it may see trace ids.
    #[serde(default = "yes")]
    pub send_traceparent: bool,
    /// Where its model list is.
    #[serde(default)]
    pub catalog: Option<CatalogSource>,
}

const fn yes() -> bool {
    true
}

/// Paths below the base URL.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Chat calls; the dialect's own path unless given.
    pub chat: Option<String>,
    /// Embedding calls; the dialect's own path unless given.
    pub embeddings: Option<String>,
    /// The model list; the dialect's own path unless given. `../` leads one segment up from the base URL.
    pub models: Option<String>,
}

/// How the key travels.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// A header of the provider's own.
    Header {
        /// Its name.
        header: String,
        /// What stands before the key.
        #[serde(default)]
        prefix: String,
    },
    /// No key at all.
    None,
}

/// When a provider reports usage in streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// In every stream.
    #[default]
    Always,
    /// When the request asks for it.
    OnRequest,
    /// Never.
    Never,
}

/// Where a model list is and how to read it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogSource {
    /// The form of the list.
    pub source: SourceKind,
    /// Names of the list's fields, where they differ.
    #[serde(default)]
    pub fields: ListMapping,
}

/// All provider entries, by id.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    entries: BTreeMap<Arc<str>, Arc<Provider>>,
    document: Option<Document>,
}

impl Providers {
    /// Reads the shipped entries with the user's files laid over them, in the order given.
    ///
    /// # Errors
    /// A file is not YAML, has an unknown key, a secret id the registry does not know, or an address vox refuses to call.
    pub fn load(overlays: Vec<Document>, registry: &Registry) -> Result<Self, InvalidConfig> {
        let shipped = Document::parse("providers.v1.yaml", YAML)?;
        let document = overlays.into_iter().fold(shipped, Document::overlaid);
        if document.at("x-vox-version").and_then(|node| node.decode::<u32>().ok()) != Some(1) {
            return Err(document.fault("x-vox-version", "expected 1"));
        }
        check_top_level(&document)?;
        let mut entries = BTreeMap::new();
        if let Some(Node { value: vox_base::Value::Map(list), .. }) = document.at("providers") {
            for (id, node) in list {
                let provider = decode(&document, id, node, registry)?;
                entries.insert(provider.id.clone(), Arc::new(provider));
            }
        }
        Ok(Self { entries, document: Some(document) })
    }

    /// Returns the entry with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Provider>> {
        self.entries.get(id)
    }

    /// Returns all entries in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.entries.values()
    }

    /// Returns every key of an entry with its value and the file and line that set it.
    #[must_use]
    pub fn origins(&self, id: &str) -> Vec<(String, String, String)> {
        let mut rows = Vec::new();
        if let Some(node) = self.document.as_ref().and_then(|document| document.at("providers")?.child(id)) {
            node.leaves("", &mut |key, leaf| rows.push((key, shown(leaf), format!("{}:{}", leaf.file, leaf.line))));
        }
        rows
    }
}

fn shown(leaf: &Node) -> String {
    match &leaf.value {
        vox_base::Value::Text(text) | vox_base::Value::Real(text) => text.clone(),
        vox_base::Value::Int(number) => number.to_string(),
        vox_base::Value::Bool(flag) => flag.to_string(),
        vox_base::Value::List(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        vox_base::Value::Map(_) | vox_base::Value::Null => String::new(),
    }
}

fn check_top_level(document: &Document) -> Result<(), InvalidConfig> {
    let vox_base::Value::Map(entries) = &document.root().value else { return Err(document.fault("", "expected a mapping")) };
    match entries.iter().find(|(key, _)| key != "x-vox-version" && key != "providers") {
        Some((key, _)) => Err(document.fault(key, format!("unknown field `{key}`, expected `x-vox-version` or `providers`"))),
        None => Ok(()),
    }
}

fn decode(document: &Document, id: &str, node: &Node, registry: &Registry) -> Result<Provider, InvalidConfig> {
    let path = format!("providers.{id}");
    let mut provider: Provider = node.decode().map_err(|mut error| {
        error.key = if error.key.is_empty() { path.clone() } else { format!("{path}.{}", error.key) };
        error
    })?;
    let fault = |key: &str, message: String| Err(document.fault(&format!("{path}.{key}"), message));
    if id.is_empty()
        || id == OFFLINE
        || id == "vox"
        || id == "mesh"
        || !id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    {
        return Err(document.fault(&path, "expected an id of a-z, 0-9, `-` and `_` that vox does not use itself"));
    }
    if let Err(error) = check_base_url(&provider.base_url, provider.local) {
        return fault("base_url", error.to_string());
    }
    for (at, secret_id) in provider.secret_ids.iter().enumerate() {
        if registry.get(secret_id).is_none() {
            return fault(&format!("secret_ids[{at}]"), format!("unknown secret `{secret_id}`: expected an id from `vox secrets list`"));
        }
    }
    if provider.auth != Auth::None && provider.secret_ids.is_empty() {
        return fault("secret_ids", "expected a secret id, or `auth: { kind: none }`".into());
    }
    if let Some((name, _)) = provider.headers.iter().find(|(name, _)| carries_secret(name)) {
        return fault(&format!("headers.{name}"), "a header that carries a key belongs into `auth` and `secret_ids`".into());
    }
    if provider.display.is_empty() {
        provider.display = id.to_owned();
    }
    provider.id = id.into();
    Ok(provider)
}

fn carries_secret(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    ["authorization", "cookie", "key", "token", "secret"].iter().any(|word| header.contains(word))
}

impl Provider {
    /// Returns the path of chat calls below the base URL.
    #[must_use]
    pub fn chat_path(&self) -> &str {
        self.paths.chat.as_deref().unwrap_or(match self.dialect {
            Dialect::Openai => "/chat/completions",
            Dialect::Anthropic => "/messages",
            Dialect::Ollama => "/api/chat",
        })
    }

    /// Returns the path of embedding calls below the base URL, if the dialect has them.
    #[must_use]
    pub fn embeddings_path(&self) -> Option<&str> {
        let own = match self.dialect {
            Dialect::Openai => "/embeddings",
            Dialect::Anthropic => return None,
            Dialect::Ollama => "/api/embed",
        };
        Some(self.paths.embeddings.as_deref().unwrap_or(own))
    }

    /// Returns the path of the model list below the base URL.
    #[must_use]
    pub fn models_path(&self) -> &str {
        let own = if self.dialect == Dialect::Ollama { "/api/tags" } else { "/models" };
        self.paths.models.as_deref().unwrap_or(own)
    }

    /// Returns the built-in provider that answers without any network.
    pub(crate) fn offline(dialect: Dialect) -> Self {
        Self {
            id: OFFLINE.into(),
            display: "Offline".into(),
            dialect,
            base_url: String::new(),
            paths: Paths::default(),
            auth: Auth::None,
            secret_ids: Vec::new(),
            headers: BTreeMap::new(),
            local: true,
            stream_usage: StreamUsage::OnRequest,
            usage_rules: UsageRules::default(),
            requires_done: true,
            send_traceparent: false,
            catalog: None,
        }
    }
}

/// Returns the overlay that `VOX_PROVIDER_<ID>_BASE_URL` means.
pub(crate) fn base_url_overlay(id: &str, url: &str) -> Document {
    let file = format!("VOX_PROVIDER_{}_BASE_URL", id.to_ascii_uppercase());
    let yaml = format!("providers:\n  {id}:\n    base_url: {}\n", serde_json::Value::from(url));
    Document::parse(&file, &yaml).unwrap_or_else(|_| Document::parse(&file, "providers: {}").expect("a constant document"))
}
