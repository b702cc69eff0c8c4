//! What is known about a call from its answer so far.

use super::counts::Counts;
use super::{Delta, StopReason, UpstreamError, UsageRules};
use crate::Dialect;
use crate::json::Value;
use vox_base::{NanoUsd, Usage};

/// What an answer has told so far. The [`super::Reader`] fills it.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// What the call consumed, in disjoint classes; unknown until the provider says.
    pub usage: Usage,
    /// The provider's last usage object as it was written.
    pub usage_raw: Option<String>,
    /// The provider's numbers cannot be true; the cost must be estimated.
    pub usage_suspect: bool,
    /// How often the provider ran tools of its own, by its name for the count.
    pub server_tools: Vec<(String, u64)>,
    /// What the provider says the call costs.
    pub provider_cost: Option<NanoUsd>,
    /// Why the first choice ended.
    pub stop: Option<StopReason>,
    /// Why the first choice ended, in the provider's word.
    pub stop_raw: Option<String>,
    /// The model the provider says it used.
    pub model_reported: Option<String>,
    /// The provider's id of the answer.
    pub response_id: Option<String>,
    /// Bytes of text, reasoning, refusals and tool calls seen, decoded.
    pub n_output_bytes: u64,
    /// How the provider failed inside its answer.
    pub error: Option<UpstreamError>,
    pub(super) counts: Counts,
    n_tools: u64,
    saw_reasoning: bool,
    saw_end: bool,
    /// The answer came as one body, which is complete once it has been read.
    pub(super) is_whole: bool,
    choices: Choices,
}

/// Choices seen and ended, one bit each; those beyond 128 share the last bit.
#[derive(Debug, Clone, Copy, Default)]
struct Choices {
    begun: u128,
    ended: u128,
}

impl Tally {
    /// Returns whether the provider brought the answer to an end (gateway section 4.5): Anthropic by `message_stop`,
    /// Ollama by `done`, OpenAI by a finish reason for every choice, and by `[DONE]` too if `requires_done`. A body read whole
    /// is complete.
    #[must_use]
    pub fn is_complete(&self, dialect: Dialect, requires_done: bool) -> bool {
        let every_choice = self.choices.begun != 0 && self.choices.begun & !self.choices.ended == 0;
        self.error.is_none()
            && match dialect {
                _ if self.is_whole => true,
                Dialect::Openai => every_choice && (self.saw_end || !requires_done),
                Dialect::Anthropic | Dialect::Ollama => self.saw_end,
            }
    }

    /// Returns whether the usage cannot be true: a count that is none, counts that contradict each other, or more
    /// visible output than twice the bytes seen. Reasoning may be hidden, so output is judged only where none is.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        let framing = FRAMING_TOKENS * (1 + self.n_tools);
        let judged = !self.saw_reasoning && !self.counts.audio && self.usage.reasoning.unwrap_or(0) == 0;
        self.usage_suspect || judged && self.usage.output.is_some_and(|n_tokens| n_tokens > self.n_output_bytes * 2 + framing)
    }

    pub(super) fn add(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Start { id, model } => self.start(id, model),
            Delta::Text(text) | Delta::Refusal(text) => self.n_output_bytes += text.len() as u64,
            Delta::Reasoning(text) | Delta::Signature(text) | Delta::RedactedReasoning(text) => {
                self.saw_reasoning = true;
                self.n_output_bytes += text.len() as u64;
            }
            Delta::ToolStart { name, .. } => {
                self.n_tools += 1;
                self.n_output_bytes += name.len() as u64;
            }
            Delta::ToolArguments { fragment, .. } => self.n_output_bytes += fragment.len() as u64,
            Delta::Stop { choice, reason, raw } => self.stop(*choice, *reason, raw),
            Delta::Usage(usage) => self.usage = *usage,
            Delta::ServerTool { name, n_units } => self.server_tool(name, *n_units),
            Delta::ProviderCost(cost) => self.provider_cost = Some(*cost),
            Delta::Error(error) => self.error = Some(error.clone()),
            Delta::Ping => {}
            Delta::End => self.saw_end = true,
        }
    }

    fn start(&mut self, id: &str, model: &str) {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.response_id = known(id);
        self.model_reported = known(model);
    }

    fn stop(&mut self, choice: u32, reason: StopReason, raw: &str) {
        self.choices.ended |= bit(choice);
        self.choices.begun |= bit(choice);
        if choice == 0 || self.stop.is_none() {
            self.stop = Some(reason);
            self.stop_raw = Some(raw.to_owned());
        }
    }

    fn server_tool(&mut self, name: &str, n_units: u64) {
        match self.server_tools.iter_mut().find(|(known, _)| known.as_str() == name) {
            Some((_, known)) => *known = n_units,
            None => self.server_tools.push((name.to_owned(), n_units)),
        }
    }

    pub(super) const fn saw_choice(&mut self, choice: u32) {
        self.choices.begun |= bit(choice);
    }

    /// Counts output that has no delta of its own, such as the result of a provider's tool.
    pub(super) const fn saw_bytes(&mut self, n_bytes: usize) {
        self.n_output_bytes += n_bytes as u64;
    }

    /// Reads one usage object and returns the classes known after it.
    pub(super) fn read_usage(&mut self, dialect: Dialect, rules: &UsageRules, usage: Value<'_>) -> Usage {
        self.usage_raw = Some(usage.raw().to_owned());
        self.counts.read(usage);
        let (classes, contradicts) = self.counts.disjoint(dialect, rules);
        self.usage_suspect = self.counts.absurd || contradicts;
        classes
    }
}

/// Output tokens that stand for no visible byte, per answer and per tool call.
const FRAMING_TOKENS: u64 = 64;

const fn bit(choice: u32) -> u128 {
    1 << if choice > 127 { 127 } else { choice }
}
