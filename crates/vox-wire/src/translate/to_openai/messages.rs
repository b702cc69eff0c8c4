//! Anthropic `system` and `messages` as messages of OpenAI chat.

use crate::json::{Kind, Out, Value};
use crate::translate::ledger::{At, Ledger};
use crate::translate::media::put_openai_image;
use crate::translate::verdicts::Group;
use crate::translate::{Target, Untranslatable};
use std::borrow::Cow;

/// The blocks of one message by where they go.
#[derive(Default)]
struct Sorted<'a> {
    texts: Vec<Value<'a>>,
    /// Texts, images and blocks copied as they are, in order, with the place of each.
    parts: Vec<(Value<'a>, usize)>,
    calls: Vec<Value<'a>>,
    results: Vec<ToolResult<'a>>,
}

struct ToolResult<'a> {
    block: Value<'a>,
    failed: bool,
    texts: Vec<Value<'a>>,
}

pub(super) fn put(
    ledger: &mut Ledger<'_>,
    out: &mut Out,
    system: Option<Value<'_>>,
    messages: Option<Value<'_>>,
    target: &Target,
) -> Result<(), Untranslatable> {
    out.key("messages").try_array(|out| {
        if let Some(system) = system {
            put_system(ledger, out, system)?;
        }
        let list = At::Key(&At::Root, "messages");
        messages
            .into_iter()
            .flat_map(Value::items)
            .enumerate()
            .try_for_each(|(index, message)| put_message(ledger, out, message, target, At::Index(&list, index)))
    })
}

/// Several system blocks are one message, because many providers take no more than one.
fn put_system(ledger: &mut Ledger<'_>, out: &mut Out, system: Value<'_>) -> Result<(), Untranslatable> {
    let at = At::Key(&At::Root, "system");
    let mut texts = Vec::new();
    if system.kind() == Kind::String {
        texts.push(system);
    }
    for (index, block) in system.items().enumerate() {
        let at = At::Index(&at, index);
        if judge_block(ledger, block, at)? {
            judge_fields(ledger, block, &["text"], at)?;
            texts.extend(block.get("text"));
        }
    }
    if texts.len() > 1 {
        ledger.converted(Group::Request, "system");
    }
    if !texts.is_empty() {
        out.object(|out| {
            out.key("role").str("system");
            out.key("content");
            put_joined(out, "", &texts, "\\n\\n");
        });
    }
    Ok(())
}

fn put_joined(out: &mut Out, prefix: &'static str, texts: &[Value<'_>], between: &'static str) {
    let pieces = texts.iter().enumerate().flat_map(|(at, text)| [if at == 0 { prefix } else { between }, text.raw_inner()]);
    out.str_of_raw(pieces);
}

fn put_message(ledger: &mut Ledger<'_>, out: &mut Out, message: Value<'_>, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    if !ledger.judge(Group::Role, &role, At::Key(&at, "role"), false)? {
        return Ok(());
    }
    let mut content = None;
    for (key, value) in message.entries().filter(|(key, value)| key != "role" && !value.is_null()) {
        if ledger.judge(Group::Message, &key, At::Key(&at, &key), false)? && key == "content" {
            content = Some(value);
        }
    }
    match content {
        Some(text) if text.kind() == Kind::String => put_turn(out, &role, |out| out.raw(text.raw())),
        Some(blocks) => {
            let at = At::Key(&at, "content");
            let sorted = sort(ledger, blocks, at)?;
            if role == "assistant" {
                put_assistant(out, &sorted, target, at)?;
            } else {
                put_results(out, &sorted.results);
                put_user(out, &role, &sorted, target, at)?;
            }
        }
        None => {}
    }
    Ok(())
}

fn put_turn(out: &mut Out, role: &str, content: impl FnOnce(&mut Out)) {
    out.object(|out| {
        out.key("role").str(role);
        out.key("content");
        content(out);
    });
}

fn judge_block(ledger: &mut Ledger<'_>, block: Value<'_>, at: At<'_>) -> Result<bool, Untranslatable> {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    ledger.judge(Group::Block, &kind, At::Key(&at, "type"), false)
}

/// Judges what a block holds besides the fields that make up its kind, and returns whether `is_error` says so.
fn judge_fields(ledger: &mut Ledger<'_>, block: Value<'_>, own: &[&str], at: At<'_>) -> Result<bool, Untranslatable> {
    let mut failed = false;
    for (key, value) in block.entries().filter(|(key, value)| key != "type" && !own.contains(&key.as_ref()) && !value.is_null()) {
        let says_nothing = matches!(value.raw(), "false" | "[]");
        let kept = ledger.judge(Group::BlockField, &key, At::Key(&at, &key), says_nothing)?;
        failed |= kept && key == "is_error" && value.as_bool() == Some(true);
    }
    Ok(failed)
}

