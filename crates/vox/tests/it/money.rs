//! What calls cost: tokens by class and nano-USD of recorded shapes, worked out by hand.
//!
//! Prices in nano-USD a token: gpt-5-mini 250 in, 25 cached, 2000 out; claude-haiku-4-5 1000 in, 100 cached, 1250 and 2000
//! written to the cache for five minutes and an hour, 5000 out.

use crate::node::{Dialect, Node, PATIENCE, Setup, interaction, stdout, until};
use serde_json::{Value, json};
use vox_testkit::{Answer, FakeProvider, Reply, Response, Tokens};

const CLASSES: [&str; 6] =
    ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "reasoning_tokens"];

/// Asks and checks the row: tokens by class, cost, and how the cost is known.
fn check(node: &Node, dialect: Dialect, stream: bool, tokens: [Option<i64>; 6], cost: Option<i64>, source: &str) -> Value {
    let answer = node.post(dialect.path(), &dialect.request(stream));
    check_answer(node, &answer, tokens, cost, source)
}

fn check_answer(node: &Node, answer: &Response, tokens: [Option<i64>; 6], cost: Option<i64>, source: &str) -> Value {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let row = node.call(&interaction(&answer.head));
    assert_eq!(CLASSES.map(|class| row[class].as_i64()), tokens, "{}", answer.text());
    assert_eq!((row["cost_nano_usd"].as_i64(), row["cost_source"].as_str()), (cost, Some(source)), "{}", answer.text());
    if row["streamed"] == 0 {
        let told = ["x-vox-cost-nano-usd", "x-vox-cost-source"].map(|name| answer.head.header(name).map(str::to_owned));
        assert_eq!(told, [cost.map(|cost| cost.to_string()), Some(source.to_owned())], "the headers say what the row says");
    }
    row
}

#[test]
fn gw_32_tokens_and_nano_usd_of_whole_and_streamed_answers() {
    let fake = FakeProvider::start();
    let node = Setup::new().both(&fake).start();
    let words = Answer::text("an answer of a few words");
    for stream in [false, true] {
        let tokens = Tokens { input: 700, cached: 300, cache_write: 0, output: 30, reasoning: 20 };
        fake.script([Dialect::Openai.reply(&words.clone().tokens(tokens), stream)]);
        // 700 × 250 + 300 × 25 + 50 × 2000
        let cost = 175_000 + 7_500 + 100_000;
        let row = check(&node, Dialect::Openai, stream, [Some(700), Some(300), None, None, Some(30), Some(20)], Some(cost), "computed");
        assert_eq!(row["cache_savings_nano_usd"], 300 * (250 - 25));
        let prices = node.value(
            &format!("SELECT prices_json FROM price_snapshots WHERE price_snapshot_id = {}", row["price_snapshot_id"]).replace('"', "'"),
        );
        assert!(prices.as_str().unwrap().contains("250000"), "the prices it was settled with are kept: {prices}");

        let tokens = Tokens { input: 700, cached: 300, cache_write: 200, output: 5, reasoning: 0 };
        fake.script([Dialect::Anthropic.reply(&words.clone().tokens(tokens), stream)]);
        // 700 × 1000 + 300 × 100 + 200 × 1250 + 5 × 5000
        let cost = 700_000 + 30_000 + 250_000 + 25_000;
        check(&node, Dialect::Anthropic, stream, [Some(700), Some(300), Some(200), None, Some(5), None], Some(cost), "computed");

        fake.script([Dialect::Openai.reply(&words.clone().without_usage(), stream)]);
        let row = {
            let answer = node.post(Dialect::Openai.path(), &Dialect::Openai.request(stream));
            node.call(&interaction(&answer.head))
        };
        assert_eq!(CLASSES.map(|class| row[class].as_i64()), [None; 6], "not told is not zero");
        assert_eq!(row["cost_source"], "estimated");
        assert!(row["cost_nano_usd"].as_i64().unwrap() > 0);
    }
}

