//! `GET /models` as OpenAI answers it, with the fields other providers and engines add to it.

use super::{Fetched, SourceError, quoted, read, settle_prices};
use crate::catalog::{Entry, Locality};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use vox_base::Timestamp;

/// What a provider calls the fields of its list; a path such as `meta.n_ctx_train` leads into objects, and the first
/// path that leads to a number counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListMapping {
    /// Input and output together.
    pub context: Vec<String>,
    /// Longest answer.
    pub max_output: Vec<String>,
    /// Prices.
    pub pricing: PriceFields,
}

/// Where the prices of a list are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PriceFields {
    /// Uncached input.
    pub input: String,
    /// Output.
    pub output: String,
    /// Cached input.
    pub cache_read: String,
    /// What the numbers are.
    pub unit: PriceUnit,
}

/// What the prices of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceUnit {
    /// USD for one token.
    #[default]
    UsdPerToken,
    /// USD for a million tokens.
    UsdPerMtok,
    /// USD each, for what is not counted in tokens.
    Usd,
}

impl Default for ListMapping {
    fn default() -> Self {
        let paths = |all: &[&str]| all.iter().map(|path| (*path).to_owned()).collect();
        Self {
            context: paths(&["context_length", "context_window", "max_context_length", "max_model_len", "meta.n_ctx_train"]),
            max_output: paths(&["max_completion_tokens", "max_output_tokens"]),
            pricing: PriceFields::default(),
        }
    }
}

impl Default for PriceFields {
    fn default() -> Self {
        Self {
            input: "pricing.prompt".into(),
            output: "pricing.completion".into(),
            cache_read: "pricing.input_cache_read".into(),
            unit: PriceUnit::default(),
        }
    }
}

/// Reads a provider's model list; `local` says that it is an engine of the user's own.
///
/// # Errors
/// The body is no such list, or more than a fifth of its entries cannot be read.
pub fn openai_compatible(provider: &str, local: bool, mapping: &ListMapping, body: &[u8], at: Timestamp) -> Result<Fetched, SourceError> {
    let locality = if local { Locality::Local } else { Locality::Remote };
    read(provider, body, at, |raw, notes| {
        let model: Fields = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
        let id: String = model.get("id").and_then(|id| serde_json::from_str(id.get()).ok()).ok_or("expected a text `id`")?;
        let mut entry = Entry {
            context_tokens: number(&model, &mapping.context),
            max_output_tokens: number(&model, &mapping.max_output),
            locality: Some(locality),
            ..Entry::new(provider, &id)
        };
        let fields = &mapping.pricing;
        let quotes = [("input", &fields.input, 0), ("output", &fields.output, 1), ("cache_read", &fields.cache_read, 2)]
            .into_iter()
            .filter_map(|(class, path, place)| Some((place, quoted(lead(&model, path)?, fields.unit, class, notes))))
            .collect();
        settle_prices(&mut entry, quotes);
        Ok(entry)
    })
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

fn number(model: &Fields, paths: &[String]) -> Option<u64> {
    paths.iter().find_map(|path| serde_json::from_str(lead(model, path)?.get()).ok())
}

/// Returns the value a dotted path leads to.
fn lead<'a>(model: &Fields<'a>, path: &str) -> Option<&'a RawValue> {
    let mut segments = path.split('.');
    let mut value = *model.get(segments.next()?)?;
    for segment in segments {
        let fields: Fields<'a> = serde_json::from_str(value.get()).ok()?;
        value = fields.get(segment)?;
    }
    Some(value)
}
