//! Ollama's answers, as `/api/chat` gives them.

use super::*;
use crate::Frames;

/// Reads a stream of lines, cut into pieces of this many bytes.
fn read_stream(lines: &[&str], n_bytes: usize) -> (Vec<String>, Tally) {
    let stream: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    let (mut frames, mut reader, mut seen) =
        (Frames::new(Dialect::Ollama), Reader::new(Dialect::Ollama, UsageRules::default()), Vec::new());
    for piece in stream.as_bytes().chunks(n_bytes) {
        frames.push(Bytes::copy_from_slice(piece));
        while let Some(event) = frames.next_event().unwrap() {
            reader.event(&event, &mut |delta| seen.push(shown(&delta))).unwrap();
        }
    }
    (seen, reader.into_tally())
}

const TEXT: &[&str] = &[
    r#"{"model":"qwen3:8b","created_at":"2026-05-17T06:40:00.123456789Z","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
    r#"{"model":"qwen3:8b","created_at":"2026-05-17T06:40:00.2Z","message":{"role":"assistant","content":"Hel"},"done":false}"#,
    r#"{"model":"qwen3:8b","created_at":"2026-05-17T06:40:00.3Z","message":{"role":"assistant","content":"lo"},"done":false}"#,
    r#"{"model":"qwen3:8b","created_at":"2026-05-17T06:40:00.4Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":282,"eval_duration":4535599000}"#,
];

#[test]
fn a_stream_becomes_deltas_however_it_is_cut() {
    for n_bytes in [1, 7, 4096] {
        let (seen, tally) = read_stream(TEXT, n_bytes);
        let expected = [
            "start 20260517064000123456789 qwen3:8b",
            "reasoning hm",
            "text Hel",
            "text lo",
            "usage Some(26) Some(282)",
            "stop 0 end stop",
            "end",
        ];
        assert_eq!(seen, expected);
        assert!(tally.is_complete(Dialect::Ollama, true));
        assert_eq!(tally.usage_raw.as_deref(), Some(r#"{"prompt_eval_count":26,"eval_count":282}"#), "no text of the answer");
    }
    assert!(!read_stream(&TEXT[..3], 4096).1.is_complete(Dialect::Ollama, false), "without its last line it was cut");
}

/// GW-10.
#[test]
fn gw_10_calls_come_whole_and_get_ids_where_they_have_none() {
    let call = r#"{"model":"m","created_at":"2026-05-17T06:40:00Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"id":"call_9","function":{"index":1,"name":"g","arguments":{}}}]},"done":false}"#;
    let end =
        r#"{"model":"m","created_at":"2026-05-17T06:40:01Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#;
    let (seen, tally) = read_stream(&[call, end], 4096);
    let expected = [
        "start 20260517064000 m",
        "tool 0 call_20260517064000_0 f",
        "arguments 0 {\"x\":1}",
        "tool 1 call_9 g",
        "arguments 1 {}",
        "stop 0 tool stop",
        "end",
    ];
    assert_eq!(seen, expected);
    assert_eq!((tally.usage, tally.usage_raw), (vox_base::Usage::default(), None), "counts are absent, not zero");
    assert_eq!(read_stream(&[call, end], 3).0, expected, "the same answer gets the same ids");
}

#[test]
fn a_whole_answer_ends_and_an_error_is_one() {
    let body = r#"{"model":"m","created_at":"2026-05-17T06:40:00Z","message":{"role":"assistant","content":"hi"},"done_reason":"length","done":true,"eval_count":3}"#;
    let (seen, tally) = read_whole(Dialect::Ollama, UsageRules::default(), body);
    assert_eq!(seen[1..], ["text hi", "usage None Some(3)", "stop 0 length length", "end"]);
    assert!(tally.is_complete(Dialect::Ollama, false));
    let (seen, tally) = read_stream(&[TEXT[1], r#"{"error":"model runner has unexpectedly stopped"}"#], 4096);
    assert_eq!(seen.last().unwrap(), "error   model runner has unexpectedly stopped");
    assert!(tally.error.is_some() && !tally.is_complete(Dialect::Ollama, false));
    let mut reader = Reader::new(Dialect::Ollama, UsageRules::default());
    for bad in [r#"{"models":[]}"#, "[]", r#"{"message":{"content":"x"},"done":false}"#] {
        assert!(reader.whole(&Document::parse(Bytes::from_static(bad.as_bytes())).unwrap(), &mut |_| {}).is_err(), "{bad}");
    }
}
