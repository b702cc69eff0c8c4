//! Content rules of gateway section 4.4.3, both ways.

use super::*;
use serde_json::json;

fn to_anthropic(body: Value) -> (Value, Translated) {
    let done = translate(Dialect::Openai, &body.to_string()).unwrap_or_else(|error| panic!("{error}: {body}"));
    (value(&done), done)
}

fn to_openai(body: Value) -> (Value, Translated) {
    let done = translate(Dialect::Anthropic, &body.to_string()).unwrap_or_else(|error| panic!("{error}: {body}"));
    (value(&done), done)
}

#[test]
fn a_plain_request_each_way() {
    let (sent, done) = to_anthropic(json!({
        "model": "m", "stream": true, "temperature": 0.2, "top_p": 0.9, "stop": ["a", "b"], "max_completion_tokens": 50, "user": "u",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "developer", "content": [{"type": "text", "text": "very"}]},
                     {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "user", "content": [{"type": "text", "text": "bye"}]}],
    }));
    assert_eq!(
        sent,
        json!({
            "model": "target/model", "stream": true, "temperature": 0.2, "top_p": 0.9, "stop_sequences": ["a", "b"], "max_tokens": 50,
            "system": [{"type": "text", "text": "be brief"}, {"type": "text", "text": "very"}],
            "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "user", "content": [{"type": "text", "text": "bye"}]}],
        })
    );
    assert_eq!((done.converted, done.ignored), (vec!["stop".to_owned()], vec!["user".to_owned()]));
    let (sent, done) = to_openai(json!({
        "model": "m", "max_tokens": 50, "stream": true, "temperature": 0.2, "stop_sequences": ["a"], "metadata": {"user_id": "u"},
        "system": [{"type": "text", "text": "be \"brief\"", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "very"}],
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]},
                     {"role": "user", "content": [{"type": "text", "text": "bye"}]}],
    }));
    assert_eq!(
        sent,
        json!({
            "model": "target/model", "max_tokens": 50, "stream": true, "temperature": 0.2, "stop": ["a"],
            "messages": [{"role": "system", "content": "be \"brief\"\n\nvery"}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"},
                         {"role": "user", "content": "bye"}],
        })
    );
    assert_eq!(done.ignored, ["metadata", "block_field.cache_control"]);
}

#[test]
fn gw_17_a_later_system_message_is_a_user_text_where_it_stood() {
    let (sent, done) = to_anthropic(json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "system", "content": "c"}]}));
    assert_eq!(
        sent["messages"],
        json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "user", "content": "c"}])
    );
    assert!(sent.get("system").is_none());
    assert_eq!(done.converted, ["role.system"]);
}

fn openai_tools() -> Value {
    json!({
        "model": "m", "max_tokens": 9, "parallel_tool_calls": false, "tool_choice": {"type": "function", "function": {"name": "f"}},
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
                  {"type": "function", "function": {"name": "g"}}],
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "calling", "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.0}"}},
                {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "call_a", "content": "one"},
            {"role": "tool", "tool_call_id": "call_b", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": "next"}],
    })
}

