//! Why an answer ended: the table of gateway section 4.4.5.

use crate::Dialect;

/// Why an answer ended, in no dialect's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The model was done, or met a stop sequence.
    End,
    /// The answer or the context was full.
    Length,
    /// The model waits for the result of a tool.
    Tool,
    /// The provider or the model would not answer.
    Refused,
    /// The provider wants to be asked to go on.
    Pause,
    /// A word vox does not know; never taken for [`StopReason::End`].
    Unknown,
}

impl StopReason {
    /// Reads a dialect's word.
    #[must_use]
    pub fn read(dialect: Dialect, raw: &str) -> Self {
        match (dialect, raw) {
            (Dialect::Openai | Dialect::Ollama, "stop") | (Dialect::Anthropic, "end_turn" | "stop_sequence") => Self::End,
            (Dialect::Openai | Dialect::Ollama, "length") | (Dialect::Anthropic, "max_tokens" | "model_context_window_exceeded") => {
                Self::Length
            }
            (Dialect::Openai, "tool_calls" | "function_call") | (Dialect::Anthropic, "tool_use") => Self::Tool,
            (Dialect::Openai, "content_filter") | (Dialect::Anthropic, "refusal") => Self::Refused,
            (Dialect::Anthropic, "pause_turn") => Self::Pause,
            _ => Self::Unknown,
        }
    }

    /// Returns a dialect's word; where it has none, the provider's own is passed on.
    #[must_use]
    pub fn write(self, dialect: Dialect, raw: &str) -> &str {
        match (dialect, self) {
            (_, Self::Unknown) => raw,
            (Dialect::Anthropic, Self::End) => "end_turn",
            (Dialect::Anthropic, Self::Length) => "max_tokens",
            (Dialect::Anthropic, Self::Tool) => "tool_use",
            (Dialect::Anthropic, Self::Refused) => "refusal",
            (Dialect::Anthropic, Self::Pause) => "pause_turn",
            (_, Self::End) => "stop",
            (_, Self::Length) => "length",
            (_, Self::Tool) => "tool_calls",
            (_, Self::Refused) => "content_filter",
            (_, Self::Pause) => raw,
        }
    }

    /// Returns the name used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Length => "length",
            Self::Tool => "tool",
            Self::Refused => "refused",
            Self::Pause => "pause",
            Self::Unknown => "unknown",
        }
    }
}
