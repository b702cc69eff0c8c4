//! What is sent: messages in the OpenAI dialect, with files and images as their parts.

use super::Chat;
use crate::commands::Result;
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::path::Path;
use vox_base::{Coded, Kind};
use vox_host::fs;

const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// Returns the messages of a first question.
pub(super) fn first(chat: &Chat, question: &str) -> Result<Vec<Value>> {
    let mut messages = Vec::new();
    if let Some(system) = &chat.system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.push(user(chat, question)?);
    Ok(messages)
}

fn user(chat: &Chat, question: &str) -> Result<Value> {
    if chat.files.is_empty() && chat.images.is_empty() {
        return Ok(json!({ "role": "user", "content": question }));
    }
    let mut parts = vec![json!({ "type": "text", "text": question })];
    for path in &chat.files {
        let text = String::from_utf8(read(path)?).map_err(|_| unusable(path, "it is not UTF-8 text"))?;
        parts.push(json!({ "type": "text", "text": format!("{}:\n{text}", path.display()) }));
    }
    for path in &chat.images {
        let bytes = read(path)?;
        let media = media_type(&bytes).ok_or_else(|| unusable(path, "it is no PNG, JPEG, GIF or WebP image"))?;
        parts.push(json!({ "type": "image_url", "image_url": { "url": format!("data:{media};base64,{}", BASE64.encode(&bytes)) } }));
    }
    Ok(json!({ "role": "user", "content": parts }))
}

/// Returns the request body of one turn.
pub(super) fn body(chat: &Chat, messages: &[Value], stream: bool) -> Result<Vec<u8>> {
    let mut body = json!({ "model": chat.model, "messages": messages, "stream": stream });
    if stream {
        body["stream_options"] = json!({ "include_usage": true });
    }
    if let Some(max_tokens) = chat.max_tokens {
        body["max_tokens"] = json!(max_tokens);
    }
    if let Some(path) = &chat.json_schema {
        let schema: Value = serde_json::from_slice(&read(path)?).map_err(|error| unusable(path, &format!("it is not JSON: {error}")))?;
        body["response_format"] = json!({ "type": "json_schema", "json_schema": { "name": "answer", "strict": true, "schema": schema } });
    }
    serde_json::to_vec(&body).map_err(|error| Coded::new(Kind::Failed, "cli.input_unreadable", error.to_string()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path, MAX_FILE_BYTES).map_err(|error| unusable(path, &Coded::from(error).message))
}

fn unusable(path: &Path, why: &str) -> Coded {
    Coded::new(Kind::Usage, "cli.input_unreadable", format!("the file cannot be sent: {why}")).at(path.display().to_string())
}

/// Returns the media type by the first bytes of the file.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}
