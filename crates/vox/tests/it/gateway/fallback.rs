//! Failing well: before the first token another try or another offer answers, and the caller sees one clean answer.

use crate::node::{Dialect, Node, Setup, interaction, stdout};
use serde_json::json;
use std::time::Duration;
use vox_testkit::{Answer, End, FakeProvider, Reply};

const FIRST: &str = "openai/gpt-5-mini";
const SECOND: [&str; 2] = ["deepseek/deepseek-v4-flash", "anthropic/claude-haiku-4-5"];

fn words() -> Answer {
    Answer::text("from the second")
}

/// Every way of failing before the first token, for a stream or a whole answer.
fn failures(stream: bool) -> Vec<(&'static str, Reply, &'static str)> {
    let whole = words().openai();
    let events = words().openai_stream();
    let in_band = json!({"error": {"message": "overloaded", "type": "server_error", "code": 503}});
    let mut all = vec![
        ("500", Reply::json(500, &json!({"error": {"message": "boom"}})), "server"),
        ("200 with an error body", Reply::json(200, &in_band), "server"),
        (
            "an HTML page",
            Reply::new(200, "<!doctype html><html><body>Sign in</body></html>").header("content-type", "text/html"),
            "malformed",
        ),
        ("cut before the headers", Reply::new(200, "").cut_before_headers(), "network"),
        ("a stall before the headers", Reply::new(200, "").stall_before_headers(), "stalled"),
        ("an empty body", Reply::new(200, ""), ""),
    ];
    if stream {
        all.extend([
            ("cut before the first token", events.clone().cut_after_pieces(1), "cut"),
            ("a clean end before the first token", Reply::sse(words().openai_events()[..1].to_vec()), "cut"),
            ("an error chunk", Reply::sse([words().openai_events()[0].clone(), format!("data: {in_band}\n\n")]), "server"),
            ("a stall before the first token", events.stall_after_pieces(1), "stalled"),
        ]);
    } else {
        all.push(("cut in the middle", whole.clone().cut_after_bytes(whole.wire_len() - 20), "cut"));
    }
    all
}

fn started(first: &FakeProvider, second: &FakeProvider) -> Node {
    let settings = "retries: { per_offer: 1 }\ntimeouts: { first_byte_ms: 700, commit_after_ms: 700, response_ms: 700 }\n";
    let setup = Setup::new().openai(first).anthropic(second).settings(settings);
    let setup = setup.env("VOX_PROVIDER_DEEPSEEK_BASE_URL", &format!("{}/v1", second.url())).env("DEEPSEEK_API_KEY", "sk-deepseek-fixture");
    setup.start()
}

#[test]
fn gw_24_every_failure_before_the_first_token_falls_back_to_another_offer() {
    let (first, second) = (FakeProvider::start(), FakeProvider::start());
    let node = started(&first, &second);
    for other in SECOND {
        let dialect = if other.starts_with("anthropic") { Dialect::Anthropic } else { Dialect::Openai };
        let key = node.key(&[other, "--models", &format!("{FIRST},{other}")]);
        for stream in [true, false] {
            second.script([dialect.reply(&words(), stream)]);
            for (case, reply, class) in failures(stream) {
                first.script([reply]);
                check_fallback(&node, &key, other, stream, &format!("{case}, stream {stream}, then {other}"), class);
            }
        }
    }
}

