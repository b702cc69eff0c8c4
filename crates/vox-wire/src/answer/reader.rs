//! Reads an answer of any dialect, event by event or whole.

use super::{Delta, Tally, UpstreamError, UsageRules, anthropic, ollama, openai};
use crate::json::{Document, Kind, Slot, Value};
use crate::{Dialect, sse};
use bytes::Bytes;

/// Reads one answer.
#[derive(Debug)]
pub struct Reader {
    pub(super) dialect: Dialect,
    pub(super) rules: UsageRules,
    pub(super) tally: Tally,
    pub(super) started: bool,
    /// Tool calls seen, in order: the provider's index and id.
    pub(super) tools: Vec<(u64, String)>,
    /// Memory of the last event's tape, used again for the next.
    tape: Vec<Slot>,
}

/// What one event is to whoever forwards it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventFacts {
    /// It holds text, reasoning, a refusal or tool data: with it the stream is committed.
    pub carries_token: bool,
    /// It holds nothing but an OpenAI stream's usage: withheld from a caller that did not ask.
    pub usage_only: bool,
    /// The provider failed.
    pub error: bool,
    /// It is the dialect's end mark.
    pub end: bool,
}

/// The provider's answer is not one of its dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer is malformed: {what}")]
pub struct Malformed {
    /// What is wrong with it.
    pub what: String,
}

impl Malformed {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

/// Passes deltas to the tally and to whoever listens, and gathers the facts of the event.
pub(super) struct Notes<'s> {
    pub(super) tally: &'s mut Tally,
    pub(super) sink: &'s mut dyn FnMut(Delta<'_>),
    pub(super) facts: EventFacts,
}

impl Notes<'_> {
    pub(super) fn note(&mut self, delta: Delta<'_>) {
        match &delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::Refusal(text) if text.is_empty() => return,
            Delta::ToolArguments { fragment, .. } if fragment.is_empty() => return,
            Delta::Text(_) | Delta::Reasoning(_) | Delta::Refusal(_) | Delta::ToolStart { .. } | Delta::ToolArguments { .. } => {
                self.facts.carries_token = true;
            }
            Delta::Signature(_) | Delta::RedactedReasoning(_) => self.facts.carries_token = true,
            Delta::Error(_) => self.facts.error = true,
            Delta::End => self.facts.end = true,
            _ => {}
        }
        self.tally.add(&delta);
        (self.sink)(delta);
    }

    pub(super) fn usage(&mut self, dialect: Dialect, rules: &UsageRules, usage: Value<'_>) {
        if usage.kind() != Kind::Object {
            return;
        }
        let classes = self.tally.read_usage(dialect, rules, usage);
        self.note(Delta::Usage(classes));
        for (name, value) in usage.get("server_tool_use").into_iter().flat_map(Value::entries) {
            if let Some(n_units) = value.as_u64() {
                self.note(Delta::ServerTool { name, n_units });
            }
        }
        match rules.cost(usage) {
            Some(Ok(cost)) => self.note(Delta::ProviderCost(cost)),
            Some(Err(())) => self.tally.usage_suspect = true,
            None => {}
        }
    }

    pub(super) fn error(&mut self, error: Value<'_>) {
        self.note(Delta::Error(UpstreamError::from_value(error)));
    }
}

impl Reader {
    /// Returns a reader for one answer.
    #[must_use]
    pub fn new(dialect: Dialect, rules: UsageRules) -> Self {
        Self { dialect, rules, tally: Tally::default(), started: false, tools: Vec::new(), tape: Vec::new() }
    }

    /// Returns what is known so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Returns what is known, giving up the reader.
    #[must_use]
    pub fn into_tally(self) -> Tally {
        self.tally
    }

    /// Reads one event of a stream and hands each piece to `sink`.
    ///
    /// # Errors
    /// The event's data is neither JSON nor an end mark of the dialect.
    pub fn event(&mut self, event: &sse::Event, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
        let mut notes = Notes { tally: &mut self.tally, sink, facts: EventFacts::default() };
        let Some(data) = event.data.as_ref().filter(|data| !data.is_empty()) else {
            notes.note(Delta::Ping);
            return Ok(notes.facts);
        };
        if self.dialect == Dialect::Openai && data.trim_ascii() == b"[DONE]" {
            notes.note(Delta::End);
            return Ok(notes.facts);
        }
        let document = self.parse(data.clone())?;
        let facts = match self.dialect {
            Dialect::Openai => openai::chunk(self, document.root(), sink),
            Dialect::Anthropic => anthropic::event(self, event.name(), document.root(), sink),
            Dialect::Ollama => ollama::chunk(self, document.root(), sink),
        };
        self.tape = document.into_tape();
        facts
    }

    /// Reads a whole answer and hands each piece to `sink`, as if it had been a stream.
    ///
    /// # Errors
    /// The body is JSON, but not an answer of the dialect.
    pub fn whole(&mut self, body: &Document, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
        let facts = match self.dialect {
            Dialect::Openai => openai::whole(self, body.root(), sink)?,
            Dialect::Anthropic => anthropic::whole(self, body.root(), sink)?,
            Dialect::Ollama => ollama::whole(self, body.root(), sink)?,
        };
        self.tally.is_whole = !facts.error;
        Ok(facts)
    }

    fn parse(&mut self, data: Bytes) -> Result<Document, Malformed> {
        Document::parse_reusing(data, std::mem::take(&mut self.tape)).map_err(|error| Malformed::new(error.to_string()))
    }
}
