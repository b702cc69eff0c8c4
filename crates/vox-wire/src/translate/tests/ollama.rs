//! Requests of both callers' dialects for Ollama (GW-10's Ollama column), and its answers back.

use super::*;
use crate::{Frames, Reader, Shown, UsageRules, Writer};
use bytes::BytesMut;
use serde_json::json;

fn asked(dialect: Dialect, body: &Value) -> Value {
    let target = Target { context_tokens: Some(8192), ..Target::default() };
    let translated = chat(dialect, &body.to_string()).translate(Dialect::Ollama, "qwen3:8b", &target, &Verdicts::built_in(), false);
    value(&translated.unwrap_or_else(|error| panic!("{error}: {body}")))
}

fn refused(dialect: Dialect, body: &Value) -> String {
    let translated = chat(dialect, &body.to_string()).translate(Dialect::Ollama, "m", &Target::default(), &Verdicts::built_in(), false);
    translated.expect_err(&body.to_string()).pointer().to_owned()
}

#[test]
fn the_top_level_of_openai_becomes_options() {
    let body = asked(
        Dialect::Openai,
        &json!({"model": "ollama/qwen3:8b", "max_completion_tokens": 50, "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": "x",
            "frequency_penalty": 0.1, "presence_penalty": 0.2, "reasoning_effort": "high", "stream": true,
            "stream_options": {"include_usage": true}, "tool_choice": "auto", "parallel_tool_calls": true, "user": "u",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            "messages": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi"}]}),
    );
    let expected = json!({"model": "qwen3:8b", "stream": true, "think": true, "format": {"type": "object"},
        "options": {"num_ctx": 8192, "num_predict": 50, "stop": ["x"], "temperature": 0.5, "top_p": 0.9, "seed": 7,
            "frequency_penalty": 0.1, "presence_penalty": 0.2},
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]});
    assert_eq!(body, expected);
}

#[test]
fn the_top_level_of_anthropic_becomes_options() {
    let body = asked(
        Dialect::Anthropic,
        &json!({"model": "m", "max_tokens": 50, "top_k": 40, "stop_sequences": ["a", "b"], "thinking": {"type": "disabled"},
            "system": [{"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "two"}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "none"},
            "messages": [{"role": "user", "content": "hi"}]}),
    );
    let expected = json!({"model": "qwen3:8b", "stream": false, "think": false,
        "options": {"num_ctx": 8192, "num_predict": 50, "stop": ["a", "b"], "top_k": 40},
        "messages": [{"role": "system", "content": "one\n\ntwo"}, {"role": "user", "content": "hi"}]});
    assert_eq!(body, expected, "a caller that declines tools offers none");
}

/// Ollama loads a model anew for every other context, so an unknown one is asked for in few sizes.
#[test]
fn an_unknown_context_is_asked_for_as_large_as_the_request_needs() {
    let num_ctx = |text: &str, most: u64| {
        let body = json!({"model": "m", "max_tokens": most, "messages": [{"role": "user", "content": text}]});
        let translated =
            chat(Dialect::Openai, &body.to_string()).translate(Dialect::Ollama, "m", &Target::default(), &Verdicts::built_in(), false);
        value(&translated.unwrap())["options"]["num_ctx"].as_u64().unwrap()
    };
    assert_eq!((num_ctx("hi", 100), num_ctx("hi", 4000), num_ctx("hi", 5000)), (4096, 4096, 8192));
    assert!(num_ctx(&"word ".repeat(20_000), 100) >= 32_768);
}

#[test]
fn what_ollama_cannot_do_is_refused_where_it_stands() {
    let with = |field: &str, value: Value| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        body[field] = value;
        body
    };
    for (dialect, body, pointer) in [
        (Dialect::Openai, with("tool_choice", json!("required")), "/tool_choice"),
        (Dialect::Openai, with("tool_choice", json!({"type": "function", "function": {"name": "f"}})), "/tool_choice"),
        (Dialect::Openai, with("parallel_tool_calls", json!(false)), "/parallel_tool_calls"),
        (Dialect::Openai, with("n", json!(2)), "/n"),
        (Dialect::Openai, with("logprobs", json!(true)), "/logprobs"),
        (Dialect::Anthropic, with("tool_choice", json!({"type": "any"})), "/tool_choice"),
        (Dialect::Anthropic, with("tool_choice", json!({"type": "auto", "disable_parallel_tool_use": true})), "/tool_choice"),
        (Dialect::Anthropic, with("tools", json!([{"type": "bash_20250124", "name": "bash"}])), "/tools/0"),
    ] {
        assert_eq!(refused(dialect, &body), pointer);
    }
    let image = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
    assert_eq!(refused(Dialect::Openai, &with("messages", json!([{"role": "user", "content": [image]}]))), "/messages/0/content/0");
    for nothing in [json!("auto"), json!("none")] {
        asked(Dialect::Openai, &with("tool_choice", nothing));
    }
}

#[test]
fn images_stand_beside_the_text() {
    let openai = json!([{"type": "text", "text": "what"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
        {"type": "text", "text": "is it?"}]);
    let anthropic = json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        {"type": "text", "text": "what"}, {"type": "text", "text": "is it?"}]);
    for (dialect, content) in [(Dialect::Openai, openai), (Dialect::Anthropic, anthropic)] {
        let body = asked(dialect, &json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}));
        assert_eq!(body["messages"], json!([{"role": "user", "content": "what\nis it?", "images": ["iVBO"]}]));
    }
}

