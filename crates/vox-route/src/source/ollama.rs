//! Ollama's own API (docs.ollama.com/api): `/api/tags` lists the models, `/api/ps` says how the loaded ones were loaded,
//! `/api/show` describes one.

use super::{Page, SourceError, Subject, page};
use crate::catalog::{Capability, Entry, Lifecycle, Locality};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What Ollama loads a model with when nobody says anything else.
const UNTOLD_CONTEXT: u64 = 4096;

/// Models of `/api/tags` or `/api/ps`.
#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    models: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}

#[derive(Deserialize)]
struct Loaded {
    name: String,
    context_length: Option<u64>,
}

#[derive(Deserialize)]
struct Shown {
    /// Lines such as `num_ctx 8192`.
    #[serde(default)]
    parameters: String,
    #[serde(default)]
    model_info: BTreeMap<String, serde_json::Value>,
    capabilities: Option<Vec<String>>,
}

pub(super) fn list(body: &[u8]) -> Result<Page<'_>, SourceError> {
    Ok(Page { entries: page::<List<'_>>(body)?.models, next: None })
}

/// Returns a listed model's name.
pub(super) fn name(raw: &RawValue) -> Result<String, String> {
    serde_json::from_str::<Listed>(raw.get()).map(|listed| listed.name).map_err(|error| error.to_string())
}

/// Returns the contexts of the loaded models; versions before 0.6 do not say them.
pub(super) fn loaded(body: &[u8]) -> Result<BTreeMap<String, u64>, SourceError> {
    let models = page::<List<'_>>(body)?.models;
    let loaded = models.into_iter().filter_map(|raw| serde_json::from_str::<Loaded>(raw.get()).ok());
    Ok(loaded.filter_map(|loaded| Some((loaded.name, loaded.context_length.filter(|&tokens| tokens > 0)?))).collect())
}

/// Reads the description of one model.
pub(super) fn entry(subject: &Subject, name: &str, loaded: Option<u64>, body: &[u8]) -> Result<Option<Entry>, String> {
    let shown: Shown = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let architecture = shown.model_info.get("general.architecture").and_then(|value| value.as_str());
    let trained = architecture.and_then(|name| shown.model_info.get(&format!("{name}.context_length"))?.as_u64());
    let answers = shown.capabilities.as_ref().is_none_or(|all| all.iter().any(|name| name == "completion"));
    Ok(Some(Entry {
        context_tokens: trained,
        context_effective_tokens: Some(effective(&shown.parameters, loaded, trained, subject.ollama_num_ctx_cap)),
        capabilities: shown.capabilities.as_deref().map(|all| all.iter().flat_map(|name| capability(name)).copied().collect()),
        locality: Some(if subject.local { Locality::Local } else { Locality::Remote }),
        // What only makes vectors is never picked to answer.
        lifecycle: (!answers).then_some(Lifecycle::Provisional),
        ..Entry::new(&subject.provider, name)
    }))
}

/// Returns the context that a request really gets: what the model's own settings say, else what it is loaded with, else
/// what vox will ask for; never more than the model was made for.
fn effective(parameters: &str, loaded: Option<u64>, trained: Option<u64>, cap: u64) -> u64 {
    let lines = parameters.lines().filter_map(|line| line.trim().strip_prefix("num_ctx"));
    let set = lines.filter_map(|rest| rest.trim().parse::<u64>().ok()).find(|&tokens| tokens > 0);
    let told = set.or(loaded).or_else(|| trained.map(|trained| trained.min(cap))).unwrap_or(UNTOLD_CONTEXT);
    told.min(trained.unwrap_or(u64::MAX))
}

fn capability(name: &str) -> &'static [Capability] {
    match name {
        // Whatever completes can be held to a form.
        "completion" => &[Capability::Json],
        "tools" => &[Capability::ToolUse],
        "thinking" => &[Capability::Reasoning],
        "vision" => &[Capability::Vision],
        "audio" => &[Capability::AudioInput],
        _ => &[],
    }
}
