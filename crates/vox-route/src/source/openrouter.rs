//! OpenRouter's `GET /models` (openrouter.ai/docs, "List available models").

use super::{Fetched, PriceUnit, SourceError, quoted, read, settle_prices};
use crate::catalog::{Capability, Entry, Locality};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use vox_base::Timestamp;

const PROVIDER: &str = "openrouter";

/// Names of OpenRouter's price fields, in the order of our classes.
const PRICE_FIELDS: [(&str, usize, PriceUnit); 7] = [
    ("prompt", 0, PriceUnit::UsdPerToken),
    ("completion", 1, PriceUnit::UsdPerToken),
    ("input_cache_read", 2, PriceUnit::UsdPerToken),
    ("input_cache_write", 3, PriceUnit::UsdPerToken),
    ("internal_reasoning", 5, PriceUnit::UsdPerToken),
    ("image", 6, PriceUnit::Usd),
    ("request", 7, PriceUnit::Usd),
];

#[derive(Deserialize)]
struct Model<'a> {
    id: String,
    context_length: Option<u64>,
    #[serde(borrow, default)]
    pricing: BTreeMap<String, &'a RawValue>,
    #[serde(default)]
    architecture: Architecture,
    #[serde(default)]
    top_provider: TopProvider,
    #[serde(default)]
    supported_parameters: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Architecture {
    #[serde(default)]
    input_modalities: Vec<String>,
    #[serde(default)]
    output_modalities: Vec<String>,
}

#[derive(Deserialize, Default)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
}

/// Reads OpenRouter's model list.
///
/// # Errors
/// The body is no such list, or more than a fifth of its entries cannot be read.
pub fn openrouter(body: &[u8], at: Timestamp) -> Result<Fetched, SourceError> {
    read(PROVIDER, body, at, |raw, notes| {
        let model: Model = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
        Ok(entry(&model, notes))
    })
}

fn entry(model: &Model, notes: &mut Vec<String>) -> Entry {
    let capabilities = model
        .supported_parameters
        .iter()
        .filter_map(|name| Capability::of_parameter(name))
        .chain(model.architecture.input_modalities.iter().filter_map(|name| Capability::of_input(name)))
        .chain(model.architecture.output_modalities.iter().filter_map(|name| Capability::of_output(name)))
        .collect();
    let mut entry = Entry {
        context_tokens: model.context_length,
        context_effective_tokens: model.top_provider.context_length,
        max_output_tokens: model.top_provider.max_completion_tokens,
        capabilities: Some(capabilities),
        locality: Some(Locality::Remote),
        ..Entry::new(PROVIDER, &model.id)
    };
    let quotes = PRICE_FIELDS.iter().filter_map(|(name, class, unit)| {
        let raw = model.pricing.get(*name)?;
        Some((*class, quoted(raw, *unit, name, notes)))
    });
    let quotes = quotes.collect();
    settle_prices(&mut entry, quotes);
    entry
}
