//! A conversation in one form for all dialects, as bytes for a digest: the same turns give the same bytes, however a
//! client's library spells them.
//!
//! Left out is what changes without the conversation changing: markers for caches, ids, reasoning, and lines of the
//! system text that the caller of this function calls volatile. Every piece begins with a letter and its length, so
//! that two conversations never give the same bytes by accident of where one piece ends.

use super::Chat;
use crate::Dialect;
use crate::json::{Document, Kind, Value};
use bytes::Bytes;

/// Longer encoded data counts by its length and its ends.
const ENCODED_BYTES: usize = 256;

/// Takes the bytes of a conversation in.
pub trait Digester {
    /// Takes in the next bytes.
    fn bytes(&mut self, bytes: &[u8]);
    /// What was taken in since the last end was the system text and the tools.
    fn end_of_head(&mut self);
    /// What was taken in since the last end was one message.
    fn end_of_message(&mut self, is_assistant: bool);
}

impl Chat {
    /// Hands a conversation over in its neutral form: system text and tools first, then message by message.
    pub fn neutral(&self, is_volatile: &dyn Fn(&str) -> bool, out: &mut dyn Digester) {
        let mut writer = Writer { out, is_volatile };
        let root = self.document.root();
        let messages = root.get("messages");
        let mut rest = messages.into_iter().flat_map(Value::items).peekable();
        if self.dialect == Dialect::Anthropic {
            root.get("system").into_iter().for_each(|system| writer.system(system));
        }
        while let Some(system) = rest.next_if(|message| role(*message) == Role::System) {
            system.get("content").into_iter().for_each(|content| writer.system(content));
        }
        root.get("tools").into_iter().flat_map(Value::items).for_each(|tool| writer.tool(tool));
        writer.out.end_of_head();
        rest.for_each(|message| writer.message(message));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    System,
    User,
    Assistant,
    Tool,
}

fn role(message: Value<'_>) -> Role {
    let is = |name: &str| message.get("role").is_some_and(|role| role.is_str(name));
    match () {
        () if is("assistant") => Role::Assistant,
        () if is("tool") || is("function") => Role::Tool,
        () if is("system") || is("developer") => Role::System,
        () => Role::User,
    }
}

struct Writer<'a> {
    out: &'a mut dyn Digester,
    is_volatile: &'a dyn Fn(&str) -> bool,
}

