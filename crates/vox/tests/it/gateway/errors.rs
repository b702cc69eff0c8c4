//! Every refusal in the error shape of the caller's dialect: status, stable code, type, and a next step.

use crate::node::{Dialect, Node, Setup};
use serde_json::{Value, json};
use vox_testkit::{Answer, FakeProvider, Reply, Response};

/// One way to be refused: how, and what comes back.
struct Case {
    name: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// Laid over the dialect's own request.
    body: Value,
    reply: Option<Reply>,
    status: u16,
    code: &'static str,
}

fn case(name: &'static str, status: u16, code: &'static str) -> Case {
    Case { name, headers: &[], body: json!({}), reply: None, status, code }
}

fn cases() -> Vec<Case> {
    let said = |status: u16, message: &str| Some(Reply::json(status, &json!({"error": {"type": "x", "message": message}})));
    vec![
        Case { headers: &[("origin", "https://evil.test")], ..case("a foreign page", 403, "gateway.origin_refused") },
        Case { headers: &[("host", "evil.test")], ..case("a foreign host", 403, "gateway.host_refused") },
        Case { headers: &[("x-vox-complexity", "x")], ..case("a bad hint", 400, "gateway.hint_invalid") },
        Case { body: json!({"model": "nobody-knows"}), ..case("an unknown model", 404, "route.model_unknown") },
        Case { body: json!({"model": "vox/auto:cooking"}), ..case("an unknown task", 400, "route.task_unknown") },
        Case { body: json!({"model": "groq/m"}), ..case("a provider without a key", 503, "secret.missing_required") },
        Case { headers: &[("x-vox-budget-usd", "0.000000001")], ..case("a ceiling below the bound", 503, "route.no_offer") },
        Case { reply: said(500, "boom"), ..case("a failing provider", 502, "gateway.upstream_failed") },
        Case { reply: said(401, "who are you"), ..case("a rejected provider key", 502, "gateway.upstream_auth") },
        Case { reply: said(402, "pay first"), ..case("an empty account", 502, "gateway.upstream_failed") },
        Case { reply: said(429, "slow down"), ..case("a busy provider", 429, "gateway.upstream_rate_limited") },
        Case { reply: said(422, "the seed is too big"), ..case("a request the provider refuses", 422, "gateway.upstream_request") },
        Case { reply: said(400, "maximum context length is 8 tokens"), ..case("a context too long", 400, "gateway.context_too_long") },
        Case { reply: said(404, "no such model"), ..case("a model that is gone", 502, "gateway.upstream_failed") },
        Case {
            reply: Some(Reply::new(302, "").header("location", "http://127.0.0.1:1/")),
            ..case("a redirect", 502, "gateway.upstream_redirect")
        },
        Case { reply: Some(Reply::new(200, "<html>")), ..case("a page", 502, "gateway.upstream_malformed") },
        Case {
            reply: Some(Reply::new(200, "{\"a\":").framing(vox_testkit::Framing::LengthOf(99))),
            ..case("a cut", 502, "gateway.upstream_cut")
        },
        Case { reply: Some(Reply::new(200, "").stall_before_headers()), ..case("a stall", 504, "gateway.upstream_stalled") },
        Case {
            headers: &[("x-vox-timeout-ms", "60")],
            reply: Some(Reply::new(200, "").stall_before_headers()),
            ..case("the caller's own limit", 504, "gateway.deadline")
        },
    ]
}

/// Anthropic's names follow the status, so that its clients retry as they should.
const fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

fn check_shape(dialect: Dialect, name: &str, answer: &Response, status: u16, code: &str) {
    let error = answer.json();
    assert_eq!((answer.status(), dialect.code(&error)), (status, code), "{dialect:?}, {name}: {error}");
    let inner = &error["error"];
    assert!(inner["message"].as_str().is_some_and(|message| message.contains("next: ") || message.len() > 20), "{name}: {error}");
    match dialect {
        Dialect::Openai => assert!(inner["type"].is_string() && inner.get("param").is_some(), "{name}: {error}"),
        Dialect::Anthropic => {
            assert_eq!((error["type"].as_str(), inner["type"].as_str()), (Some("error"), Some(anthropic_type(status))), "{name}: {error}");
            assert!(error["request_id"].is_string(), "{name}: {error}");
        }
    }
    assert_eq!(answer.head.header("content-type"), Some("application/json"));
    assert_eq!(answer.head.header("retry-after").is_some(), status == 429, "{name}");
}

fn ask(node: &Node, dialect: Dialect, case: &Case) -> Response {
    let mut body = dialect.request(false);
    body.as_object_mut().unwrap().extend(case.body.as_object().unwrap().clone());
    node.post_with(dialect.path(), case.headers, body.to_string().as_bytes())
}

#[test]
fn gw_62_each_refusal_has_its_code_in_both_shapes() {
    let fake = FakeProvider::start();
    let settings = "retries: { per_offer: 1 }\ntimeouts: { response_ms: 250 }\n";
    let node = Setup::new().both(&fake).settings(settings).start();
    for dialect in Dialect::BOTH {
        for case in cases() {
            fake.script(case.reply.clone());
            check_shape(dialect, case.name, &ask(&node, dialect, &case), case.status, case.code);
        }
    }
}

#[test]
fn gw_62_a_field_that_cannot_be_translated_is_named_and_nobody_is_called() {
    let fake = FakeProvider::scripted([Answer::text("ok").anthropic()]);
    let node = Setup::new().both(&fake).start();
    let body = json!({"model": "anthropic/claude-haiku-4-5", "messages": [{"role": "user", "content": "hi"}], "logit_bias": {"1": 2}});
    let answer = node.post("/v1/chat/completions", &body);
    check_shape(Dialect::Openai, "logit_bias", &answer, 400, "gateway.param_unsupported");
    assert!(answer.json()["error"]["param"].as_str().unwrap().contains("logit_bias"));
    assert_eq!(fake.n_requests(), 0);
    let dropped = node.post_with(
        "/v1/chat/completions",
        &[("x-vox-unknown", "drop")],
        json!({"model": "anthropic/claude-haiku-4-5", "messages": [{"role": "user", "content": "hi"}], "brand_new": 1})
            .to_string()
            .as_bytes(),
    );
    assert_eq!(dropped.status(), 200, "{}", dropped.text());
    assert!(dropped.head.header("x-vox-ignored").unwrap().contains("brand_new"));
}

#[test]
fn gw_62_a_refusal_names_its_call_and_leaves_a_row() {
    let fake = FakeProvider::scripted([Reply::new(500, "")]);
    let node = Setup::new().openai(&fake).settings("retries: { per_offer: 1 }\n").start();
    let failed = node.post("/v1/chat/completions", &Dialect::Openai.request(false));
    assert_eq!(node.call(&crate::node::interaction(&failed.head))["outcome"], "upstream_error");
    let refused = node.post_with(
        "/v1/chat/completions",
        &[("x-vox-budget-usd", "0.000000001")],
        Dialect::Openai.request(false).to_string().as_bytes(),
    );
    let row = node.call(&crate::node::interaction(&refused.head));
    assert_eq!((row["outcome"].as_str(), row["attempts"].as_i64()), (Some("rejected"), Some(0)));
    assert_eq!(fake.n_requests(), 1);
}