fn sort<'a>(ledger: &mut Ledger<'_>, blocks: Value<'a>, at: At<'_>) -> Result<Sorted<'a>, Untranslatable> {
    let mut sorted = Sorted::default();
    for (index, block) in blocks.items().enumerate() {
        let at = At::Index(&at, index);
        if !judge_block(ledger, block, at)? {
            continue;
        }
        match block.get("type").and_then(Value::as_str).unwrap_or_default().as_ref() {
            "text" => {
                judge_fields(ledger, block, &["text"], at)?;
                sorted.texts.extend(block.get("text"));
                sorted.parts.push((block, index));
            }
            "tool_use" => {
                judge_fields(ledger, block, &["id", "name", "input"], at)?;
                sorted.calls.push(block);
            }
            "tool_result" => tool_result(ledger, &mut sorted, block, index, at)?,
            // Reasoning goes back only to the provider that signed it.
            "thinking" | "redacted_thinking" => {}
            "image" => {
                judge_fields(ledger, block, &["source"], at)?;
                sorted.parts.push((block, index));
            }
            _ => sorted.parts.push((block, index)),
        }
    }
    Ok(sorted)
}

/// Texts of a result are its content; images, which a tool message cannot hold, follow as the user's.
fn tool_result<'a>(
    ledger: &mut Ledger<'_>,
    sorted: &mut Sorted<'a>,
    block: Value<'a>,
    index: usize,
    at: At<'_>,
) -> Result<(), Untranslatable> {
    let failed = judge_fields(ledger, block, &["tool_use_id", "content"], at)?;
    let content = block.get("content");
    let mut texts: Vec<_> = content.into_iter().filter(|content| content.kind() == Kind::String).collect();
    let content_at = At::Key(&at, "content");
    for (inner_index, inner) in content.into_iter().flat_map(Value::items).enumerate() {
        let at = At::Index(&content_at, inner_index);
        if !judge_block(ledger, inner, at)? {
            continue;
        }
        if let Some(text) = inner.get("text").filter(|_| inner.get("type").is_some_and(|kind| kind.is_str("text"))) {
            judge_fields(ledger, inner, &["text"], at)?;
            texts.push(text);
        } else {
            judge_fields(ledger, inner, &["source"], at)?;
            ledger.converted(Group::Block, "tool_result");
            sorted.parts.push((inner, index));
        }
    }
    sorted.results.push(ToolResult { block, failed, texts });
    Ok(())
}

fn put_results(out: &mut Out, results: &[ToolResult<'_>]) {
    for result in results {
        out.object(|out| {
            out.key("role").str("tool");
            out.key("tool_call_id").raw(result.block.get("tool_use_id").map_or("\"\"", Value::raw));
            out.key("content");
            match (result.failed, result.texts.is_empty()) {
                (true, true) => out.str("error"),
                (true, false) => put_joined(out, "error: ", &result.texts, "\\n"),
                (false, _) => put_joined(out, "", &result.texts, "\\n"),
            }
        });
    }
}

fn put_user(out: &mut Out, role: &str, sorted: &Sorted<'_>, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    match (sorted.parts.as_slice(), sorted.texts.as_slice()) {
        ([], _) if sorted.results.is_empty() => put_turn(out, role, |out| out.str("")),
        ([], _) => {}
        ([_], [text]) => put_turn(out, role, |out| out.raw(text.raw())),
        (parts, _) => out.try_object(|out| {
            out.key("role").str(role);
            out.key("content").try_array(|out| parts.iter().try_for_each(|part| put_part(out, *part, target, at)))
        })?,
    }
    Ok(())
}

fn put_part(out: &mut Out, (block, index): (Value<'_>, usize), target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    match block.get("type").and_then(Value::as_str).unwrap_or(Cow::Borrowed("")).as_ref() {
        "text" => out.object(|out| {
            out.key("type").str("text");
            out.key("text").raw(block.get("text").map_or("\"\"", Value::raw));
        }),
        "image" => put_openai_image(out, block, target, At::Index(&at, index))?,
        _ => out.raw(block.raw()),
    }
    Ok(())
}

fn put_assistant(out: &mut Out, sorted: &Sorted<'_>, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    if sorted.parts.is_empty() && sorted.calls.is_empty() {
        return Ok(());
    }
    out.try_object(|out| {
        out.key("role").str("assistant");
        out.key("content");
        if sorted.parts.is_empty() {
            out.raw("null");
        } else if sorted.parts.len() == sorted.texts.len() {
            put_joined(out, "", &sorted.texts, "");
        } else {
            out.try_array(|out| sorted.parts.iter().try_for_each(|part| put_part(out, *part, target, at)))?;
        }
        if !sorted.calls.is_empty() {
            out.key("tool_calls").array(|out| sorted.calls.iter().for_each(|call| put_call(out, *call)));
        }
        Ok(())
    })
}

fn put_call(out: &mut Out, call: Value<'_>) {
    out.object(|out| {
        out.key("id").raw(call.get("id").map_or("\"\"", Value::raw));
        out.key("type").str("function");
        out.key("function").object(|out| {
            out.key("name").raw(call.get("name").map_or("\"\"", Value::raw));
            out.key("arguments").str(call.get("input").map_or("{}", Value::raw));
        });
    });
}
