//! From a request to the decision's input: model name, hints, key and structure become one `Ask`. The chat driver and
//! `vox model explain` both come through here, so what is explained is what would happen.

mod about;

use crate::keys::Caller;
use crate::snapshot::Snapshot;
use vox_base::{Coded, Kind, NanoUsd};
use vox_route::catalog::Capabilities;
use vox_route::{Ask, Capability, Privacy, name::parse_preference, parse_name};
use vox_wire::{Chat, Needs};

/// What a caller may say beside the request: `x-vox-*` headers, body metadata, or flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Task category.
    pub task: Option<String>,
    /// Complexity, 1 to 10; anything else is clamped.
    pub complexity: Option<i64>,
    /// Most the request may cost.
    pub budget: Option<NanoUsd>,
    /// Tools that will be used.
    pub tools: Vec<String>,
    /// `cost`, `speed`, `quality`, `local` or a family.
    pub prefer: Option<String>,
    /// `provider/model` that skips routing.
    pub force: Option<String>,
    /// The caller's session.
    pub session: Option<String>,
    /// The governed run the call belongs to.
    pub run: Option<String>,
    /// Whether another model may answer.
    pub fallback: Option<bool>,
    /// Whether a field that cannot be translated is dropped instead of refused.
    pub drop_unknown: bool,
    /// Shortens the configured limits.
    pub timeout_ms: Option<u64>,
    /// Longest predicted wait.
    pub max_latency_ms: Option<u64>,
}

/// What is asked.
pub struct Question<'a> {
    /// The request.
    pub chat: &'a Chat,
    /// Input tokens, never below the truth.
    pub input_tokens: u64,
    /// Longest answer wanted.
    pub max_output_tokens: Option<u64>,
    /// Who asks.
    pub caller: Option<&'a Caller>,
    /// What was said beside the request.
    pub hints: &'a Hints,
    /// The task of the session that the request continues.
    pub session_task: Option<&'a str>,
    /// Nothing on the network may be called.
    pub offline: bool,
    /// Policy profile, where the user set one.
    pub profile: Option<&'a str>,
}

/// Returns the decision's input.
///
/// # Errors
/// The model, task or policy profile is unknown.
pub fn build(snapshot: &Snapshot, question: &Question<'_>) -> Result<Ask, Coded> {
    let hints = question.hints;
    let contract = &snapshot.contract;
    let name = hints.force.as_deref().unwrap_or(&question.chat.model);
    let wanted = parse_name(name, &|provider| snapshot.knows(provider), contract, &snapshot.catalog)?;
    let about = about::about(contract, question, &wanted)?;
    let mut ask = Ask::new(contract, wanted);
    ask.task = about.task;
    ask.task_source = about.source.into();
    ask.rules = about.rules;
    ask.complexity = about.complexity.clamped;
    ask.complexity_raw = about.complexity.raw;
    ask.n_tools_used = about.n_tools_used;
    ask.forced = hints.force.is_some();
    ask.fallback = hints.fallback.unwrap_or(false);
    ask.needs = capabilities(&question.chat.needs);
    ask.input_tokens = question.input_tokens;
    ask.max_output_tokens = question.max_output_tokens;
    ask.ceiling = hints.budget;
    ask.max_latency_ms = hints.max_latency_ms;
    // What the rules prefer was written before the catalog was known, so it is looked up here too.
    if let Some(name) = hints.prefer.as_deref().or(contract.rules().prefer.as_deref()) {
        ask.prefer = parse_preference(name, contract, &snapshot.catalog)?;
    }
    ask.privacy = Privacy::default();
    ask.offline = question.offline;
    ask.dialect = question.chat.dialect.as_str().into();
    ask.profile = question.profile.map(str::to_owned);
    if let Some(caller) = question.caller {
        ask.caller = Some(caller.reference.clone());
        ask.models_allowed.clone_from(&caller.models);
        ask.allow_unpriced = caller.unpriced;
    }
    if let Some(profile) = question.profile.filter(|profile| !contract.rules().policy.profiles.contains_key(*profile)) {
        let known: Vec<&str> = contract.rules().policy.profiles.keys().map(|name| &**name).collect();
        return Err(
            Coded::new(Kind::Usage, "route.profile_unknown", format!("no policy profile is called `{profile}`")).expected(known.join(", "))
        );
    }
    Ok(ask)
}

fn capabilities(needs: &Needs) -> Capabilities {
    let wanted = [
        (needs.tools, Capability::ToolUse),
        (needs.json, Capability::Json),
        (needs.reasoning, Capability::Reasoning),
        (needs.web_search, Capability::WebSearch),
        (needs.images, Capability::Vision),
        (needs.audio, Capability::AudioInput),
        (needs.files, Capability::FileInput),
    ];
    wanted.into_iter().filter(|(needed, _)| *needed).map(|(_, capability)| capability).collect()
}

#[cfg(test)]
mod tests;
