use super::*;
use crate::answer::{Reader, Tally, UsageRules};
use crate::sse;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;

fn shown() -> Shown {
    Shown { id: "id_1".to_owned(), model: "p/m".to_owned(), created_s: 1_700_000_000, include_usage: true }
}

fn text(text: &str) -> Delta<'_> {
    Delta::Text(Cow::Borrowed(text))
}

fn call<'a>(index: u32, id: &'a str, name: &'a str) -> Delta<'a> {
    Delta::ToolStart { index, id: id.into(), name: name.into() }
}

fn arguments(index: u32, fragment: &str) -> Delta<'_> {
    Delta::ToolArguments { index, fragment: fragment.into() }
}

fn stop(reason: StopReason, raw: &str) -> Delta<'_> {
    Delta::Stop { choice: 0, reason, raw: raw.into() }
}

fn usage() -> Usage {
    Usage { input: Some(10), cache_read: Some(90), cache_write_5m: Some(5), output: Some(7), reasoning: Some(3), ..Usage::default() }
}

fn write(dialect: Dialect, deltas: &[Delta<'_>]) -> Result<String, Malformed> {
    let (mut writer, mut out) = (Writer::new(dialect, shown()), BytesMut::new());
    deltas.iter().for_each(|delta| writer.delta(delta, &mut out));
    writer.finish(&mut out)?;
    Ok(String::from_utf8(out.to_vec()).unwrap())
}

/// The JSON of every event; `[DONE]` is left out.
fn data(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// What a reader of the dialect makes of a stream.
fn read(dialect: Dialect, stream: &str) -> (Answer, Tally) {
    let (mut decoder, mut reader, mut answer) = (sse::Decoder::new(), Reader::new(dialect, UsageRules::default()), Answer::default());
    decoder.push(Bytes::copy_from_slice(stream.as_bytes()));
    while let Some(event) = decoder.next_event().unwrap() {
        reader.event(&event, &mut |delta| answer.add(&delta)).unwrap();
    }
    assert_eq!(decoder.finish(), None, "every event has its end");
    (answer, reader.into_tally())
}

#[test]
fn a_stream_for_openai() {
    let deltas = [
        Delta::Start { id: "msg".into(), model: "claude".into() },
        Delta::Ping,
        Delta::Reasoning("hm".into()),
        text("Hel"),
        text("lo"),
        Delta::Usage(usage()),
        stop(StopReason::End, "end_turn"),
        Delta::End,
    ];
    let stream = write(Dialect::Openai, &deltas).unwrap();
    let chunks = data(&stream);
    let head = json!({"id": "id_1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "p/m"});
    for chunk in &chunks {
        for (key, value) in head.as_object().unwrap() {
            assert_eq!(&chunk[key], value);
        }
    }
    let choices: Vec<_> = chunks.iter().map(|chunk| chunk["choices"].clone()).collect();
    let delta = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    assert_eq!(
        choices,
        [
            delta(json!({"role": "assistant", "content": ""}), Value::Null),
            delta(json!({"reasoning_content": "hm"}), Value::Null),
            delta(json!({"content": "Hel"}), Value::Null),
            delta(json!({"content": "lo"}), Value::Null),
            delta(json!({}), json!("stop")),
            json!([]),
        ]
    );
    assert_eq!(
        chunks[5]["usage"],
        json!({"prompt_tokens": 105, "completion_tokens": 10, "total_tokens": 115,
        "prompt_tokens_details": {"cached_tokens": 90}, "completion_tokens_details": {"reasoning_tokens": 3}})
    );
    assert!(stream.ends_with("\n\ndata: [DONE]\n\n"));
}

#[test]
fn gw_05_a_caller_that_did_not_ask_sees_no_usage() {
    let mut writer = Writer::new(Dialect::Openai, Shown { include_usage: false, ..shown() });
    let mut out = BytesMut::new();
    for delta in [text("x"), stop(StopReason::End, "end_turn"), Delta::Usage(usage())] {
        writer.delta(&delta, &mut out);
    }
    writer.finish(&mut out).unwrap();
    assert!(!String::from_utf8(out.to_vec()).unwrap().contains("usage"));
}

#[test]
fn a_stream_for_anthropic() {
    let deltas = [
        Delta::Start { id: "c".into(), model: "gpt".into() },
        Delta::Reasoning("hm".into()),
        text("Hello"),
        call(0, "call_a", "f"),
        arguments(0, "{\"x\""),
        arguments(0, ":1}"),
        stop(StopReason::Tool, "tool_calls"),
        Delta::Usage(usage()),
        Delta::End,
    ];
    let stream = write(Dialect::Anthropic, &deltas).unwrap();
    let kinds: Vec<_> = stream.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let events = data(&stream);
    assert_eq!(kinds, events.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>());
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(events[0]["message"]["model"], "p/m");
    assert_eq!(events[3]["delta"], json!({"type": "signature_delta", "signature": "vox1.foreign"}));
    assert_eq!(events[8]["content_block"], json!({"type": "tool_use", "id": "call_a", "name": "f", "input": {}}));
    let indexes: Vec<_> = events.iter().filter_map(|event| event["index"].as_u64()).collect();
    assert_eq!(indexes, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(events[12]["delta"], json!({"stop_reason": "tool_use", "stop_sequence": null}));
    assert_eq!(
        events[12]["usage"],
        json!({"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 90, "output_tokens": 10})
    );
}

#[test]
fn usage_the_provider_did_not_send_is_not_made_up() {
    let deltas = [text("x"), stop(StopReason::End, "stop"), Delta::End];
    let events = data(&write(Dialect::Anthropic, &deltas).unwrap());
    assert_eq!(events[events.len() - 2]["usage"], json!({"input_tokens": null, "output_tokens": null}));
    assert!(!write(Dialect::Openai, &deltas).unwrap().contains("usage"));
}

#[test]
fn gw_23_no_prefix_of_a_stream_looks_finished() {
    let deltas = [
        Delta::Start { id: "a".into(), model: "b".into() },
        text("x"),
        call(0, "c", "f"),
        arguments(0, "{}"),
        stop(StopReason::Tool, "tool_use"),
        Delta::Usage(usage()),
        Delta::End,
    ];
    for dialect in Dialect::CALLERS {
        let (mut writer, mut out) = (Writer::new(dialect, shown()), BytesMut::new());
        for delta in &deltas {
            writer.delta(delta, &mut out);
            let so_far = String::from_utf8(out.to_vec()).unwrap();
            for mark in ["[DONE]", "message_stop", "message_delta", "\"tool_calls\"}]", "\"finish_reason\":\""] {
                assert!(!so_far.contains(mark), "{dialect}: {mark} after {delta:?}");
            }
            let tally = read(dialect, &so_far).1;
            assert!(!tally.is_complete(dialect, false), "{dialect} after {delta:?}");
        }
        writer.finish(&mut out).unwrap();
        assert!(read(dialect, std::str::from_utf8(&out).unwrap()).1.is_complete(dialect, true));
    }
}

#[test]
fn nothing_is_finished_that_the_provider_did_not_stop() {
    for dialect in Dialect::CALLERS {
        let unstopped = write(dialect, &[text("x"), Delta::Usage(usage()), Delta::End]).unwrap();
        assert!(!read(dialect, &unstopped).1.is_complete(dialect, false));
        let (mut writer, mut out) = (Writer::new(dialect, shown()), BytesMut::new());
        writer.delta(&stop(StopReason::End, "stop"), &mut out);
        writer.finish(&mut out).unwrap();
        let length = out.len();
        writer.finish(&mut out).unwrap();
        assert_eq!(out.len(), length, "the end is written once");
    }
}

fn check_large_arguments(dialect: Dialect) {
    let large = format!("{{\"x\":\"{}\"}}", "0123456789abcdef".repeat(200 * 1024 / 16));
    let mut deltas = vec![call(0, "id_a", "f")];
    deltas.extend((0..large.len()).map(|at| arguments(0, &large[at..=at])));
    deltas.push(stop(StopReason::Tool, "tool"));
    let (answer, _) = read(dialect, &write(dialect, &deltas).unwrap());
    let body: Value = serde_json::from_slice(&answer.write(Dialect::Openai, &shown()).unwrap()).unwrap();
    assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], large);
}

#[test]
fn gw_10_large_arguments_in_pieces_of_one_byte_to_openai() {
    check_large_arguments(Dialect::Openai);
}

#[test]
fn gw_10_large_arguments_in_pieces_of_one_byte_to_anthropic() {
    check_large_arguments(Dialect::Anthropic);
}

#[test]
fn gw_10_parallel_calls_and_calls_without_arguments() {
    let deltas = [call(0, "a", "f"), call(1, "b", "g"), arguments(1, "{\"x\":1}"), call(2, "c", "h"), stop(StopReason::Tool, "tool")];
    for dialect in Dialect::CALLERS {
        let (answer, _) = read(dialect, &write(dialect, &deltas).unwrap());
        let body: Value = serde_json::from_slice(&answer.write(Dialect::Anthropic, &shown()).unwrap()).unwrap();
        assert_eq!(
            body["content"],
            json!([
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "b", "name": "g", "input": {"x": 1}},
            {"type": "tool_use", "id": "c", "name": "h", "input": {}}]),
            "{dialect}"
        );
    }
    let openai = write(Dialect::Openai, &deltas).unwrap();
    assert_eq!(openai.matches(r#""arguments":"{}""#).count(), 2, "the empty object is spelled out");
}

#[test]
fn gw_10_late_arguments_of_an_earlier_call_are_not_lost() {
    let deltas = [
        call(0, "a", "f"),
        arguments(0, "{\"x\":"),
        call(1, "b", "g"),
        arguments(1, "{}"),
        arguments(0, "1}"),
        stop(StopReason::Tool, "t"),
    ];
    for dialect in Dialect::CALLERS {
        let (answer, _) = read(dialect, &write(dialect, &deltas).unwrap());
        let body: Value = serde_json::from_slice(&answer.write(Dialect::Anthropic, &shown()).unwrap()).unwrap();
        assert_eq!(body["content"][0]["input"], json!({"x": 1}), "{dialect}");
    }
}

#[test]
fn arguments_that_are_no_object_end_an_anthropic_answer_as_malformed() {
    let deltas = [call(0, "a", "f"), arguments(0, "{\"x\":"), stop(StopReason::Tool, "tool_calls")];
    assert!(write(Dialect::Anthropic, &deltas).is_err());
    assert!(write(Dialect::Openai, &deltas).unwrap().contains("[DONE]"), "OpenAI carries the text as it is");
    let mut answer = Answer::default();
    deltas.iter().for_each(|delta| answer.add(delta));
    assert!(answer.write(Dialect::Anthropic, &shown()).is_err());
    assert!(answer.write(Dialect::Openai, &shown()).is_ok());
}

#[test]
fn gw_14_every_stop_reason_in_both_dialects_and_modes() {
    use StopReason::{End, Length, Pause, Refused, Tool, Unknown};
    for (reason, raw, openai, anthropic) in [
        (End, "stop", "stop", "end_turn"),
        (End, "stop_sequence", "stop", "end_turn"),
        (Length, "length", "length", "max_tokens"),
        (Length, "model_context_window_exceeded", "length", "max_tokens"),
        (Tool, "tool_use", "tool_calls", "tool_use"),
        (Refused, "content_filter", "content_filter", "refusal"),
        (Pause, "pause_turn", "pause_turn", "pause_turn"),
        (Unknown, "eos_token", "eos_token", "eos_token"),
    ] {
        let deltas = [text("x"), stop(reason, raw)];
        let mut answer = Answer::default();
        deltas.iter().for_each(|delta| answer.add(delta));
        let whole = |dialect| serde_json::from_slice::<Value>(&answer.write(dialect, &shown()).unwrap()).unwrap();
        assert_eq!(whole(Dialect::Openai)["choices"][0]["finish_reason"], openai);
        assert_eq!(whole(Dialect::Anthropic)["stop_reason"], anthropic);
        assert_eq!(read(Dialect::Openai, &write(Dialect::Openai, &deltas).unwrap()).1.stop_raw.unwrap(), openai);
        assert_eq!(read(Dialect::Anthropic, &write(Dialect::Anthropic, &deltas).unwrap()).1.stop_raw.unwrap(), anthropic);
    }
}

#[test]
fn whole_answers() {
    let mut answer = Answer::default();
    for delta in [
        Delta::Reasoning("hm".into()),
        text("Hel"),
        text("lo"),
        call(0, "a", "f"),
        arguments(0, "{\"x\": 1.0}"),
        stop(StopReason::Tool, "x"),
        Delta::Usage(usage()),
    ] {
        answer.add(&delta);
    }
    assert_eq!(answer.text(), "Hello");
    let openai: Value = serde_json::from_slice(&answer.write(Dialect::Openai, &shown()).unwrap()).unwrap();
    assert_eq!(openai["object"], "chat.completion");
    assert_eq!(
        openai["choices"][0]["message"],
        json!({"role": "assistant", "content": "Hello", "refusal": null, "reasoning_content": "hm",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.0}"}}]})
    );
    assert_eq!(openai["usage"]["prompt_tokens"], 105);
    let anthropic = answer.write(Dialect::Anthropic, &shown()).unwrap();
    assert!(std::str::from_utf8(&anthropic).unwrap().contains(r#""input":{"x": 1.0}"#), "arguments keep their spelling");
    let anthropic: Value = serde_json::from_slice(&anthropic).unwrap();
    assert_eq!(anthropic["content"][0], json!({"type": "thinking", "thinking": "hm", "signature": "vox1.foreign"}));
    assert_eq!(anthropic["content"][1], json!({"type": "text", "text": "Hello"}));
    assert_eq!((&anthropic["stop_reason"], &anthropic["usage"]["input_tokens"]), (&json!("tool_use"), &json!(10)));
    let silent: Value = serde_json::from_slice(&Answer::default().write(Dialect::Openai, &shown()).unwrap()).unwrap();
    assert_eq!(silent["choices"][0]["message"]["content"], Value::Null);
    assert!(silent.get("usage").is_none());
}

#[test]
fn a_refusal_is_text_to_a_client_without_refusals() {
    let deltas = [Delta::Refusal("no".into()), stop(StopReason::Refused, "content_filter")];
    let (answer, tally) = read(Dialect::Anthropic, &write(Dialect::Anthropic, &deltas).unwrap());
    assert_eq!((answer.text().as_str(), tally.stop), ("no", Some(StopReason::Refused)));
    let chunks = data(&write(Dialect::Openai, &deltas).unwrap());
    assert_eq!(chunks[1]["choices"][0]["delta"], json!({"refusal": "no"}));
}

proptest! {
    /// What a writer writes, a reader of the same dialect understands as the same answer.
    #[test]
    fn reading_undoes_writing(texts in proptest::collection::vec((0..2_u8, ".{1,12}"), 0..8), n_calls in 0_u32..3, n_tokens in 0..1000_u64) {
        for dialect in Dialect::CALLERS {
            let mut deltas: Vec<Delta<'_>> = texts.iter().map(|(kind, piece)| if *kind == 0 { text(piece) } else { Delta::Reasoning(piece.into()) }).collect();
            let ids: Vec<_> = (0..n_calls).map(|index| format!("id_{index}")).collect();
            for index in 0..n_calls {
                deltas.extend([call(index, &ids[index as usize], "f"), arguments(index, "{\"x\""), arguments(index, ":1}")]);
            }
            deltas.extend([stop(StopReason::Tool, StopReason::Tool.write(dialect, "")), Delta::Usage(Usage { input: Some(n_tokens), output: Some(9), ..Usage::default() })]);
            let mut written = Answer::default();
            deltas.iter().for_each(|delta| written.add(delta));
            let (read, tally) = read(dialect, &write(dialect, &deltas).unwrap());
            prop_assert_eq!(read, written);
            prop_assert!(tally.is_complete(dialect, true));
        }
    }
}
