//! The verdict table: what becomes of every request field between two dialects, and the few numbers translation needs.

use crate::Dialect;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use vox_base::{Document, InvalidConfig};

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has a counterpart, or is copied as it is.
    Map,
    /// Its meaning is kept in another form, and it is named in `x-vox-converted`.
    Convert,
    /// It has no effect on the answer: left out, and named in `x-vox-ignored`.
    Ignore,
    /// The request is refused, unless the value is the one that says nothing.
    Refuse,
}

/// Where in a request a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Group {
    /// Top-level fields.
    Request,
    /// Roles of messages.
    Role,
    /// Fields of messages.
    Message,
    /// Kinds of content blocks.
    Block,
    /// Fields of content blocks besides those that make up the kind.
    BlockField,
    /// Kinds of tools.
    Tool,
    /// Fields of tools.
    ToolField,
    /// Kinds of tool calls.
    ToolCall,
    /// Kinds of `response_format`.
    ResponseFormat,
    /// Fields of `output_config`.
    OutputConfig,
}

impl Group {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Role => "role",
            Self::Message => "message",
            Self::Block => "block",
            Self::BlockField => "block_field",
            Self::Tool => "tool",
            Self::ToolField => "tool_field",
            Self::ToolCall => "tool_call",
            Self::ResponseFormat => "response_format",
            Self::OutputConfig => "output_config",
        }
    }
}

/// The decoded contract.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdicts {
    /// Version of the contract's form.
    #[serde(rename = "x-vox-version")]
    #[schemars(extend("const" = 1))]
    version: u32,
    /// Thinking tokens that stand for each reasoning effort.
    pub(super) reasoning_budget_tokens: Efforts,
    /// From OpenAI chat to Anthropic messages.
    openai_to_anthropic: ToAnthropic,
    /// From Anthropic messages to OpenAI chat.
    anthropic_to_openai: ToOpenai,
    /// From OpenAI chat to Ollama.
    openai_to_ollama: FromOpenai,
    /// From Anthropic messages to Ollama.
    anthropic_to_ollama: FromAnthropic,
}

#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToAnthropic {
    /// Highest temperature Anthropic takes; higher ones are refused, not lowered.
    temperature_max: f64,
    /// Bound on the answer if the caller gives none, as Anthropic needs one.
    default_max_tokens: u64,
    /// Verdict of every field, by group.
    #[schemars(schema_with = "openai_fields_schema")]
    fields: Pair,
}

#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToOpenai {
    /// Most stop sequences OpenAI takes; more are refused.
    stop_sequences_max: usize,
    /// Verdict of every field, by group.
    #[schemars(schema_with = "anthropic_fields_schema")]
    fields: Pair,
}

#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct FromOpenai {
    /// Verdict of every field, by group.
    #[schemars(schema_with = "openai_fields_schema")]
    fields: Pair,
}

#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct FromAnthropic {
    /// Verdict of every field, by group.
    #[schemars(schema_with = "anthropic_fields_schema")]
    fields: Pair,
}

/// Thinking tokens per reasoning effort.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Efforts {
    minimal: u64,
    low: u64,
    medium: u64,
    high: u64,
    xhigh: u64,
}

impl Efforts {
    const fn all(&self) -> [(&'static str, u64); 5] {
        [("minimal", self.minimal), ("low", self.low), ("medium", self.medium), ("high", self.high), ("xhigh", self.xhigh)]
    }

    pub(super) fn budget(&self, effort: &str) -> Option<u64> {
        self.all().into_iter().find(|(name, _)| *name == effort).map(|(_, n_tokens)| n_tokens)
    }

    /// Returns the smallest effort with at least that budget, or the largest there is.
    pub(super) fn effort(&self, budget: u64) -> &'static str {
        self.all().into_iter().find(|(_, n_tokens)| *n_tokens >= budget).map_or("xhigh", |(name, _)| name)
    }
}

/// The verdicts between two dialects, sorted for search.
#[derive(Debug, Clone, Default)]
pub(super) struct Pair(Vec<(Group, Box<str>, Verdict)>);

