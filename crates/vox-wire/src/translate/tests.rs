mod content;
mod ollama;
mod table;

use super::*;
use crate::Endpoint;
use serde_json::Value;

fn chat(dialect: Dialect, body: &str) -> Chat {
    Chat::parse(dialect, Endpoint::Chat, Bytes::copy_from_slice(body.as_bytes())).unwrap_or_else(|error| panic!("{error}: {body}"))
}

const fn other(dialect: Dialect) -> Dialect {
    match dialect {
        Dialect::Openai => Dialect::Anthropic,
        Dialect::Anthropic | Dialect::Ollama => Dialect::Openai,
    }
}

fn translate(dialect: Dialect, body: &str) -> Result<Translated, Untranslatable> {
    let target = Target { image_urls: true, ..Target::default() };
    chat(dialect, body).translate(other(dialect), "target/model", &target, &Verdicts::built_in(), false)
}

fn value(translated: &Translated) -> Value {
    serde_json::from_slice(&translated.body).unwrap_or_else(|error| panic!("{error}: {:?}", translated.body))
}
