//! Anthropic's `GET /v1/models` (platform.claude.com/docs/en/api/models/list). It carries no prices; those come from the
//! price overlay.

use super::{Page, SourceError, Subject, page};
use crate::catalog::{Capability, Entry, Locality};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    has_more: bool,
    last_id: Option<String>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    max_input_tokens: Option<u64>,
    /// Longest answer.
    max_tokens: Option<u64>,
    capabilities: Option<BTreeMap<String, serde_json::Value>>,
}

pub(super) fn list(body: &[u8]) -> Result<Page<'_>, SourceError> {
    let list: List = page(body)?;
    let next = match (list.has_more, list.last_id) {
        (false, _) => None,
        (true, Some(id)) => Some(id),
        (true, None) => return Err(SourceError::NotAList("`has_more` without `last_id`".into())),
    };
    Ok(Page { entries: list.data, next })
}

pub(super) fn entry(subject: &Subject, raw: &RawValue) -> Result<Option<Entry>, String> {
    let model: Model = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let says = |name: &str| {
        let supported = model.capabilities.as_ref()?.get(name)?.get("supported")?.as_bool()?;
        Some(supported)
    };
    // Every model calls tools; the list has no word for it.
    let capabilities = model.capabilities.as_ref().map(|_| {
        let named = [
            ("thinking", Capability::Reasoning),
            ("structured_outputs", Capability::Json),
            ("image_input", Capability::Vision),
            ("pdf_input", Capability::FileInput),
        ];
        let named = named.into_iter().filter(|(name, _)| says(name) == Some(true)).map(|(_, capability)| capability);
        named.chain([Capability::ToolUse]).collect()
    });
    Ok(Some(Entry {
        context_tokens: model.max_input_tokens,
        max_output_tokens: model.max_tokens,
        capabilities,
        locality: Some(Locality::Remote),
        ..Entry::new(&subject.provider, &model.id)
    }))
}
