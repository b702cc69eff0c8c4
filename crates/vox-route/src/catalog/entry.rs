//! One model as a list, a file or the shipped catalog describes it: whatever a source does not say is absent.

use super::{Capabilities, Layer, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use vox_base::Micros;

/// One model at one provider, as one source describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Who serves it: the id of a provider entry.
    pub provider: String,
    /// What the provider's API calls it.
    pub native_id: String,
    /// The model whoever serves it, `family/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// How capable it is taken to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// What it is good at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strengths: Option<Vec<String>>,
    /// What it can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Request parameters it takes, as its list names them; what it can do follows where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_parameters: Option<Vec<String>>,
    /// Kinds of input it reads, as its list names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_modalities: Option<Vec<String>>,
    /// Kinds of output it makes, as its list names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<String>>,
    /// Input and output together, as the model was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// Input and output together, as the server really loads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_effective_tokens: Option<u64>,
    /// Longest answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Prices::is_empty")]
    pub prices: Prices,
    /// What is known about the prices; with prices, `known` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_state: Option<PriceState>,
    /// Month or day the prices were looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<Locality>,
    /// Whether `vox/auto` may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// How it has been answering.
    #[serde(default, skip_serializing_if = "Availability::is_empty")]
    pub availability: Availability,
}

/// Prices in micro-USD per million tokens; `image` and `request` in micro-USD each. `None` is unknown, never free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Input that no cache served or stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub input: Option<Micros>,
    /// Output without reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub output: Option<Micros>,
    /// Input read from the prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub cache_read: Option<Micros>,
    /// Input written to a cache that lives five minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub cache_write_5m: Option<Micros>,
    /// Input written to a cache that lives one hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub cache_write_1h: Option<Micros>,
    /// Reasoning, where it is not billed as output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub reasoning: Option<Micros>,
    /// Each image of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub image: Option<Micros>,
    /// Each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub request: Option<Micros>,
}

/// What is known about an offer's prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceState {
    /// Input and output have a price.
    Known,
    /// Costs nothing, because the source says so or it runs on the user's own machine.
    Free,
    /// Depends on what the provider chooses.
    Dynamic,
    /// Nobody said.
    #[default]
    Unknown,
}

/// How capable a model is taken to be; the contract orders these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Nobody said.
    #[default]
    Unknown,
    /// Runs on one machine of the user's.
    Local,
    /// Small and cheap.
    Light,
    /// The everyday working model.
    Pro,
    /// The best there is.
    Elite,
}

/// Where an offer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Locality {
    /// At a provider on the network.
    #[default]
    Remote,
    /// In an engine of the user's own.
    Local,
}

/// Whether `vox/auto` may use an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Callable by name only.
    #[default]
    Provisional,
    /// Open to `vox/auto`.
    Confirmed,
    /// On its way out: callable by name only, whatever the admission mode.
    Deprecated,
}

/// How an offer has been answering, by its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Availability {
    /// Share of calls answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_ppm: Option<u32>,
    /// Median time of a whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BootstrapFile {
    #[serde(rename = "x-vox-version")]
    pub(crate) version: u32,
    pub(crate) as_of: String,
    pub(crate) entries: Vec<Entry>,
}

pub(crate) const BOOTSTRAP_JSON: &str = include_str!("../../../../contracts/orchestration/model-catalog.bootstrap.v1.json");

pub(super) fn bootstrap() -> Layer {
    let file: BootstrapFile = serde_json::from_str(BOOTSTRAP_JSON).expect("the embedded catalog is read by a test");
    assert_eq!(file.version, 1, "the embedded catalog is of this version");
    let mut entries = file.entries;
    for entry in &mut entries {
        entry.as_of.get_or_insert_with(|| file.as_of.clone());
    }
    Layer { source: "bootstrap".into(), trust: Trust::Bootstrap, entries }
}

impl Entry {
    /// Returns an entry that says nothing but its name.
    #[must_use]
    pub fn new(provider: &str, native_id: &str) -> Self {
        Self { provider: provider.to_owned(), native_id: native_id.to_owned(), ..Self::default() }
    }
}

impl Prices {
    /// Every class at nothing.
    pub const FREE: Self = {
        let free = Some(Micros::new(0));
        Self {
            input: free,
            output: free,
            cache_read: free,
            cache_write_5m: free,
            cache_write_1h: free,
            reasoning: free,
            image: free,
            request: free,
        }
    };

    /// Returns the classes by name.
    #[must_use]
    pub const fn classes(&self) -> [(&'static str, Option<Micros>); 8] {
        [
            ("input", self.input),
            ("output", self.output),
            ("cache_read", self.cache_read),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
            ("reasoning", self.reasoning),
            ("image", self.image),
            ("request", self.request),
        ]
    }

    pub(crate) const fn classes_mut(&mut self) -> [(&'static str, &mut Option<Micros>); 8] {
        [
            ("input", &mut self.input),
            ("output", &mut self.output),
            ("cache_read", &mut self.cache_read),
            ("cache_write_5m", &mut self.cache_write_5m),
            ("cache_write_1h", &mut self.cache_write_1h),
            ("reasoning", &mut self.reasoning),
            ("image", &mut self.image),
            ("request", &mut self.request),
        ]
    }

    /// Returns whether no class has a price.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Availability {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Local, Self::Light, Self::Pro, Self::Elite];
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Local => "local",
            Self::Light => "light",
            Self::Pro => "pro",
            Self::Elite => "elite",
        })
    }
}
