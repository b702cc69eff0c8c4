//! `offline/echo`: answers without any network, so that a fresh set-up can be tried. It says what it is in the first
//! word, costs nothing, and `vox/auto` never picks it.

use bytes::Bytes;
use serde_json::json;
use vox_wire::json::Value;
use vox_wire::{Chat, Dialect};

/// Returns the answer as a provider of the caller's own dialect would send it: server-sent events or one JSON body.
pub(super) fn answer(chat: &Chat, id: &str, unix_seconds: i64) -> Bytes {
    let asked = last_user_text(chat);
    let shown: String = asked.chars().take(200).collect();
    let text = format!("[offline] no model was called; you said: {shown}");
    let (n_in, n_out) = (words(&asked), words(&text));
    let body = match (chat.dialect, chat.stream) {
        (Dialect::Openai | Dialect::Ollama, false) => json!({
            "id": id, "object": "chat.completion", "created": unix_seconds, "model": "offline/echo",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out},
        })
        .to_string(),
        (Dialect::Openai | Dialect::Ollama, true) => openai_events(id, unix_seconds, &text, n_in, n_out),
        (Dialect::Anthropic, false) => json!({
            "id": id, "type": "message", "role": "assistant", "model": "offline/echo", "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": n_in, "output_tokens": n_out},
        })
        .to_string(),
        (Dialect::Anthropic, true) => anthropic_events(id, &text, n_in, n_out),
    };
    Bytes::from(body)
}

/// Returns what the user said last.
fn last_user_text(chat: &Chat) -> String {
    let messages = chat.document.root().get("messages");
    let content = messages
        .into_iter()
        .flat_map(Value::items)
        .filter(|message| message.get("role").is_some_and(|role| role.as_str().as_deref() == Some("user")));
    let Some(content) = content.last().and_then(|message| message.get("content")) else { return String::new() };
    if let Some(text) = content.as_str() {
        return text.into_owned();
    }
    content.items().filter_map(|part| Some(part.get("text")?.as_str()?.into_owned())).collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn openai_events(id: &str, unix_seconds: i64, text: &str, n_in: usize, n_out: usize) -> String {
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        json!({"id": id, "object": "chat.completion.chunk", "created": unix_seconds, "model": "offline/echo", "choices": choices})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
    events.extend(text.split_inclusive(' ').map(|piece| chunk(json!({ "content": piece }), None)));
    events.push(chunk(json!({}), Some("stop")));
    let mut usage = chunk(json!({}), None);
    usage["choices"] = json!([]);
    usage["usage"] = json!({"prompt_tokens": n_in, "completion_tokens": n_out, "total_tokens": n_in + n_out});
    events.push(usage);
    let mut body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    body.push_str("data: [DONE]\n\n");
    body
}

fn anthropic_events(id: &str, text: &str, n_in: usize, n_out: usize) -> String {
    let message = json!({"id": id, "type": "message", "role": "assistant", "model": "offline/echo", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": n_in, "output_tokens": 0}});
    let mut events = vec![
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    events.extend(
        text.split_inclusive(' ')
            .map(|piece| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})),
    );
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": n_out}}),
    );
    events.push(json!({"type": "message_stop"}));
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())).collect()
}
