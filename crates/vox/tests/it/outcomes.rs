//! What became of calls: outcomes by the node's API, and what is made of them.

use crate::node::{Dialect, Node, PATIENCE, Setup, interaction, until};
use serde_json::{Value, json};
use vox_testkit::{Answer, FakeProvider, Response};

/// Posts an outcome with the node's own token.
fn admin_post(node: &Node, body: &Value) -> Response {
    let token = std::fs::read_to_string(node.home.state().join("admin-token")).unwrap();
    let headers = [("authorization", format!("Bearer {}", token.trim())), ("content-type", "application/json".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    node.client().request("POST", "/api/v1/outcomes", &headers, body.to_string().as_bytes()).unwrap()
}

fn answered(node: &Node) -> String {
    let answer = node.post(Dialect::Openai.path(), &Dialect::Openai.request(false));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    interaction(&answer.head)
}

#[test]
fn rt_52_an_outcome_is_posted_once_by_whom_it_may() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let setup = Setup::new().openai(&fake);
    let stranger = setup.key(&["stranger"]);
    let node = setup.start();
    let call = answered(&node);
    let outcome = json!({"interaction_id": call, "source": "tests", "success": true, "idempotency_key": "ci-1"});
    let first = node.post("/api/v1/outcomes", &outcome);
    assert_eq!(first.status(), 200, "{}", first.text());
    assert_eq!((first.json()["unit_id"].as_str(), first.json()["weight_ppm"].as_i64()), (Some(call.as_str()), Some(1_000_000)));
    assert_eq!(first.json()["credits"][0]["share_ppm"], 1_000_000);
    assert_eq!(node.post("/api/v1/outcomes", &outcome).json(), first.json(), "the same key gets the first answer");
    assert_eq!(node.number("SELECT count(*) AS n FROM model_outcomes"), 1);

    let with = |key: &str, value: Value| {
        let mut body = outcome.clone();
        body[key] = value;
        body["idempotency_key"] = json!(format!("{key} changed"));
        body
    };
    let code = |answer: &Response| (answer.status(), answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned());
    let rejected = (403, "route.outcome_rejected".to_owned());
    let invalid = (400, "route.outcome_invalid".to_owned());
    assert_eq!(code(&node.post("/api/v1/outcomes", &with("source", json!("run_verified")))), rejected);
    assert_eq!(code(&node.post("/api/v1/outcomes", &with("source", json!("human_feedback")))), rejected, "a key is no person");
    assert_eq!(code(&node.post("/api/v1/outcomes", &with("source", json!("rumour")))), invalid);
    assert_eq!(code(&node.post("/api/v1/outcomes", &with("surprise", json!(1)))), invalid);
    let of_another = node.client().request(
        "POST",
        "/api/v1/outcomes",
        &[("x-api-key", &stranger), ("content-type", "application/json")],
        outcome.to_string().as_bytes(),
    );
    assert_eq!(code(&of_another.unwrap()), rejected);
    let nobody = node.client().request("POST", "/api/v1/outcomes", &[("content-type", "application/json")], b"{}").unwrap();
    assert_eq!(nobody.status(), 401);

    let claim = node.post("/api/v1/outcomes", &with("source", json!("agent_claim")));
    assert_eq!((claim.status(), claim.json()["weight_ppm"].as_i64()), (200, Some(0)), "kept, and worth nothing");
    assert_eq!(admin_post(&node, &with("source", json!("run_verified"))).status(), 200);
    let counting = node.rows("SELECT source FROM model_outcomes WHERE superseded_by IS NULL");
    assert_eq!(counting, [json!({"source": "run_verified"})], "the better source counts");
}

/// Two models of one tier, the cheap one bad at its work, and a key that may use only them.
fn hidden_rule() -> (FakeProvider, Node) {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    fake.on("/v1/chat/completions", [Answer::text("cheap work").openai()]);
    fake.on("/v1/messages", [Answer::text("good work").anthropic()]);
    let node = Setup::new().both(&fake).start();
    node.json(&["keys", "set", "test", "--models", "openai/gpt-5-mini,anthropic/claude-haiku-4-5"]);
    let is_narrow = || node.get("/api/v1/keys/self").json()["models"].is_array().then_some(());
    until(PATIENCE, is_narrow).expect("the node takes the change in");
    (fake, node)
}

/// Asks `vox/auto` and returns the call with the offer that answered.
fn auto(node: &Node) -> (String, String) {
    let body = json!({"model": "vox/auto:code_gen", "messages": [{"role": "user", "content": "write it"}], "max_tokens": 100});
    let answer = node.post("/v1/chat/completions", &body);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    (interaction(&answer.head), answer.head.header("x-vox-model").unwrap().to_owned())
}

fn tell(node: &Node, call: &str, success: bool) {
    let outcome = json!({"interaction_id": call, "source": "tests", "success": success, "idempotency_key": call});
    let answer = node.post("/api/v1/outcomes", &outcome);
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

#[test]
fn a_hundred_calls_learn_which_of_two_models_does_the_work() {
    let (_fake, node) = hidden_rule();
    let mut right = Vec::new();
    for n in 0..100 {
        let (call, offer) = auto(&node);
        let is_right = offer.starts_with("anthropic/");
        // The hidden rule: one in ten of the cheap model's answers is good, nine in ten of the other's.
        tell(&node, &call, (n % 10 == 3) != is_right);
        right.push(is_right);
        if n % 10 == 9 {
            let explained = node.json(&["model", "explain", "--decision", &call]);
            assert_eq!(explained["pick"]["offer"], offer.as_str(), "what is explained is what was executed");
        }
    }
    let share = |calls: &[bool]| calls.iter().filter(|right| **right).count();
    assert!(share(&right[..30]) <= 12, "nothing is known yet: {right:?}");
    assert!(share(&right[70..]) >= 24, "the last thirty calls go to the model that does the work: {right:?}");
    let (call, offer) = auto(&node);
    tell(&node, &call, true);
    let now = node.json(&["model", "explain", "write it", "--task", "code_gen"]);
    assert!(now["candidates"].as_array().unwrap().iter().any(|candidate| candidate["offer"] == offer.as_str()), "{now}");
    let node = node.kill().restart();
    assert!(auto(&node).1.starts_with("anthropic/"), "it knows after a kill, too");
}
