//! Sessions through the real node: told in a header, kept in the store, known again after a restart.

use crate::node::Setup;
use serde_json::{Value, json};
use vox_testkit::{Answer, FakeProvider};

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
    let session = |node: &crate::node::Node, turn: usize| {
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
    assert_eq!((&shown["decision"]["session"]["offer"], &shown["decision"]["session"]["n_turns"]), (&json!("openai/gpt-5-mini"), &json!(19)));
    let text = String::from_utf8(node.vox(&["trace", "last"]).stdout).unwrap();
    assert!(text.contains(&format!("{first}  (turn 20, last answered by openai/gpt-5-mini")), "{text}");
}
