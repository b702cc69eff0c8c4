//! What the issue calls bad input: each gives its coded error and the next step, and the node goes on.

use crate::node::{Dialect, Node, Setup, envelope, interaction, stderr};
use serde_json::{Value, json};
use vox_testkit::{Answer, End, FakeProvider, Reply};

fn refused(node: &Node, dialect: Dialect, body: &[u8]) -> (u16, String) {
    let answer = node.post_with(dialect.path(), &[], body);
    let error = answer.json();
    assert!(error["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{error}");
    (answer.status(), dialect.code(&error).to_owned())
}

#[test]
fn bodies_that_are_no_json_go_nowhere() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().both(&fake).start();
    let nested = |depth: usize| {
        format!(r#"{{"model":"openai/gpt-5-mini","max_tokens":1,"messages":[],"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    for dialect in Dialect::BOTH {
        let bad: [&[u8]; 7] = [
            br#"{"model":"openai/gpt-5-mini","messages":[{"role":"us"#,
            b"",
            b"null",
            b"[]",
            b"{\"model\":\"openai/gpt-5-mini\",\"messages\":[\"\xff\xfe\"]}",
            br#"{"model":7,"messages":[]}"#,
            br#"{"model":"openai/gpt-5-mini","messages":[]} trailing"#,
        ];
        for body in bad {
            assert_eq!(refused(&node, dialect, body), (400, "gateway.json_invalid".into()), "{}", String::from_utf8_lossy(body));
        }
        // The body itself is the first level.
        assert_eq!(refused(&node, dialect, nested(128).as_bytes()), (400, "gateway.json_invalid".into()));
        assert_eq!(refused(&node, dialect, nested(100_000).as_bytes()), (400, "gateway.json_invalid".into()));
    }
    assert_eq!(fake.n_requests(), 0);
    assert_eq!(node.post_with("/v1/chat/completions", &[], nested(127).as_bytes()).status(), 200, "128 levels are fine");
}

#[test]
fn a_body_of_33_mib_is_refused_and_the_node_goes_on() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    let bearer = format!("Bearer {}", node.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let length = (33 << 20).to_string();
    let mut client = node.client();
    client.send("POST", "/v1/chat/completions", &[&headers[..], &[("content-length", &length)]].concat(), b"{").unwrap();
    let answer = crate::node::finish(&mut client);
    assert_eq!((answer.status(), answer.json()["error"]["code"].as_str()), (413, Some("gateway.body_too_large")), "before it is read");

    let mut client = node.client();
    client.send("POST", "/v1/chat/completions", &[&headers[..], &[("transfer-encoding", "chunked")]].concat(), b"").unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    for _ in 0..33 {
        // Once the answer is there the node need not listen any more.
        if client.write(&chunk).is_err() {
            break;
        }
    }
    let _ = client.write(b"0\r\n\r\n");
    if let Ok(head) = client.read_head() {
        assert_eq!(head.status, 413);
    }
    assert_eq!(fake.n_requests(), 0);
    assert_eq!(node.post("/v1/chat/completions", &Dialect::Openai.request(false)).status(), 200);
}

#[test]
fn bad_utf_8_in_the_middle_of_a_stream_crashes_nobody_and_loses_nothing_before_it() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    for dialect in Dialect::BOTH {
        let answer = Answer::text("one two three");
        let events = if dialect == Dialect::Openai { answer.openai_events() } else { answer.anthropic_events() };
        let mut bytes: Vec<Vec<u8>> = events.into_iter().map(String::into_bytes).collect();
        let at = bytes.iter().position(|event| event.windows(4).any(|window| window == b"two ")).unwrap();
        let place = bytes[at].windows(4).position(|window| window == b"two ").unwrap();
        bytes[at][place] = 0xff;
        let reply = Reply::new(200, "").header("content-type", "text/event-stream").pieces(bytes).framing(vox_testkit::Framing::Chunked);
        fake.script([reply]);
        let seen = node.post(dialect.path(), &dialect.request(true));
        assert_eq!(seen.status(), 200);
        assert!(seen.text().contains("one "), "what came before it is there: {}", seen.text());
        let row = node.call(&interaction(&seen.head));
        let told = (seen.end, row["outcome"].as_str().unwrap());
        assert!(matches!(told, (End::Clean, "complete") | (End::Cut, "upstream_malformed")), "{dialect:?}: {told:?}");
        assert_eq!(seen.text().contains(dialect.end_mark()), seen.end == End::Clean);
    }
}

