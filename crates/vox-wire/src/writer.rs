//! Writes an answer for a caller of another dialect than the provider's, piece by piece or whole.
//!
//! A stop reason is held until [`Writer::finish`], which the driver calls only when the provider has ended the answer: a
//! broken stream gets `error_event` instead and never looks finished.

mod anthropic;
mod openai;
mod whole;

use crate::answer::{Delta, Malformed, StopReason};
use crate::json::{Document, Kind};
use crate::{Dialect, VOX_SIGNATURE};
use bytes::{Bytes, BytesMut};
use vox_base::Usage;

pub use whole::Answer;

/// What the caller is shown beside the answer itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Id of the answer.
    pub id: String,
    /// The model.
    pub model: String,
    /// When the answer was begun, in seconds since 1970.
    pub created_s: u64,
    /// An OpenAI stream ends with a usage chunk.
    pub include_usage: bool,
}

/// Writes a stream in one dialect.
#[derive(Debug)]
pub struct Writer {
    shown: Shown,
    dialect: Dialect,
    begun: bool,
    stop: Option<(StopReason, String)>,
    usage: Option<Usage>,
    /// Argument text of each tool call so far.
    calls: Vec<String>,
    /// The content block that is open for a caller of Anthropic's dialect.
    open: Option<Open>,
    n_blocks: u32,
    /// The content block of each tool call.
    call_blocks: Vec<u32>,
}

/// What is open at the end of an Anthropic stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Call(u32),
}

/// Signature of reasoning that came from a provider of another dialect; recognised and left out when it comes back.
pub(crate) fn foreign_signature() -> String {
    format!("{VOX_SIGNATURE}foreign")
}

impl Writer {
    /// Returns a writer for one stream.
    #[must_use]
    pub fn new(dialect: Dialect, shown: Shown) -> Self {
        Self { shown, dialect, begun: false, stop: None, usage: None, calls: Vec::new(), open: None, n_blocks: 0, call_blocks: Vec::new() }
    }

    /// Writes one piece; what must wait for the end is kept.
    pub fn delta(&mut self, delta: &Delta<'_>, out: &mut BytesMut) {
        match delta {
            Delta::Stop { choice: 0, reason, raw } => self.stop = Some((*reason, raw.to_string())),
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::ToolStart { .. } => self.calls.push(String::new()),
            Delta::ToolArguments { index, fragment } => {
                if let Some(call) = self.calls.get_mut(*index as usize) {
                    call.push_str(fragment);
                }
            }
            _ => {}
        }
        match self.dialect {
            Dialect::Openai | Dialect::Ollama => self.openai_delta(delta, out),
            Dialect::Anthropic => self.anthropic_delta(delta, out),
        }
    }

    /// Writes the end, with the stop reason and usage the provider sent; nothing if it sent no stop reason.
    ///
    /// # Errors
    /// A tool call's arguments are not a JSON object where the caller's dialect needs one. Nothing is written then.
    pub fn finish(&mut self, out: &mut BytesMut) -> Result<(), Malformed> {
        let Some((reason, raw)) = self.stop.take() else { return Ok(()) };
        if self.dialect == Dialect::Anthropic {
            self.calls.iter().try_for_each(|arguments| object_arguments(arguments).map(drop))?;
        }
        let word = reason.write(self.dialect, &raw);
        match self.dialect {
            Dialect::Openai | Dialect::Ollama => self.openai_finish(word, out),
            Dialect::Anthropic => self.anthropic_finish(word, out),
        }
        Ok(())
    }
}

/// Returns the arguments of a call as the text of a JSON object; none at all is the empty one.
fn object_arguments(arguments: &str) -> Result<&str, Malformed> {
    if arguments.trim().is_empty() {
        return Ok("{}");
    }
    match Document::parse(Bytes::copy_from_slice(arguments.as_bytes())) {
        Ok(parsed) if parsed.root().kind() == Kind::Object => Ok(arguments),
        _ => Err(Malformed::new("the arguments of a tool call are not a JSON object")),
    }
}

#[cfg(test)]
mod tests;