impl Pair {
    pub(super) fn verdict(&self, group: Group, name: &str) -> Option<Verdict> {
        let found = self.0.binary_search_by(|(other, field, _)| (*other, field.as_ref()).cmp(&(group, name)));
        found.ok().map(|at| self.0[at].2)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let groups = BTreeMap::<Group, BTreeMap<String, Verdict>>::deserialize(deserializer)?;
        let rows = groups
            .into_iter()
            .flat_map(|(group, fields)| fields.into_iter().map(move |(name, verdict)| (group, name.into_boxed_str(), verdict)));
        Ok(Self(rows.collect()))
    }
}

/// The contract does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVerdicts {
    /// It has the wrong form.
    #[error(transparent)]
    Form(#[from] InvalidConfig),
}

const BUILT_IN: &str = include_str!("../../../../contracts/gateway/translation.v1.yaml");

impl Verdicts {
    /// Returns the built-in table.
    ///
    /// # Panics
    /// Never; a test decodes the same text.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse("contracts/gateway/translation.v1.yaml", BUILT_IN).expect("the built-in contract is tested")
    }

    /// Decodes a table and checks that it has a verdict for every known field and for no other.
    ///
    /// # Errors
    /// The text is not of the contract's form, or a verdict is missing or left over.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidVerdicts> {
        let document = Document::parse(file, text)?;
        let verdicts: Self = document.decode()?;
        if verdicts.version != 1 {
            return Err(document.fault("x-vox-version", "expected 1").into());
        }
        for (dialect, path, pair) in [
            (Dialect::Openai, "openai_to_anthropic.fields", &verdicts.openai_to_anthropic.fields),
            (Dialect::Anthropic, "anthropic_to_openai.fields", &verdicts.anthropic_to_openai.fields),
            (Dialect::Openai, "openai_to_ollama.fields", &verdicts.openai_to_ollama.fields),
            (Dialect::Anthropic, "anthropic_to_ollama.fields", &verdicts.anthropic_to_ollama.fields),
        ] {
            check_fields(&document, path, dialect, pair)?;
        }
        Ok(verdicts)
    }

    pub(super) const fn pair(&self, from: Dialect, to: Dialect) -> &Pair {
        match (from, to) {
            (_, Dialect::Anthropic) => &self.openai_to_anthropic.fields,
            (_, Dialect::Openai) => &self.anthropic_to_openai.fields,
            (Dialect::Anthropic, Dialect::Ollama) => &self.anthropic_to_ollama.fields,
            (_, Dialect::Ollama) => &self.openai_to_ollama.fields,
        }
    }

    pub(super) const fn anthropic_temperature_max(&self) -> f64 {
        self.openai_to_anthropic.temperature_max
    }

    pub(super) const fn anthropic_default_max_tokens(&self) -> u64 {
        self.openai_to_anthropic.default_max_tokens
    }

    pub(super) const fn openai_stop_sequences_max(&self) -> usize {
        self.anthropic_to_openai.stop_sequences_max
    }

    /// Returns the JSON Schema of the contract.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

fn check_fields(document: &Document, path: &str, dialect: Dialect, pair: &Pair) -> Result<(), InvalidConfig> {
    let known = known_fields(dialect);
    for field in known {
        let (group, name) = field.split_once('.').unwrap_or_default();
        if !pair.0.iter().any(|(other, known, _)| other.as_str() == group && known.as_ref() == name) {
            return Err(document.fault(&format!("{path}.{field}"), "no verdict for this field"));
        }
    }
    match pair.0.iter().map(|(group, name, _)| format!("{}.{name}", group.as_str())).find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(document.fault(&format!("{path}.{field}"), "not a field of this dialect")),
        None => Ok(()),
    }
}

fn openai_fields_schema(generator: &mut SchemaGenerator) -> Schema {
    fields_schema(Dialect::Openai, generator)
}

fn anthropic_fields_schema(generator: &mut SchemaGenerator) -> Schema {
    fields_schema(Dialect::Anthropic, generator)
}