#[test]
fn gw_10_tools_calls_and_results_to_anthropic() {
    let (sent, done) = to_anthropic(openai_tools());
    assert_eq!(
        sent["tools"],
        json!([
        {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}}},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}}])
    );
    assert_eq!(sent["tool_choice"], json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}));
    assert_eq!(
        sent["messages"],
        json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "text", "text": "calling"},
            {"type": "tool_use", "id": "call_a", "name": "f", "input": {"x": 1.0}}, {"type": "tool_use", "id": "call_b", "name": "g", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_a", "content": "one"},
            {"type": "tool_result", "tool_use_id": "call_b", "content": [{"type": "text", "text": "two"}]}]},
        {"role": "user", "content": "next"}])
    );
    assert!(std::str::from_utf8(&done.body).unwrap().contains(r#""input":{"x": 1.0}"#), "arguments keep their spelling");
}

#[test]
fn gw_10_tools_calls_and_results_to_openai() {
    let (sent, done) = to_openai(json!({
        "model": "m", "max_tokens": 9, "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}, {"type": "custom", "name": "g", "input_schema": {}}],
        "messages": [
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "calling"},
                {"type": "tool_use", "id": "toolu_a", "name": "f", "input": {"x": "\"q\""}}, {"type": "tool_use", "id": "toolu_b", "name": "g", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_a", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "more"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}]},
                {"type": "tool_result", "tool_use_id": "toolu_b", "is_error": true, "content": "bad"},
                {"type": "tool_result", "tool_use_id": "toolu_c"},
                {"type": "text", "text": "next"}]}],
    }));
    assert_eq!(
        sent["tools"][0],
        json!({"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}})
    );
    assert_eq!(sent["tools"][1]["function"]["name"], "g");
    assert_eq!((&sent["tool_choice"], &sent["parallel_tool_calls"]), (&json!("required"), &json!(false)));
    assert_eq!(
        sent["messages"],
        json!([
        {"role": "assistant", "content": "calling", "tool_calls": [
            {"id": "toolu_a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":\"\\\"q\\\"\"}"}},
            {"id": "toolu_b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "toolu_a", "content": "one\nmore"},
        {"role": "tool", "tool_call_id": "toolu_b", "content": "error: bad"},
        {"role": "tool", "tool_call_id": "toolu_c", "content": ""},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, {"type": "text", "text": "next"}]}])
    );
    assert_eq!(done.converted, ["block.thinking", "block.tool_result", "block_field.is_error"]);
}

#[test]
fn tool_choices_each_way() {
    for (openai, anthropic) in [
        (json!("auto"), json!({"type": "auto"})),
        (json!("none"), json!({"type": "none"})),
        (json!("required"), json!({"type": "any"})),
        (json!({"type": "function", "function": {"name": "f"}}), json!({"type": "tool", "name": "f"})),
    ] {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let (sent, _) = to_anthropic(json!({"model": "m", "messages": [], "tools": tools, "tool_choice": openai}));
        assert_eq!(sent["tool_choice"], anthropic);
        let (sent, _) =
            to_openai(json!({"model": "m", "max_tokens": 1, "messages": [], "tools": [{"name": "f"}], "tool_choice": anthropic}));
        assert_eq!(sent["tool_choice"], openai);
    }
    let (sent, _) = to_anthropic(json!({"model": "m", "messages": [], "tool_choice": "auto"}));
    assert!(sent.get("tool_choice").is_none(), "there is nothing to choose from");
}

#[test]
fn gw_10_ids_that_anthropic_refuses_are_respelled_the_same_every_time() {
    let (sent, _) = to_anthropic(json!({"model": "m", "messages": [
        {"role": "assistant", "tool_calls": [{"id": "call:1.é", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call:1.é", "content": "x"}]}));
    let id = sent["messages"][0]["content"][0]["id"].as_str().unwrap();
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')), "{id}");
    assert_eq!(sent["messages"][1]["content"][0]["tool_use_id"], id);
}

#[test]
fn arguments_that_are_no_object_are_refused_where_one_is_needed() {
    for arguments in ["{not json", "[1]", "\"x\""] {
        let body = json!({"model": "m", "messages": [
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}]}]});
        let error = translate(Dialect::Openai, &body.to_string()).unwrap_err();
        assert_eq!(error.pointer(), "/messages/0/tool_calls/0", "{arguments}");
    }
}

#[test]
fn gw_16_images_keep_their_bytes_each_way() {
    let base64 = json!({"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "UklGR+/9=="}});
    let inline = json!({"type": "image_url", "image_url": {"url": "data:image/webp;base64,UklGR+/9=="}});
    let by_url = json!({"type": "image", "source": {"type": "url", "url": "https://example.test/a.png?x=1"}});
    let remote = json!({"type": "image_url", "image_url": {"url": "https://example.test/a.png?x=1"}});
    let (sent, _) = to_anthropic(json!({"model": "m", "messages": [{"role": "user", "content": [inline, remote]}]}));
    assert_eq!(sent["messages"][0]["content"], json!([base64, by_url]));
    let (sent, _) = to_openai(json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [base64, by_url]}]}));
    assert_eq!(sent["messages"][0]["content"], json!([inline, remote]));
    for (dialect, block) in [(Dialect::Openai, remote), (Dialect::Anthropic, by_url)] {
        let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [block]}]}).to_string();
        let error = chat(dialect, &body).translate(other(dialect), "n", &Target::default(), &Verdicts::built_in(), false).unwrap_err();
        assert_eq!(error, Untranslatable::ImageUrl { pointer: "/messages/0/content/0".to_owned() });
        assert_eq!(Coded::from(error).code, "gateway.image_url_unsupported");
    }
}

