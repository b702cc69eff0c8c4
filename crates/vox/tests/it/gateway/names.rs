//! What a caller may send as a model name, and what each name means.

use crate::node::{Dialect, Node, Setup};
use serde_json::{Value, json};
use vox_testkit::{Answer, FakeProvider, Response};

fn ask(node: &Node, model: &str) -> Response {
    node.post("/v1/chat/completions", &json!({"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "hi"}]}))
}

fn used(node: &Node, model: &str) -> String {
    let answer = ask(node, model);
    assert_eq!(answer.status(), 200, "{model}: {}", answer.text());
    answer.head.header("x-vox-model").unwrap().to_owned()
}

fn node() -> (FakeProvider, Node) {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("ok").openai()]);
    fake.on("/v1/messages", [Answer::text("ok").anthropic()]);
    let setup = Setup::new().both(&fake).env("VOX_PROVIDER_OPENROUTER_BASE_URL", &format!("{}/v1", fake.url()));
    let node = setup.env("OPENROUTER_API_KEY", "sk-or-fixture").start();
    (fake, node)
}

#[test]
fn gw_52_every_form_of_a_model_name() {
    let (fake, node) = node();
    let served = |model: &str| {
        let used = used(&node, model);
        let asked = fake.requests().pop().unwrap().json()["model"].as_str().unwrap().to_owned();
        assert_eq!(used.split_once('/').unwrap().1, asked, "{model}: the header names what the provider was asked for");
        used
    };
    assert!(!served("vox/auto").starts_with("offline/"));
    assert!(!served("vox/auto:code_gen").starts_with("offline/"));
    assert_eq!(served("vox/cheap"), "openai/gpt-5-nano");
    assert_eq!(served("vox/best"), "anthropic/claude-opus-4-7");
    assert_eq!(served("openai/gpt-5-mini"), "openai/gpt-5-mini");
    assert_eq!(served("openai/not-in-any-list"), "openai/not-in-any-list");
    assert_eq!(served("openrouter/deepseek/deepseek-r1:free"), "openrouter/deepseek/deepseek-r1:free");
    assert_eq!(served("gpt-5-mini"), "openai/gpt-5-mini");
    assert_eq!(served("claude-haiku-4-5"), "anthropic/claude-haiku-4-5");
    assert_eq!(used(&node, "offline/echo"), "offline/echo");
}

#[test]
fn gw_52_a_name_that_several_offers_carry_stays_with_that_model() {
    let (_fake, node) = node();
    // `qwen/qwen-3.6-27b` is served by OpenRouter and by a local engine that does not run.
    assert_eq!(used(&node, "qwen/qwen-3.6-27b"), "openrouter/qwen/qwen-3.6-27b");
}

#[test]
fn gw_52_unknown_names_and_tasks_come_back_with_help() {
    let (fake, node) = node();
    let refused = |model: &str| {
        let answer = ask(&node, model);
        let error = answer.json();
        (answer.status(), error["error"]["code"].as_str().unwrap().to_owned(), error["error"]["message"].as_str().unwrap().to_owned())
    };
    let (status, code, message) = refused("gpt-5-mimi");
    assert_eq!((status, code.as_str()), (404, "route.model_unknown"));
    assert!(message.contains("gpt-5-mini"), "{message}");
    for model in ["no-such-model-anywhere", "nobody/m", "vox/nothing", "openai/", "/", ""] {
        let (status, code, _) = refused(model);
        assert!(
            matches!((status, code.as_str()), (404, "route.model_unknown") | (400, "gateway.json_invalid")),
            "{model}: {status} {code}"
        );
    }
    let (status, code, message) = refused("vox/auto:cooking");
    assert_eq!((status, code.as_str()), (400, "route.task_unknown"));
    assert!(message.contains("code_gen") && message.contains("debugging"), "{message}");
    assert_eq!(fake.n_requests(), 0);
}

#[test]
fn gw_59_routing_with_nothing_to_route_to_is_no_offer_and_never_the_offline_model() {
    let node = Setup::new().start();
    for dialect in Dialect::BOTH {
        let body: Value = json!({"model": "vox/auto", "max_tokens": 4, "messages": [{"role": "user", "content": "hi"}]});
        let answer = node.post(dialect.path(), &body);
        assert_eq!((answer.status(), dialect.code(&answer.json())), (503, "route.no_offer"), "{}", answer.text());
    }
}