/// Two parallel calls, one without arguments, and what they returned, in order.
fn expected_turns() -> Value {
    json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "thinking": "hm", "content": "so", "tool_calls": [
            {"id": "a", "function": {"name": "f", "arguments": {"x": 1.0}}}, {"id": "b", "function": {"name": "g", "arguments": {}}}]},
        {"role": "tool", "tool_call_id": "a", "tool_name": "f", "content": "one"},
        {"role": "tool", "tool_call_id": "b", "tool_name": "g", "content": "two"},
        {"role": "user", "content": "and?"},
    ])
}

#[test]
fn gw_10_a_tool_round_of_openai_goes_to_ollama() {
    let body = asked(
        Dialect::Openai,
        &json!({"model": "m", "tools": [{"type": "function", "function": {"name": "f", "strict": true, "description": "d"}}], "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "so", "reasoning_content": "hm", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.0}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "a", "content": "one"}, {"role": "tool", "tool_call_id": "b", "content": "two"},
            {"role": "user", "content": "and?"}]}),
    );
    assert_eq!(body["messages"], expected_turns());
    let function = json!({"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}});
    assert_eq!(body["tools"], json!([{"type": "function", "function": function}]));
    let broken = json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":"}}]}]});
    assert_eq!(refused(Dialect::Openai, &broken), "/messages/0/tool_calls/0");
}

#[test]
fn gw_10_a_tool_round_of_anthropic_goes_to_ollama() {
    let body = asked(
        Dialect::Anthropic,
        &json!({"model": "m", "max_tokens": 9, "tools": [{"name": "f", "input_schema": {"type": "object"}}], "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "vox1.foreign"},
                {"type": "thinking", "thinking": "secret", "signature": "Eq=="}, {"type": "text", "text": "so"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1.0}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "one"},
                {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "two"}]}, {"type": "text", "text": "and?"}]}]}),
    );
    assert_eq!(body["messages"], expected_turns(), "reasoning that another provider signed stays away");
    let function = json!({"name": "f", "parameters": {"type": "object"}});
    assert_eq!(body["tools"], json!([{"type": "function", "function": function}]));
}

