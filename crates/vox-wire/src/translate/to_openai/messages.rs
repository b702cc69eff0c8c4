//! Anthropic `system` and `messages` as messages of OpenAI chat.

use crate::json::{Kind, Out, Value};
use crate::translate::from_anthropic::{Sorted, ToolResult, judge_message, put_joined, put_result_text, sort, system_texts};
use crate::translate::ledger::{At, Ledger};
use crate::translate::media::put_openai_image;
use crate::translate::{Target, Untranslatable};
use std::borrow::Cow;

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
    let texts = system_texts(ledger, system)?;
    if !texts.is_empty() {
        out.object(|out| {
            out.key("role").str("system");
            out.key("content");
            put_joined(out, "", &texts, "\\n\\n");
        });
    }
    Ok(())
}

fn put_message(ledger: &mut Ledger<'_>, out: &mut Out, message: Value<'_>, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    let Some((role, content)) = judge_message(ledger, message, at)? else { return Ok(()) };
    if content.kind() == Kind::String {
        put_turn(out, &role, |out| out.raw(content.raw()));
        return Ok(());
    }
    let at = At::Key(&at, "content");
    let sorted = sort(ledger, content, at)?;
    if role == "assistant" {
        return put_assistant(out, &sorted, target, at);
    }
    put_results(out, &sorted.results);
    put_user(out, &role, &sorted, target, at)
}

fn put_turn(out: &mut Out, role: &str, content: impl FnOnce(&mut Out)) {
    out.object(|out| {
        out.key("role").str(role);
        out.key("content");
        content(out);
    });
}

fn put_results(out: &mut Out, results: &[ToolResult<'_>]) {
    for result in results {
        out.object(|out| {
            out.key("role").str("tool");
            out.key("tool_call_id").raw(result.block.get("tool_use_id").map_or("\"\"", Value::raw));
            out.key("content");
            put_result_text(out, result);
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
