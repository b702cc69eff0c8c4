//! The ends of a conversation: what the user wrote last, how the system text begins, which tools were called of late.
//!
//! Bounded whatever the size of the request: texts are cut before they are decoded, and only the last messages are
//! looked at.

use super::Chat;
use crate::Dialect;
use crate::json::{Kind, Value};
use std::borrow::Cow;

/// Messages looked at, from the end: at least this many and less than twice as many.
pub(super) const LATE_MESSAGES: usize = 64;
/// Different tools that are told apart.
const MAX_TOOLS: usize = 16;

/// The ends of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt<'a> {
    /// The end of the last text that the user wrote; empty if it lies far back.
    pub user_text: Cow<'a, str>,
    /// Whether that text begins before what is given here.
    pub is_cut: bool,
    /// Images beside that text.
    pub n_images: usize,
    /// The beginning of the system text.
    pub system_text: Cow<'a, str>,
    /// Different tools that the last messages call.
    pub n_tools_called: usize,
    /// Whether the last message brings results of tools.
    pub in_tool_loop: bool,
    /// Whether one of these results is an error.
    pub tool_failed: bool,
}

impl Chat {
    /// Returns the ends of the conversation: at most this many bytes of the user's last text and of the system text.
    #[must_use]
    pub fn excerpt(&self, user_bytes: usize, system_bytes: usize) -> Excerpt<'_> {
        let root = self.document.root();
        let messages = root.get("messages");
        let late = messages.zip(self.late).into_iter().flat_map(|(messages, place)| messages.items_from(place));
        let last: Vec<Value<'_>> = late.collect();
        let mut excerpt = Excerpt { n_tools_called: tools_called(&last), ..Excerpt::default() };
        let system = match self.dialect {
            Dialect::Anthropic => root.get("system"),
            Dialect::Openai | Dialect::Ollama => {
                messages.into_iter().flat_map(Value::items).next().filter(|first| is_role(*first, &["system", "developer"]))
            }
        };
        let content = system.map(|system| system.get("content").unwrap_or(system));
        excerpt.system_text = content.map_or_else(Cow::default, |content| beginning(content, system_bytes));
        let results = last.iter().rev().take_while(|message| is_result(**message));
        for message in results {
            excerpt.in_tool_loop = true;
            excerpt.tool_failed |= has_failed(*message);
        }
        if let Some(said) = last.iter().rev().find(|message| is_role(**message, &["user"]) && texts(**message).next().is_some()) {
            (excerpt.user_text, excerpt.is_cut) = end(*said, user_bytes);
            excerpt.n_images = blocks(*said).filter(|block| is_type(*block, &["image", "image_url"])).count();
        }
        excerpt
    }
}

fn is_role(message: Value<'_>, roles: &[&str]) -> bool {
    message.get("role").is_some_and(|role| roles.iter().any(|name| role.is_str(name)))
}

fn is_type(block: Value<'_>, kinds: &[&str]) -> bool {
    block.get("type").is_some_and(|kind| kinds.iter().any(|name| kind.is_str(name)))
}

fn blocks(message: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    message.get("content").into_iter().flat_map(Value::items)
}

/// Returns whether a message brings results of tools, in either dialect.
fn is_result(message: Value<'_>) -> bool {
    is_role(message, &["tool"]) || (is_role(message, &["user"]) && blocks(message).any(|block| is_type(block, &["tool_result"])))
}

fn has_failed(message: Value<'_>) -> bool {
    blocks(message).any(|block| block.get("is_error").and_then(Value::as_bool) == Some(true))
}

/// Returns the texts of a message; what a client adds between tags of its own beside results of tools is not the user's.
fn texts(message: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    let beside_results = blocks(message).any(|block| is_type(block, &["tool_result"]));
    let whole = message.get("content").filter(|content| content.kind() == Kind::String);
    let parts = blocks(message).filter(|block| is_type(*block, &["text", "input_text"])).filter_map(|block| block.get("text"));
    whole.into_iter().chain(parts).filter(move |text| !(beside_results && text.str_start(1) == "<"))
}

/// Returns the end of a message's texts, and whether there is more before it.
fn end(message: Value<'_>, n_bytes: usize) -> (Cow<'_, str>, bool) {
    let texts: Vec<Value<'_>> = texts(message).collect();
    let is_cut = texts.iter().map(|text| text.n_bytes()).sum::<usize>() > n_bytes;
    if let [only] = texts.as_slice() {
        return (only.str_end(n_bytes), is_cut);
    }
    let (mut left, mut parts) = (n_bytes, Vec::new());
    for text in texts.iter().rev() {
        let part = text.str_end(left);
        left = left.saturating_sub(part.len());
        parts.push(part);
    }
    parts.reverse();
    (parts.join("\n").into(), is_cut)
}

/// Returns the beginning of a text, or of the texts of a list of blocks.
fn beginning(content: Value<'_>, n_bytes: usize) -> Cow<'_, str> {
    if content.kind() == Kind::String {
        return content.str_start(n_bytes);
    }
    let (mut left, mut all) = (n_bytes, String::new());
    for text in content.items().filter_map(|block| block.get("text")) {
        let part = text.str_start(left);
        left = left.saturating_sub(part.len());
        all.push_str(&part);
        all.push('\n');
        if left == 0 {
            break;
        }
    }
    all.into()
}

/// Counts the different tools called, up to a few.
fn tools_called(messages: &[Value<'_>]) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for message in messages.iter().rev().filter(|message| is_role(**message, &["assistant"])) {
        let openai = message.get("tool_calls").into_iter().flat_map(Value::items).filter_map(|call| call.get("function"));
        let anthropic = blocks(*message).filter(|block| is_type(*block, &["tool_use"]));
        for name in openai.chain(anthropic).filter_map(|call| call.get("name")).map(Value::raw_inner) {
            if !names.contains(&name) {
                names.push(name);
            }
            if names.len() == MAX_TOOLS {
                return MAX_TOOLS;
            }
        }
    }
    names.len()
}
