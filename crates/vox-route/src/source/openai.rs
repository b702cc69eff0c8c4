//! `GET /models` as OpenAI answers it, with the fields other providers and engines add to it.

use super::price::{PriceUnit, quoted, settle_prices};
use super::{Page, SourceError, Subject, page};
use crate::catalog::{Entry, Locality};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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

/// Reads a page; this form of list has only one.
pub(super) fn list(body: &[u8]) -> Result<Page<'_>, SourceError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    Ok(Page { entries: page::<List<'_>>(body)?.data, next: None })
}

/// Reads one model.
pub(super) fn entry(subject: &Subject, raw: &RawValue, notes: &mut Vec<String>) -> Result<Option<Entry>, String> {
    let model: Fields = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let id: String = model.get("id").and_then(|id| serde_json::from_str(id.get()).ok()).ok_or("expected a text `id`")?;
    let mut entry = Entry {
        context_tokens: number(&model, &subject.mapping.context),
        max_output_tokens: number(&model, &subject.mapping.max_output),
        locality: Some(if subject.local { Locality::Local } else { Locality::Remote }),
        ..Entry::new(&subject.provider, &id)
    };
    let fields = &subject.mapping.pricing;
    let quotes = [("input", &fields.input, 0), ("output", &fields.output, 1), ("cache_read", &fields.cache_read, 2)]
        .into_iter()
        .filter_map(|(class, path, place)| Some((place, quoted(lead(&model, path)?, fields.unit, class, notes))))
        .collect();
    settle_prices(&mut entry, quotes);
    Ok(Some(entry))
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