#[test]
fn gw_32_cache_writes_are_priced_by_how_long_they_last() {
    let fake = FakeProvider::start();
    let node = Setup::new().anthropic(&fake).start();
    let mut body = Answer::text("written").anthropic_body();
    body["usage"] = json!({
        "input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    });
    fake.script([Reply::json(200, &body)]);
    // 10 × 1000 + 100 × 1250 + 200 × 2000 + 2 × 5000
    let cost = 10_000 + 125_000 + 400_000 + 10_000;
    check(&node, Dialect::Anthropic, false, [Some(10), Some(0), Some(100), Some(200), Some(2), None], Some(cost), "computed");
}

#[test]
fn gw_32_an_amount_the_provider_states_wins_and_the_computed_one_stays_beside_it() {
    let fake = FakeProvider::start();
    let setup = Setup::new().env("VOX_PROVIDER_OPENROUTER_BASE_URL", &format!("{}/v1", fake.url()));
    let node = setup.env("OPENROUTER_API_KEY", "sk-or-fixture").start();
    let usage = r#"{"prompt_tokens":100,"completion_tokens":10,"cost":0.0000123455}"#;
    let body = format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"hello"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    );
    fake.script([Reply::new(200, body).header("content-type", "application/json")]);
    let answer = node.post("/v1/chat/completions", &json!({"model": "openrouter/deepseek/deepseek-r1", "messages": []}));
    // 12345.5 nano-USD, half to even; computed: 100 × 550 + 10 × 2190.
    let row = check_answer(&node, &answer, [Some(100), None, None, None, Some(10), None], Some(12_346), "provider_reported");
    assert_eq!(row["computed_nano_usd"], 55_000 + 21_900);
}

#[test]
fn gw_32_an_engine_of_ones_own_costs_nothing_by_contract() {
    let fake = FakeProvider::scripted([Answer::text("free").openai()]);
    let node = Setup::new().env("VOX_PROVIDER_LMSTUDIO_BASE_URL", &format!("{}/v1", fake.url())).start();
    let answer = node.post("/v1/chat/completions", &json!({"model": "lmstudio/some-model", "messages": []}));
    check_answer(&node, &answer, [Some(10), Some(0), None, None, Some(5), Some(0)], Some(0), "local");
}

/// Returns an Anthropic stream whose usage grows with every delta.
fn cumulative(outputs: &[u64]) -> Reply {
    let mut events = Answer::text("one two three four").anthropic_events();
    let end = events.len() - 2;
    let mut start: Value = serde_json::from_str(events[0].trim_end().rsplit_once("data: ").unwrap().1).unwrap();
    start["message"]["usage"] =
        json!({"input_tokens": 7, "cache_read_input_tokens": 4000, "cache_creation_input_tokens": 0, "output_tokens": 1});
    events[0] = format!("event: message_start\ndata: {start}\n\n");
    let delta = |output: &u64| {
        format!(
            "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{{\"output_tokens\":{output}}}}}\n\n"
        )
    };
    events.splice(end..=end, outputs.iter().map(delta));
    Reply::sse(events)
}

#[test]
fn gw_33_cumulative_usage_is_billed_once_with_its_last_values_and_reads_at_the_price_of_reads() {
    let fake = FakeProvider::scripted([cumulative(&[5, 11, 17, 23])]);
    let node = Setup::new().anthropic(&fake).start();
    // 7 × 1000 + 4000 × 100 + 23 × 5000: had the reads been input, it would be ten times as much.
    let cost = 7_000 + 400_000 + 115_000;
    let row = check(&node, Dialect::Anthropic, true, [Some(7), Some(4000), Some(0), None, Some(23), None], Some(cost), "computed");
    assert_eq!(row["cache_savings_nano_usd"], 4000 * 900);
}

/// Two equal models of which one costs a little less by its list; what is charged for it is twice the list.
#[test]
fn rt_55_a_running_node_chooses_by_what_is_charged_once_enough_calls_say_so() {
    let fake = FakeProvider::start();
    let usage = r#"{"prompt_tokens":100,"completion_tokens":600,"cost":0.0025}"#;
    let body = format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"hello"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    );
    let setup = Setup::new().env("VOX_PROVIDER_OPENROUTER_BASE_URL", &format!("{}/v1", fake.url()));
    setup.home.write(
        "config/routing.yaml",
        "scoring:\n  weights: { efficiency: 100, precision: 0, latency: 0, availability: 0 }\nretired_ids: ['qwen/*', 'moonshot/*']\n",
    );
    let node = setup.env("OPENROUTER_API_KEY", "sk-or-fixture").start();
    let (listed, charged) = ("openrouter/z-ai/glm-5.1", "openrouter/deepseek/deepseek-r1");
    let ask = |model: &str| {
        fake.script([Reply::new(200, body.clone()).header("content-type", "application/json")]);
        let answer = node.post("/v1/chat/completions", &json!({"model": model, "messages": [{"role": "user", "content": "hello"}]}));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.head.header("x-vox-model").unwrap().to_owned()
    };
    let confidence = |n_calls: i64| {
        let glm = "SELECT count(*) AS n FROM llm_interactions WHERE cost_source = 'provider_reported' AND model = 'z-ai/glm-5.1'";
        node.wait_number(glm, n_calls);
        node.json(&["model", "rollup"]);
        let prices = node.json(&["model", "pricing", "show", "--model", "z-ai/glm-5.1"])["prices"][0].clone();
        assert_eq!((prices["n_reported"].as_i64(), prices["observed_ratio_ppm"].as_i64()), (Some(n_calls), Some(2_000_000)));
        prices["confidence"].as_str().unwrap().to_owned()
    };
    (0..18).for_each(|_| assert_eq!(ask(listed), listed));
    assert_eq!(ask("vox/auto:general"), listed);
    assert_eq!(confidence(19), "none");
    assert_eq!(ask("vox/auto:general"), listed, "nineteen calls say nothing");
    assert_eq!(confidence(20), "medium");
    until(PATIENCE, || (ask("vox/auto:general") == charged).then_some(())).expect("the node takes the observed price in");
    let glm = node.number("SELECT count(*) AS n FROM model_pricing WHERE model = 'z-ai/glm-5.1' AND confidence = 'medium'");
    assert_eq!(glm, 1);
    let made = node.number("SELECT count(*) AS n FROM llm_interactions WHERE model = 'z-ai/glm-5.1'");
    (made..100).for_each(|_| assert_eq!(ask(listed), listed));
    assert_eq!(confidence(100), "high");
    assert_eq!(ask("vox/auto:general"), charged);

    // The gates are rules.
    node.home.write("config/routing.yaml", "pricing: { medium_min_calls: 200, high_min_calls: 300 }\n");
    assert_eq!(confidence(100), "none");
}

