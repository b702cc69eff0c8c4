//! Anthropic messages.

use super::reader::Notes;
use super::{Delta, EventFacts, Malformed, Reader, StopReason};
use crate::Dialect;
use crate::json::{Kind, Value};
use std::borrow::Cow;

/// Reads one event of a stream; its name is only needed where the data does not repeat it.
pub(super) fn event(reader: &mut Reader, name: &str, data: Value<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
    if data.kind() != Kind::Object {
        return Err(Malformed::new("expected an object"));
    }
    let kind = data.get("type").and_then(Value::as_str).unwrap_or(Cow::Borrowed(name));
    let mut notes = Notes { tally: &mut reader.tally, sink, facts: EventFacts::default() };
    match kind.as_ref() {
        "message_start" => {
            if let Some(message) = data.get("message") {
                notes.note(Delta::Start { id: text(message, "id"), model: text(message, "model") });
                usage(&mut notes, &reader.rules, message);
            }
        }
        "content_block_start" => block_start(&mut notes, &mut reader.tools, data),
        "content_block_delta" => block_delta(&mut notes, &reader.tools, data),
        "message_delta" => {
            if let Some(delta) = data.get("delta") {
                stop(&mut notes, delta);
            }
            usage(&mut notes, &reader.rules, data);
        }
        "message_stop" => notes.note(Delta::End),
        "ping" => notes.note(Delta::Ping),
        "error" => notes.error(data.get("error").unwrap_or(data)),
        _ => {}
    }
    Ok(notes.facts)
}

/// Reads a whole answer.
pub(super) fn whole(reader: &mut Reader, answer: Value<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
    let mut notes = Notes { tally: &mut reader.tally, sink, facts: EventFacts::default() };
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        notes.error(error);
        return Ok(notes.facts);
    }
    let content = answer.get("content").filter(|content| content.kind() == Kind::Array).ok_or_else(|| Malformed::new("no content"))?;
    notes.note(Delta::Start { id: text(answer, "id"), model: text(answer, "model") });
    for block in content.items() {
        whole_block(&mut notes, &mut reader.tools, block);
    }
    stop(&mut notes, answer);
    usage(&mut notes, &reader.rules, answer);
    Ok(notes.facts)
}

fn usage(notes: &mut Notes<'_>, rules: &super::UsageRules, holder: Value<'_>) {
    if let Some(usage) = holder.get("usage") {
        notes.usage(Dialect::Anthropic, rules, usage);
    }
}

fn stop(notes: &mut Notes<'_>, holder: Value<'_>) {
    if let Some(raw) = holder.get("stop_reason").and_then(Value::as_str) {
        notes.note(Delta::Stop { choice: 0, reason: StopReason::read(Dialect::Anthropic, &raw), raw });
    }
}

fn block_start(notes: &mut Notes<'_>, tools: &mut Vec<(u64, String)>, data: Value<'_>) {
    let Some(block) = data.get("content_block") else { return };
    let place = data.get("index").and_then(Value::as_u64).unwrap_or(0);
    match text(block, "type").as_ref() {
        "text" => notes.note(Delta::Text(text(block, "text"))),
        "thinking" => notes.note(Delta::Reasoning(text(block, "thinking"))),
        "redacted_thinking" => notes.note(Delta::RedactedReasoning(text(block, "data"))),
        "tool_use" => tool_start(notes, tools, place, block),
        _ => other_block(notes, block),
    }
}

fn tool_start(notes: &mut Notes<'_>, tools: &mut Vec<(u64, String)>, place: u64, block: Value<'_>) {
    tools.push((place, String::new()));
    let index = u32::try_from(tools.len() - 1).unwrap_or(u32::MAX);
    notes.note(Delta::ToolStart { index, id: text(block, "id"), name: text(block, "name") });
    // A stream begins a call with an empty object and sends the arguments after it.
    if let Some(input) = block.get("input").filter(|input| input.members().next().is_some()) {
        notes.note(Delta::ToolArguments { index, fragment: Cow::Borrowed(input.raw()) });
    }
}

fn other_block(notes: &mut Notes<'_>, block: Value<'_>) {
    notes.facts.carries_token = true;
    notes.tally.saw_bytes(block.span().len());
}

fn block_delta(notes: &mut Notes<'_>, tools: &[(u64, String)], data: Value<'_>) {
    let Some(delta) = data.get("delta") else { return };
    match text(delta, "type").as_ref() {
        "text_delta" => notes.note(Delta::Text(text(delta, "text"))),
        "thinking_delta" => notes.note(Delta::Reasoning(text(delta, "thinking"))),
        "signature_delta" => notes.note(Delta::Signature(text(delta, "signature"))),
        "input_json_delta" => {
            let place = data.get("index").and_then(Value::as_u64).unwrap_or(0);
            let fragment = text(delta, "partial_json");
            match tools.iter().rposition(|(known, _)| *known == place) {
                Some(at) => notes.note(Delta::ToolArguments { index: u32::try_from(at).unwrap_or(u32::MAX), fragment }),
                None => other_block(notes, delta),
            }
        }
        _ => notes.tally.saw_bytes(delta.span().len()),
    }
}

fn whole_block(notes: &mut Notes<'_>, tools: &mut Vec<(u64, String)>, block: Value<'_>) {
    match text(block, "type").as_ref() {
        "text" => notes.note(Delta::Text(text(block, "text"))),
        "thinking" => {
            notes.note(Delta::Reasoning(text(block, "thinking")));
            notes.note(Delta::Signature(text(block, "signature")));
        }
        "redacted_thinking" => notes.note(Delta::RedactedReasoning(text(block, "data"))),
        "tool_use" => tool_start(notes, tools, u64::MAX, block),
        _ => other_block(notes, block),
    }
}

fn text<'a>(object: Value<'a>, key: &str) -> Cow<'a, str> {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
