//! The node's own numbers.

use crate::node::{Dialect, Node, Setup};
use std::collections::BTreeMap;
use vox_testkit::{Answer, FakeProvider, Reply};

/// Reads Prometheus text into samples, checking its form on the way.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut typed = Vec::new();
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# ") {
            let words: Vec<&str> = rest.split(' ').collect();
            assert!(matches!(words[0], "TYPE" | "HELP"), "{line}");
            if words[0] == "TYPE" {
                assert!(!typed.contains(&words[1].to_owned()) && matches!(words[2], "counter" | "gauge" | "histogram"), "{line}");
                typed.push(words[1].to_owned());
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let family = name.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| family.strip_suffix(end))
            .filter(|base| typed.contains(&(*base).to_owned()))
            .unwrap_or(family);
        assert_eq!(typed.last().map(String::as_str), Some(family), "a sample stands under its type: {line}");
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
    }
    samples
}

fn numbers(node: &Node) -> BTreeMap<String, f64> {
    let answer = node.client().request("GET", "/metrics", &[], b"").unwrap();
    assert!(answer.head.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    samples(&answer.text())
}

#[test]
fn gw_66_counters_equal_the_rows_after_mixed_calls() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).settings("retries: { per_offer: 1 }\n").provider("free", "openai", &fake).start();
    let mut n_calls = 0;
    for round in 0..8 {
        for dialect in Dialect::BOTH {
            for stream in [true, false] {
                let good = dialect.reply(&Answer::text("one two"), stream);
                fake.script([match round % 4 {
                    0 | 1 => good,
                    2 if stream => good.cut_after_pieces(4),
                    _ => Reply::new(500, ""),
                }]);
                let _ = node.post(dialect.path(), &dialect.request(stream));
                n_calls += 1;
            }
        }
    }
    fake.script([Answer::text("unpriced").openai()]);
    let unpriced = serde_json::json!({"model": "free/m", "messages": []});
    assert_eq!(node.post("/v1/chat/completions", &unpriced).status(), 200);
    let refused = serde_json::json!({"model": "vox/auto", "max_tokens": 1, "messages": []});
    let _ = node.post_with("/v1/chat/completions", &[("x-vox-budget-usd", "0.000000001")], refused.to_string().as_bytes());
    node.wait_number("SELECT count(*) AS n FROM llm_interactions", n_calls + 2);

    let numbers = numbers(&node);
    for row in node.rows("SELECT endpoint, outcome, count(*) AS n FROM llm_interactions GROUP BY 1, 2") {
        let name = format!("vox_gateway_requests_total{{endpoint={},outcome={}}}", row["endpoint"], row["outcome"]);
        assert_eq!(numbers.get(&name).copied(), row["n"].as_f64(), "{name}: {numbers:?}");
    }
    let total = |prefix: &str| numbers.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, value)| value).sum::<f64>();
    let sum = |sql: &str| node.value(sql).as_f64().unwrap_or(0.0);
    assert_eq!(total("vox_gateway_requests_total"), sum("SELECT count(*) AS n FROM llm_interactions"));
    assert_eq!(total("vox_gateway_attempts_total"), sum("SELECT count(*) AS n FROM llm_attempts"));
    assert_eq!(numbers["vox_gateway_unpriced_total"], sum("SELECT count(*) AS n FROM llm_interactions WHERE cost_nano_usd IS NULL"));
    assert_eq!(numbers["vox_gateway_tokens_total{class=\"output\"}"], sum("SELECT sum(output_tokens) AS n FROM llm_interactions"));
    for row in
        node.rows("SELECT cost_source AS s, sum(cost_nano_usd) AS n FROM llm_interactions WHERE cost_nano_usd IS NOT NULL GROUP BY 1")
    {
        let name = format!("vox_gateway_cost_nano_usd_total{{source={}}}", row["s"]);
        assert_eq!(numbers.get(&name).copied(), row["n"].as_f64(), "{name}");
    }
    assert_eq!(numbers["vox_gateway_inflight"], 0.0);
    assert_eq!(numbers["vox_gateway_overhead_seconds_count"], numbers["vox_gateway_overhead_seconds_bucket{le=\"+Inf\"}"]);
    let text: String = numbers.keys().map(|name| format!("{name}\n")).collect();
    assert!(!text.contains("gpt-5-mini") && !text.contains("test"), "no model or key is a label: {text}");
}