#[test]
fn a_page_instead_of_an_answer_is_malformed() {
    let html = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
    let page = |status| Reply::new(status, html).header("content-type", "text/html");
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).settings("retries: { per_offer: 1 }\n").start();
    for dialect in Dialect::BOTH {
        for (stream, status, code, answered) in [
            (false, 200, "gateway.upstream_malformed", 502),
            (true, 200, "gateway.upstream_malformed", 502),
            (false, 502, "gateway.upstream_failed", 502),
            (true, 403, "gateway.upstream_auth", 502),
        ] {
            fake.script([page(status)]);
            let answer = node.post(dialect.path(), &dialect.request(stream));
            assert_eq!((answer.status(), dialect.code(&answer.json())), (answered, code), "{status} stream {stream}: {}", answer.text());
        }
    }
}

#[test]
fn usage_that_cannot_be_true_is_flagged_and_estimated() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    let absurd = [json!(-5), json!(1_u64 << 50), json!(1e30), json!(100_000), json!("many")];
    for dialect in Dialect::BOTH {
        for count in &absurd {
            let mut body = if dialect == Dialect::Openai { Answer::text("ok").openai_body() } else { Answer::text("ok").anthropic_body() };
            body["usage"][if dialect == Dialect::Openai { "completion_tokens" } else { "output_tokens" }] = count.clone();
            fake.script([Reply::json(200, &body)]);
            let answer = node.post(dialect.path(), &dialect.request(false));
            assert_eq!(answer.json(), body, "the answer is the caller's");
            let row = node.call(&interaction(&answer.head));
            assert_eq!(row["cost_source"], "estimated", "{count}");
            assert!((1..1_000_000).contains(&row["cost_nano_usd"].as_i64().unwrap()), "{count}: {row}");
            let flags: Value = serde_json::from_str(row["flags_json"].as_str().unwrap()).unwrap();
            assert_eq!(flags["usage_suspect"], true);
            assert!(flags["usage_raw"].as_str().is_some_and(|raw| raw.contains("tokens")), "{flags}");
        }
    }
}

#[test]
fn a_second_node_on_the_same_home_is_refused() {
    let node = Setup::new().start();
    let second = node.vox(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    let error = envelope(&second);
    assert_eq!((second.status.code(), error["error"]["code"].as_str()), (Some(1), Some("gateway.node_running")));
    assert!(error["error"]["message"].as_str().unwrap().contains(&node.address.to_string()), "{error}");
    assert_eq!(node.get("/healthz").status(), 200);
}

#[test]
fn gw_57_a_port_that_is_taken_is_named_and_no_other_is_chosen() {
    let node = Setup::new().start();
    for (address, who) in [(node.address.to_string(), "another vox node"), (FakeProvider::start().address().to_string(), "another program")]
    {
        let listener = std::net::TcpListener::bind(&address);
        let output = Setup::new().vox(&["serve", "--listen", &address, "--json"]);
        let error = envelope(&output);
        assert_eq!((output.status.code(), error["error"]["code"].as_str()), (Some(1), Some("gateway.addr_in_use")), "{error}");
        assert!(error["error"]["message"].as_str().unwrap().contains(who), "{error}");
        drop(listener);
    }
}

#[test]
fn routes_methods_and_hints_that_do_not_exist_are_named() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    let unknown = node.post("/v1/completions", &json!({}));
    assert_eq!((unknown.status(), unknown.json()["error"]["code"].as_str()), (404, Some("gateway.route_unknown")));
    let wrong = node.get("/v1/chat/completions");
    assert_eq!((wrong.status(), wrong.head.header("allow")), (405, Some("POST")));
    for (name, value) in [
        ("x-vox-complexity", "very"),
        ("x-vox-fallback", "maybe"),
        ("x-vox-buget-usd", "1"),
        ("x-vox-session", "a b"),
        ("x-vox-budget-usd", "-1"),
    ] {
        let answer = node.post_with("/v1/chat/completions", &[(name, value)], Dialect::Openai.request(false).to_string().as_bytes());
        let error = answer.json();
        assert_eq!((answer.status(), error["error"]["code"].as_str()), (400, Some("gateway.hint_invalid")), "{name}");
        assert!(error["error"]["message"].as_str().unwrap().contains(name), "{error}");
    }
    assert_eq!(fake.n_requests(), 0);
}

/// RT-34: a preference that means nothing would silently change nothing.
#[test]
fn rt_34_an_unknown_preference_is_refused_with_near_names() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    let body = Dialect::Openai.request(false).to_string();
    let ask = |prefer: &str| node.post_with("/v1/chat/completions", &[("x-vox-prefer", prefer)], body.as_bytes());
    let error = ask("antropic").json()["error"].clone();
    assert_eq!(error["code"], "gateway.hint_invalid");
    assert!(error["message"].as_str().unwrap().contains("`anthropic`"), "{error}");
    assert_eq!(fake.n_requests(), 0);
    assert_eq!(ask("anthropic").status(), 200);
    let told = node.vox(&["model", "explain", "hi", "--prefer", "qualty"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(stderr(&told).contains("`quality`"), "{}", stderr(&told));
}
