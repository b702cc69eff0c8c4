//! Sends a body on in its own dialect, byte for byte but for the edits that gateway section 4.3 names.

use super::{Chat, VOX_SIGNATURE};
use crate::json::{Kind, Value, put_str};
use crate::{Dialect, Endpoint};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

impl Chat {
    /// Returns the body for an upstream of the same dialect.
    ///
    /// Changed are only: the value of `model`; `stream_options.include_usage`, set in an OpenAI stream if
    /// `add_include_usage` says so; `metadata` entries named `vox.*`, which are removed; reasoning that vox signed for an
    /// Anthropic client, which is removed because no provider knows that signature.
    #[must_use]
    pub fn pass_through(&self, model: &str, add_include_usage: bool) -> Bytes {
        let mut edits = Edits::default();
        let root = self.document.root();
        for (key, value) in root.members() {
            if key.is_str("model") && self.model != model {
                edits.replace(value.span(), |out| put_str(out, model));
            } else if key.is_str("metadata") && !self.hints.is_empty() {
                edits.remove_members(value, |name, _| name.as_str().is_some_and(|name| name.starts_with("vox.")));
            } else if key.is_str("messages") && self.dialect == Dialect::Anthropic {
                strip_signed_by_vox(&mut edits, value);
            }
        }
        if add_include_usage && self.stream && !self.include_usage && self.dialect == Dialect::Openai && self.endpoint == Endpoint::Chat {
            include_usage(&mut edits, root);
        }
        edits.apply(self.document.bytes())
    }
}

fn include_usage(edits: &mut Edits, root: Value<'_>) {
    match root.get("stream_options") {
        None => edits.insert(root.span().start + 1, b"\"stream_options\":{\"include_usage\":true},"),
        Some(options) if options.kind() == Kind::Object => match options.get("include_usage") {
            Some(value) => edits.replace(value.span(), |out| out.extend_from_slice(b"true")),
            None if options.members().next().is_none() => edits.insert(options.span().start + 1, b"\"include_usage\":true"),
            None => edits.insert(options.span().start + 1, b"\"include_usage\":true,"),
        },
        Some(other) => edits.replace(other.span(), |out| out.extend_from_slice(b"{\"include_usage\":true}")),
    }
}

/// Removes thinking blocks signed by vox, and messages that hold nothing else.
fn strip_signed_by_vox(edits: &mut Edits, messages: Value<'_>) {
    let all_ours = |message: Value<'_>| {
        let mut blocks = message.get("content").into_iter().flat_map(Value::items).peekable();
        blocks.peek().is_some() && blocks.all(signed_by_vox)
    };
    edits.remove_items(messages, all_ours);
    for content in messages.items().filter(|message| !all_ours(*message)).filter_map(|message| message.get("content")) {
        edits.remove_items(content, signed_by_vox);
    }
}

/// Returns whether a content block is reasoning that carries vox's own signature.
pub(crate) fn signed_by_vox(block: Value<'_>) -> bool {
    block.get("type").is_some_and(|kind| kind.is_str("thinking"))
        && block.get("signature").and_then(Value::as_str).is_some_and(|signature| signature.starts_with(VOX_SIGNATURE))
}

/// Replacements of spans of a text, in any order, none inside another.
#[derive(Default)]
struct Edits {
    edits: Vec<(Range<usize>, Bytes)>,
}

impl Edits {
    fn replace(&mut self, span: Range<usize>, write: impl FnOnce(&mut BytesMut)) {
        let mut new = BytesMut::new();
        write(&mut new);
        self.edits.push((span, new.freeze()));
    }

    fn insert(&mut self, at: usize, text: &'static [u8]) {
        self.edits.push((at..at, Bytes::from_static(text)));
    }

    fn remove_members(&mut self, object: Value<'_>, gone: impl Fn(Value<'_>, Value<'_>) -> bool) {
        let spans = object.members().map(|(key, value)| (key.span().start..value.span().end, gone(key, value)));
        self.remove(spans);
    }

    fn remove_items(&mut self, array: Value<'_>, gone: impl Fn(Value<'_>) -> bool) {
        self.remove(array.items().map(|item| (item.span(), gone(item))));
    }

    /// Removes parts of a list with the comma behind each, or before those at the end of the list.
    fn remove(&mut self, parts: impl Iterator<Item = (Range<usize>, bool)>) {
        let (mut kept_end, mut gone): (Option<usize>, Option<Range<usize>>) = (None, None);
        for (span, is_gone) in parts {
            match (is_gone, gone.take()) {
                (true, None) => gone = Some(span),
                (true, Some(before)) => gone = Some(before.start..span.end),
                (false, before) => {
                    self.edits.extend(before.map(|before| (before.start..span.start, Bytes::new())));
                    kept_end = Some(span.end);
                }
            }
        }
        let tail = gone.map(|gone| kept_end.unwrap_or(gone.start)..gone.end);
        self.edits.extend(tail.map(|tail| (tail, Bytes::new())));
    }

    fn apply(mut self, text: &Bytes) -> Bytes {
        if self.edits.is_empty() {
            return text.clone();
        }
        self.edits.sort_by_key(|(span, _)| span.start);
        let mut out = BytesMut::with_capacity(text.len() + self.edits.iter().map(|(_, new)| new.len()).sum::<usize>());
        let mut from = 0;
        for (span, new) in &self.edits {
            out.extend_from_slice(&text[from..span.start]);
            out.extend_from_slice(new);
            from = span.end;
        }
        out.extend_from_slice(&text[from..]);
        out.freeze()
    }
}
