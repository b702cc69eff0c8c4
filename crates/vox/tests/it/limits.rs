//! How much a caller may ask for: requests and tokens a minute, keys below keys, and an answer that outgrows its budget.

use crate::node::{Dialect, Node, PATIENCE, Setup, envelope, interaction, until};
use serde_json::{Value, json};
use vox_testkit::{Answer, FakeProvider, Response};

fn ask(node: &Node, key: &str, body: &Value) -> Response {
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    node.client().request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes()).unwrap()
}

fn small() -> Value {
    json!({"model": "openai/gpt-5-mini", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]})
}

#[test]
fn gw_42_the_fourth_request_of_three_a_minute_hears_when_it_may_come() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let setup = Setup::new().openai(&fake);
    let key = setup.key(&["slow", "--rpm", "3"]);
    let node = setup.start();
    for left in ["2", "1", "0"] {
        let answer = ask(&node, &key, &small());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let told = ["limit", "remaining"].map(|what| answer.head.header(&format!("x-ratelimit-{what}-requests")).unwrap_or_default());
        assert_eq!(told, ["3", left]);
    }
    let refused = ask(&node, &key, &small());
    assert_eq!((refused.status(), Dialect::Openai.code(&refused.json())), (429, "gateway.rate_limited"));
    let wait: u64 = refused.head.header("retry-after").unwrap().parse().unwrap();
    assert!((18..=20).contains(&wait), "a third of a minute, less what the calls took: {wait}");
    assert_eq!(refused.head.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(fake.n_requests(), 3, "nothing was sent for the fourth");
    assert!(node.vox(&["keys", "set", "slow", "--rpm", "0"]).status.success());
    assert!(until(PATIENCE, || (ask(&node, &key, &small()).status() == 200).then_some(())).is_some(), "a running node hears of it");
}

#[test]
fn gw_42_tokens_a_minute_become_what_they_were_when_a_call_has_settled() {
    // 10 in and 5 out, whatever the request said it might be.
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let setup = Setup::new().openai(&fake);
    let key = setup.key(&["frugal", "--tpm", "10000"]);
    let node = setup.start();
    let large = json!({"model": "openai/gpt-5-mini", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}]});
    for n_calls in 1..=3 {
        let answer = ask(&node, &key, &large);
        assert_eq!(answer.status(), 200, "9000 tokens fit again as only 15 were used: {}", answer.text());
        let left: u64 = answer.head.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
        assert!(left >= 10_000 - 15 * n_calls && left <= 10_000, "{left} after {n_calls}");
    }
    let too_large = json!({"model": "openai/gpt-5-mini", "max_tokens": 50_000, "messages": []});
    assert_eq!(ask(&node, &key, &too_large).status(), 429, "more than a minute's worth waits until the minute is untouched");
}

#[test]
fn gw_41_a_key_below_another_may_not_ask_for_more() {
    let setup = Setup::new();
    let above =
        ["team", "--models", "openai/*", "--budget", "1.00/day", "--expires", "30d", "--rpm", "60", "--tpm", "1000", "--concurrency", "4"];
    setup.key(&above);
    for wider in [
        &["--models", "anthropic/*"][..],
        &["--models", "*"],
        &["--budget", "1.01/day"],
        &["--expires", "31d"],
        &["--expires", "never"],
        &["--rpm", "61"],
        &["--rpm", "0"],
        &["--tpm", "1001"],
        &["--tpm", "0"],
        &["--concurrency", "5"],
        &["--allow-unpriced"],
    ] {
        let output = setup.vox(&[&["keys", "create", "below", "--parent", "team", "--json"], wider].concat());
        let answer = envelope(&output);
        assert_eq!(
            (output.status.code(), answer["error"]["code"].as_str()),
            (Some(3), Some("gateway.key_too_wide")),
            "{wider:?}: {answer}"
        );
        assert!(answer["error"]["message"].as_str().unwrap().contains(wider[0]), "{answer}");
    }
    setup.key(&["below", "--parent", "team", "--models", "openai/gpt-5*", "--budget", "0.50/day"]);
    let widened = setup.vox(&["keys", "set", "below", "--budget", "2/day", "--json"]);
    assert_eq!(envelope(&widened)["error"]["code"], "gateway.key_too_wide", "nor later");
    assert_eq!(setup.json(&["keys", "list"])["keys"].as_array().unwrap().len(), 2, "nothing was made of what was refused");
    for (name, parent) in [("third", "below"), ("fourth", "third"), ("fifth", "fourth")] {
        setup.key(&[name, "--parent", parent]);
    }
    let sixth = setup.vox(&["keys", "create", "sixth", "--parent", "fifth", "--json"]);
    assert_eq!(envelope(&sixth)["error"]["code"], "gateway.key_too_wide", "four levels below a root are the most");
}

