//! Rewrites a request for a provider of another dialect, without unnamed loss.
//!
//! Every field met is judged by the verdict table of `contracts/gateway/translation.v1.yaml`; what is left out or changes
//! form is named. How each field is written is `to_anthropic`, `to_ollama` and `to_openai`; what both ends of a translation
//! share is `from_anthropic` and `from_openai`; the table is `verdicts`.

mod from_anthropic;
mod from_openai;
mod ledger;
mod media;
mod to_anthropic;
mod to_ollama;
mod to_openai;
mod verdicts;

use crate::{Chat, Dialect, Endpoint};
use bytes::Bytes;
use vox_base::Coded;

pub use verdicts::{InvalidVerdicts, Verdict, Verdicts, known_fields};

/// What the offer that is to answer can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Most tokens the model writes; `None` if unknown.
    pub max_output_tokens: Option<u64>,
    /// Context the model is to be loaded with, where the dialect says so; `None` if unknown.
    pub context_tokens: Option<u64>,
    /// Images may be given by address, not only inline.
    pub image_urls: bool,
    /// An OpenAI stream reports usage only if `stream_options.include_usage` asks for it.
    pub stream_usage_on_request: bool,
    /// Top-level fields that this provider calls otherwise: our name, its name.
    pub rename: Vec<(String, String)>,
}

/// A request in another dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// What kept its meaning and changed its form.
    pub converted: Vec<String>,
    /// What was left out because it has no effect on the answer.
    pub ignored: Vec<String>,
    /// A short code for what the caller should know about this turn.
    pub notice: Option<&'static str>,
}

/// The request cannot be said in the other dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// A field has no counterpart, or its value none.
    #[error("`{field}` cannot be translated: {why}")]
    Param {
        /// JSON pointer (RFC 6901) of the field.
        pointer: String,
        /// Name of the field in the verdict table.
        field: String,
        /// Why it cannot.
        why: &'static str,
    },
    /// vox does not know the field.
    #[error("`{field}` is not known, and is not dropped unasked")]
    UnknownField {
        /// JSON pointer of the field.
        pointer: String,
        /// Name of the field.
        field: String,
    },
    /// An image is given by address to a provider that takes images only inline.
    #[error("the image is given by address, and the provider takes images only inline")]
    ImageUrl {
        /// JSON pointer of the image.
        pointer: String,
    },
}

impl Untranslatable {
    /// Returns the JSON pointer of the field concerned.
    #[must_use]
    pub fn pointer(&self) -> &str {
        match self {
            Self::Param { pointer, .. } | Self::UnknownField { pointer, .. } | Self::ImageUrl { pointer } => pointer,
        }
    }
}

impl From<Untranslatable> for Coded {
    fn from(error: Untranslatable) -> Self {
        let (code, next) = match &error {
            Untranslatable::Param { .. } => {
                ("gateway.param_unsupported", "leave the field out, or ask for a model that speaks this dialect")
            }
            Untranslatable::UnknownField { .. } => ("gateway.param_unsupported", "leave the field out, or send `x-vox-unknown: drop`"),
            Untranslatable::ImageUrl { .. } => ("gateway.image_url_unsupported", "send the image inline as base64"),
        };
        Self::new(vox_base::Kind::Refused, code, error.to_string()).at(error.pointer()).next(next)
    }
}

impl Chat {
    /// Returns the body for a provider of another dialect; for the same dialect use [`Chat::pass_through`].
    ///
    /// # Errors
    /// A field or value has no counterpart, or is not known and `drop_unknown` is off.
    pub fn translate(
        &self,
        to: Dialect,
        model: &str,
        target: &Target,
        verdicts: &Verdicts,
        drop_unknown: bool,
    ) -> Result<Translated, Untranslatable> {
        let ledger = ledger::Ledger::new(verdicts.pair(self.dialect, to), drop_unknown);
        match to {
            Dialect::Anthropic => to_anthropic::request(self, model, target, verdicts, ledger),
            Dialect::Openai => to_openai::request(self, model, target, verdicts, ledger),
            Dialect::Ollama if self.endpoint == Endpoint::Embeddings => to_ollama::embeddings(self, model, target, ledger),
            Dialect::Ollama => to_ollama::request(self, model, target, ledger),
        }
    }
}

#[cfg(test)]
mod tests;
