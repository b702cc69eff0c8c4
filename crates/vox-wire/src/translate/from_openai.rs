//! Messages of OpenAI chat, judged field by field.

use super::Untranslatable;
use super::ledger::{At, Ledger, refused};
use super::verdicts::Group;
use crate::json::{Document, Kind, Value};
use bytes::Bytes;
use std::borrow::Cow;

/// A message whose fields have been judged.
pub(super) struct Message<'a> {
    pub(super) index: usize,
    pub(super) role: Cow<'a, str>,
    pub(super) content: Option<Value<'a>>,
    pub(super) refusal: Option<Value<'a>>,
    pub(super) tool_calls: Option<Value<'a>>,
    pub(super) tool_call_id: Option<Value<'a>>,
    /// Reasoning, which no provider signed.
    pub(super) reasoning: Option<Value<'a>>,
    /// Fields copied as they are.
    pub(super) others: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// Judges a message; `None` if it is left out.
pub(super) fn judge<'a>(ledger: &mut Ledger<'_>, message: Value<'a>, index: usize) -> Result<Option<Message<'a>>, Untranslatable> {
    let list = At::Key(&At::Root, "messages");
    let at = At::Index(&list, index);
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    if !ledger.judge(Group::Role, &role, At::Key(&at, "role"), false)? {
        return Ok(None);
    }
    let mut judged =
        Message { index, role, content: None, refusal: None, tool_calls: None, tool_call_id: None, reasoning: None, others: Vec::new() };
    for (key, value) in message.entries().filter(|(key, value)| key != "role" && !value.is_null()) {
        let empty = value.items().next().is_none() && value.kind() == Kind::Array;
        if !ledger.judge(Group::Message, &key, At::Key(&at, &key), empty)? {
            continue;
        }
        match key.as_ref() {
            "content" => judged.content = Some(value),
            "refusal" => judged.refusal = Some(value),
            "tool_calls" => judged.tool_calls = Some(value),
            "tool_call_id" => judged.tool_call_id = Some(value),
            "reasoning" | "reasoning_content" => judged.reasoning = Some(value),
            "reasoning_details" => {}
            _ => judged.others.push((key, value)),
        }
    }
    Ok(Some(judged))
}

/// Returns the arguments of a call as the text of an object; none at all is the empty one.
pub(super) fn call_arguments<'a>(function: Value<'a>, at: At<'_>) -> Result<Cow<'a, str>, Untranslatable> {
    let arguments = function.get("arguments").and_then(Value::as_str).unwrap_or_default();
    let arguments = if arguments.trim().is_empty() { Cow::Borrowed("{}") } else { arguments };
    let is_object = Document::parse(Bytes::copy_from_slice(arguments.as_bytes())).is_ok_and(|parsed| parsed.root().kind() == Kind::Object);
    if is_object {
        Ok(arguments)
    } else {
        Err(refused(Group::ToolCall, "function", at, "the provider needs arguments that are a JSON object"))
    }
}