/// What a caller of this dialect gets of a stream of Ollama's, read in pieces of one byte.
fn answered(dialect: Dialect, stream: &str) -> String {
    let shown = Shown { id: "id_1".into(), model: "ollama/m".into(), created_s: 1, include_usage: true };
    let (mut frames, mut reader) = (Frames::new(Dialect::Ollama), Reader::new(Dialect::Ollama, UsageRules::default()));
    let (mut writer, mut out) = (Writer::new(dialect, shown), BytesMut::new());
    for byte in stream.as_bytes().chunks(1) {
        frames.push(Bytes::copy_from_slice(byte));
        while let Some(event) = frames.next_event().unwrap() {
            reader.event(&event, &mut |delta| writer.delta(&delta, &mut out)).unwrap();
        }
    }
    assert!(reader.tally().is_complete(Dialect::Ollama, false));
    writer.finish(&mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

/// Reads a stream of a caller's dialect and says its own history back to it: what the caller would send next.
fn next_turn(dialect: Dialect, stream: &str) -> Value {
    let (mut frames, mut reader, mut answer) =
        (Frames::new(dialect), Reader::new(dialect, UsageRules::default()), crate::Answer::default());
    frames.push(Bytes::copy_from_slice(stream.as_bytes()));
    while let Some(event) = frames.next_event().unwrap() {
        reader.event(&event, &mut |delta| answer.add(&delta)).unwrap();
    }
    assert!(reader.tally().is_complete(dialect, true));
    let body: Value = serde_json::from_slice(&answer.write(dialect, &Shown::default()).unwrap()).unwrap();
    let result = |id: &Value, text: &str| match dialect {
        Dialect::Openai => json!({"role": "tool", "tool_call_id": id, "content": text}),
        _ => json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}),
    };
    let (assistant, ids) = match dialect {
        Dialect::Openai => {
            let message = body["choices"][0]["message"].clone();
            let ids: Vec<Value> = message["tool_calls"].as_array().unwrap().iter().map(|call| call["id"].clone()).collect();
            (message, ids)
        }
        _ => {
            let content = body["content"].clone();
            let calls = content.as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
            let ids = calls.map(|call| call["id"].clone()).collect();
            (json!({"role": "assistant", "content": content}), ids)
        }
    };
    json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "go"}, assistant, result(&ids[0], "one"), result(&ids[1], "two")]})
}

#[test]
fn gw_10_calls_streamed_by_ollama_come_back_with_the_same_names_in_both_dialects() {
    let large = "0123456789abcdef".repeat(200 * 1024 / 16);
    let chunk =
        |message: &Value| format!("{}\n", json!({"model": "m", "created_at": "2026-05-17T06:40:00Z", "message": message, "done": false}));
    let mut stream = chunk(&json!({"role": "assistant", "content": "", "thinking": "hm"}));
    stream += &chunk(&json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"x": large}}}]}));
    stream += &chunk(&json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "g", "arguments": {}}}]}));
    stream +=
        "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":7}\n";
    for dialect in Dialect::CALLERS {
        let (first, again) = (answered(dialect, &stream), answered(dialect, &stream));
        assert_eq!(first, again, "the same answer gets the same ids");
        let history = next_turn(dialect, &first);
        let messages = asked(dialect, &history)["messages"].clone();
        assert_eq!(messages[1]["tool_calls"][0]["function"], json!({"name": "f", "arguments": {"x": large}}), "{dialect}");
        assert_eq!(messages[1]["tool_calls"][1]["function"], json!({"name": "g", "arguments": {}}), "{dialect}");
        assert_eq!(messages[1]["thinking"], "hm", "{dialect}");
        let results: Vec<Value> = messages.as_array().unwrap()[2..].to_vec();
        let expected = |at: usize, name: &str, text: &str| json!({"role": "tool", "tool_call_id": format!("call_20260517064000_{at}"), "tool_name": name, "content": text});
        assert_eq!(results, [expected(0, "f", "one"), expected(1, "g", "two")], "{dialect}");
    }
}
