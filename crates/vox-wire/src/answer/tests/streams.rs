//! What streams and whole bodies become, when they are complete, and what failed.

use super::*;

const OPENAI_STREAM: &[&str] = &[
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]},"finish_reason":null}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    r#"{"id":"c1","model":"m-1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#,
    "[DONE]",
];

const ANTHROPIC_STREAM: &[&str] = &[
    r#"{"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":10,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq=="}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello"}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":1}"}}"#,
    r#"{"type":"content_block_stop","index":2}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}"#,
    r#"{"type":"message_stop"}"#,
];

fn read(dialect: Dialect, lines: &[&str]) -> (Vec<String>, Tally) {
    read_lines(dialect, UsageRules::default(), lines)
}

#[test]
fn an_openai_stream_becomes_deltas() {
    let (seen, tally) = read(Dialect::Openai, OPENAI_STREAM);
    let expected = [
        "start c1 m-1",
        "reasoning hm",
        "text Hel",
        "text lo",
        "tool 0 call_a f",
        "arguments 0 {\"x\":",
        "arguments 0 1}",
        "stop 0 tool tool_calls",
        "usage Some(10) Some(5)",
        "end",
    ];
    assert_eq!(seen, expected);
    assert_eq!((tally.response_id.as_deref(), tally.model_reported.as_deref()), (Some("c1"), Some("m-1")));
    assert_eq!((tally.stop, tally.stop_raw.as_deref()), (Some(StopReason::Tool), Some("tool_calls")));
    assert_eq!(tally.n_output_bytes, 2 + 5 + 1 + 7);
}

#[test]
fn an_anthropic_stream_becomes_deltas() {
    let (seen, tally) = read(Dialect::Anthropic, ANTHROPIC_STREAM);
    let expected = [
        "start msg_1 claude",
        "usage Some(10) Some(1)",
        "ping",
        "reasoning hm",
        "signature Eq==",
        "text Hello",
        "tool 0 toolu_1 f",
        "arguments 0 {\"x\":1}",
        "stop 0 tool tool_use",
        "usage Some(10) Some(9)",
        "end",
    ];
    assert_eq!(seen, expected);
    assert_eq!((tally.response_id.as_deref(), tally.model_reported.as_deref()), (Some("msg_1"), Some("claude")));
    assert_eq!(tally.n_output_bytes, 2 + 4 + 5 + 1 + 7);
}

#[test]
fn whole_bodies_give_the_same_as_streams() {
    let body = r#"{"id":"c1","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"hm","content":"Hello","refusal":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#;
    let (seen, tally) = read_whole(Dialect::Openai, UsageRules::default(), body);
    let streamed = read(Dialect::Openai, OPENAI_STREAM).1;
    assert_eq!(seen[..4], ["start c1 m-1", "reasoning hm", "text Hello", "tool 0 call_a f"]);
    assert_eq!((tally.usage, tally.stop, tally.n_output_bytes), (streamed.usage, streamed.stop, streamed.n_output_bytes));
    let body = r#"{"id":"msg_1","type":"message","model":"claude","content":[{"type":"thinking","thinking":"hm","signature":"Eq=="},{"type":"text","text":"Hello"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}],"stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":9}}"#;
    let (seen, tally) = read_whole(Dialect::Anthropic, UsageRules::default(), body);
    let streamed = read(Dialect::Anthropic, ANTHROPIC_STREAM).1;
    assert_eq!(seen[3..6], ["text Hello", "tool 0 toolu_1 f", "arguments 0 {\"x\":1}"]);
    assert_eq!((tally.usage, tally.stop, tally.n_output_bytes), (streamed.usage, streamed.stop, streamed.n_output_bytes));
    assert!(tally.is_complete(Dialect::Anthropic, true));
}

#[test]
fn gw_23_a_stream_cut_after_any_event_is_not_complete() {
    for n_events in 0..=OPENAI_STREAM.len() {
        let tally = read(Dialect::Openai, &OPENAI_STREAM[..n_events]).1;
        assert_eq!(tally.is_complete(Dialect::Openai, false), n_events >= 8, "{n_events}");
        assert_eq!(tally.is_complete(Dialect::Openai, true), n_events == 10, "{n_events}");
    }
    for n_events in 0..=ANTHROPIC_STREAM.len() {
        let tally = read(Dialect::Anthropic, &ANTHROPIC_STREAM[..n_events]).1;
        assert_eq!(tally.is_complete(Dialect::Anthropic, false), n_events == 15, "{n_events}");
    }
}