#[test]
fn rt_56_writing_a_cache_may_cost_more_than_reading_it_saves_and_the_scoreboard_says_so() {
    let fake = FakeProvider::start();
    let node = Setup::new().anthropic(&fake).start();
    let saved = |cached: u64, cache_write: u64| {
        let tokens = Tokens { input: 100, cached, cache_write, output: 5, reasoning: 0 };
        fake.script([Answer::text("done").tokens(tokens).anthropic()]);
        assert_eq!(node.post(Dialect::Anthropic.path(), &Dialect::Anthropic.request(false)).status(), 200);
        node.json(&["model", "rollup"]);
        let shown = node.json(&["model", "scoreboard", "show", "--group-by", "offer", "--with-cache"]);
        let text = stdout(&node.vox(&["model", "scoreboard", "show", "--with-cache"]));
        assert!(text.lines().next().unwrap().ends_with("caches saved"), "{text}");
        (shown["lines"][0]["cache_savings_nano_usd"].as_i64(), text.lines().nth(1).unwrap().rsplit("  ").next().unwrap().to_owned())
    };
    // A token read costs 100 instead of 1000, one written 1250.
    assert_eq!(saved(1000, 0), (Some(900_000), "$0.0009".to_owned()));
    // 900 × 1300 - 250 × 5000
    assert_eq!(saved(300, 5000), (Some(-80_000), "-$0.00008".to_owned()));
}

