//! `vox usage` and `vox trace`: what was used, what it cost, and how one call went.

use crate::node::{Setup, envelope, stdout};
use vox_testkit::{Answer, FakeProvider};

fn after_a_call() -> (Setup, serde_json::Value) {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("hi").openai()]);
    let setup = Setup::new().openai(&fake);
    let chat = setup.json(&["chat", "hello", "-m", "openai/gpt-5-mini", "--no-stream"]);
    (setup, chat)
}

#[test]
fn gw_61_the_report_and_its_csv_say_the_same() {
    let (setup, chat) = after_a_call();
    let cost = chat["cost_nano_usd"].as_i64().unwrap();
    for by in ["model", "provider", "day", "key", "task", "session", "run"] {
        let report = setup.json(&["usage", "--by", by]);
        assert_eq!(report["total"]["cost_nano_usd"].as_i64(), Some(cost), "{by}");
        let csv = stdout(&setup.vox(&["usage", "--by", by, "--csv"]));
        let mut lines = csv.lines();
        let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
        assert_eq!(columns[0], by);
        let at = columns.iter().position(|column| *column == "cost_nano_usd").unwrap();
        let sum: i64 = lines.map(|line| line.split(',').nth(at).unwrap().parse::<i64>().unwrap()).sum();
        assert_eq!(sum, cost, "{csv}");
    }
}

#[test]
fn a_day_is_meant_whole_and_another_day_has_nothing() {
    let (setup, _) = after_a_call();
    let day = setup.json(&["usage", "--by", "day"])["lines"][0]["group"].as_str().unwrap().to_owned();
    assert_eq!(setup.json(&["usage", "--since", &day, "--until", &day])["total"]["calls"], 1);
    assert_eq!(setup.json(&["usage", "--until", "2020-01-01"])["total"]["calls"], 0);
    let wrong = setup.vox(&["usage", "--since", "yesterday", "--json"]);
    assert_eq!((wrong.status.code(), envelope(&wrong)["error"]["code"].as_str()), (Some(2), Some("gateway.flag_invalid")));
}

#[test]
fn a_trace_shows_decision_attempts_tokens_and_cost_lines() {
    let (setup, chat) = after_a_call();
    let trace = setup.json(&["trace", "last"]);
    assert_eq!(trace["interaction_id"], chat["interaction_id"]);
    assert_eq!((trace["provider"].as_str(), trace["outcome"].as_str()), (Some("openai"), Some("complete")));
    assert_eq!(trace["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(trace["decision"]["reason"], "explicit");
    let lines: i64 = trace["cost_lines"].as_array().unwrap().iter().map(|line| line["cost_nano_usd"].as_i64().unwrap()).sum();
    assert_eq!(Some(lines), trace["cost_nano_usd"].as_i64(), "{trace}");
    for wanted in [trace["interaction_id"].as_str().unwrap(), trace["trace_id"].as_str().unwrap()] {
        assert_eq!(setup.json(&["trace", wanted])["interaction_id"], trace["interaction_id"]);
    }
    let text = stdout(&setup.vox(&["trace", "last"]));
    for part in ["openai/gpt-5-mini", "decision", "attempts", "tokens", "cost"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for wanted in ["nonsense", "00000000-0000-7000-8000-000000000000"] {
        assert_eq!(envelope(&setup.vox(&["trace", wanted, "--json"]))["error"]["code"], "gateway.trace_unknown");
    }
}

#[test]
fn nothing_is_held_where_nothing_died_and_an_unknown_call_cannot_be_reconciled() {
    let (setup, chat) = after_a_call();
    assert_eq!(setup.json(&["usage", "--held"])["held"], serde_json::json!([]));
    let id = chat["interaction_id"].as_str().unwrap();
    let refused = setup.vox(&["usage", "reconcile", id, "--zero", "--json"]);
    assert_eq!((refused.status.code(), envelope(&refused)["error"]["code"].as_str()), (Some(1), Some("gateway.held_unknown")));
    assert_eq!(setup.vox(&["usage", "reconcile", id]).status.code(), Some(2), "an amount must be given");
}

#[test]
fn a_provider_is_tested_with_one_small_call_that_says_its_cost() {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("ok").openai()]);
    let setup = Setup::new().openai(&fake);
    let tested = setup.json(&["providers", "test", "openai", "--model", "gpt-5-mini"]);
    assert_eq!(tested["model"], "openai/gpt-5-mini");
    assert!(tested["cost_nano_usd"].as_i64().unwrap() > 0);
    assert_eq!(fake.n_requests(), 1);
    assert_eq!(setup.json(&["usage"])["total"]["cost_nano_usd"], tested["cost_nano_usd"]);
    assert_eq!(setup.vox(&["providers", "test", "nobody"]).status.code(), Some(2));
    let origin = setup.json(&["providers", "show", "openai"])["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["key"] == "base_url")
        .unwrap()
        .clone();
    assert!(origin["origin"].as_str().unwrap().contains("VOX_PROVIDER_OPENAI_BASE_URL"), "{origin}");
}