#[test]
fn gw_41_a_child_spends_its_parents_money_and_dies_with_it() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let setup = Setup::new().openai(&fake);
    // One call settles at 10 × 250 + 5 × 2000 = 12 500 nano-USD.
    let parent = setup.key(&["team", "--budget", "0.0001/day", "--models", "openai/*"]);
    let child = setup.key(&["below", "--parent", "team"]);
    let grandchild = setup.key(&["far-below", "--parent", "below"]);
    let node = setup.start();
    assert_eq!(ask(&node, &grandchild, &small()).status(), 200);
    let spent = |name: &str| node.json(&["keys", "show", name])["budgets"][0]["spent_nano_usd"].as_i64();
    assert!(until(PATIENCE, || (spent("team") == Some(12_500)).then_some(())).is_some(), "{:?}", spent("team"));
    let foreign = json!({"model": "anthropic/claude-haiku-4-5", "max_tokens": 5, "messages": []});
    assert_eq!(ask(&node, &grandchild, &foreign).status(), 403, "the models of the key above bind the ones below");
    let dear = json!({"model": "openai/gpt-5-mini", "max_tokens": 50, "messages": []});
    let refused = ask(&node, &child, &dear);
    assert_eq!((refused.status(), Dialect::Openai.code(&refused.json())), (402, "gateway.budget_exceeded"), "the parent's budget");
    assert!(node.vox(&["keys", "revoke", "team"]).status.success());
    for key in [&parent, &child, &grandchild] {
        assert!(until(PATIENCE, || (ask(&node, key, &small()).status() == 401).then_some(())).is_some());
    }
}

/// An answer in a hundred events of so many bytes, with nothing said about how long it may become.
fn long_stream(event_bytes: usize) -> (FakeProvider, Value) {
    let answer = Answer::text("").pieces((0..100).map(|n| format!("{n:>event_bytes$}")));
    let body = json!({"model": "openai/gpt-5-mini", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    (FakeProvider::scripted([answer.openai_stream()]), body)
}

/// Checks that a stream was cut where its money ended, and returns what it was charged.
fn check_cut(node: &Node, answer: &Response) -> i64 {
    assert_eq!(answer.status(), 200);
    assert!(!answer.text().contains("[DONE]") && answer.text().contains("gateway.budget_exceeded"), "{}", answer.text());
    let row = node.call(&interaction(&answer.head));
    assert_eq!(row["outcome"], "budget_cut");
    row["cost_nano_usd"].as_i64().unwrap()
}

#[test]
fn gw_38_a_stream_that_outgrows_its_budget_is_cut_there() {
    let (fake, body) = long_stream(16);
    let setup = Setup::new().openai(&fake).settings("limits: { default_output_tokens: 100 }\n");
    let tight = setup.key(&["tight", "--budget", "0.0004/day"]);
    let roomy = setup.key(&["roomy", "--budget", "0.002/day"]);
    let node = setup.start();
    let cost = check_cut(&node, &ask(&node, &tight, &body));
    // One event is four tokens of 2000 nano-USD.
    assert!((250_000..=400_000 + 8_000).contains(&cost), "it used what there was, and at most one event more: {cost}");
    assert_eq!(node.number("SELECT count(*) AS n FROM reservations WHERE state = 'held'"), 0);
    let whole = ask(&node, &roomy, &body);
    assert!(whole.text().contains("[DONE]"), "more is reserved while there is more: {}", whole.text());
}

#[test]
fn gw_38_a_stream_ends_at_what_its_request_may_cost() {
    let (fake, body) = long_stream(400);
    let node = Setup::new().openai(&fake).settings("limits: { default_output_tokens: 100 }\n").start();
    let headers = [("content-type", "application/json"), ("x-vox-budget-usd", "0.0085")];
    let answer = node.post_with("/v1/chat/completions", &headers, body.to_string().as_bytes());
    let cost = check_cut(&node, &answer);
    // One event is a hundred tokens of 2000 nano-USD.
    assert!((8_000_000..=8_500_000 + 200_000).contains(&cost), "{cost}");
}
