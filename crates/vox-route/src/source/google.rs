//! Google's `GET /v1beta/models` (ai.google.dev/api/models). It carries no prices; those come from the price overlay.

use super::{Page, SourceError, Subject, page};
use crate::catalog::{Entry, Locality};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Sends the key in a header of its own; the other way, in the address, would put it into logs.
pub(super) const KEY_HEADER: &str = "x-goog-api-key";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    #[serde(borrow)]
    models: Vec<&'a RawValue>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    name: String,
    input_token_limit: Option<u64>,
    output_token_limit: Option<u64>,
    #[serde(default)]
    supported_generation_methods: Vec<String>,
}

pub(super) fn list(body: &[u8]) -> Result<Page<'_>, SourceError> {
    let list: List = page(body)?;
    Ok(Page { entries: list.models, next: list.next_page_token.filter(|token| !token.is_empty()) })
}

/// A model that does not generate content, such as one for embeddings, answers no chat.
pub(super) fn entry(subject: &Subject, raw: &RawValue) -> Result<Option<Entry>, String> {
    let model: Model = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    if !model.supported_generation_methods.iter().any(|method| method == "generateContent") {
        return Ok(None);
    }
    Ok(Some(Entry {
        context_tokens: model.input_token_limit,
        max_output_tokens: model.output_token_limit,
        locality: Some(Locality::Remote),
        ..Entry::new(&subject.provider, model.name.strip_prefix("models/").unwrap_or(&model.name))
    }))
}
