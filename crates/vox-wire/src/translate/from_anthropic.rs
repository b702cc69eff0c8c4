//! Anthropic messages, judged and sorted for a dialect that has a message of its own for each tool result.

use super::Untranslatable;
use super::ledger::{At, Ledger};
use super::verdicts::Group;
use crate::chat::signed_by_vox;
use crate::json::{Kind, Out, Value};
use std::borrow::Cow;

/// The blocks of one message by where they go.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    pub(super) texts: Vec<Value<'a>>,
    /// Texts, images and blocks copied as they are, in order, with the place of each.
    pub(super) parts: Vec<(Value<'a>, usize)>,
    pub(super) calls: Vec<Value<'a>>,
    /// Reasoning without a signature of a provider's own.
    pub(super) thoughts: Vec<Value<'a>>,
    pub(super) results: Vec<ToolResult<'a>>,
}

/// What a tool returned.
pub(super) struct ToolResult<'a> {
    pub(super) block: Value<'a>,
    pub(super) failed: bool,
    pub(super) texts: Vec<Value<'a>>,
}

/// Returns the role and content of a message that is to be written.
pub(super) fn judge_message<'a>(
    ledger: &mut Ledger<'_>,
    message: Value<'a>,
    at: At<'_>,
) -> Result<Option<(Cow<'a, str>, Value<'a>)>, Untranslatable> {
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    if !ledger.judge(Group::Role, &role, At::Key(&at, "role"), false)? {
        return Ok(None);
    }
    let mut content = None;
    for (key, value) in message.entries().filter(|(key, value)| key != "role" && !value.is_null()) {
        if ledger.judge(Group::Message, &key, At::Key(&at, &key), false)? && key == "content" {
            content = Some(value);
        }
    }
    Ok(content.map(|content| (role, content)))
}

/// Returns the texts of `system`.
pub(super) fn system_texts<'a>(ledger: &mut Ledger<'_>, system: Value<'a>) -> Result<Vec<Value<'a>>, Untranslatable> {
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
    Ok(texts)
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

/// Judges the blocks of a message and sorts them by where they go.
pub(super) fn sort<'a>(ledger: &mut Ledger<'_>, blocks: Value<'a>, at: At<'_>) -> Result<Sorted<'a>, Untranslatable> {
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
            // Reasoning goes back only to the provider that signed it; what vox signed, nobody did.
            "thinking" if signed_by_vox(block) => sorted.thoughts.extend(block.get("thinking")),
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

/// Writes the texts of a result as one, saying so where it failed.
pub(super) fn put_result_text(out: &mut Out, result: &ToolResult<'_>) {
    match (result.failed, result.texts.is_empty()) {
        (true, true) => out.str("error"),
        (true, false) => put_joined(out, "error: ", &result.texts, "\\n"),
        (false, _) => put_joined(out, "", &result.texts, "\\n"),
    }
}

/// Writes texts as one; `prefix` and `between` are escaped already.
pub(super) fn put_joined(out: &mut Out, prefix: &'static str, texts: &[Value<'_>], between: &'static str) {
    let pieces = texts.iter().enumerate().flat_map(|(at, text)| [if at == 0 { prefix } else { between }, text.raw_inner()]);
    out.str_of_raw(pieces);
}
