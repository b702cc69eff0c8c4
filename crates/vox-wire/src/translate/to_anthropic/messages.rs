//! Messages of OpenAI chat as Anthropic `system` and `messages`.

use crate::json::{Kind, Out, Value};
use crate::translate::from_openai::{Message, call_arguments, judge};
use crate::translate::ledger::{At, Ledger};
use crate::translate::media::{anthropic_tool_id, put_anthropic_image};
use crate::translate::verdicts::Group;
use crate::translate::{Target, Untranslatable};
use std::borrow::Cow;

/// Returns whether the conversation waits for a model that has called tools: no user has spoken since.
pub(super) fn ends_in_unsigned_tool_calls(messages: Value<'_>) -> bool {
    let is = |message: &Value<'_>, role| message.get("role").is_some_and(|other| other.is_str(role));
    messages.items().fold(false, |waiting, message| match () {
        () if is(&message, "user") => false,
        () if is(&message, "assistant") => message.get("tool_calls").is_some_and(|calls| calls.items().next().is_some()),
        () => waiting,
    })
}

pub(super) fn put(ledger: &mut Ledger<'_>, out: &mut Out, messages: Value<'_>, target: &Target) -> Result<(), Untranslatable> {
    let mut judged = Vec::new();
    for (index, message) in messages.items().enumerate() {
        judged.extend(judge(ledger, message, index)?);
    }
    let is_system = |message: &Message<'_>| matches!(message.role.as_ref(), "system" | "developer");
    let n_leading = judged.iter().take_while(|message| is_system(message)).count();
    let (leading, rest) = judged.split_at(n_leading);
    if !leading.is_empty() {
        out.key("system").try_array(|out| leading.iter().try_for_each(|message| put_content(ledger, out, message, target)))?;
    }
    out.key("messages").try_array(|out| {
        let mut rest = rest;
        while let Some(first) = rest.first() {
            let n_results = rest.iter().take_while(|message| message.role == "tool").count();
            let (group, behind) = rest.split_at(n_results.max(1));
            match first.role.as_ref() {
                "tool" => put_results(ledger, out, group, target)?,
                "assistant" => put_assistant(ledger, out, first, target)?,
                role @ ("system" | "developer") => {
                    ledger.converted(Group::Role, role);
                    put_message(out, "user", first, |out| put_content_field(ledger, out, first, target))?;
                }
                role => put_message(out, role, first, |out| put_content_field(ledger, out, first, target))?,
            }
            rest = behind;
        }
        Ok(())
    })
}

fn put_message(
    out: &mut Out,
    role: &str,
    message: &Message<'_>,
    content: impl FnOnce(&mut Out) -> Result<(), Untranslatable>,
) -> Result<(), Untranslatable> {
    out.try_object(|out| {
        out.key("role").str(role);
        message.others.iter().for_each(|(key, value)| out.key(key).raw(value.raw()));
        out.key("content");
        content(out)
    })
}

/// Writes the content as it stands: text as text, parts as blocks.
fn put_content_field(ledger: &mut Ledger<'_>, out: &mut Out, message: &Message<'_>, target: &Target) -> Result<(), Untranslatable> {
    match message.content {
        Some(content) if content.kind() == Kind::String => {
            out.raw(content.raw());
            Ok(())
        }
        _ => out.try_array(|out| put_content(ledger, out, message, target)),
    }
}

/// Writes the content as blocks; empty text, which Anthropic refuses, is none.
fn put_content(ledger: &mut Ledger<'_>, out: &mut Out, message: &Message<'_>, target: &Target) -> Result<(), Untranslatable> {
    let Some(content) = message.content else { return Ok(()) };
    if content.kind() == Kind::String {
        put_text(out, content);
        return Ok(());
    }
    let list = At::Key(&At::Root, "messages");
    let message_at = At::Index(&list, message.index);
    let content_at = At::Key(&message_at, "content");
    content.items().enumerate().try_for_each(|(index, block)| put_block(ledger, out, block, target, At::Index(&content_at, index)))
}

fn put_text(out: &mut Out, text: Value<'_>) {
    if !text.raw_inner().is_empty() {
        out.object(|out| {
            out.key("type").str("text");
            out.key("text").raw(text.raw());
        });
    }
}

