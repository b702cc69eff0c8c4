//! What the provider behind the official clients answers: it goes by the model's name and by what the request holds.

use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use vox_testkit::{Answer, FakeProvider, Recorded, Reply};

/// Scripts every endpoint the clients use.
pub(crate) fn script(fake: &FakeProvider) {
    let n_refused = AtomicUsize::new(0);
    let limited = move || n_refused.fetch_add(1, Ordering::Relaxed) == 0;
    let refused = std::sync::Arc::new(limited);
    for (path, anthropic) in [("/v1/chat/completions", false), ("/v1/messages", true)] {
        let refused = refused.clone();
        fake.on(path, [Reply::made(move |request| chat(request, anthropic, &*refused))]);
    }
    fake.on("/v1/embeddings", [Reply::made(embedding)]);
}

fn chat(request: &Recorded, anthropic: bool, is_first: &dyn Fn() -> bool) -> Reply {
    let body = request.json();
    let stream = body["stream"] == true;
    let written = |answer: &Answer| match (anthropic, stream) {
        (false, false) => answer.openai(),
        (false, true) => answer.openai_stream(),
        (true, false) => answer.anthropic(),
        (true, true) => answer.anthropic_stream(),
    };
    match body["model"].as_str().unwrap_or_default() {
        "busy-once" if is_first() => {
            Reply::json(429, &json!({"error": {"type": "rate_limit_error", "message": "slow down"}})).header("retry-after", "1")
        }
        "always-busy" => {
            Reply::json(429, &json!({"error": {"type": "rate_limit_error", "message": "slow down"}})).header("retry-after", "7")
        }
        "down" => Reply::json(500, &json!({"error": {"message": "boom"}})),
        "breaks-off" => written(&Answer::text("one two three four")).cut_after_pieces(5),
        _ if calls_for_a_tool(&body) => written(&Answer::text("").tool("call_1", "weather", json!({"city": "Kyiv", "days": [1, 2]}))),
        _ => written(&Answer::text("The answer is forty two.")),
    }
}

fn calls_for_a_tool(body: &Value) -> bool {
    let answered = body["messages"].to_string().contains("tool_result") || body["messages"].to_string().contains("tool_call_id");
    body["tools"].is_array() && !answered
}

/// Answers in the form asked for: the OpenAI clients ask for base64 and decode it themselves.
fn embedding(request: &Recorded) -> Reply {
    let base64 = request.json()["encoding_format"] == "base64";
    // 0.5 and -2.0 as little-endian f32.
    let vector = if base64 { json!("AAAAPwAAAMA=") } else { json!([0.5, -2.0]) };
    let list = json!([{"object": "embedding", "index": 0, "embedding": vector}]);
    Reply::json(
        200,
        &json!({"object": "list", "data": list, "model": "text-embedding-3-small", "usage": {"prompt_tokens": 4, "total_tokens": 4}}),
    )
}
