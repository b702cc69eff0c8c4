//! `kill -9` under load: every call the provider saw is settled or held, and what is held can be told apart and closed.

use crate::node::{Dialect, Node, PATIENCE, Setup, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use vox_base::Entropy as _;
use vox_testkit::{Answer, Client, FakeProvider, Reply, SeededEntropy};

const N_CALLERS: usize = 32;
const N_KILLS: usize = 3;

/// Returns how many more calls the provider sees before the node is killed; the same in every run.
fn kill_points() -> [usize; N_KILLS] {
    let mut random = [0; N_KILLS];
    SeededEntropy::new(37).fill(&mut random);
    random.map(|byte| 60 + usize::from(byte) % 120)
}

/// Some answers come at once, some late, some as slow streams, some never.
fn answers(request: &vox_testkit::Recorded) -> Reply {
    let answer = Answer::text("one two three");
    match request.json()["user"].as_str().unwrap() {
        "quick" => answer.openai(),
        "late" => answer.openai().wait_before_headers(Duration::from_millis(15)),
        "slow" => answer.openai_stream().gap(Duration::from_millis(5)),
        _ => answer.openai_stream().stall_after_pieces(3),
    }
}

/// Calls until the node is gone.
fn call_on(node: &Node, at: usize, ended: &AtomicBool) {
    let bearer = format!("Bearer {}", node.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let manner = ["quick", "late", "slow", "quick", "late", "slow", "quick", "never"][at % 8];
    let mut body = Dialect::Openai.request(matches!(manner, "slow" | "never"));
    body["user"] = manner.into();
    while !ended.load(Ordering::Relaxed) {
        let Ok(mut client) = Client::connect(node.address) else { return };
        let _ = client.read_timeout(PATIENCE);
        while client
            .request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes())
            .is_ok_and(|answer| answer.status() == 200)
        {}
    }
}

fn ids(setup: &Setup, sql: &str) -> BTreeSet<String> {
    setup.rows(sql).iter().map(|row| row["id"].as_str().unwrap().replace('-', "")).collect()
}

/// The trace id of an upstream call is the id of its interaction.
fn seen(fake: &FakeProvider) -> BTreeSet<String> {
    fake.requests().iter().map(|request| request.header("traceparent").unwrap()[3..35].to_owned()).collect()
}

#[test]
fn gw_37_after_kill_9_every_call_the_provider_saw_is_settled_or_held() {
    let fake = FakeProvider::scripted([Reply::made(answers)]);
    let mut node = Setup::new().openai(&fake).start();
    let mut settled_before = BTreeSet::new();
    for n_more in kill_points() {
        let wanted = fake.n_requests() + n_more;
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (node, ended) = (&node, &ended);
            for at in 0..N_CALLERS {
                scope.spawn(move || call_on(node, at, ended));
            }
            let _ = fake.wait_requests(wanted, PATIENCE);
            node.kill_hard();
            ended.store(true, Ordering::Relaxed);
        });
        node = node.kill().restart();

        let settled = ids(&node, "SELECT interaction_id AS id FROM llm_interactions");
        let held = ids(&node, "SELECT interaction_id AS id FROM reservations WHERE state = 'held'");
        let seen = seen(&fake);
        assert!(settled.is_superset(&settled_before), "what was settled stays");
        assert_eq!(settled.intersection(&held).count(), 0, "a call is one or the other");
        let lost: Vec<&String> = seen.iter().filter(|id| !settled.contains(*id) && !held.contains(*id)).collect();
        assert!(lost.is_empty(), "the provider saw {} calls that nobody knows of: {lost:?}", lost.len());
        let unsent: Vec<&String> = settled.difference(&seen).collect();
        assert!(unsent.is_empty(), "settled, but never sent: {unsent:?}");
        // The intent comes before the first byte, so a call may be held that was about to be sent.
        assert!(held.difference(&seen).count() <= N_CALLERS * N_KILLS);
        assert!(!held.is_empty(), "streams that never end were open");
        assert_eq!(node.number("SELECT count(*) AS n FROM llm_interactions WHERE attempts <> 1"), 0);
        settled_before = settled;
    }
    check_reconciliation(&node);
}

fn held(node: &Node) -> Vec<Value> {
    node.json(&["usage", "--held"])["held"].as_array().unwrap().clone()
}

fn check_reconciliation(node: &Node) {
    let before = held(node);
    assert_eq!(before.len() as i64, node.number("SELECT count(*) AS n FROM reservations WHERE state = 'held'"));
    let spent = "SELECT sum(amount_nano_usd) AS n FROM budget_entries";
    let (spent_before, amount) = (node.number(spent), |call: &Value| call["held_nano_usd"].as_i64().unwrap());
    let id = |call: &Value| call["interaction_id"].as_str().unwrap().to_owned();
    assert!(before.iter().all(|call| amount(call) > 0), "{before:?}");

    assert!(node.vox(&["usage", "reconcile", &id(&before[0]), "--zero"]).status.success());
    assert!(node.vox(&["usage", "reconcile", &id(&before[1]), "--usd", "0.000001"]).status.success());
    assert_eq!(held(node).len(), before.len() - 2);
    assert_eq!(node.number(spent), spent_before - amount(&before[0]) - amount(&before[1]) + 1000);
    let audit = node.rows(&format!(
        "SELECT call_id, by, amount_nano_usd FROM budget_entries WHERE kind = 'correct' AND call_id = '{}'",
        id(&before[1])
    ));
    assert_eq!(
        (audit.len(), audit[0]["by"].as_str(), audit[0]["amount_nano_usd"].as_i64()),
        (1, Some("cli"), Some(1000 - amount(&before[1])))
    );
    let again = node.vox(&["usage", "reconcile", &id(&before[0]), "--zero"]);
    assert_eq!(again.status.code(), Some(1), "what is closed stays closed");
    assert_eq!(node.json(&["usage"])["held_calls"], json!(before.len() - 2));
}

#[test]
fn gw_37_a_held_amount_goes_on_counting_against_a_hard_budget() {
    let fake = FakeProvider::scripted([Answer::text("x").openai_stream().stall_after_pieces(2)]);
    let setup = Setup::new().openai(&fake);
    let tight = setup.key(&["tight", "--budget", "0.001/total"]);
    let mut node = setup.start();
    node.key = tight;
    // 400 tokens at 2000 nano-USD: the budget holds one such call, not two.
    let mut body = Dialect::Openai.request(true);
    body["max_tokens"] = 400.into();
    let mut client = node.client();
    node.send(&mut client, Dialect::Openai.path(), &[], body.to_string().as_bytes());
    assert_eq!(client.read_head().unwrap().status, 200);
    let node = node.kill().restart();
    let refused = node.post(Dialect::Openai.path(), &body);
    assert_eq!((refused.status(), refused.json()["error"]["code"].as_str()), (402, Some("gateway.budget_exceeded")));
    let held = held(&node).remove(0)["interaction_id"].as_str().unwrap().to_owned();
    assert!(node.vox(&["usage", "reconcile", &held, "--zero"]).status.success());
    fake.script([Answer::text("well").openai_stream()]);
    let answered = until(PATIENCE, || (node.post(Dialect::Openai.path(), &body).status() == 200).then_some(()));
    assert!(answered.is_some(), "a running node takes the reconciliation in");
}
