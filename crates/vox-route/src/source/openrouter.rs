//! OpenRouter's `GET /models` (openrouter.ai/docs, "List available models").

use super::Subject;
use super::price::{PriceUnit, quoted, settle_prices};
use crate::catalog::{Entry, Locality};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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

/// Reads one model.
pub(super) fn entry(subject: &Subject, raw: &RawValue, notes: &mut Vec<String>) -> Result<Option<Entry>, String> {
    let model: Model = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    Ok(Some(described(subject, &model, notes)))
}

fn described(subject: &Subject, model: &Model, notes: &mut Vec<String>) -> Entry {
    let mut entry = Entry {
        context_tokens: model.context_length,
        context_effective_tokens: model.top_provider.context_length,
        max_output_tokens: model.top_provider.max_completion_tokens,
        supported_parameters: Some(model.supported_parameters.clone()),
        input_modalities: Some(model.architecture.input_modalities.clone()),
        output_modalities: Some(model.architecture.output_modalities.clone()),
        locality: Some(Locality::Remote),
        ..Entry::new(&subject.provider, &model.id)
    };
    let quotes = PRICE_FIELDS.iter().filter_map(|(name, class, unit)| {
        let raw = model.pricing.get(*name)?;
        Some((*class, quoted(raw, *unit, name, notes)))
    });
    let quotes = quotes.collect();
    settle_prices(&mut entry, quotes);
    entry
}
