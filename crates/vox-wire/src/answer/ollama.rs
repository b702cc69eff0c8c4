//! Ollama's `/api/chat`: each line of a stream, or the whole body, is one object with a piece of the message; the last one
//! says `done` (docs.ollama.com/api).

use super::reader::Notes;
use super::{Delta, EventFacts, Malformed, Reader, StopReason};
use crate::Dialect;
use crate::json::{Document, Kind, Value};
use bytes::Bytes;
use std::borrow::Cow;

/// Reads a whole answer.
pub(super) fn whole(reader: &mut Reader, answer: Value<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
    let facts = chunk(reader, answer, sink)?;
    if facts.error || facts.end { Ok(facts) } else { Err(Malformed::new("not done")) }
}

/// Reads one line of a stream.
pub(super) fn chunk(reader: &mut Reader, chunk: Value<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> Result<EventFacts, Malformed> {
    if chunk.kind() != Kind::Object {
        return Err(Malformed::new("expected an object"));
    }
    let mut notes = Notes { tally: &mut reader.tally, sink, facts: EventFacts::default() };
    if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
        notes.error(error);
        return Ok(notes.facts);
    }
    let message = chunk.get("message");
    if message.is_none() && chunk.get("done").is_none() {
        return Err(Malformed::new("no message"));
    }
    if !std::mem::replace(&mut reader.started, true) {
        notes.note(Delta::Start { id: answer_id(chunk), model: text(chunk, "model") });
    }
    if let Some(message) = message {
        notes.note(Delta::Reasoning(text(message, "thinking")));
        notes.note(Delta::Text(text(message, "content")));
        let calls = message.get("tool_calls").into_iter().flat_map(Value::items);
        calls.for_each(|call| read_call(&mut notes, &mut reader.tools, call));
    }
    if chunk.get("done").and_then(Value::as_bool) == Some(true) {
        if let Some(counts) = counts(chunk) {
            notes.usage(Dialect::Ollama, &reader.rules, counts.root());
        }
        stop(&mut notes, !reader.tools.is_empty(), text(chunk, "done_reason"));
        notes.note(Delta::End);
    }
    Ok(notes.facts)
}

impl Reader {
    /// Takes the end of an answer that has no pieces and returns what it consumed.
    pub(crate) fn ended(&mut self, body: Value<'_>) -> vox_base::Usage {
        let mut notes = Notes { tally: &mut self.tally, sink: &mut |_| {}, facts: EventFacts::default() };
        notes.note(Delta::Start { id: answer_id(body), model: text(body, "model") });
        if let Some(counts) = counts(body) {
            notes.usage(Dialect::Ollama, &self.rules, counts.root());
        }
        self.tally.is_whole = true;
        self.tally.usage
    }
}

/// Ollama says `stop` also where the model waits for a tool; before 0.1.35 it gave no reason at all.
fn stop(notes: &mut Notes<'_>, called: bool, raw: Cow<'_, str>) {
    let raw = if raw.is_empty() { Cow::Borrowed("stop") } else { raw };
    let reason = match StopReason::read(Dialect::Ollama, &raw) {
        StopReason::End if called => StopReason::Tool,
        reason => reason,
    };
    notes.note(Delta::Stop { choice: 0, reason, raw });
}

/// A call always comes whole; ids are missing before 0.12.
fn read_call(notes: &mut Notes<'_>, tools: &mut Vec<(u64, String)>, call: Value<'_>) {
    let Some(function) = call.get("function") else { return };
    let at = tools.len();
    let index = u32::try_from(at).unwrap_or(u32::MAX);
    let given = text(call, "id");
    let id = if given.is_empty() { missing_id(notes, at) } else { given };
    tools.push((at as u64, id.clone().into_owned()));
    notes.note(Delta::ToolStart { index, id, name: text(function, "name") });
    let fragment = match function.get("arguments") {
        Some(arguments) if arguments.kind() == Kind::Object => Cow::Borrowed(arguments.raw()),
        arguments => arguments.and_then(Value::as_str).unwrap_or_default(),
    };
    notes.note(Delta::ToolArguments { index, fragment });
}

/// Makes an id for a call that has none: the moment of the answer tells the calls of two turns apart, and the same answer
/// always gets the same ids.
fn missing_id(notes: &Notes<'_>, at: usize) -> Cow<'static, str> {
    Cow::Owned(format!("call_{}_{at}", notes.tally.response_id.as_deref().unwrap_or("answer")))
}

/// Ollama names no answer; the digits of its moment do.
fn answer_id(chunk: Value<'_>) -> Cow<'static, str> {
    Cow::Owned(text(chunk, "created_at").chars().filter(char::is_ascii_digit).collect())
}

/// Returns the counts of the last line alone, so that what is kept of them holds no text of the answer.
fn counts(last: Value<'_>) -> Option<Document> {
    let counts = last.entries().filter(|(key, _)| key.ends_with("eval_count"));
    let members: Vec<String> = counts.map(|(key, value)| format!("\"{key}\":{}", value.raw())).collect();
    if members.is_empty() { None } else { Document::parse(Bytes::from(format!("{{{}}}", members.join(",")))).ok() }
}

fn text<'a>(object: Value<'a>, key: &str) -> Cow<'a, str> {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
