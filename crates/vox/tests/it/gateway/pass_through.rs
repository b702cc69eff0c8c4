//! Same dialect in and out: the bytes that arrive are the bytes that leave, but for the few edits the specification names.

use crate::node::{ANTHROPIC_KEY, Dialect, OPENAI_KEY, Setup};
use serde_json::json;
use vox_testkit::{Answer, FakeProvider, Framing, Reply, Tokens};

const MODEL: &str = "@MODEL@";

/// Requests as clients write them, and as they might: `@MODEL@` stands for the model name.
const OPENAI_BODIES: [&str; 22] = [
    r#"{"model":"@MODEL@","messages":[{"role":"user","content":"hi"}]}"#,
    r#"{ "model" : "@MODEL@" , "messages" : [ ] }"#,
    "{\n  \"messages\": [\n    {\"role\": \"user\", \"content\": \"hi\"}\n  ],\n  \"model\": \"@MODEL@\"\n}\n",
    "\r\n\t {\t\"model\"\t:\t\"@MODEL@\"\r\n,\"messages\":[]}\r\n\r\n",
    r#"{"messages":[],"model":"@MODEL@","seed":9223372036854775808}"#,
    r#"{"messages":[],"seed":-9223372036854775808,"model":"@MODEL@","x":18446744073709551616,"y":1e400,"z":-0.0,"w":1.10}"#,
    r#"{"messages":[{"role":"user","content":"\u00e9\ud83d\ude00\/\b"}],"model":"@MODEL@"}"#,
    "{\"messages\":[{\"role\":\"user\",\"content\":\"é😀 \u{2028}\"}],\"model\":\"@MODEL@\"}",
    r#"{"model":"@MODEL@","messages":[],"brand_new_field":{"model":"keep me","a":[1,{"model":"and me"}]}}"#,
    r#"{"model":"@MODEL@","messages":[{"role":"user","content":"say \"model\":\"x\""}]}"#,
    r#"{"model":"@MODEL@","messages":[{"role":"user","content":[{"type":"hologram","model":"m","data":null}]}]}"#,
    r#"{"model":"@MODEL@","messages":[],"temperature":0.70,"top_p":1.0,"n":1,"stop":["a","\n"],"logit_bias":{"50256":-100}}"#,
    r#"{"model":"@MODEL@","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"model":{"type":"string"}}}}}],"tool_choice":"auto"}"#,
    r#"{"model":"@MODEL@","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},{"role":"tool","tool_call_id":"c","content":""}]}"#,
    r#"{"model":"@MODEL@","messages":[],"metadata":{"a":"b","model":"c"}}"#,
    r#"{"model":"@MODEL@","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"$ref":"/a","enum":[1,2.0,"3"]}}}}"#,
    r#"{"model":"@MODEL@","messages":[],"reasoning_effort":"unheard_of","service_tier":"flex","user":""}"#,
    r#"{"model":"@MODEL@","messages":[],"a":{},"b":[],"c":[[[[]]]],"d":"","e":null,"f":true,"g":false}"#,
    r#"{"model":"@MODEL@","messages":[],"stream":false,"stream_options":null}"#,
    r#"{"stream":true,"model":"@MODEL@","messages":[],"stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
    r#"{"stream":true,"stream_options":{ "include_usage" : true },"messages":[],"model":"@MODEL@"}"#,
    r#"{"model":"@MODEL@","messages":[],"max_tokens":1,"max_completion_tokens":2,"MODEL":"other case","Model":"and this"}"#,
];

const ANTHROPIC_BODIES: [&str; 20] = [
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}"#,
    r#"{ "max_tokens" : 8 , "messages" : [ ] , "model" : "@MODEL@" }"#,
    "{\n\t\"model\": \"@MODEL@\",\n\t\"max_tokens\": 8,\n\t\"messages\": []\n}\n",
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[],"stream":true}"#,
    r#"{"stream":true,"max_tokens":8,"messages":[],"model":"@MODEL@","stream_options":{"unknown":1}}"#,
    r#"{"model":"@MODEL@","max_tokens":64,"messages":[],"x":9223372036854775808}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"system":"you \u0041re","messages":[]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[{"role":"user","content":[{"type":"text","text":"model"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"EqQBCgIYAhIM+/=="}]}]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"AA=="}]},{"role":"user","content":"go"}]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":""}],"is_error":false}]}]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[],"tools":[{"name":"f","input_schema":{"type":"object","properties":{"model":{"const":"x"}}}},{"type":"brand_new_20990101","name":"new","max_uses":5}]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[],"thinking":{"type":"enabled","budget_tokens":1024},"temperature":1.0}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[],"metadata":{"user_id":"u_1"},"stop_sequences":["\r\n"],"top_k":40}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[{"role":"user","content":"\ud83d\ude00 😀 \/ /"}]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[],"mcp_servers":[],"container":null,"context_management":{"edits":[]}}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[{"role":"narrator","content":{"not":"a list"}}]}"#,
    r#"{"model":"@MODEL@","max_tokens":8,"messages":[],"future":{"model":"m","deep":[[{"model":[]}]]}}"#,
    r#"  {"model":"@MODEL@","max_tokens":8,"messages":[]}  "#,
];

