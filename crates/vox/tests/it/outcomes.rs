//! What became of calls: outcomes by the node's API, and what is made of them.

use crate::node::{Dialect, Node, Setup, interaction};
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