#[test]
fn every_choice_must_finish() {
    let chunk =
        |choice: u32, finish: &str| format!(r#"{{"choices":[{{"index":{choice},"delta":{{"content":"x"}},"finish_reason":{finish}}}]}}"#);
    let lines = [chunk(0, "null"), chunk(1, "null"), chunk(1, "\"length\""), chunk(0, "\"stop\"")];
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert!(!read(Dialect::Openai, &lines[..3]).1.is_complete(Dialect::Openai, false));
    let tally = read(Dialect::Openai, &lines).1;
    assert!(tally.is_complete(Dialect::Openai, false));
    assert_eq!(tally.stop, Some(StopReason::End), "the first choice's");
}

#[test]
fn the_first_token_is_told_from_the_talk_before_it() {
    let facts = |dialect, line: &str| {
        let event = events(&format!("data: {line}\n\n")).remove(0);
        Reader::new(dialect, UsageRules::default()).event(&event, &mut |_| {}).unwrap()
    };
    let carries: Vec<_> = OPENAI_STREAM.iter().map(|line| facts(Dialect::Openai, line).carries_token).collect();
    assert_eq!(carries, [false, true, true, true, true, true, true, false, false, false]);
    let carries = [0, 1, 2, 3, 6, 7, 9, 13, 14].map(|at| facts(Dialect::Anthropic, ANTHROPIC_STREAM[at]).carries_token);
    assert_eq!(carries, [false, false, false, true, false, true, true, false, false]);
    let refusal = r#"{"choices":[{"index":0,"delta":{"refusal":"no"}}]}"#;
    assert!(facts(Dialect::Openai, refusal).carries_token);
}

#[test]
fn gw_05_the_usage_chunk_is_told_from_others() {
    let only = |line: &str| {
        let event = events(&format!("data: {line}\n\n")).remove(0);
        Reader::new(Dialect::Openai, UsageRules::default()).event(&event, &mut |_| {}).unwrap().usage_only
    };
    assert!(only(r#"{"choices":[],"usage":{"prompt_tokens":1}}"#));
    assert!(only(r#"{"usage":{"prompt_tokens":1}}"#));
    assert!(!only(r#"{"choices":[],"prompt_filter_results":[]}"#));
    assert!(!only(r#"{"choices":[],"usage":null}"#));
    assert!(!only(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#));
}

#[test]
fn gw_24_errors_inside_an_answer_are_failures() {
    let error = r#"{"error":{"message":"boom","type":"server_error","code":500}}"#;
    for (seen, tally) in [
        read(Dialect::Openai, &[error]),
        read_whole(Dialect::Openai, UsageRules::default(), error),
        read(Dialect::Openai, &[r#"{"choices":[],"error":{"message":"boom","type":"server_error","code":"500"}}"#]),
    ] {
        assert!(seen.contains(&"error server_error 500 boom".to_owned()), "{seen:?}");
        assert_eq!(tally.error.as_ref().unwrap().hint(), Some(FailureHint::Server));
        assert!(!tally.is_complete(Dialect::Openai, false));
    }
    let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#;
    assert!(read(Dialect::Openai, &[OPENAI_STREAM[2], finish]).1.error.is_some());
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"later"}}"#;
    let (seen, tally) = read(Dialect::Anthropic, &[ANTHROPIC_STREAM[0], overloaded]);
    assert_eq!(seen[2], "error overloaded_error  later");
    assert!(!tally.is_complete(Dialect::Anthropic, false));
    assert!(read_whole(Dialect::Anthropic, UsageRules::default(), overloaded).1.error.is_some());
}

#[test]
fn what_is_no_answer_is_malformed() {
    for (dialect, data) in [
        (Dialect::Openai, "<html>"),
        (Dialect::Openai, r#"{"choices":[{"delta":{"content":"cu"#),
        (Dialect::Openai, "[1]"),
        (Dialect::Anthropic, "[DONE]"),
        (Dialect::Anthropic, "3"),
    ] {
        let event = events(&format!("data: {data}\n\n")).remove(0);
        assert!(Reader::new(dialect, UsageRules::default()).event(&event, &mut |_| {}).is_err(), "{data}");
    }
    let bad = sse::Event { raw: Bytes::new(), name: None, data: Some(Bytes::from_static(b"{\"a\":\"\xff\"}")) };
    assert!(Reader::new(Dialect::Openai, UsageRules::default()).event(&bad, &mut |_| {}).is_err());
    for (dialect, body) in
        [(Dialect::Openai, "{}"), (Dialect::Openai, r#"{"choices":[]}"#), (Dialect::Anthropic, "{}"), (Dialect::Openai, "[]")]
    {
        let document = Document::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        assert!(Reader::new(dialect, UsageRules::default()).whole(&document, &mut |_| {}).is_err(), "{body}");
    }
}

#[test]
fn embeddings_are_complete_when_they_are_there() {
    let body = r#"{"object":"list","data":[{"index":0,"embedding":[0.5]}],"model":"e","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    let tally = read_whole(Dialect::Openai, UsageRules::default(), body).1;
    assert!(tally.is_complete(Dialect::Openai, false));
    assert_eq!((tally.usage.input, tally.usage.output), (Some(3), None));
}

#[test]
fn gw_10_tool_calls_are_kept_apart_however_they_are_numbered() {
    let call = |call: &str| format!(r#"{{"id":"r","choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}"#);
    let tools = |calls: &[&str]| {
        let lines: Vec<_> = calls.iter().map(|one| call(one)).collect();
        let (seen, _) = read(Dialect::Openai, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        seen[1..].to_vec()
    };
    let parallel = [
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
        r#"{"index":1,"id":"b","function":{"name":"g","arguments":""}}"#,
        r#"{"index":1,"function":{"arguments":"{}"}}"#,
    ];
    assert_eq!(tools(&parallel), ["tool 0 a f", "arguments 0 {}", "tool 1 b g", "arguments 1 {}"]);
    let all_zero = [
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
        r#"{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}"#,
    ];
    assert_eq!(tools(&all_zero), ["tool 0 a f", "arguments 0 {}", "tool 1 b g", "arguments 1 {}"]);
    let repeated_id =
        [r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#, r#"{"index":0,"id":"a","function":{"arguments":"}"}}"#];
    assert_eq!(tools(&repeated_id), ["tool 0 a f", "arguments 0 {", "arguments 0 }"]);
    let without_id = [r#"{"function":{"name":"f","arguments":{"x":1}}}"#];
    assert_eq!(tools(&without_id), ["tool 0 call_r_0 f", "arguments 0 {\"x\":1}"]);
}

#[test]
fn a_stream_kept_alive_by_comments_gives_pings() {
    let mut reader = Reader::new(Dialect::Openai, UsageRules::default());
    let mut seen = Vec::new();
    for event in events(": PROCESSING\n\ndata:\n\n") {
        let facts = reader.event(&event, &mut |delta| seen.push(shown(&delta))).unwrap();
        assert_eq!(facts, EventFacts::default());
    }
    assert_eq!(seen, ["ping", "ping"]);
}

#[test]
fn gw_14_stop_reasons() {
    use StopReason::{End, Length, Pause, Refused, Tool, Unknown};
    for (dialect, raw, reason) in [
        (Dialect::Openai, "stop", End),
        (Dialect::Openai, "length", Length),
        (Dialect::Openai, "tool_calls", Tool),
        (Dialect::Openai, "function_call", Tool),
        (Dialect::Openai, "content_filter", Refused),
        (Dialect::Openai, "eos", Unknown),
        (Dialect::Openai, "end_turn", Unknown),
        (Dialect::Anthropic, "end_turn", End),
        (Dialect::Anthropic, "stop_sequence", End),
        (Dialect::Anthropic, "max_tokens", Length),
        (Dialect::Anthropic, "model_context_window_exceeded", Length),
        (Dialect::Anthropic, "tool_use", Tool),
        (Dialect::Anthropic, "refusal", Refused),
        (Dialect::Anthropic, "pause_turn", Pause),
        (Dialect::Anthropic, "stop", Unknown),
        (Dialect::Ollama, "stop", End),
        (Dialect::Ollama, "length", Length),
        (Dialect::Ollama, "load", Unknown),
    ] {
        let (line, body) = match dialect {
            Dialect::Openai => (
                format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{raw}"}}]}}"#),
                format!(r#"{{"choices":[{{"index":0,"message":{{"content":"x"}},"finish_reason":"{raw}"}}]}}"#),
            ),
            Dialect::Anthropic => (
                format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{raw}"}}}}"#),
                format!(r#"{{"content":[],"stop_reason":"{raw}"}}"#),
            ),
            Dialect::Ollama => {
                let last = format!(r#"{{"message":{{"content":"x"}},"done":true,"done_reason":"{raw}"}}"#);
                (last.clone(), last)
            }
        };
        for tally in [read(dialect, &[&line]).1, read_whole(dialect, UsageRules::default(), &body).1] {
            assert_eq!((tally.stop, tally.stop_raw.as_deref()), (Some(reason), Some(raw)), "{dialect} {raw}");
        }
    }
}

#[test]
fn a_provider_s_words_say_what_failed() {
    use FailureHint::{Auth, ContextTooLong, ModelGone, Payment, Rate, Request, Server};
    for (body, hint) in [
        (r#"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#, Some(ContextTooLong)),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            Some(ContextTooLong),
        ),
        (
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens","type":"BadRequestError","code":400}}"#,
            Some(ContextTooLong),
        ),
        (
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Some(Payment),
        ),
        (r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#, Some(Payment)),
        (r#"{"error":{"message":"m","type":"invalid_request_error","code":"model_not_found"}}"#, Some(ModelGone)),
        (r#"{"type":"error","error":{"type":"not_found_error","message":"model: x"}}"#, Some(ModelGone)),
        (r#"{"error":{"message":"m","code":429}}"#, Some(Rate)),
        (r#"{"type":"error","error":{"type":"authentication_error","message":"m"}}"#, Some(Auth)),
        (r#"{"error":{"message":"temperature must be a number","type":"invalid_request_error"}}"#, Some(Request)),
        (r#"[{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}]"#, Some(Server)),
        (r#"{"error":"model overloaded"}"#, None),
        ("<html>502</html>", None),
        ("", None),
    ] {
        assert_eq!(UpstreamError::read(&Bytes::copy_from_slice(body.as_bytes())).hint(), hint, "{body}");
    }
}