#[test]
fn gw_03_a_request_passes_byte_for_byte_but_for_the_model() {
    let (openai, anthropic) = (FakeProvider::start(), FakeProvider::start());
    for (fake, dialect) in [(&openai, Dialect::Openai), (&anthropic, Dialect::Anthropic)] {
        let streams = |body: &[u8]| String::from_utf8_lossy(body).contains("\"stream\":true");
        fake.script([Reply::made(move |request| dialect.reply(&Answer::text("ok"), streams(&request.body)))]);
    }
    let node = Setup::new().openai(&openai).anthropic(&anthropic).start();
    for (dialect, bodies, fake) in [(Dialect::Openai, &OPENAI_BODIES[..], &openai), (Dialect::Anthropic, &ANTHROPIC_BODIES[..], &anthropic)]
    {
        for body in bodies {
            let sent = body.replace(MODEL, dialect.model());
            let (_, native) = dialect.model().split_once('/').unwrap();
            let answer = node.post_with(dialect.path(), &[], sent.as_bytes());
            assert_eq!(answer.status(), 200, "{body}: {}", answer.text());
            let arrived = fake.requests().pop().unwrap();
            assert_eq!(String::from_utf8_lossy(&arrived.body), body.replace(MODEL, native));
            assert_eq!(arrived.path, dialect.path());
        }
        assert_eq!(fake.n_requests(), bodies.len(), "one upstream request for each");
    }
}

#[test]
fn gw_03_hints_in_the_metadata_are_taken_out_and_the_rest_stays() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    let body = r#"{"model":"openai/gpt-5-mini", "metadata":{ "a":"b", "vox.session":"s-1", "c":"d" }, "messages":[]}"#;
    let answer = node.post_with(Dialect::Openai.path(), &[], body.as_bytes());
    assert_eq!((answer.status(), answer.head.header("x-vox-session")), (200, Some("s-1")));
    let arrived = String::from_utf8(fake.requests()[0].body.clone()).unwrap();
    assert!(!arrived.contains("vox."), "{arrived}");
    assert_eq!(fake.requests()[0].json()["metadata"], json!({"a": "b", "c": "d"}));
    assert!(arrived.starts_with(r#"{"model":"gpt-5-mini", "metadata":{"#) && arrived.ends_with(r#", "messages":[]}"#), "{arrived}");
}

#[test]
fn gw_04_an_answer_passes_byte_for_byte() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    let openai = [
        Answer::text("plain").openai_body().to_string(),
        "{ \"id\" : \"x\",\r\n \"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\\u00e9\\ud83d\\ude00 é\"},\"finish_reason\":\"stop\"}],\n\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"brand_new\":9223372036854775808}, \"extra\":[1.10,null]}\n\n".to_owned(),
        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"\"},\"finish_reason\":\"some_new_reason\"}]}".to_owned(),
    ];
    let anthropic = [
        Answer::text("plain").anthropic_body().to_string(),
        "{ \"type\" : \"message\", \"role\":\"assistant\", \"content\":[ {\"type\":\"text\",\"text\":\"\\/\"}, {\"type\":\"new_block\",\"x\":1e2} ], \"stop_reason\":\"end_turn\", \"usage\":{\"input_tokens\":1,\"output_tokens\":1} }\n".to_owned(),
    ];
    for (dialect, bodies) in [(Dialect::Openai, &openai[..]), (Dialect::Anthropic, &anthropic[..])] {
        for body in bodies {
            for reply in [Reply::new(200, body.as_str()), Reply::new(200, body.as_str()).split_every(7).framing(Framing::Chunked)] {
                fake.script([reply.header("content-type", "application/json")]);
                let answer = node.post(dialect.path(), &dialect.request(false));
                assert_eq!((answer.status(), answer.text().as_str()), (200, body.as_str()));
            }
        }
    }
}

