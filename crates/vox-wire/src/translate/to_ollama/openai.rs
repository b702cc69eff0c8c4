//! Messages of OpenAI chat as Ollama's: content is one text, images stand beside it.

use super::{Called, put_call};
use crate::json::{Kind, Out, Value};
use crate::translate::Untranslatable;
use crate::translate::from_anthropic::put_joined;
use crate::translate::from_openai::{Message, call_arguments, judge};
use crate::translate::ledger::{At, Ledger};
use crate::translate::media::inline_image;
use crate::translate::verdicts::Group;
use std::borrow::Cow;

pub(super) fn put(ledger: &mut Ledger<'_>, out: &mut Out, messages: Option<Value<'_>>) -> Result<(), Untranslatable> {
    out.key("messages").try_array(|out| {
        let mut called = Called::default();
        for (index, message) in messages.into_iter().flat_map(Value::items).enumerate() {
            if let Some(message) = judge(ledger, message, index)? {
                put_message(ledger, out, &message, &mut called)?;
            }
        }
        Ok(())
    })
}

fn put_message<'a>(ledger: &mut Ledger<'_>, out: &mut Out, message: &Message<'a>, called: &mut Called<'a>) -> Result<(), Untranslatable> {
    out.try_object(|out| {
        out.key("role").str(if message.role == "developer" { "system" } else { &message.role });
        if message.role == "tool" {
            called.put_result_of(out, message.tool_call_id);
        }
        message.others.iter().for_each(|(key, value)| out.key(key).raw(value.raw()));
        if let Some(reasoning) = message.reasoning {
            out.key("thinking").raw(reasoning.raw());
        }
        put_content(ledger, out, message)?;
        put_calls(ledger, out, message, called)
    })
}

/// Texts of all parts as one; a refusal counts as what the model said.
fn put_content(ledger: &mut Ledger<'_>, out: &mut Out, message: &Message<'_>) -> Result<(), Untranslatable> {
    let list = At::Key(&At::Root, "messages");
    let message_at = At::Index(&list, message.index);
    let content_at = At::Key(&message_at, "content");
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    match message.content {
        Some(text) if text.kind() == Kind::String => texts.push(text),
        content => {
            for (index, part) in content.into_iter().flat_map(Value::items).enumerate() {
                sort_part(ledger, part, At::Index(&content_at, index), &mut texts, &mut images)?;
            }
        }
    }
    texts.extend(message.refusal);
    out.key("content");
    put_joined(out, "", &texts, "\\n");
    if !images.is_empty() {
        out.key("images").array(|out| images.iter().for_each(|image| out.str(image)));
    }
    Ok(())
}

fn sort_part<'a>(
    ledger: &mut Ledger<'_>,
    part: Value<'a>,
    at: At<'_>,
    texts: &mut Vec<Value<'a>>,
    images: &mut Vec<Cow<'a, str>>,
) -> Result<(), Untranslatable> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    if !ledger.judge(Group::Block, &kind, At::Key(&at, "type"), false)? {
        return Ok(());
    }
    for (key, value) in part.entries().filter(|(key, value)| key != "type" && *key != kind && !value.is_null()) {
        ledger.judge(Group::BlockField, &key, At::Key(&at, &key), value.raw() == "false")?;
    }
    match (kind.as_ref(), part.get(&kind)) {
        ("image_url", Some(image)) => {
            for (key, value) in image.entries().filter(|(key, _)| key != "url") {
                ledger.judge(Group::BlockField, &key, At::Key(&At::Key(&at, "image_url"), &key), value.is_str("auto"))?;
            }
            images.push(inline_image(image.get("url").and_then(Value::as_str).unwrap_or_default(), at)?);
        }
        (_, Some(text)) if text.kind() == Kind::String => texts.push(text),
        _ => {}
    }
    Ok(())
}

fn put_calls<'a>(ledger: &mut Ledger<'_>, out: &mut Out, message: &Message<'a>, called: &mut Called<'a>) -> Result<(), Untranslatable> {
    let Some(calls) = message.tool_calls.filter(|calls| calls.items().next().is_some()) else { return Ok(()) };
    let list = At::Key(&At::Root, "messages");
    let message_at = At::Index(&list, message.index);
    let calls_at = At::Key(&message_at, "tool_calls");
    out.key("tool_calls").try_array(|out| {
        for (index, call) in calls.items().enumerate() {
            let at = At::Index(&calls_at, index);
            let kind = call.get("type").and_then(Value::as_str).unwrap_or(Cow::Borrowed("function"));
            if !ledger.judge(Group::ToolCall, &kind, at, false)? {
                continue;
            }
            match call.get("function") {
                Some(function) => {
                    let name = function.get("name");
                    called.note(call, name);
                    put_call(out, call, name, &call_arguments(function, at)?);
                }
                None => out.raw(call.raw()),
            }
        }
        Ok(())
    })
}
