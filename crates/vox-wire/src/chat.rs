//! A caller's request: its bytes, where the parts stand, and what it needs from whoever answers.
//!
//! The body is parsed once and never written anew within its dialect: `pass` edits spans. `needs` reads the structure
//! (never the words), `tokens` bounds the size. Rewriting for another dialect is `translate`.

mod excerpt;
mod needs;
mod neutral;
mod pass;
mod tokens;

pub use excerpt::Excerpt;
pub use needs::Needs;
pub use neutral::Digester;
pub(crate) use pass::signed_by_vox;

use crate::json::{Document, JsonError, Kind, Value};
use crate::{Dialect, Endpoint};
use bytes::Bytes;
use std::borrow::Cow;
use vox_base::Coded;

/// Begins the signature vox puts on reasoning that did not come from an Anthropic model; no provider ever sees it.
pub const VOX_SIGNATURE: &str = "vox1.";

/// A caller's request.
#[derive(Debug, Clone)]
pub struct Chat {
    /// The API it is written for.
    pub dialect: Dialect,
    /// The call.
    pub endpoint: Endpoint,
    /// The body.
    pub document: Document,
    /// The model asked for, as written.
    pub model: String,
    /// The answer is wanted as a stream.
    pub stream: bool,
    /// The caller asked for the usage chunk of an OpenAI stream.
    pub include_usage: bool,
    /// The caller's bound on the answer.
    pub max_output_tokens: Option<u64>,
    /// What whoever answers must be able to do.
    pub needs: Needs,
    /// Entries of OpenAI `metadata` named `vox.*`, without that prefix.
    pub hints: Vec<(String, String)>,
    /// The place of a message near the end.
    late: Option<u32>,
}

/// The body is not a request of its dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It is not JSON that vox reads.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field that vox needs is missing or has the wrong type.
    #[error("`{pointer}` must be {expected}")]
    Field {
        /// JSON pointer (RFC 6901) of the field.
        pointer: String,
        /// What belongs there.
        expected: &'static str,
    },
}

impl From<WireError> for Coded {
    fn from(error: WireError) -> Self {
        let code = match &error {
            WireError::Json(JsonError::Duplicate { .. }) => "gateway.json_ambiguous",
            _ => "gateway.json_invalid",
        };
        let coded = Self::new(vox_base::Kind::Usage, code, error.to_string());
        match error {
            WireError::Field { pointer, expected } => coded.at(pointer).expected(expected).next("correct the request body"),
            WireError::Json(JsonError::Duplicate { .. }) => {
                coded.expected("each key once per object").next("remove one of the two entries")
            }
            WireError::Json(_) => coded.expected("a UTF-8 JSON object, at most 128 levels deep").next("check what wrote the request body"),
        }
    }
}

impl Chat {
    /// Parses a request body.
    ///
    /// # Errors
    /// The body is not JSON, or a field that vox itself reads is missing or has the wrong type.
    pub fn parse(dialect: Dialect, endpoint: Endpoint, body: Bytes) -> Result<Self, WireError> {
        let document = Document::parse(body)?;
        if document.root().kind() != Kind::Object {
            return Err(WireError::Field { pointer: String::new(), expected: "an object" });
        }
        let fields = Fields::read(&document, endpoint)?;
        let (model, stream, include_usage) = (fields.model.into_owned(), fields.stream, fields.include_usage);
        let (max_output_tokens, hints, late) = (fields.max_output_tokens, fields.hints, fields.late);
        let needs = Needs::read(dialect, &document);
        Ok(Self { dialect, endpoint, model, stream, include_usage, max_output_tokens, needs, hints, late, document })
    }
}

