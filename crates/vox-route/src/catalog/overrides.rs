//! What the user knows better than any list: fields of models, by the model's id or an offer's.

use super::{Availability, Capabilities, Entry, Layer, Lifecycle, Locality, PriceState, Prices, Tier, Trust, Warning};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use vox_base::{Document, InvalidConfig};

/// Names the user's file as the source of a field.
pub const OVERRIDES: &str = "models.yaml";

/// The user's file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelsFile {
    /// Form of this file.
    #[serde(rename = "x-vox-version")]
    pub version: u32,
    /// The models to beat for demanding work, laid over the contract's.
    #[serde(default)]
    pub premium_alias: BTreeMap<String, String>,
    /// Fields by model id or offer id.
    #[serde(default)]
    pub overrides: BTreeMap<String, Override>,
}

/// Fields of one model, each as the user wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Override {
    /// The model whoever serves it, `family/name`.
    pub model_id: Option<String>,
    /// Who made it.
    pub family: Option<String>,
    /// How capable it is.
    pub tier: Option<Tier>,
    /// What it is good at.
    pub strengths: Option<Vec<String>>,
    /// What it can do.
    pub capabilities: Option<Capabilities>,
    /// Input and output together.
    pub context_tokens: Option<u64>,
    /// Longest answer.
    pub max_output_tokens: Option<u64>,
    /// What it costs.
    pub prices: Prices,
    /// What is known about the prices.
    pub price_state: Option<PriceState>,
    /// Where it runs.
    pub locality: Option<Locality>,
    /// Whether `vox/auto` may use it.
    pub lifecycle: Option<Lifecycle>,
    /// How it has been answering.
    pub availability: Availability,
}

impl Override {
    fn entry(&self, provider: &str, native_id: &str) -> Entry {
        let own = self.clone();
        Entry {
            model_id: own.model_id,
            family: own.family,
            tier: own.tier,
            strengths: own.strengths,
            capabilities: own.capabilities,
            context_tokens: own.context_tokens,
            // What the user says of the context is what counts.
            context_effective_tokens: own.context_tokens,
            max_output_tokens: own.max_output_tokens,
            prices: own.prices,
            price_state: own.price_state,
            locality: own.locality,
            lifecycle: own.lifecycle,
            availability: own.availability,
            ..Entry::new(provider, native_id)
        }
    }
}

impl ModelsFile {
    /// The shipped file: empty, with an example in its comments.
    pub const YAML: &'static str = include_str!("../../../../contracts/orchestration/models.v1.yaml");

    /// Checks a complete document.
    ///
    /// # Errors
    /// A key is unknown, or a value has the wrong type or range; the error names file, line and key.
    pub fn from_document(document: &Document) -> Result<Self, InvalidConfig> {
        let file: Self = document.decode()?;
        if file.version != 1 {
            return Err(document.fault("x-vox-version", "expected 1"));
        }
        let negative = |own: &Override| own.prices.classes().into_iter().any(|(_, price)| price.is_some_and(|price| price.get() < 0));
        match file.overrides.iter().find(|(_, own)| negative(own)) {
            Some((id, _)) => Err(document.fault("overrides", format!("`{id}` has a price below 0"))),
            None => Ok(file),
        }
    }

    /// Returns the JSON Schema of the file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Returns the file as the most trusted layer over the others, and what of it fits nothing.
    #[must_use]
    pub fn layer(&self, others: &[Layer], is_provider: &dyn Fn(&str) -> bool) -> (Layer, Vec<Warning>) {
        let known: BTreeSet<(&str, &str, String)> = others.iter().flat_map(|layer| &layer.entries).map(named).collect();
        let (mut entries, mut warnings) = (Vec::new(), Vec::new());
        for (id, own) in &self.overrides {
            let fitting: Vec<Entry> = known
                .iter()
                .filter(|(provider, native_id, model_id)| model_id == id || is_offer(id, provider, native_id))
                .map(|(provider, native_id, _)| own.entry(provider, native_id))
                .collect();
            match id.split_once('/').filter(|(provider, native_id)| is_provider(provider) && !native_id.is_empty()) {
                _ if !fitting.is_empty() => entries.extend(fitting),
                Some((provider, native_id)) => entries.push(own.entry(provider, native_id)),
                None => warnings.push(Warning {
                    source: OVERRIDES.into(),
                    entry: id.clone(),
                    message: "names no model that is listed, and no provider of one".into(),
                }),
            }
        }
        (Layer { source: OVERRIDES.into(), trust: Trust::Override, entries }, warnings)
    }
}

fn named(entry: &Entry) -> (&str, &str, String) {
    (&entry.provider, &entry.native_id, entry.model_id.clone().unwrap_or_else(|| super::merge::default_model_id(entry)))
}

fn is_offer(id: &str, provider: &str, native_id: &str) -> bool {
    id.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')) == Some(native_id)
}
