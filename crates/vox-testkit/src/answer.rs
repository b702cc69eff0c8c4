//! One answer of a model, written the way OpenAI or Anthropic would send it, whole or as a stream.

use crate::Reply;
use serde_json::{Value, json};

/// Token counts, in disjoint classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Input that was neither read from nor written to a cache.
    pub input: u64,
    /// Input read from a cache.
    pub cached: u64,
    /// Input written to a cache (five minutes).
    pub cache_write: u64,
    /// Output without reasoning.
    pub output: u64,
    /// Reasoning.
    pub reasoning: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { input: 10, cached: 0, cache_write: 0, output: 5, reasoning: 0 }
    }
}

/// One call of a tool.
#[derive(Debug, Clone)]
pub struct ToolUse {
    /// Id of the call.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments.
    pub arguments: Value,
}

/// What a model answers.
#[derive(Debug, Clone)]
pub struct Answer {
    model: String,
    pieces: Vec<String>,
    tools: Vec<ToolUse>,
    tokens: Option<Tokens>,
    finish: Option<(&'static str, &'static str)>,
}

impl Answer {
    /// Returns an answer of this text, streamed word by word.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let pieces = text.split_inclusive(' ').map(str::to_owned).collect();
        Self { model: "fake-model".into(), pieces, tools: Vec::new(), tokens: Some(Tokens::default()), finish: None }
    }

    /// Replaces the model name.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.model);
        self
    }

    /// Replaces the pieces the text is streamed in.
    #[must_use]
    pub fn pieces<S: Into<String>>(mut self, pieces: impl IntoIterator<Item = S>) -> Self {
        self.pieces = pieces.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a tool call.
    #[must_use]
    pub fn tool(mut self, id: &str, name: &str, arguments: Value) -> Self {
        self.tools.push(ToolUse { id: id.to_owned(), name: name.to_owned(), arguments });
        self
    }

    /// Replaces the usage.
    #[must_use]
    pub const fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Leaves the usage out.
    #[must_use]
    pub const fn without_usage(mut self) -> Self {
        self.tokens = None;
        self
    }

    /// Says that the answer stopped at the token limit.
    #[must_use]
    pub const fn at_the_limit(mut self) -> Self {
        self.finish = Some(("length", "max_tokens"));
        self
    }

    /// Returns a whole reply of `POST /chat/completions`.
    #[must_use]
    pub fn openai(&self) -> Reply {
        Reply::json(200, &self.openai_body())
    }

    /// Returns a streamed reply of `POST /chat/completions` that ends with usage and `[DONE]`.
    #[must_use]
    pub fn openai_stream(&self) -> Reply {
        Reply::sse(self.openai_events())
    }

    /// Returns a whole reply of `POST /messages`.
    #[must_use]
    pub fn anthropic(&self) -> Reply {
        Reply::json(200, &self.anthropic_body())
    }

    /// Returns a streamed reply of `POST /messages`.
    #[must_use]
    pub fn anthropic_stream(&self) -> Reply {
        Reply::sse(self.anthropic_events())
    }

    /// Returns the body of a whole OpenAI reply.
    #[must_use]
    pub fn openai_body(&self) -> Value {
        let text = self.pieces.concat();
        let mut message = json!({"role": "assistant", "content": if text.is_empty() { Value::Null } else { text.into() }});
        if !self.tools.is_empty() {
            message["tool_calls"] = self.tools.iter().map(|tool| openai_tool(tool, None)).collect();
        }
        let mut body = json!({
            "id": "chatcmpl-fake", "object": "chat.completion", "created": 1_795_262_400, "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish().0}],
        });
        if let Some(tokens) = self.tokens {
            body["usage"] = openai_usage(tokens);
        }
        body
    }

    /// Returns the events of an OpenAI stream: role, text, tools, finish, usage, `[DONE]`.
    #[must_use]
    pub fn openai_events(&self) -> Vec<String> {
        let chunk = |choices: Value, usage: Value| {
            let mut chunk = json!({
                "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_795_262_400, "model": self.model,
                "choices": choices,
            });
            if !usage.is_null() {
                chunk["usage"] = usage;
            }
            format!("data: {chunk}\n\n")
        };
        let delta = |delta: Value, finish: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null);
        let mut events = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
        events.extend(self.pieces.iter().map(|piece| delta(json!({"content": piece}), Value::Null)));
        for (index, tool) in self.tools.iter().enumerate() {
            events.push(delta(json!({"tool_calls": [openai_tool(tool, Some(index))]}), Value::Null));
        }
        events.push(delta(json!({}), self.finish().0.into()));
        events.extend(self.tokens.map(|tokens| chunk(json!([]), openai_usage(tokens))));
        events.push("data: [DONE]\n\n".into());
        events
    }

    /// Returns the body of a whole Anthropic reply.
    #[must_use]
    pub fn anthropic_body(&self) -> Value {
        let text = self.pieces.concat();
        let mut content = Vec::new();
        if !text.is_empty() {
            content.push(json!({"type": "text", "text": text}));
        }
        content
            .extend(self.tools.iter().map(|tool| json!({"type": "tool_use", "id": tool.id, "name": tool.name, "input": tool.arguments})));
        let mut body = json!({
            "id": "msg_fake", "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": self.finish().1, "stop_sequence": null,
        });
        if let Some(tokens) = self.tokens {
            body["usage"] = anthropic_usage(tokens);
        }
        body
    }

    /// Returns the events of an Anthropic stream, from `message_start` to `message_stop`.
    #[must_use]
    pub fn anthropic_events(&self) -> Vec<String> {
        let usage = self.tokens.map(anthropic_usage);
        let mut first = usage.clone().unwrap_or_else(|| json!({}));
        if usage.is_some() {
            first["output_tokens"] = json!(1);
        }
        let mut events = vec![named(&json!({"type": "message_start", "message": {
            "id": "msg_fake", "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": first,
        }}))];
        self.anthropic_blocks(&mut events);
        let mut delta = json!({"type": "message_delta", "delta": {"stop_reason": self.finish().1, "stop_sequence": null}});
        if let Some(usage) = usage {
            delta["usage"] = json!({"output_tokens": usage["output_tokens"]});
        }
        events.extend([named(&delta), named(&json!({"type": "message_stop"}))]);
        events
    }

    fn anthropic_blocks(&self, events: &mut Vec<String>) {
        let mut index = 0;
        let mut block = |start: Value, deltas: Vec<Value>| {
            events.push(named(&json!({"type": "content_block_start", "index": index, "content_block": start})));
            for delta in deltas {
                events.push(named(&json!({"type": "content_block_delta", "index": index, "delta": delta})));
            }
            events.push(named(&json!({"type": "content_block_stop", "index": index})));
            index += 1;
        };
        if !self.pieces.concat().is_empty() {
            let deltas = self.pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
            block(json!({"type": "text", "text": ""}), deltas);
        }
        for tool in &self.tools {
            let deltas = vec![json!({"type": "input_json_delta", "partial_json": tool.arguments.to_string()})];
            block(json!({"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}}), deltas);
        }
    }

    /// Returns the finish reason in OpenAI's and Anthropic's words.
    fn finish(&self) -> (&'static str, &'static str) {
        self.finish.unwrap_or(if self.tools.is_empty() { ("stop", "end_turn") } else { ("tool_calls", "tool_use") })
    }
}

fn named(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
}

fn openai_tool(tool: &ToolUse, index: Option<usize>) -> Value {
    let mut call = json!({"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments.to_string()}});
    if let Some(index) = index {
        call["index"] = json!(index);
    }
    call
}

/// OpenAI counts cached input inside the prompt and reasoning inside the completion.
fn openai_usage(tokens: Tokens) -> Value {
    let (prompt, completion) = (tokens.input + tokens.cached + tokens.cache_write, tokens.output + tokens.reasoning);
    json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    })
}

/// Anthropic counts cache reads and writes outside the input and thinking inside the output.
fn anthropic_usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.input, "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cached, "output_tokens": tokens.output + tokens.reasoning,
    })
}

#[cfg(test)]
mod tests;
