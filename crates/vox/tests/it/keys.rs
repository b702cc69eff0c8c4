//! `vox keys`: who may call.

use crate::node::{Setup, envelope, stderr, stdout};
use vox_testkit::{Answer, FakeProvider};

#[test]
fn gw_40_a_key_is_printed_once_and_alone() {
    let setup = Setup::new();
    let created = setup.vox(&["keys", "create", "laptop", "--budget", "5.00/day", "--models", "openai/*,vox/auto", "--expires", "30d"]);
    let key = stdout(&created).trim_end().to_owned();
    assert!(key.starts_with("vox_") && !key.contains(char::is_whitespace), "{key}");
    for arguments in [["keys", "list"], ["keys", "list"], ["db", "status"]] {
        let shown = setup.vox(&[&arguments[..], &["--json"]].concat());
        assert!(!stdout(&shown).contains(&key) && !stderr(&shown).contains(&key));
    }
    let shown = setup.json(&["keys", "show", "laptop"]);
    assert_eq!(shown["budgets"][0]["limit_nano_usd"], 5_000_000_000_i64);
    assert_eq!(shown["models"], serde_json::json!(["openai/*", "vox/auto"]));
    for file in std::fs::read_dir(setup.home.data()).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "{}", file.path().display());
    }
}

#[test]
fn a_key_that_does_not_exist_is_said_and_no_store_is_made_for_it() {
    let setup = Setup::new();
    for verb in ["show", "rotate", "revoke"] {
        let output = setup.vox(&["keys", verb, "nobody", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(envelope(&output)["error"]["code"], "gateway.key_unknown", "{verb}");
    }
    assert_eq!(setup.json(&["keys", "list"])["keys"], serde_json::json!([]));
    assert!(setup.home.listing().is_empty(), "{:?}", setup.home.listing());
}

#[test]
fn gw_34_a_hard_budget_refuses_what_has_no_price_until_the_key_allows_it() {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("hi").openai(), Answer::text("hi").openai()]);
    let setup = Setup::new().provider("mine", "openai", &fake);
    let node = setup.start_with(&[]);
    let id = node.json(&["keys", "show", "test"])["key_id"].as_str().unwrap().to_owned();
    node.json(&["keys", "set", &id, "--budget", "5.00/day"]);
    let body = serde_json::json!({"model": "mine/m", "messages": [{"role": "user", "content": "hi"}]});
    let refused = crate::node::until(crate::node::PATIENCE, || {
        let response = node.post("/v1/chat/completions", &body);
        (response.head.status == 402).then_some(response)
    });
    assert!(refused.is_some(), "a key with a hard budget may not call a model of unknown price");
    node.json(&["keys", "set", &id, "--allow-unpriced"]);
    let answered =
        crate::node::until(crate::node::PATIENCE, || (node.post("/v1/chat/completions", &body).head.status == 200).then_some(()));
    assert!(answered.is_some());
    let usage = crate::node::until(crate::node::PATIENCE, || {
        let usage = node.json(&["usage"]);
        (usage["total"]["unpriced_calls"].as_i64() >= Some(1)).then_some(usage)
    });
    let usage = usage.expect("the call is counted as unpriced");
    // The refused calls cost nothing; the answered one costs nobody knows what.
    let answered = usage["lines"].as_array().unwrap().iter().find(|line| line["group"] == "m").unwrap();
    assert_eq!((&answered["cost_nano_usd"], &answered["unpriced_calls"]), (&serde_json::Value::Null, &answered["calls"]));
    let text = stdout(&node.vox(&["usage"]));
    assert!(text.contains("unpriced calls: their price is not known"), "{text}");
}