/// Every group and field by name, all required, so that a gap fails the schema too.
fn fields_schema(dialect: Dialect, generator: &mut SchemaGenerator) -> Schema {
    let verdict = generator.subschema_for::<Verdict>().to_value();
    let mut groups: BTreeMap<Cow<'static, str>, Vec<&str>> = BTreeMap::new();
    for field in known_fields(dialect) {
        let (group, name) = field.split_once('.').unwrap_or_default();
        groups.entry(group.into()).or_default().push(name);
    }
    let group_schemas: serde_json::Map<_, _> = groups
        .iter()
        .map(|(group, names)| {
            let properties: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), verdict.clone())).collect();
            let object = serde_json::json!({"type": "object", "additionalProperties": false, "properties": properties, "required": names});
            (group.clone().into_owned(), object)
        })
        .collect();
    let required: Vec<_> = groups.keys().collect();
    json_schema!({"type": "object", "additionalProperties": false, "properties": group_schemas, "required": required})
}

/// Returns every request field of a dialect that vox knows, as `group.name`; none of a dialect that no caller speaks.
#[must_use]
pub const fn known_fields(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Openai => OPENAI,
        Dialect::Anthropic => ANTHROPIC,
        Dialect::Ollama => &[],
    }
}

const OPENAI: &[&str] = &[
    "request.audio",
    "request.frequency_penalty",
    "request.function_call",
    "request.functions",
    "request.logit_bias",
    "request.logprobs",
    "request.max_completion_tokens",
    "request.max_tokens",
    "request.messages",
    "request.metadata",
    "request.modalities",
    "request.model",
    "request.n",
    "request.parallel_tool_calls",
    "request.prediction",
    "request.presence_penalty",
    "request.prompt_cache_key",
    "request.prompt_cache_retention",
    "request.reasoning_effort",
    "request.response_format",
    "request.safety_identifier",
    "request.seed",
    "request.service_tier",
    "request.stop",
    "request.store",
    "request.stream",
    "request.stream_options",
    "request.temperature",
    "request.tool_choice",
    "request.tools",
    "request.top_logprobs",
    "request.top_p",
    "request.user",
    "request.verbosity",
    "request.web_search_options",
    "role.assistant",
    "role.developer",
    "role.function",
    "role.system",
    "role.tool",
    "role.user",
    "message.annotations",
    "message.audio",
    "message.content",
    "message.function_call",
    "message.name",
    "message.reasoning",
    "message.reasoning_content",
    "message.reasoning_details",
    "message.refusal",
    "message.tool_call_id",
    "message.tool_calls",
    "block.file",
    "block.image_url",
    "block.input_audio",
    "block.refusal",
    "block.text",
    "block_field.cache_control",
    "block_field.detail",
    "tool.custom",
    "tool.function",
    "tool_field.cache_control",
    "tool_field.description",
    "tool_field.name",
    "tool_field.parameters",
    "tool_field.strict",
    "tool_call.custom",
    "tool_call.function",
    "response_format.json_object",
    "response_format.json_schema",
    "response_format.text",
];

const ANTHROPIC: &[&str] = &[
    "request.cache_control",
    "request.container",
    "request.context_management",
    "request.inference_geo",
    "request.max_tokens",
    "request.mcp_servers",
    "request.messages",
    "request.metadata",
    "request.model",
    "request.output_config",
    "request.output_format",
    "request.service_tier",
    "request.stop_sequences",
    "request.stream",
    "request.system",
    "request.temperature",
    "request.thinking",
    "request.tool_choice",
    "request.tools",
    "request.top_k",
    "request.top_p",
    "role.assistant",
    "role.system",
    "role.user",
    "message.content",
    "block.container_upload",
    "block.document",
    "block.image",
    "block.redacted_thinking",
    "block.search_result",
    "block.server_tool_use",
    "block.text",
    "block.thinking",
    "block.tool_result",
    "block.tool_use",
    "block.web_search_tool_result",
    "block_field.cache_control",
    "block_field.caller",
    "block_field.citations",
    "block_field.is_error",
    "tool.custom",
    "tool.server",
    "tool_field.allowed_callers",
    "tool_field.cache_control",
    "tool_field.defer_loading",
    "tool_field.description",
    "tool_field.eager_input_streaming",
    "tool_field.input_examples",
    "tool_field.input_schema",
    "tool_field.name",
    "tool_field.strict",
    "output_config.effort",
    "output_config.format",
];
