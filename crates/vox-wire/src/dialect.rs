//! The model APIs vox speaks, and the calls they offer.

use std::fmt;
use std::str::FromStr;

/// A model API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI chat completions and embeddings, and everything compatible with them.
    Openai,
    /// Anthropic messages.
    Anthropic,
    /// Ollama's own API. Only providers speak it: no caller is answered in it.
    Ollama,
}

/// A call of a model API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// One turn of a conversation.
    Chat,
    /// Vectors for texts.
    Embeddings,
}

/// The text names no dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `openai`, `anthropic` or `ollama`")]
pub struct UnknownDialect;

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Openai, Self::Anthropic, Self::Ollama];

    /// The dialects that callers speak.
    pub const CALLERS: [Self; 2] = [Self::Openai, Self::Anthropic];

    /// Returns the name used in contracts and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
        }
    }
}

impl Endpoint {
    /// Returns the name used in rows and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == text).ok_or(UnknownDialect)
    }
}
