//! A whole answer: gathered from deltas, written as one body.

use super::{Shown, anthropic, foreign_signature, object_arguments, openai};
use crate::Dialect;
use crate::answer::{Delta, Malformed, StopReason};
use crate::json::Out;
use bytes::Bytes;
use vox_base::Usage;

/// An answer being gathered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Text and reasoning in the order they came, neighbours of one kind joined.
    parts: Vec<Part>,
    calls: Vec<Call>,
    stop: Option<(StopReason, String)>,
    usage: Option<Usage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Reasoning(String),
    Refusal(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Answer {
    /// Adds one piece.
    pub fn add(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Text(text) => match self.parts.last_mut() {
                Some(Part::Text(known)) => known.push_str(text),
                _ => self.parts.push(Part::Text(text.to_string())),
            },
            Delta::Reasoning(text) => match self.parts.last_mut() {
                Some(Part::Reasoning(known)) => known.push_str(text),
                _ => self.parts.push(Part::Reasoning(text.to_string())),
            },
            Delta::Refusal(text) => match self.parts.last_mut() {
                Some(Part::Refusal(known)) => known.push_str(text),
                _ => self.parts.push(Part::Refusal(text.to_string())),
            },
            Delta::ToolStart { id, name, .. } => {
                self.calls.push(Call { id: id.to_string(), name: name.to_string(), arguments: String::new() });
            }
            Delta::ToolArguments { index, fragment } => {
                if let Some(call) = self.calls.get_mut(*index as usize) {
                    call.arguments.push_str(fragment);
                }
            }
            Delta::Stop { choice: 0, reason, raw } => self.stop = Some((*reason, raw.to_string())),
            Delta::Usage(usage) => self.usage = Some(*usage),
            _ => {}
        }
    }

    /// Returns all text, as a person would read it.
    #[must_use]
    pub fn text(&self) -> String {
        self.joined(|part| if let Part::Text(text) = part { Some(text) } else { None }).unwrap_or_default()
    }

    /// Returns the body for a caller of this dialect.
    ///
    /// # Errors
    /// A tool call's arguments are not a JSON object where the dialect needs one.
    pub fn write(&self, dialect: Dialect, shown: &Shown) -> Result<Bytes, Malformed> {
        let mut out = Out::with_capacity(512);
        match dialect {
            Dialect::Openai | Dialect::Ollama => out.object(|out| self.openai(out, shown)),
            Dialect::Anthropic => out.try_object(|out| self.anthropic(out, shown))?,
        }
        Ok(out.finish())
    }

    fn joined<'a>(&'a self, pick: impl Fn(&'a Part) -> Option<&'a String>) -> Option<String> {
        self.parts.iter().filter_map(pick).cloned().reduce(|all, part| all + &part)
    }

    fn stop_word(&self, dialect: Dialect) -> Option<&str> {
        self.stop.as_ref().map(|(reason, raw)| reason.write(dialect, raw))
    }

    fn openai(&self, out: &mut Out, shown: &Shown) {
        openai::put_head(shown, out, "chat.completion");
        out.key("choices").array(|out| {
            out.object(|out| {
                out.key("index").number(0);
                out.key("message").object(|out| self.openai_message(out));
                out.key("finish_reason").str_or_null(self.stop_word(Dialect::Openai));
            });
        });
        if let Some(usage) = &self.usage {
            openai::put_usage(out, usage);
        }
    }

    fn openai_message(&self, out: &mut Out) {
        out.key("role").str("assistant");
        let text = self.joined(|part| if let Part::Text(text) = part { Some(text) } else { None });
        out.key("content").str_or_null(text.as_deref());
        let refusal = self.joined(|part| if let Part::Refusal(text) = part { Some(text) } else { None });
        out.key("refusal").str_or_null(refusal.as_deref());
        if let Some(text) = self.joined(|part| if let Part::Reasoning(text) = part { Some(text) } else { None }) {
            out.key("reasoning_content").str(&text);
        }
        if !self.calls.is_empty() {
            out.key("tool_calls").array(|out| self.calls.iter().for_each(|call| put_openai_call(out, call)));
        }
    }

    fn anthropic(&self, out: &mut Out, shown: &Shown) -> Result<(), Malformed> {
        out.key("id").str(&shown.id);
        out.key("type").str("message");
        out.key("role").str("assistant");
        out.key("model").str(&shown.model);
        out.key("content").try_array(|out| {
            self.parts.iter().for_each(|part| put_anthropic_part(out, part));
            self.calls.iter().try_for_each(|call| put_anthropic_call(out, call))
        })?;
        out.key("stop_reason").str_or_null(self.stop_word(Dialect::Anthropic));
        out.key("stop_sequence").raw("null");
        anthropic::put_usage(out, &self.usage.unwrap_or_default());
        Ok(())
    }
}

fn put_openai_call(out: &mut Out, call: &Call) {
    out.object(|out| {
        out.key("id").str(&call.id);
        out.key("type").str("function");
        out.key("function").object(|out| {
            out.key("name").str(&call.name);
            out.key("arguments").str(if call.arguments.is_empty() { "{}" } else { &call.arguments });
        });
    });
}

fn put_anthropic_part(out: &mut Out, part: &Part) {
    out.object(|out| match part {
        Part::Text(text) | Part::Refusal(text) => {
            out.key("type").str("text");
            out.key("text").str(text);
        }
        Part::Reasoning(text) => {
            out.key("type").str("thinking");
            out.key("thinking").str(text);
            out.key("signature").str(&foreign_signature());
        }
    });
}

fn put_anthropic_call(out: &mut Out, call: &Call) -> Result<(), Malformed> {
    let input = object_arguments(&call.arguments)?;
    out.object(|out| {
        out.key("type").str("tool_use");
        out.key("id").str(&call.id);
        out.key("name").str(&call.name);
        out.key("input").raw(input);
    });
    Ok(())
}
