use super::*;
use serde_json::{Value, json};

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn bodies_have_the_shape_of_the_dialect() {
    let body = error_body(Dialect::Openai, 400, "gateway.json_invalid", "say \"hi\"\n", Some("/model"), "r1");
    let error = json!({"message": "say \"hi\"\n", "type": "invalid_request_error", "param": "/model", "code": "gateway.json_invalid"});
    assert_eq!(value(&body), json!({ "error": error }));
    let body = error_body(Dialect::Anthropic, 400, "gateway.json_invalid", "no", None, "r1");
    let error = json!({"type": "invalid_request_error", "message": "no", "code": "gateway.json_invalid"});
    assert_eq!(value(&body), json!({"type": "error", "error": error, "request_id": "r1"}));
    assert_eq!(value(&error_body(Dialect::Openai, 500, "a.b", "c", None, "r"))["error"]["param"], Value::Null);
}

#[test]
fn gw_62_types_follow_the_status() {
    for (status, openai, anthropic) in [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (402, "insufficient_quota", "billing_error"),
        (403, "permission_error", "permission_error"),
        (404, "invalid_request_error", "not_found_error"),
        (405, "invalid_request_error", "invalid_request_error"),
        (413, "invalid_request_error", "request_too_large"),
        (415, "invalid_request_error", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (501, "server_error", "api_error"),
        (502, "server_error", "api_error"),
        (503, "server_error", "overloaded_error"),
        (504, "server_error", "api_error"),
    ] {
        for (dialect, kind) in [(Dialect::Openai, openai), (Dialect::Anthropic, anthropic)] {
            assert_eq!(value(&error_body(dialect, status, "a.b", "m", None, "r"))["error"]["type"], kind, "{dialect} {status}");
        }
    }
}

#[test]
fn gw_23_a_broken_stream_ends_in_an_error_and_no_end_mark() {
    let openai = error_event(Dialect::Openai, "gateway.upstream_cut", "the provider stopped in the middle");
    let data = openai.strip_prefix(b"data: ").unwrap();
    assert_eq!(value(data)["error"]["code"], "gateway.upstream_cut");
    let anthropic = error_event(Dialect::Anthropic, "gateway.upstream_cut", "the provider stopped in the middle");
    let data = anthropic.strip_prefix(b"event: error\ndata: ").unwrap();
    assert_eq!(value(data)["type"], "error");
    for event in [openai, anthropic] {
        let text = String::from_utf8(event.to_vec()).unwrap();
        assert!(text.ends_with("\n\n") && !text.contains("[DONE]") && !text.contains("message_stop") && !text.contains("finish_reason"));
    }
}