#[test]
fn the_bound_on_the_answer_is_given_where_the_caller_gave_none() {
    let body = r#"{"model":"m","messages":[]}"#;
    for (most, expected) in [(None, 16_384), (Some(4_096), 4_096), (Some(64_000), 16_384)] {
        let target = Target { max_output_tokens: most, ..Target::default() };
        let done = chat(Dialect::Openai, body).translate(Dialect::Anthropic, "n", &target, &Verdicts::built_in(), false).unwrap();
        assert_eq!(value(&done)["max_tokens"], expected);
        assert_eq!(done.converted, ["max_tokens"]);
    }
}

#[test]
fn a_target_s_ways_are_followed() {
    let target = Target {
        stream_usage_on_request: true,
        rename: vec![("max_tokens".to_owned(), "max_completion_tokens".to_owned())],
        ..Target::default()
    };
    let body = r#"{"model":"m","max_tokens":7,"stream":true,"messages":[]}"#;
    let done = chat(Dialect::Anthropic, body).translate(Dialect::Openai, "n", &target, &Verdicts::built_in(), false).unwrap();
    assert_eq!(value(&done)["max_completion_tokens"], 7);
    assert_eq!(value(&done)["stream_options"], json!({"include_usage": true}));
    let done = translate(Dialect::Anthropic, body).unwrap();
    assert_eq!((&value(&done)["max_tokens"], value(&done).get("stream_options")), (&json!(7), None));
}

#[test]
fn gw_12_reasoning_is_off_where_its_state_is_missing() {
    let call = json!({"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "a", "content": "x"});
    let user = json!({"role": "user", "content": "go"});
    let body = |messages: Value| json!({"model": "m", "max_tokens": 9000, "reasoning_effort": "low", "messages": messages});
    let (sent, done) = to_anthropic(body(json!([user, call, result])));
    assert!(sent.get("thinking").is_none());
    assert_eq!(done.notice, Some("reasoning_state_missing"));
    let (sent, done) = to_anthropic(body(json!([user, call, result, user])));
    assert_eq!(sent["thinking"], json!({"type": "enabled", "budget_tokens": 4096}));
    assert_eq!(done.notice, None);
}

#[test]
fn gw_13_foreign_reasoning_and_signatures_do_not_travel() {
    let (sent, _) = to_openai(json!({"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "secret", "signature": "vox1.foreign"}, {"type": "redacted_thinking", "data": "Em8="}, {"type": "text", "text": "x"}]}]}));
    assert_eq!(sent["messages"], json!([{"role": "assistant", "content": "x"}]));
    let (sent, done) =
        to_anthropic(json!({"model": "m", "messages": [{"role": "assistant", "content": "x", "reasoning_content": "secret"}]}));
    assert_eq!(sent["messages"], json!([{"role": "assistant", "content": "x"}]));
    assert!(done.converted.contains(&"message.reasoning_content".to_owned()));
}

#[test]
fn an_empty_assistant_turn_is_left_out() {
    let (sent, _) = to_anthropic(json!({"model": "m", "messages": [
        {"role": "assistant", "content": ""}, {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]}));
    assert_eq!(sent["messages"], json!([{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}]));
}

#[test]
fn an_output_schema_goes_to_openai() {
    let schema = json!({"type": "object", "properties": {}});
    let (sent, done) = to_openai(json!({"model": "m", "max_tokens": 1, "messages": [],
        "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": schema}}}));
    assert_eq!(
        sent["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}})
    );
    assert_eq!(sent["reasoning_effort"], "xhigh");
    assert_eq!(done.converted, ["output_config.effort", "output_config.format"]);
}