impl Chat {
    /// Returns what the caller calls the conversation: `prompt_cache_key`, or the session in Anthropic's
    /// `metadata.user_id`, which some clients write as `…_session_<id>` and some as JSON with a `session_id`.
    #[must_use]
    pub fn session(&self) -> Option<Cow<'_, str>> {
        let root = self.document.root();
        if self.dialect != Dialect::Anthropic {
            return root.get("prompt_cache_key")?.as_str().filter(|key| !key.is_empty());
        }
        let user = root.get("metadata")?.get("user_id")?.as_str()?;
        let written = user.rsplit_once("_session_").map(|(_, session)| session.to_owned());
        let session = written.or_else(|| {
            let document = Document::parse(Bytes::copy_from_slice(user.as_bytes())).ok()?;
            Some(document.root().get("session_id")?.as_str()?.into_owned())
        });
        session.filter(|session| !session.is_empty()).map(Cow::Owned)
    }
}

/// The fields vox reads, found in one walk over the top level.
#[derive(Default)]
struct Fields<'a> {
    model: std::borrow::Cow<'a, str>,
    stream: bool,
    include_usage: bool,
    max_output_tokens: Option<u64>,
    hints: Vec<(String, String)>,
    late: Option<u32>,
}

impl<'a> Fields<'a> {
    fn read(document: &'a Document, endpoint: Endpoint) -> Result<Self, WireError> {
        let (mut fields, mut model, mut input) = (Self::default(), None, None);
        let input_name = if endpoint == Endpoint::Chat { "messages" } else { "input" };
        for (key, value) in document.root().entries() {
            match key.as_ref() {
                "model" => model = value.as_str(),
                "stream" => fields.stream = flag(value, "/stream")?,
                "stream_options" => fields.include_usage = value.get("include_usage").and_then(Value::as_bool) == Some(true),
                "max_completion_tokens" => fields.max_output_tokens = count(value, "/max_completion_tokens")?,
                "max_tokens" if fields.max_output_tokens.is_none() => fields.max_output_tokens = count(value, "/max_tokens")?,
                "metadata" => fields.hints = hints(value),
                name if name == input_name => input = Some(value),
                _ => {}
            }
        }
        fields.model = model.ok_or_else(|| wrong("/model", "the name of a model"))?;
        fields.late = check_input(endpoint, input)?;
        Ok(fields)
    }
}

/// Checks what a request is about, and returns the place of a message near the end.
fn check_input(endpoint: Endpoint, input: Option<Value<'_>>) -> Result<Option<u32>, WireError> {
    match (endpoint, input.map(Value::kind)) {
        (Endpoint::Embeddings, Some(Kind::String | Kind::Array)) => return Ok(None),
        (Endpoint::Embeddings, _) => return Err(wrong("/input", "a text or a list")),
        (Endpoint::Chat, Some(Kind::Array)) => {}
        (Endpoint::Chat, _) => return Err(wrong("/messages", "a list of messages")),
    }
    let mut places = [None, None];
    for (at, message) in input.into_iter().flat_map(Value::items).enumerate() {
        if message.get("role").is_none_or(|role| role.kind() != Kind::String) {
            return Err(WireError::Field { pointer: format!("/messages/{at}/role"), expected: "the name of a role" });
        }
        if at % excerpt::LATE_MESSAGES == 0 {
            places = [places[1], Some(message.place())];
        }
    }
    Ok(places[0].or(places[1]))
}

fn wrong(pointer: &str, expected: &'static str) -> WireError {
    WireError::Field { pointer: pointer.to_owned(), expected }
}

fn flag(value: Value<'_>, pointer: &str) -> Result<bool, WireError> {
    if value.is_null() { Ok(false) } else { value.as_bool().ok_or_else(|| wrong(pointer, "true or false")) }
}

fn count(value: Value<'_>, pointer: &str) -> Result<Option<u64>, WireError> {
    if value.is_null() { Ok(None) } else { value.as_u64().map(Some).ok_or_else(|| wrong(pointer, "a whole number from 0")) }
}

fn hints(metadata: Value<'_>) -> Vec<(String, String)> {
    let hint = |(key, value): (std::borrow::Cow<'_, str>, Value<'_>)| {
        let text = value.as_str().map_or_else(|| value.raw().to_owned(), std::borrow::Cow::into_owned);
        Some((key.strip_prefix("vox.")?.to_owned(), text))
    };
    metadata.entries().filter_map(hint).collect()
}

#[cfg(test)]
mod tests;
