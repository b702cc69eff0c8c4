//! What a request needs, from its structure alone.

use crate::Dialect;
use crate::json::{Document, Kind, Value};

/// What whoever answers a request must be able to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Tools of the caller's own are offered to the model.
    pub tools: bool,
    /// A message holds an image.
    pub images: bool,
    /// A message holds sound, or sound is wanted.
    pub audio: bool,
    /// A message holds a document.
    pub files: bool,
    /// The answer must be JSON, with or without a schema.
    pub json: bool,
    /// Reasoning is asked for.
    pub reasoning: bool,
    /// The provider shall search the web.
    pub web_search: bool,
    /// Probabilities of tokens are wanted.
    pub logprobs: bool,
    /// Answers wanted at once.
    pub n_choices: u64,
    /// Messages in the conversation.
    pub n_messages: usize,
    /// Tools offered.
    pub n_tools: usize,
    /// Images in all messages.
    pub n_images: usize,
    /// Bytes of the request body.
    pub input_bytes: u64,
}

impl Needs {
    /// Reads the needs of a request body.
    pub(super) fn read(dialect: Dialect, document: &Document) -> Self {
        let input_bytes = document.bytes().len() as u64;
        let mut needs = Self { n_choices: 1, input_bytes, ..Self::default() };
        for (key, value) in document.root().entries() {
            match key.as_ref() {
                "messages" => needs.messages(value),
                "tools" => needs.offered_tools(value),
                "functions" if dialect == Dialect::Openai => needs.offered_tools(value),
                other if dialect == Dialect::Openai => needs.openai(other, value),
                other => needs.anthropic(other, value),
            }
        }
        needs
    }

    fn openai(&mut self, key: &str, value: Value<'_>) {
        match key {
            "n" => self.n_choices = value.as_u64().unwrap_or(1),
            "logprobs" => self.logprobs = value.as_bool() == Some(true),
            "response_format" => self.json = value.get("type").is_some_and(|kind| !kind.is_str("text")),
            "reasoning_effort" => self.reasoning |= !value.is_null() && !value.is_str("none"),
            "reasoning" => self.reasoning |= value.kind() == Kind::Object,
            "web_search_options" => self.web_search |= !value.is_null(),
            "modalities" => self.audio |= value.items().any(|item| item.is_str("audio")),
            _ => {}
        }
    }

    fn anthropic(&mut self, key: &str, value: Value<'_>) {
        match key {
            "thinking" => self.reasoning |= value.get("type").is_some_and(|kind| !kind.is_str("disabled")),
            "output_format" => self.json |= !value.is_null(),
            "output_config" => self.json |= value.get("format").is_some_and(|format| !format.is_null()),
            _ => {}
        }
    }

    /// Tools that run at the provider are not the caller's own; the only one told apart is the search.
    fn offered_tools(&mut self, tools: Value<'_>) {
        for tool in tools.items() {
            let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
            if kind.starts_with("web_search") {
                self.web_search = true;
            } else {
                self.n_tools += 1;
                self.tools = true;
            }
        }
    }

    fn messages(&mut self, messages: Value<'_>) {
        for message in messages.items() {
            self.n_messages += 1;
            if let Some(content) = message.get("content") {
                self.content(content);
            }
        }
    }

    fn content(&mut self, content: Value<'_>) {
        for block in content.items() {
            let Some(kind) = block.get("type").and_then(Value::as_str) else { continue };
            match kind.as_ref() {
                "image_url" | "image" => {
                    self.images = true;
                    self.n_images += 1;
                }
                "input_audio" => self.audio = true,
                "file" | "document" => self.files = true,
                "tool_result" => block.get("content").into_iter().for_each(|inner| self.content(inner)),
                _ => {}
            }
        }
    }
}