impl Writer<'_> {
    fn piece(&mut self, letter: u8, text: &str) {
        let mut head = [letter; 9];
        head[1..].copy_from_slice(&(text.len() as u64).to_le_bytes());
        self.out.bytes(&head);
        self.out.bytes(text.as_bytes());
    }

    fn system(&mut self, content: Value<'_>) {
        let parts = content.items().filter_map(|block| block.get("text"));
        for text in std::iter::once(content).chain(parts).filter_map(Value::as_str) {
            for line in text.lines().filter(|line| !(self.is_volatile)(line)) {
                self.piece(b's', line);
            }
        }
    }

    /// A tool is `{name, description, input_schema}` in one dialect, and under `function` with `parameters` in the other.
    fn tool(&mut self, tool: Value<'_>) {
        let tool = tool.get("function").unwrap_or(tool);
        for key in ["name", "description"] {
            self.piece(b'd', &tool.get(key).and_then(Value::as_str).unwrap_or_default());
        }
        match tool.get("parameters").or_else(|| tool.get("input_schema")) {
            Some(schema) => self.json(schema),
            None => self.piece(b'0', ""),
        }
    }

    /// One message; results of tools are messages of their own, as they are in the dialects that have a role for them.
    fn message(&mut self, message: Value<'_>) {
        let role = role(message);
        let content = message.get("content");
        if role == Role::Tool {
            return self.result(content);
        }
        let blocks = || content.into_iter().flat_map(Value::items);
        blocks().filter(|block| is_type(*block, "tool_result")).for_each(|result| self.result(result.get("content")));
        let mut n_pieces = 0;
        if let Some(text) = content.and_then(Value::as_str).filter(|text| !text.is_empty()) {
            self.piece(b't', &text);
            n_pieces += 1;
        }
        for block in blocks().filter(|block| !is_type(*block, "tool_result") && !is_reasoning(*block) && !is_empty(*block)) {
            self.block(block);
            n_pieces += 1;
        }
        for call in message.get("tool_calls").into_iter().flat_map(Value::items).filter_map(|call| call.get("function")) {
            self.call(call.get("name"), call.get("arguments"));
            n_pieces += 1;
        }
        if n_pieces > 0 {
            self.piece(b'r', if role == Role::System { "system" } else { "" });
            self.out.end_of_message(role == Role::Assistant);
        }
    }

    fn result(&mut self, content: Option<Value<'_>>) {
        if let Some(text) = content.and_then(Value::as_str) {
            self.piece(b't', &text);
        }
        content.into_iter().flat_map(Value::items).for_each(|block| self.block(block));
        self.piece(b'r', "tool");
        self.out.end_of_message(false);
    }

    fn block(&mut self, block: Value<'_>) {
        if let Some(text) = block.get("text").and_then(Value::as_str) {
            self.piece(b't', &text);
        } else if is_type(block, "tool_use") {
            self.call(block.get("name"), block.get("input"));
        } else if let Some(url) = block.get("image_url").and_then(|image| image.get("url").or(Some(image))).and_then(Value::as_str) {
            self.image(url.rsplit_once(";base64,").map_or(&*url, |(_, data)| data));
        } else if let Some(data) =
            block.get("source").and_then(|source| source.get("data").or_else(|| source.get("url"))).and_then(Value::as_str)
        {
            self.image(&data);
        } else {
            self.piece(b'b', block.raw());
        }
    }

    fn image(&mut self, data: &str) {
        if data.len() <= ENCODED_BYTES || !data.is_ascii() {
            return self.piece(b'i', data);
        }
        self.piece(b'i', &data[..ENCODED_BYTES / 2]);
        self.piece(b'i', &data[data.len() - ENCODED_BYTES / 2..]);
        self.piece(b'i', &data.len().to_string());
    }

    /// The arguments of a call are JSON in one dialect, and text that holds JSON in the other.
    fn call(&mut self, name: Option<Value<'_>>, arguments: Option<Value<'_>>) {
        self.piece(b'c', &name.and_then(Value::as_str).unwrap_or_default());
        let Some(arguments) = arguments else { return };
        let Some(text) = arguments.as_str() else { return self.json(arguments) };
        match Document::parse(Bytes::copy_from_slice(if text.trim().is_empty() { b"{}" } else { text.as_bytes() })) {
            Ok(document) => self.json(document.root()),
            Err(_) => self.piece(b'j', &text),
        }
    }

    /// A value of JSON without the space between its tokens, and without an order of keys.
    fn json(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::Object => {
                self.piece(b'{', "");
                let mut members: Vec<_> = value.entries().collect();
                members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                for (key, value) in members {
                    self.piece(b'k', &key);
                    self.json(value);
                }
                self.piece(b'}', "");
            }
            Kind::Array => {
                self.piece(b'[', "");
                value.items().for_each(|item| self.json(item));
                self.piece(b']', "");
            }
            Kind::String => self.piece(b'v', &value.as_str().unwrap_or_default()),
            Kind::Null | Kind::Bool | Kind::Number => self.piece(b'n', value.raw()),
        }
    }
}

fn is_type(block: Value<'_>, name: &str) -> bool {
    block.get("type").is_some_and(|kind| kind.is_str(name))
}

fn is_empty(block: Value<'_>) -> bool {
    block.get("text").is_some_and(|text| text.is_str(""))
}

fn is_reasoning(block: Value<'_>) -> bool {
    is_type(block, "thinking") || is_type(block, "redacted_thinking")
}
