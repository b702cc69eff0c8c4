//! OpenAI chat completions, and the shapes that compatible providers really send.

use super::reader::Notes;
use super::{Delta, EventFacts, Malformed, Reader, StopReason};
use crate::Dialect;
use crate::json::{Kind, Value};
use std::borrow::Cow;

/// Reads one chunk of a stream.
pub(super) fn chunk(reader: &mut Reader, chunk: Value<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
    read(reader, chunk, "delta", sink)
}

/// Reads a whole answer.
pub(super) fn whole(reader: &mut Reader, answer: Value<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
    let facts = read(reader, answer, "message", sink)?;
    let has_choice = answer.get("choices").is_some_and(|choices| choices.items().next().is_some());
    let is_embedding = answer.get("data").is_some_and(|data| data.kind() == Kind::Array);
    if facts.error || has_choice || is_embedding { Ok(facts) } else { Err(Malformed::new("no choices")) }
}

fn read(reader: &mut Reader, answer: Value<'_>, part: &str, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
    if answer.kind() != Kind::Object {
        return Err(Malformed::new("expected an object"));
    }
    let mut notes = Notes { tally: &mut reader.tally, sink, facts: EventFacts::default() };
    if !std::mem::replace(&mut reader.started, true) {
        notes.note(Delta::Start { id: text(answer, "id"), model: text(answer, "model") });
    }
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        notes.error(error);
    }
    let choices = answer.get("choices");
    for choice in choices.into_iter().flat_map(Value::items) {
        read_choice(&mut notes, &mut reader.tools, choice, part);
    }
    let nested = answer.get("x_groq").and_then(|groq| groq.get("usage"));
    let usage = answer.get("usage").filter(|usage| usage.kind() == Kind::Object).or(nested);
    if let Some(usage) = usage {
        notes.usage(Dialect::Openai, &reader.rules, usage);
    }
    notes.facts.usage_only = usage.is_some() && choices.is_none_or(|choices| choices.items().next().is_none()) && !notes.facts.error;
    Ok(notes.facts)
}

fn read_choice(notes: &mut Notes<'_>, tools: &mut Vec<(u64, String)>, choice: Value<'_>, part: &str) {
    let index = choice.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
    notes.tally.saw_choice(index);
    if let Some(error) = choice.get("error").filter(|error| !error.is_null()) {
        notes.error(error);
    }
    if let Some(message) = choice.get(part) {
        read_message(notes, tools, message);
    }
    match choice.get("finish_reason").and_then(Value::as_str) {
        None => {}
        Some(raw) if raw == "error" && notes.facts.error => {}
        Some(raw) if raw == "error" => {
            notes.note(Delta::Error(super::UpstreamError { kind: "error".to_owned(), ..super::UpstreamError::default() }));
        }
        Some(raw) => notes.note(Delta::Stop { choice: index, reason: StopReason::read(Dialect::Openai, &raw), raw }),
    }
}

fn read_message(notes: &mut Notes<'_>, tools: &mut Vec<(u64, String)>, message: Value<'_>) {
    let mut reasoned = false;
    for (key, value) in message.entries() {
        match (key.as_ref(), value.kind()) {
            ("content", Kind::String) => notes.note(Delta::Text(value.as_str().unwrap_or_default())),
            ("content", Kind::Array) => read_parts(notes, value),
            // Some providers send the same reasoning under both names.
            ("reasoning_content" | "reasoning", Kind::String) if !reasoned => {
                reasoned = true;
                notes.note(Delta::Reasoning(value.as_str().unwrap_or_default()));
            }
            ("refusal", Kind::String) => notes.note(Delta::Refusal(value.as_str().unwrap_or_default())),
            ("tool_calls", Kind::Array) => value.items().enumerate().for_each(|(at, call)| read_tool_call(notes, tools, at as u64, call)),
            ("function_call" | "audio", Kind::Object) => {
                notes.facts.carries_token = true;
                notes.tally.saw_bytes(value.span().len());
            }
            _ => {}
        }
    }
}

/// Content as a list of parts: text, and reasoning from providers that put it there.
fn read_parts(notes: &mut Notes<'_>, parts: Value<'_>) {
    for part in parts.items() {
        if let Some(text) = part.get("text").and_then(Value::as_str) {
            notes.note(Delta::Text(text));
        }
        let thought = part.get("thinking").into_iter().flat_map(Value::items).filter_map(|inner| inner.get("text").and_then(Value::as_str));
        thought.for_each(|text| notes.note(Delta::Reasoning(text)));
    }
}

/// Reads a tool call or a piece of one. Several calls may share an index where the provider numbers them wrongly: a new
/// id is a new call.
fn read_tool_call(notes: &mut Notes<'_>, tools: &mut Vec<(u64, String)>, position: u64, call: Value<'_>) {
    let function = call.get("function").unwrap_or(call);
    let (id, name) = (text(call, "id"), text(function, "name"));
    let given = call.get("index").and_then(Value::as_u64).unwrap_or(position);
    let known = tools.iter().rposition(|(index, _)| *index == given);
    let same = known.filter(|&at| id.is_empty() || tools[at].1 == id);
    let at = same.unwrap_or_else(|| {
        let id = if id.is_empty() { missing_id(notes, tools.len()) } else { id.clone() };
        tools.push((given, id.clone().into_owned()));
        notes.note(Delta::ToolStart { index: ordinal(tools.len() - 1), id, name });
        tools.len() - 1
    });
    let fragment = match function.get("arguments") {
        Some(arguments) if arguments.kind() == Kind::Object => Cow::Borrowed(arguments.raw()),
        arguments => arguments.and_then(Value::as_str).unwrap_or_default(),
    };
    notes.note(Delta::ToolArguments { index: ordinal(at), fragment });
}

/// Makes an id for a call that has none. The caller sends it back, so it stays the same for this history.
fn missing_id(notes: &Notes<'_>, at: usize) -> Cow<'static, str> {
    let answer = notes.tally.response_id.as_deref().unwrap_or("answer");
    Cow::Owned(format!("call_{answer}_{at}"))
}

fn ordinal(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn text<'a>(object: Value<'a>, key: &str) -> Cow<'a, str> {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
