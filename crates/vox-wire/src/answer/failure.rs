//! A provider's own words about a failure, from an error body or from inside an answer.

use crate::json::{Document, Kind, Value};
use bytes::Bytes;

/// What a provider says went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamError {
    /// The provider's `type`; empty if it gave none.
    pub kind: String,
    /// The provider's `code`; empty if it gave none.
    pub code: String,
    /// The provider's message; empty if it gave none.
    pub message: String,
}

/// What the provider's words say beyond the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureHint {
    /// The conversation does not fit into the model's context.
    ContextTooLong,
    /// There is no money or quota left.
    Payment,
    /// The model does not exist, or not any more.
    ModelGone,
    /// Too many requests or tokens for now.
    Rate,
    /// The credential is not accepted.
    Auth,
    /// The request itself is wrong.
    Request,
    /// The provider has trouble of its own.
    Server,
}

impl UpstreamError {
    /// Reads the body of a failed response; a body that says nothing, such as a web page, gives an empty error.
    #[must_use]
    pub fn read(body: &Bytes) -> Self {
        let Ok(document) = Document::parse(body.clone()) else { return Self::default() };
        let root = document.root();
        let listed = root.items().next().unwrap_or(root);
        listed.get("error").map_or_else(|| Self::from_value(listed), Self::from_value)
    }

    /// Reads an `error` value: an object with `type`, `code` and `message`, or just a message.
    pub(super) fn from_value(error: Value<'_>) -> Self {
        if let Some(message) = error.as_str() {
            return Self { message: message.into_owned(), ..Self::default() };
        }
        let text = |key| match error.get(key) {
            Some(value) if value.kind() == Kind::Number => value.raw().to_owned(),
            value => value.and_then(Value::as_str).unwrap_or_default().into_owned(),
        };
        Self { kind: text("type"), code: text("code"), message: text("message") }
    }

    /// Returns what the words say; `None` if they say nothing known.
    #[must_use]
    pub fn hint(&self) -> Option<FailureHint> {
        let message = self.message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if self.code == "context_length_exceeded" || says(CONTEXT_WORDS) {
            return Some(FailureHint::ContextTooLong);
        }
        if says(PAYMENT_WORDS) {
            return Some(FailureHint::Payment);
        }
        by_name(&self.code).or_else(|| by_name(&self.kind))
    }
}

const CONTEXT_WORDS: &[&str] = &[
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "too many input tokens",
    "input length and `max_tokens` exceed",
];
const PAYMENT_WORDS: &[&str] = &["credit balance", "insufficient credit", "insufficient balance"];

fn by_name(name: &str) -> Option<FailureHint> {
    Some(match name {
        "insufficient_quota" | "billing_error" | "billing_hard_limit_reached" | "insufficient_credits" | "402" => FailureHint::Payment,
        "model_not_found" | "not_found_error" | "404" => FailureHint::ModelGone,
        "rate_limit_error" | "rate_limit_exceeded" | "tokens" | "requests" | "429" => FailureHint::Rate,
        "authentication_error" | "permission_error" | "invalid_api_key" | "401" | "403" => FailureHint::Auth,
        "overloaded_error" | "api_error" | "server_error" | "timeout_error" | "internal_error" | "500" | "502" | "503" | "504" | "529" => {
            FailureHint::Server
        }
        "invalid_request_error" | "request_too_large" | "400" | "413" | "422" => FailureHint::Request,
        _ => return None,
    })
}