#[test]
fn gw_34_what_has_no_price_is_unpriced_and_not_free() {
    let fake = FakeProvider::scripted([Answer::text("whatever").openai()]);
    let node = Setup::new().openai(&fake).provider("mystery", "openai", &fake).start();
    let body = json!({"model": "mystery/model", "messages": []});
    let answer = node.post("/v1/chat/completions", &body);
    check_answer(&node, &answer, [Some(10), Some(0), None, None, Some(5), Some(0)], None, "unknown");
    assert_eq!(answer.head.header("x-vox-cost-nano-usd"), None);
    assert_eq!(node.post("/v1/chat/completions", &Dialect::Openai.request(false)).status(), 200);
    node.wait_number("SELECT count(*) AS n FROM llm_interactions", 2);

    let usage = node.json(&["usage"]);
    // 10 × 250 + 5 × 2000 of the priced call alone.
    assert_eq!(
        (&usage["total"]["unpriced_calls"], &usage["total"]["cost_nano_usd"], &usage["total"]["calls"]),
        (&json!(1), &json!(12_500), &json!(2))
    );
    let shown = stdout(&node.vox(&["usage"]));
    assert!(shown.contains("leaves out 1 unpriced call"), "{shown}");
    let line =
        shown.lines().find(|line| line.contains("mystery") || line.starts_with("model ") && line.contains("unpriced")).unwrap_or_default();
    assert!(shown.lines().any(|line| line.contains("unpriced") && !line.contains('$')), "{line}: {shown}");
}

#[test]
fn gw_34_a_hard_budget_refuses_what_has_no_price_unless_it_may() {
    let fake = FakeProvider::scripted([Answer::text("whatever").openai()]);
    let setup = Setup::new().provider("mystery", "openai", &fake);
    let hard = setup.key(&["hard", "--budget", "5/day"]);
    let open = setup.key(&["open", "--budget", "5/day", "--allow-unpriced"]);
    let node = setup.start();
    let body = json!({"model": "mystery/model", "messages": []}).to_string();
    let ask = |key: &str| {
        node.client()
            .request("POST", "/v1/chat/completions", &[("x-api-key", key), ("content-type", "application/json")], body.as_bytes())
            .unwrap()
    };
    let refused = ask(&hard);
    assert_eq!((refused.status(), refused.json()["error"]["code"].as_str()), (402, Some("route.price_unknown")), "{}", refused.text());
    assert_eq!(fake.n_requests(), 0);
    assert_eq!(ask(&open).status(), 200);
    assert!(node.vox(&["keys", "set", "hard", "--allow-unpriced"]).status.success());
    assert!(until(PATIENCE, || (ask(&hard).status() == 200).then_some(())).is_some(), "a running node takes the change in");
}

#[test]
fn gw_36_parallel_calls_never_overspend_a_hard_budget() {
    // One call of 5 output tokens settles at 10 × 250 + 5 × 2000 = 12 500 nano-USD; the budget holds 16 of them.
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let setup = Setup::new().openai(&fake);
    let tight = setup.key(&["tight", "--budget", "0.0002/day"]);
    let node = setup.start();
    let body = json!({"model": "openai/gpt-5-mini", "max_tokens": 5, "messages": []}).to_string();
    let headers = [("x-api-key", tight.as_str()), ("content-type", "application/json")];
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = node.client();
                    (0..6).map(|_| client.request("POST", "/v1/chat/completions", &headers, body.as_bytes()).unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    let n_answered = answers.iter().filter(|answer| answer.status() == 200).count();
    assert!((1..=16).contains(&n_answered), "{n_answered} calls fit");
    for refused in answers.iter().filter(|answer| answer.status() != 200) {
        assert_eq!((refused.status(), refused.json()["error"]["code"].as_str()), (402, Some("gateway.budget_exceeded")));
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("0.0002") && message.contains("reserved"), "{message}");
    }
    node.wait_number("SELECT count(*) AS n FROM llm_interactions", answers.len() as i64);
    let spent = node.number("SELECT sum(amount_nano_usd) AS n FROM budget_entries");
    assert_eq!(spent, n_answered as i64 * 12_500);
    assert!(spent <= 200_000);
    assert_eq!(fake.n_requests(), n_answered);
    assert_eq!(node.json(&["usage", "--held"])["held"], json!([]), "no reservation is left open");
    assert_eq!(node.json(&["keys", "show", "tight"])["budgets"][0]["spent_nano_usd"], spent);
}
