//! Events of Anthropic messages.

use super::{Open, Writer, foreign_signature};
use crate::answer::Delta;
use crate::json::Out;
use bytes::BytesMut;
use vox_base::Usage;

impl Writer {
    pub(super) fn anthropic_delta(&mut self, delta: &Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Ping => {
                if self.begun {
                    put_event(out, "ping", |_| {});
                }
                return;
            }
            Delta::Error(_) => return,
            _ => self.anthropic_begin(out),
        }
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                self.anthropic_open(Open::Text, out);
                put_delta(out, self.n_blocks - 1, "text_delta", "text", text);
            }
            Delta::Reasoning(text) => {
                self.anthropic_open(Open::Thinking, out);
                put_delta(out, self.n_blocks - 1, "thinking_delta", "thinking", text);
            }
            Delta::ToolStart { index, id, name } => self.anthropic_call(*index, id, name, out),
            Delta::ToolArguments { index, fragment } => {
                if let Some(&block) = self.call_blocks.get(*index as usize) {
                    put_delta(out, block, "input_json_delta", "partial_json", fragment);
                }
            }
            _ => {}
        }
    }

    fn anthropic_begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        put_event(out, "message_start", |out| {
            out.key("message").object(|out| {
                out.key("id").str(&self.shown.id);
                out.key("type").str("message");
                out.key("role").str("assistant");
                out.key("model").str(&self.shown.model);
                out.key("content").array(|_| {});
                out.key("stop_reason").raw("null");
                out.key("stop_sequence").raw("null");
                // Counts here are a running state that `message_delta` replaces; clients insist on numbers.
                out.key("usage").raw(r#"{"input_tokens":0,"output_tokens":0}"#);
            });
        });
    }

    fn anthropic_open(&mut self, wanted: Open, out: &mut BytesMut) {
        if self.open == Some(wanted) {
            return;
        }
        self.anthropic_close(out);
        put_block_start(out, self.n_blocks, |out| match wanted {
            Open::Thinking => {
                out.key("type").str("thinking");
                out.key("thinking").str("");
                out.key("signature").str("");
            }
            _ => {
                out.key("type").str("text");
                out.key("text").str("");
            }
        });
        self.open = Some(wanted);
        self.n_blocks += 1;
    }

    fn anthropic_call(&mut self, index: u32, id: &str, name: &str, out: &mut BytesMut) {
        self.anthropic_close(out);
        put_block_start(out, self.n_blocks, |out| {
            out.key("type").str("tool_use");
            out.key("id").str(id);
            out.key("name").str(name);
            out.key("input").object(|_| {});
        });
        self.call_blocks.push(self.n_blocks);
        self.open = Some(Open::Call(index));
        self.n_blocks += 1;
    }

    fn anthropic_close(&mut self, out: &mut BytesMut) {
        let Some(open) = self.open.take() else { return };
        let block = self.n_blocks - 1;
        if open == Open::Thinking {
            put_delta(out, block, "signature_delta", "signature", &foreign_signature());
        }
        put_event(out, "content_block_stop", |out| out.key("index").number(u64::from(block)));
    }

    pub(super) fn anthropic_finish(&mut self, word: &str, out: &mut BytesMut) {
        self.anthropic_close(out);
        put_event(out, "message_delta", |out| {
            out.key("delta").object(|out| {
                out.key("stop_reason").str(word);
                out.key("stop_sequence").raw("null");
            });
            put_usage(out, &self.usage.unwrap_or_default());
        });
        put_event(out, "message_stop", |_| {});
    }
}

fn put_event(buffer: &mut BytesMut, kind: &str, write: impl FnOnce(&mut Out)) {
    buffer.extend_from_slice(b"event: ");
    buffer.extend_from_slice(kind.as_bytes());
    buffer.extend_from_slice(b"\ndata: ");
    let mut out = Out::over(std::mem::take(buffer));
    out.object(|out| {
        out.key("type").str(kind);
        write(out);
    });
    *buffer = out.into_buffer();
    buffer.extend_from_slice(b"\n\n");
}

fn put_block_start(buffer: &mut BytesMut, index: u32, block: impl FnOnce(&mut Out)) {
    put_event(buffer, "content_block_start", |out| {
        out.key("index").number(u64::from(index));
        out.key("content_block").object(block);
    });
}

fn put_delta(buffer: &mut BytesMut, index: u32, kind: &str, field: &str, text: &str) {
    put_event(buffer, "content_block_delta", |out| {
        out.key("index").number(u64::from(index));
        out.key("delta").object(|out| {
            out.key("type").str(kind);
            out.key(field).str(text);
        });
    });
}

/// Writes usage the Anthropic way: input without what was cached, output with reasoning. What the provider did not say
/// is null, never zero.
pub(super) fn put_usage(out: &mut Out, usage: &Usage) {
    out.key("usage").object(|out| {
        out.key("input_tokens").number_or_null(usage.input);
        let written = [usage.cache_write_5m, usage.cache_write_1h].into_iter().flatten().reduce(u64::saturating_add);
        if let Some(n_tokens) = written {
            out.key("cache_creation_input_tokens").number(n_tokens);
        }
        if let Some(n_tokens) = usage.cache_read {
            out.key("cache_read_input_tokens").number(n_tokens);
        }
        out.key("output_tokens").number_or_null(usage.total_output());
    });
}
