//! Sessions through the real node: told in a header, kept in the store, known again after a restart.

use crate::node::{Node, PATIENCE, Setup, until};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vox_testkit::{Answer, FakeProvider, PromptCache, Reply};

fn conversation(n_turns: usize) -> Value {
    let mut messages = vec![json!({"role": "system", "content": "be brief"}), json!({"role": "user", "content": "0"})];
    for turn in 1..=n_turns {
        messages.push(json!({"role": "assistant", "content": format!("answer {turn}")}));
        messages.push(json!({"role": "user", "content": turn.to_string()}));
    }
    json!({"model": "openai/gpt-5-mini", "messages": messages})
}

/// GW-49.
#[test]
fn gw_49_a_conversation_without_ids_is_one_session_also_after_a_restart() {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("ok").openai()]);
    let mut node = Setup::new().openai(&fake).start();
    let session = |node: &Node, turn: usize| {
        node.post("/v1/chat/completions", &conversation(turn)).head.header("x-vox-session").expect("it is always told").to_owned()
    };
    let first = session(&node, 0);
    let mut ids: Vec<String> = (1..10).map(|turn| session(&node, turn)).collect();
    node.terminate();
    assert_eq!(node.wait(), 0);
    let node = node.kill().restart();
    ids.extend((10..20).map(|turn| session(&node, turn)));
    assert!(ids.iter().all(|id| *id == first), "{first}: {ids:?}");
    node.wait_number("SELECT count(*) AS n FROM llm_interactions", 20);
    let shown = node.json(&["trace", "last"]);
    assert_eq!(shown["session_id"], first.as_str());
    assert_eq!(
        (&shown["decision"]["session"]["offer"], &shown["decision"]["session"]["n_turns"]),
        (&json!("openai/gpt-5-mini"), &json!(19))
    );
    let text = String::from_utf8(node.vox(&["trace", "last"]).stdout).unwrap();
    assert!(text.contains(&format!("{first}  (turn 20, last answered by openai/gpt-5-mini")), "{text}");
}

/// A provider that caches prompts and fails once, at this request; returns how many tokens were read from its cache.
fn caching(fails_at: Option<usize>) -> (FakeProvider, Arc<AtomicU64>) {
    let (fake, hits) = (FakeProvider::start(), Arc::new(AtomicU64::new(0)));
    let (counted, mut cache, mut n_asked) = (hits.clone(), PromptCache::default(), 0);
    fake.answering(move |request| {
        n_asked += 1;
        if Some(n_asked) == fails_at {
            return Reply::new(404, r#"{"error":{"message":"The model is gone","code":"model_not_found"}}"#);
        }
        let tokens = cache.ask(&request.json());
        counted.fetch_add(tokens.cached, Ordering::Relaxed);
        Answer::text("ok").tokens(tokens).openai()
    });
    (fake, hits)
}

/// A coding conversation whose requests grow from turn to turn.
fn growing(model: &str, n_turns: usize) -> Value {
    let mut messages = vec![json!({"role": "system", "content": "rules of the house ".repeat(200)})];
    for turn in 0..=n_turns {
        messages.push(json!({"role": "user", "content": format!("please implement part {turn} {}", "with all its details ".repeat(20))}));
        if turn < n_turns {
            messages.push(json!({"role": "assistant", "content": format!("done {turn} {}", "and explained ".repeat(40))}));
        }
    }
    json!({"model": model, "messages": messages, "max_tokens": 200})
}

/// Two offers alike but for a hundredth of the price; the first fails at a turn. Holds forty turns and returns the tokens
/// read from caches, who answered, and the node.
fn hits(model: &str, fails_at: Option<usize>) -> (u64, Vec<String>, Node) {
    let ((first, first_hits), (second, second_hits)) = (caching(fails_at), caching(None));
    let setup = Setup::new().openai(&first).env("VOX_PROVIDER_DEEPSEEK_BASE_URL", &format!("{}/v1", second.url()));
    let offer = |id: &str, input: u64| {
        let prices = format!("{{ input: {input}, output: 2000000, cache_read: {} }}", input / 10);
        format!("  {id}: {{ tier: pro, strengths: [generalist], context_tokens: 400000, prices: {prices} }}\n")
    };
    let offers = [offer("openai/gpt-5-mini", 1_000_000), offer("deepseek/deepseek-v4-pro", 1_010_000)];
    setup.home.write("config/models.yaml", &format!("overrides:\n{}", offers.concat()));
    let node = setup.env("DEEPSEEK_API_KEY", "sk-test").start();
    node.json(&["keys", "set", "test", "--models", "openai/gpt-5-mini,deepseek/deepseek-v4-pro"]);
    let is_narrow = || node.get("/api/v1/keys/self").json()["models"].is_array().then_some(());
    until(PATIENCE, is_narrow).expect("the node takes the change in");
    let offers = (0..40).map(|turn| {
        let answer = node.post("/v1/chat/completions", &growing(model, turn));
        assert_eq!(answer.status(), 200, "turn {turn}: {}", answer.text());
        answer.head.header("x-vox-model").unwrap_or_default().to_owned()
    });
    let offers = offers.collect();
    (first_hits.load(Ordering::Relaxed) + second_hits.load(Ordering::Relaxed), offers, node)
}

/// GW-50.
#[test]
fn gw_50_routing_keeps_the_cache_hits_of_a_client_that_is_pinned() {
    let (pinned, _, _) = hits("openai/gpt-5-mini", None);
    let (routed, offers, node) = hits("vox/auto", Some(20));
    assert!(pinned > 100_000 && routed * 100 >= pinned * 95, "{routed} of {pinned}: {offers:?}");
    assert!(offers[..19].iter().all(|offer| offer == "openai/gpt-5-mini"), "the better offer is the first: {offers:?}");
    // It is still the better one by a little, and answers again; going back would throw the new cache away.
    assert!(offers[19..].iter().all(|offer| offer == "deepseek/deepseek-v4-pro"), "nobody goes back: {offers:?}");
    node.wait_number("SELECT count(*) AS n FROM llm_interactions", 40);
    let trace = node.json(&["trace", "last"]);
    assert_eq!(trace["decision"]["session"]["offer"], "deepseek/deepseek-v4-pro");
    assert!(trace["decision"]["session"]["cached_tokens"].as_i64() > Some(5000), "{}", trace["decision"]["session"]);
}