#[test]
fn gw_05_usage_is_asked_for_and_shown_only_to_who_asked() {
    let tokens = Tokens { input: 700, cached: 300, output: 20, reasoning: 12, ..Tokens::default() };
    let fake = FakeProvider::scripted([Answer::text("one two").tokens(tokens).openai_stream()]);
    let node = Setup::new().openai(&fake).start();
    let asked = Dialect::Openai.request(true);
    let mut silent = asked.clone();
    silent.as_object_mut().unwrap().remove("stream_options");
    for (body, shown) in [(&silent, 0), (&asked, 1)] {
        let answer = node.post(Dialect::Openai.path(), body);
        let text = answer.text();
        assert_eq!(text.matches("\"usage\":{").count(), shown, "{text}");
        assert!(text.contains("one ") && text.ends_with("data: [DONE]\n\n"), "{text}");
        assert_eq!(fake.requests().pop().unwrap().json()["stream_options"]["include_usage"], true);
        let row = node.call(&crate::node::interaction(&answer.head));
        let counts = ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"].map(|column| row[column].as_i64());
        assert_eq!(counts, [700, 300, 20, 12].map(Some));
        assert_eq!((row["cost_source"].as_str(), row["outcome"].as_str()), (Some("computed"), Some("complete")));
    }
}

#[test]
fn gw_06_a_body_that_can_be_read_in_two_ways_goes_nowhere() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().both(&fake).start();
    for dialect in Dialect::BOTH {
        for body in [
            r#"{"model":"openai/gpt-5-mini","max_tokens":1,"messages":[],"model":"openai/gpt-5.4"}"#,
            r#"{"model":"a","max_tokens":1,"messages":[],"m\u006fdel":"b"}"#,
            r#"{"model":"openai/gpt-5-mini","max_tokens":1,"messages":[],"messages":[]}"#,
        ] {
            let answer = node.post_with(dialect.path(), &[], body.as_bytes());
            let error = answer.json();
            assert_eq!((answer.status(), dialect.code(&error)), (400, "gateway.json_ambiguous"), "{body}");
        }
    }
    assert_eq!(fake.n_requests(), 0);
}

#[test]
fn gw_46_what_is_the_callers_stays_with_vox_and_what_is_the_providers_with_the_provider() {
    let fake = FakeProvider::scripted([Reply::echoing_headers(400)]);
    let node = Setup::new().both(&fake).start();
    let headers = [
        ("cookie", "canary-cookie=1"),
        ("x-forwarded-for", "203.0.113.77"),
        ("forwarded", "for=203.0.113.78"),
        ("x-vox-session", "canary-session"),
        ("x-real-ip", "203.0.113.79"),
        ("anthropic-beta", "beta-1"),
        ("openai-beta", "assistants=v2"),
        ("idempotency-key", "idem-1"),
    ];
    for dialect in Dialect::BOTH {
        fake.forget_requests();
        let answer = node.post_with(&format!("{}?beta=true", dialect.path()), &headers, dialect.request(false).to_string().as_bytes());
        assert_eq!(answer.status(), 400, "{}", answer.text());
        let request = fake.requests().pop().unwrap();
        let seen = format!("{:?} {} {}", request.headers, request.query, String::from_utf8_lossy(&request.body));
        for foreign in ["canary-cookie", "203.0.113", "x-vox-", "canary-session", node.key.as_str()] {
            assert!(!seen.to_lowercase().contains(&foreign.to_lowercase()), "{foreign} reached the provider: {seen}");
        }
        let credential = request.header("authorization").or_else(|| request.header("x-api-key")).unwrap();
        assert!(credential.ends_with(if dialect == Dialect::Openai { OPENAI_KEY } else { ANTHROPIC_KEY }));
        assert_eq!((request.header("idempotency-key"), request.query.as_str()), (Some("idem-1"), "beta=true"));
        assert!(request.header("user-agent").unwrap().starts_with("vox/"));
        let answered = format!("{:?} {}", answer.head.headers, answer.text());
        assert!(!answered.contains(OPENAI_KEY) && !answered.contains(ANTHROPIC_KEY), "{answered}");
        assert!(answered.contains("<REDACTED:known>"), "the echo was scrubbed, not lost: {answered}");
    }
}
