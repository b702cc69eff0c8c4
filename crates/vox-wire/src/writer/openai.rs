//! Chunks of OpenAI chat completions.

use super::{Shown, Writer};
use crate::answer::Delta;
use crate::json::Out;
use bytes::BytesMut;
use vox_base::Usage;

impl Writer {
    pub(super) fn openai_delta(&mut self, delta: &Delta<'_>, out: &mut BytesMut) {
        self.openai_begin(delta, out);
        match delta {
            Delta::Text(text) => self.openai_text("content", text, out),
            Delta::Reasoning(text) => self.openai_text("reasoning_content", text, out),
            Delta::Refusal(text) => self.openai_text("refusal", text, out),
            Delta::ToolStart { index, id, name } => {
                self.openai_close_calls(*index as usize, out);
                self.openai_call(*index, Some((id, name)), "", out);
            }
            Delta::ToolArguments { index, fragment } => self.openai_call(*index, None, fragment, out),
            _ => {}
        }
    }

    /// Writes the chunk with the role before anything else that has a place in the stream.
    fn openai_begin(&mut self, delta: &Delta<'_>, out: &mut BytesMut) {
        if !matches!(delta, Delta::Ping | Delta::Error(_)) && !std::mem::replace(&mut self.begun, true) {
            put_chunk(&self.shown, out, None, |out| {
                out.key("role").str("assistant");
                out.key("content").str("");
            });
        }
    }

    fn openai_text(&self, field: &str, text: &str, out: &mut BytesMut) {
        put_chunk(&self.shown, out, None, |out| out.key(field).str(text));
    }

    fn openai_call(&self, index: u32, head: Option<(&str, &str)>, arguments: &str, out: &mut BytesMut) {
        put_chunk(&self.shown, out, None, |out| {
            out.key("tool_calls").array(|out| {
                out.object(|out| {
                    out.key("index").number(u64::from(index));
                    if let Some((id, _)) = head {
                        out.key("id").str(id);
                        out.key("type").str("function");
                    }
                    out.key("function").object(|out| {
                        if let Some((_, name)) = head {
                            out.key("name").str(name);
                        }
                        out.key("arguments").str(arguments);
                    });
                });
            });
        });
    }

    /// Gives the calls before `end` that came without arguments the empty object.
    fn openai_close_calls(&mut self, end: usize, out: &mut BytesMut) {
        for at in 0..end.min(self.calls.len()) {
            if self.calls[at].is_empty() {
                self.calls[at].push_str("{}");
                self.openai_call(u32::try_from(at).unwrap_or(u32::MAX), None, "{}", out);
            }
        }
    }

    pub(super) fn openai_finish(&mut self, word: &str, out: &mut BytesMut) {
        self.openai_close_calls(self.calls.len(), out);
        put_chunk(&self.shown, out, Some(word), |_| {});
        if let Some(usage) = self.usage.filter(|_| self.shown.include_usage) {
            put_event(out, |out| {
                put_head(&self.shown, out, "chat.completion.chunk");
                out.key("choices").array(|_| {});
                put_usage(out, &usage);
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

fn put_event(buffer: &mut BytesMut, write: impl FnOnce(&mut Out)) {
    buffer.extend_from_slice(b"data: ");
    let mut out = Out::over(std::mem::take(buffer));
    out.object(write);
    *buffer = out.into_buffer();
    buffer.extend_from_slice(b"\n\n");
}

fn put_chunk(shown: &Shown, buffer: &mut BytesMut, finish_reason: Option<&str>, delta: impl FnOnce(&mut Out)) {
    put_event(buffer, |out| {
        put_head(shown, out, "chat.completion.chunk");
        out.key("choices").array(|out| {
            out.object(|out| {
                out.key("index").number(0);
                out.key("delta").object(delta);
                out.key("finish_reason").str_or_null(finish_reason);
            });
        });
    });
}

pub(super) fn put_head(shown: &Shown, out: &mut Out, object: &str) {
    out.key("id").str(&shown.id);
    out.key("object").str(object);
    out.key("created").number(shown.created_s);
    out.key("model").str(&shown.model);
}

/// Writes usage the OpenAI way: input with what was cached, output with reasoning. What is unknown is left out.
pub(super) fn put_usage(out: &mut Out, usage: &Usage) {
    out.key("usage").object(|out| {
        let (input, output) = (usage.total_input(), usage.total_output());
        if let Some(n_tokens) = input {
            out.key("prompt_tokens").number(n_tokens);
        }
        if let Some(n_tokens) = output {
            out.key("completion_tokens").number(n_tokens);
        }
        if let (Some(input), Some(output)) = (input, output) {
            out.key("total_tokens").number(input + output);
        }
        if let Some(n_tokens) = usage.cache_read {
            out.key("prompt_tokens_details").object(|out| out.key("cached_tokens").number(n_tokens));
        }
        if let Some(n_tokens) = usage.reasoning {
            out.key("completion_tokens_details").object(|out| out.key("reasoning_tokens").number(n_tokens));
        }
    });
}