fn check_fallback(node: &Node, key: &str, other: &str, stream: bool, case: &str, class: &str) {
    let mut body = Dialect::Openai.request(stream);
    body["model"] = FIRST.into();
    let headers = [("x-api-key", key), ("content-type", "application/json"), ("x-vox-fallback", "on")];
    let ask = || {
        let mut client = node.client();
        client.request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes()).unwrap()
    };
    // A key made a moment ago is known to the node within a second.
    let answer = crate::node::until(crate::node::PATIENCE, || Some(ask()).filter(|answer| answer.status() != 401)).unwrap();
    assert_eq!((answer.status(), answer.end), (200, End::Clean), "{case}: {}", answer.text());
    assert_eq!((answer.head.header("x-vox-model"), answer.head.header("x-vox-attempts")), (Some(other), Some("2")), "{case}");
    let text = answer.text();
    assert!(!text.contains("error") && !text.contains("Sign in"), "{case}: {text}");
    if stream {
        assert_eq!(text.matches("\"role\":\"assistant\"").count(), 1, "{case}: one beginning: {text}");
        assert_eq!(text.matches("[DONE]").count(), 1, "{case}: one end: {text}");
        assert_eq!(said(&text), "from the second", "{case}");
    } else {
        assert_eq!(answer.json()["choices"][0]["message"]["content"], "from the second", "{case}");
    }
    let id = interaction(&answer.head);
    let row = node.call(&id);
    assert_eq!((row["outcome"].as_str(), row["attempts"].as_i64()), (Some("complete"), Some(2)), "{case}");
    assert_eq!(row["model"].as_str(), other.split_once('/').map(|(_, model)| model), "{case}");
    let attempts = node.attempts(&id);
    let outcomes: Vec<_> =
        attempts.iter().map(|attempt| (attempt["provider"].as_str().unwrap(), attempt["outcome"].as_str().unwrap())).collect();
    assert_eq!(outcomes, [("openai", "failed"), (other.split_once('/').unwrap().0, "ok")], "{case}");
    assert!(class.is_empty() || attempts[0]["error_class"] == class, "{case}: {}", attempts[0]["error_class"]);
}

/// Returns the text of an OpenAI stream.
fn said(stream: &str) -> String {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let chunks = data.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[test]
fn gw_24_a_named_model_is_not_swapped_unless_the_caller_wants_it() {
    let (first, second) = (FakeProvider::scripted([Reply::new(500, "")]), FakeProvider::scripted([words().openai()]));
    let node = started(&first, &second);
    for headers in [&[][..], &[("x-vox-fallback", "off")]] {
        let answer = node.post_with("/v1/chat/completions", headers, Dialect::Openai.request(false).to_string().as_bytes());
        assert_eq!((answer.status(), answer.json()["error"]["code"].as_str()), (502, Some("gateway.upstream_failed")));
    }
    assert_eq!(second.n_requests(), 0);
}

#[test]
fn gw_26_a_503_is_tried_again_and_the_trace_shows_both_with_the_wait() {
    for stream in [false, true] {
        let fake = FakeProvider::scripted([Reply::new(503, "busy"), Dialect::Openai.reply(&words(), stream)]);
        let node = Setup::new().openai(&fake).start();
        let answer = node.post("/v1/chat/completions", &Dialect::Openai.request(stream));
        assert_eq!((answer.status(), answer.head.header("x-vox-attempts")), (200, Some("2")), "{}", answer.text());
        let id = interaction(&answer.head);
        assert_eq!(node.call(&id)["attempts"], 2);
        assert_eq!(node.number("SELECT count(*) AS n FROM llm_interactions"), 1);
        let trace = node.json(&["trace", "last"]);
        let seen: Vec<_> = trace["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| (attempt["number"].clone(), attempt["outcome"].clone(), attempt["http_status"].clone()))
            .collect();
        assert_eq!(seen, [(json!(1), json!("failed"), json!(503)), (json!(2), json!("ok"), json!(200))]);
        let requests = fake.requests();
        let (waited, between) = (trace["attempts"][1]["waited_ms"].as_u64().unwrap(), requests[1].at - requests[0].at);
        assert!(between >= Duration::from_millis(waited), "told {waited} ms, waited {between:?}");
        assert_eq!(trace["attempts"][0]["waited_ms"], 0);
        let shown = stdout(&node.vox(&["trace", &id]));
        assert!(shown.contains("503") && shown.contains("waited ms"), "{shown}");
    }
}