fn put_block(ledger: &mut Ledger<'_>, out: &mut Out, block: Value<'_>, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    if !ledger.judge(Group::Block, &kind, At::Key(&at, "type"), false)? {
        return Ok(());
    }
    match (kind.as_ref(), block.get(&kind)) {
        ("text" | "refusal", Some(text)) => out.try_object(|out| {
            out.key("type").str("text");
            out.key("text").raw(text.raw());
            put_block_fields(ledger, out, block, &kind, at)
        }),
        ("image_url", Some(image)) => {
            for (key, value) in image.entries().filter(|(key, _)| key != "url") {
                ledger.judge(Group::BlockField, &key, At::Key(&At::Key(&at, "image_url"), &key), value.is_str("auto"))?;
            }
            put_anthropic_image(out, &image.get("url").and_then(Value::as_str).unwrap_or_default(), target, at)
        }
        _ => {
            out.raw(block.raw());
            Ok(())
        }
    }
}

fn put_block_fields(ledger: &mut Ledger<'_>, out: &mut Out, block: Value<'_>, kind: &str, at: At<'_>) -> Result<(), Untranslatable> {
    for (key, value) in block.entries().filter(|(key, value)| key != "type" && key != kind && !value.is_null()) {
        if ledger.judge(Group::BlockField, &key, At::Key(&at, &key), false)? {
            out.key(&key).raw(value.raw());
        }
    }
    Ok(())
}

/// Several tool messages are one user message with their results in the same order.
fn put_results(ledger: &mut Ledger<'_>, out: &mut Out, results: &[Message<'_>], target: &Target) -> Result<(), Untranslatable> {
    out.try_object(|out| {
        out.key("role").str("user");
        out.key("content").try_array(|out| {
            results.iter().try_for_each(|message| {
                out.try_object(|out| {
                    out.key("type").str("tool_result");
                    let id = message.tool_call_id.and_then(Value::as_str).unwrap_or_default();
                    out.key("tool_use_id").str(&anthropic_tool_id(&id));
                    message.others.iter().for_each(|(key, value)| out.key(key).raw(value.raw()));
                    out.key("content");
                    put_content_field(ledger, out, message, target)
                })
            })
        })
    })
}

fn put_assistant(ledger: &mut Ledger<'_>, out: &mut Out, message: &Message<'_>, target: &Target) -> Result<(), Untranslatable> {
    let n_calls = message.tool_calls.map_or(0, |calls| calls.items().count());
    let has_text = message.content.is_some_and(|content| !content.raw_inner().is_empty() || content.items().next().is_some());
    if n_calls == 0 && !has_text && message.refusal.is_none() {
        ledger.converted(Group::Message, "content");
        return Ok(());
    }
    put_message(out, "assistant", message, |out| {
        if n_calls == 0 && message.refusal.is_none() {
            return put_content_field(ledger, out, message, target);
        }
        out.try_array(|out| {
            put_content(ledger, out, message, target)?;
            message.refusal.into_iter().for_each(|refusal| put_text(out, refusal));
            put_calls(ledger, out, message)
        })
    })
}

fn put_calls(ledger: &mut Ledger<'_>, out: &mut Out, message: &Message<'_>) -> Result<(), Untranslatable> {
    let list = At::Key(&At::Root, "messages");
    let message_at = At::Index(&list, message.index);
    let calls_at = At::Key(&message_at, "tool_calls");
    for (index, call) in message.tool_calls.into_iter().flat_map(Value::items).enumerate() {
        let at = At::Index(&calls_at, index);
        let kind = call.get("type").and_then(Value::as_str).unwrap_or(Cow::Borrowed("function"));
        if ledger.judge(Group::ToolCall, &kind, at, false)? {
            match call.get("function") {
                Some(function) => put_call(out, call, function, at)?,
                None => out.raw(call.raw()),
            }
        }
    }
    Ok(())
}

fn put_call(out: &mut Out, call: Value<'_>, function: Value<'_>, at: At<'_>) -> Result<(), Untranslatable> {
    let arguments = call_arguments(function, at)?;
    out.object(|out| {
        out.key("type").str("tool_use");
        let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
        out.key("id").str(&anthropic_tool_id(&id));
        out.key("name").raw(function.get("name").map_or("\"\"", Value::raw));
        out.key("input").raw(&arguments);
    });
    Ok(())
}
