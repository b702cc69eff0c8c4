//! What became of calls: outcomes by the node's API, and what is made of them.

use crate::node::{Dialect, Node, PATIENCE, Setup, envelope, interaction, stdout, until};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use vox_testkit::{Answer, FakeProvider, Response, Tokens};

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
    two_models("off")
}

fn two_models(explore: &str) -> (FakeProvider, Node) {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    fake.on("/v1/chat/completions", [Answer::text("cheap work").openai()]);
    fake.on("/v1/messages", [Answer::text("good work").anthropic()]);
    let node = Setup::new().both(&fake).env("VOX_ROUTE_EXPLORE", explore).start();
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

/// RT-44 in a running node: what is tried is logged with its chance, replays to the same pick, and is paid for by a debt.
#[test]
fn rt_44_a_node_tries_what_it_does_not_know_and_says_how_likely_that_was() {
    let (_fake, node) = two_models("on");
    // By the decision's own word: how fast the answers come here can make either of the two the leader.
    let trials = "SELECT * FROM route_decisions WHERE mode = 'explored' ORDER BY decision_id LIMIT 1";
    let mut tried = Vec::new();
    for n in 0..400 {
        let (call, _) = auto(&node);
        tell(&node, &call, n % 2 == 0);
        if n % 20 == 19 {
            tried = node.rows(trials);
        }
        if !tried.is_empty() {
            break;
        }
    }
    let decision = tried.pop().expect("one call in fifty at least tries the other model");
    let (call, offer) = (decision["interaction_id"].as_str().unwrap(), decision["chosen"].as_str().unwrap());
    assert!(offer.starts_with(node.call(call)["provider"].as_str().unwrap()), "{decision}");
    let propensity = decision["propensity_ppb"].as_i64().unwrap();
    assert!((1..500_000_000).contains(&propensity), "{decision}");
    let replayed = node.json(&["model", "explain", "--decision", call]);
    assert_eq!((&replayed["pick"]["offer"], &replayed["pick"]["mode"]), (&json!(offer), &json!("explored")), "{replayed}");

    let forced = json!({"model": "openai/gpt-5-mini", "messages": [{"role": "user", "content": "write it"}], "max_tokens": 100});
    let before = node.number("SELECT count(*) AS n FROM route_decisions WHERE mode = 'explored'");
    for _ in 0..50 {
        assert_eq!(node.post("/v1/chat/completions", &forced).head.header("x-vox-model"), Some("openai/gpt-5-mini"));
    }
    assert_eq!(node.number("SELECT count(*) AS n FROM route_decisions WHERE mode = 'explored'"), before, "a named model is never a trial");

    let told = |node: &Node| {
        let (call, _) = auto(node);
        node.call(&call);
        let row = node.rows(&format!("SELECT features_json FROM route_decisions WHERE interaction_id = '{call}'")).remove(0);
        let asked: Value = serde_json::from_str(row["features_json"].as_str().unwrap()).unwrap();
        ["debt", "leaders"].map(|name| asked["exploring"][name].as_i64().unwrap())
    };
    let [debt, leaders] = told(&node);
    assert!(leaders > 0, "every call that might have been a trial counts");
    let node = node.kill().restart();
    let after = told(&node);
    assert!(after[0] >= debt && after[1] >= leaders, "a restart forgives no debt: {after:?} after {debt} of {leaders}");
}

#[test]
fn rt_59_an_old_decision_is_made_again_after_contract_and_catalog_changed() {
    let (_fake, node) = hidden_rule();
    let (call, offer) = auto(&node);
    assert!(offer.starts_with("openai/"), "{offer}");
    node.wait_number("SELECT count(*) AS n FROM route_decisions", 1);
    let explained = || node.json(&["model", "explain", "--decision", &call]);
    let before = explained();
    node.home.write("config/models.yaml", "overrides:\n  openai/gpt-5-mini: { prices: { input: 90000000, output: 90000000 } }\n");
    node.home.write("config/routing.yaml", "scoring: { failover_cost_micros: 9000 }\n");
    until(PATIENCE, || auto(&node).1.starts_with("anthropic/").then_some(())).expect("the change moves the next pick");
    let after = explained();
    for part in ["pick", "candidates", "refused", "ask", "evidence"] {
        assert!(!before[part].is_null(), "{part}: {before}");
        assert_eq!(after[part], before[part], "{part}");
    }
    let unknown = node.vox(&["model", "explain", "--decision", "01a1ff4e-9523-72e1-8475-58c6bde77d3c", "--json"]);
    assert_eq!((unknown.status.code(), &envelope(&unknown)["error"]["code"]), (Some(1), &json!("route.decision_unknown")));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the rows are deleted by a program that is not vox")]
fn rt_59_a_decision_whose_inputs_are_gone_is_not_guessed_at() {
    let (_fake, node) = hidden_rule();
    let (call, _) = auto(&node);
    node.wait_number("SELECT count(*) AS n FROM route_decisions", 1);
    let setup = node.kill().setup;
    setup.json(&["model", "explain", "--decision", &call]);
    for kind in ["board", "catalog", "contract"] {
        let sql = format!("DELETE FROM route_snapshots WHERE kind = '{kind}'");
        let deleted = std::process::Command::new("sqlite3").arg(setup.database()).arg(sql).status();
        assert!(deleted.unwrap().success());
        let gone = setup.vox(&["model", "explain", "--decision", &call, "--json"]);
        let error = envelope(&gone)["error"].clone();
        assert_eq!((gone.status.code(), error["code"].as_str()), (Some(1), Some("route.decision_unknown")), "{kind}: {error}");
        assert!(error["message"].as_str().unwrap().contains(kind), "{error}");
    }
}

/// An answer that the provider says filled so much of a context.
fn filling(n_tokens: u64) -> Answer {
    Answer::text("cheap work").tokens(Tokens { input: n_tokens - 10, cached: 0, cache_write: 0, output: 10, reasoning: 0 })
}

#[test]
fn rt_29_after_three_calls_at_81_percent_the_fourth_goes_above_the_next_rung() {
    let (fake, node) = hidden_rule();
    node.home.write("config/models.yaml", "overrides:\n  openai/gpt-5-mini: { context_tokens: 100000 }\n");
    let node = node.kill().restart();
    let answers = |n_tokens: u64| fake.on("/v1/chat/completions", [filling(n_tokens).openai()]);
    // An outcome is known to the next decision when it is posted, and with it what calls before it have left.
    let ask = || {
        let (call, offer) = auto(&node);
        tell(&node, &call, true);
        offer
    };
    answers(80_000);
    let exactly: Vec<String> = (0..4).map(|_| ask()).collect();
    assert_eq!(exactly, ["openai/gpt-5-mini"; 4], "80 % is not more than 80 %");
    answers(81_000);
    let more: Vec<String> = (0..4).map(|_| ask()).collect();
    assert_eq!(more[..3], ["openai/gpt-5-mini"; 3], "two are not enough");
    assert_eq!(more[3], "anthropic/claude-haiku-4-5", "its context is above 128000 tokens, the next rung");
    let explained = node.json(&["model", "explain", "--decision", "last"]);
    let refused = explained["refused"].as_array().unwrap().iter().find(|refused| refused["offer"] == "openai/gpt-5-mini").unwrap().clone();
    assert_eq!(
        (&refused["reason"], &refused["numbers"]),
        (&json!("context_escalated"), &json!("should have more than 128000 tokens, has 100000"))
    );
}

/// RT-40: twenty turns of a tool loop, sent as a client sends them, without a name for the session or for the task.
#[test]
fn rt_40_a_tool_loop_keeps_the_task_of_its_session() {
    let (_fake, node) = hidden_rule();
    let tool = json!({"type": "function", "function": {"name": "read", "description": "read a file", "parameters": {"type": "object"}}});
    let mut messages = vec![json!({"role": "user", "content": "write unit tests for the parser"})];
    for turn in 0..=20 {
        let body = json!({"model": "vox/auto", "messages": messages, "tools": [tool], "max_tokens": 100});
        let answer = node.post("/v1/chat/completions", &body);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let call = interaction(&answer.head);
        node.wait_number(&format!("SELECT count(*) AS n FROM route_decisions WHERE interaction_id = '{call}'"), 1);
        let ask = node.json(&["model", "explain", "--decision", "last"])["ask"].clone();
        let source = if turn == 0 { "rules" } else { "session" };
        assert_eq!((&ask["task"], &ask["task_source"]), (&json!("testing"), &json!(source)), "turn {turn}: {ask}");
        let id = format!("call_{turn}");
        let called = json!([{"id": id, "type": "function", "function": {"name": "read", "arguments": "{}"}}]);
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": called}));
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": "panicked at src/lib.rs:7: explicit panic"}));
    }
}

#[test]
fn rt_54_a_model_that_turned_bad_is_explained_as_worse_since_then() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let node = Setup::new().openai(&fake).start();
    let candidate = || {
        let explained = node.json(&["model", "explain", "hello", "--task", "general"]);
        let all = explained["candidates"].as_array().unwrap().clone();
        all.into_iter().find(|candidate| candidate["offer"] == "openai/gpt-5-mini").unwrap()
    };
    let outcomes = |n: usize, success| (0..n).for_each(|_| tell(&node, &answered(&node), success));
    outcomes(100, true);
    let before = candidate();
    assert_eq!((&before["drifted_at"], before["success_ppm"].as_i64() > Some(850_000)), (&Value::Null, true), "{before}");
    outcomes(10, false);
    let after = candidate();
    assert!(after["drifted_at"].is_i64() && after["success_ppm"].as_i64() < before["success_ppm"].as_i64(), "{after}");
    let text = stdout(&node.vox(&["model", "explain", "hello", "--task", "general"]));
    assert!(text.lines().any(|line| line.contains("openai/gpt-5-mini") && line.contains("worse since 20")), "{text}");
}

/// Runs `vox` as somebody at a terminal would: `script` gives it one.
fn at_a_terminal(setup: &Setup, arguments: &str) -> (Option<i32>, String) {
    let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_vox"));
    let mut terminal = setup.command(&[]);
    let env: Vec<_> = terminal.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    terminal = setup.home.command("script");
    let output = terminal.envs(env).args(["--quiet", "--return", "--command", &command, "/dev/null"]).output().expect("`script` is there");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn rt_48_a_persons_thumb_is_taken_from_a_terminal_and_lowers_quality() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let node = Setup::new().openai(&fake).start();
    let call = answered(&node);
    node.wait_number("SELECT count(*) AS n FROM llm_interactions", 1);
    let piped = node.vox(&["feedback", "down", "last", "--json"]);
    assert_eq!((piped.status.code(), envelope(&piped)["error"]["code"].as_str()), (Some(3), Some("route.outcome_rejected")));

    let quality = || {
        node.json(&["model", "rollup"]);
        node.json(&["model", "scoreboard", "show", "--window", "7"])["lines"][0].clone()
    };
    let before = quality();
    assert_eq!((before["n_calls"].as_i64(), before["quality_ppm"].as_i64()), (Some(1), None), "RT-51: an answer alone says nothing");
    for word in ["up", "down", "up"] {
        let (exit, said) = at_a_terminal(&node, &format!("feedback {word} {call}"));
        assert_eq!(exit, Some(0), "{said}");
    }
    let up = quality();
    assert_eq!((up["n_calls"].as_i64(), up["n_units"].as_i64()), (Some(1), Some(1)), "three thumbs are one unit of one call");
    let (exit, said) = at_a_terminal(&node, "feedback down last --comment 'it was wrong' --json");
    assert_eq!(exit, Some(0), "{said}");
    let down = quality();
    assert!(down["quality_ppm"].as_i64() < up["quality_ppm"].as_i64(), "{down} {up}");
    assert_eq!((down["success_ppm"].as_i64(), up["success_ppm"].as_i64()), (Some(0), Some(1_000_000)));
    assert_eq!(node.value("SELECT comment FROM model_outcomes WHERE comment IS NOT NULL"), "it was wrong");
    assert!(said.contains("vox.feedback.v1"), "{said}");
}

#[test]
fn rt_28_giving_up_sets_a_model_back_at_once_for_ten_minutes_and_a_person_may_end_it() {
    let (_fake, node) = hidden_rule();
    let (call, offer) = auto(&node);
    assert!(offer.starts_with("openai/"), "{offer}");
    let abstain =
        json!({"interaction_id": call, "source": "socrates", "decision": "abstain", "confidence_ppm": 490_000, "idempotency_key": "a"});
    let posted = node.post("/api/v1/outcomes", &abstain);
    assert_eq!(posted.status(), 200, "{}", posted.text());
    assert!(posted.json()["penalised_until"].is_string());
    let open = node.json(&["model", "penalties"]);
    assert_eq!((&open["penalties"][0]["model"], &open["penalties"][0]["task"]), (&json!("gpt-5-mini"), &json!("code_gen")));
    assert!(auto(&node).1.starts_with("anthropic/"), "the next decision knows it");
    let node = node.kill().restart();
    assert_eq!(node.json(&["model", "penalties"])["penalties"].as_array().unwrap().len(), 1, "it survives a kill");
    assert!(auto(&node).1.starts_with("anthropic/"), "and so does what follows from it");
    let piped = node.vox(&["model", "penalties", "--clear", "openai/gpt-5-mini", "--json"]);
    assert_eq!(envelope(&piped)["error"]["code"], "route.outcome_rejected");
    let (exit, said) = at_a_terminal(&node, "model penalties --clear openai/gpt-5-mini --task code_gen");
    assert_eq!((exit, said.contains("1 penalties ended")), (Some(0), true), "{said}");
    assert_eq!(node.json(&["model", "penalties"])["penalties"], json!([]));
    assert_eq!(node.value("SELECT cleared_by FROM model_penalties"), "cli", "the row says who ended it");
    // One call and not many: each answer of the other model would show how fast it is.
    std::thread::sleep(Duration::from_secs(1));
    assert!(auto(&node).1.starts_with("openai/"), "a running node hears of the end within a second");
}

#[test]
fn rt_49_a_rollup_of_the_same_moment_makes_the_same_rows() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let node = Setup::new().openai(&fake).start();
    for _ in 0..3 {
        let call = answered(&node);
        tell(&node, &call, true);
    }
    let dump = || node.rows("SELECT * FROM model_scoreboard ORDER BY window_days, model, caller_scope");
    let dry = node.json(&["model", "rollup", "--dry-run"]);
    assert!(dry["windows"][0]["n_rows"].as_i64() > Some(0) && dump().is_empty(), "a dry run writes nothing: {dry}");
    let rollup = |as_of: &str| node.json(&["model", "rollup", "--windows", "30,7", "--as-of", as_of]);
    let as_of = dry["as_of"].as_str().unwrap();
    rollup(as_of);
    let first = dump();
    assert_eq!(first.len(), 4, "one line for everybody and one for the key, in two windows: {first:?}");
    rollup(as_of);
    assert_eq!(dump(), first);
    rollup("2020-01-01T00:00:00Z");
    assert!(dump().is_empty(), "what is not in the window is gone");
}

#[test]
fn rt_49_a_rollup_killed_anywhere_leaves_each_window_as_it_was_or_as_it_will_be() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let node = Setup::new().openai(&fake).start();
    tell(&node, &answered(&node), true);
    let now = node.json(&["model", "rollup", "--dry-run"])["as_of"].as_str().unwrap().to_owned();
    let now: vox_base::Timestamp = now.parse().unwrap();
    let setup = node.kill().setup;
    let windows = (1..=40).map(|days| days.to_string()).collect::<Vec<_>>().join(",");
    let rollup = |round: i64| {
        let as_of = now.plus_millis(round * 1000).to_string();
        let mut command = setup.command(&["model", "rollup", "--windows", &windows, "--as-of", &as_of]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("vox can be started")
    };
    assert!(rollup(0).wait().unwrap().success());
    let started = std::time::Instant::now();
    assert!(rollup(0).wait().unwrap().success());
    let whole = started.elapsed();
    let mut n_between = 0;
    for round in 1..=30 {
        crate::catalog::kill_after(rollup(round), whole * u32::try_from(round).unwrap() / 30);
        let rows = setup.rows("SELECT window_days, count(*) AS n, count(DISTINCT as_of) AS moments FROM model_scoreboard GROUP BY 1");
        assert_eq!(rows.len(), 40, "round {round}: {rows:?}");
        assert!(rows.iter().all(|row| row["n"] == 2 && row["moments"] == 1), "round {round}: {rows:?}");
        n_between += usize::from(setup.number("SELECT count(DISTINCT as_of) AS n FROM model_scoreboard") > 1);
    }
    assert!(n_between > 0, "some were killed between the first window and the last");
}

#[test]
fn the_scoreboard_the_report_and_usage_name_what_they_show() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let node = Setup::new().openai(&fake).start();
    let empty = node.json(&["model", "scoreboard", "show"]);
    assert_eq!((&empty["as_of"], &empty["lines"]), (&Value::Null, &json!([])));
    let call = answered(&node);
    tell(&node, &call, true);
    node.json(&["model", "rollup"]);
    for (group, offer) in [("offer", "gpt-5-mini"), ("model", "gpt-5-mini"), ("provider", "loopback"), ("task", "*")] {
        let shown = node.json(&["model", "scoreboard", "show", "--group-by", group, "--with-cache"]);
        let line = &shown["lines"][0];
        assert!(line["model"] == offer || line["provider"].as_str().unwrap().contains(offer) || offer == "*", "{group}: {line}");
        assert_eq!((line["n_calls"].as_i64(), line["success_ppm"].as_i64()), (Some(1), Some(1_000_000)), "{group}: {line}");
    }
    let kept = node.json(&["model", "scoreboard", "show"])["lines"][0].clone();
    let provider = kept["provider"].as_str().unwrap();
    for group in ["offer", "model", "provider", "task"] {
        for name in ["gpt-5-mini".to_owned(), format!("{provider}/gpt-5-mini")] {
            let shown = node.json(&["model", "scoreboard", "show", &name, "--group-by", group]);
            let lines = shown["lines"].as_array().unwrap();
            assert_eq!((lines.len(), &lines[0]["model"]), (1, &json!("gpt-5-mini")), "{group} {name}: {shown}");
            assert_eq!(lines[0]["quality_ppm"], kept["quality_ppm"], "the same calls are as good, however they are put together");
        }
        let none = node.json(&["model", "scoreboard", "show", "gpt-5", "--group-by", group]);
        assert_eq!(none["lines"], json!([]), "{group}");
    }
    let of_key = node.json(&["model", "scoreboard", "show", "--caller", "test"]);
    assert_eq!(of_key["lines"].as_array().unwrap().len(), 1, "{of_key}");
    let csv = stdout(&node.vox(&["model", "scoreboard", "export", "--csv", "-"]));
    assert_eq!((csv.lines().count(), csv.lines().next().unwrap().split(',').count()), (1 + 3 * 2, 24), "{csv}");

    let week = node.json(&["report", "weekly"]);
    let line = &week["providers"][0];
    assert_eq!(
        (line["n_calls"].as_i64(), line["cost_nano_usd"].as_i64(), line["cost_per_success_nano_usd"].as_i64()),
        (Some(1), Some(12_500), Some(12_500))
    );
    let usage = node.json(&["usage", "--by", "key"]);
    assert_eq!(usage["lines"][0]["name"], "test");
    assert!(stdout(&node.vox(&["usage", "--by", "key"])).contains("\ntest "), "people see the name");
    assert_eq!(node.json(&["usage", "--by", "task"])["lines"][0]["group"], "general");
    let doctor = node.json(&["doctor"]);
    let finding = doctor["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "store-scoreboard").unwrap();
    assert_eq!(finding["level"], "info", "{finding}");
    let pricing = node.json(&["model", "pricing", "check"]);
    assert_eq!((&pricing["n_drifted"], &pricing["prices"][0]["n_estimated"]), (&json!(0), &json!(1)));
}

#[test]
fn rt_57_an_engine_of_ones_own_is_not_priced_rather_than_free() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let own = FakeProvider::scripted([Answer::text("free").openai()]);
    let setup = Setup::new().openai(&fake);
    // The two fakes are one host with two ports, and so two providers.
    let entry =
        format!("providers:\n  own:\n    dialect: openai\n    base_url: {}/v1\n    local: true\n    auth: {{ kind: none }}\n", own.url());
    setup.home.write("config/providers.d/own.yaml", &entry);
    let node = setup.start();
    for model in ["own/some-model", "openai/gpt-5-mini"] {
        let answer = node.post("/v1/chat/completions", &json!({"model": model, "messages": []}));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        tell(&node, &interaction(&answer.head), true);
    }
    let of = |lines: &Value, fake: &FakeProvider| {
        let port = fake.address().port().to_string();
        let lines: Vec<Value> =
            lines.as_array().unwrap().iter().filter(|line| line["provider"].as_str().unwrap().ends_with(&port)).cloned().collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    };
    let money = |line: &Value| ["is_priced", "cost_nano_usd", "cost_per_success_nano_usd"].map(|field| line[field].clone());
    let (unpriced, priced) = ([json!(false), Value::Null, Value::Null], [json!(true), json!(12_500), json!(12_500)]);
    let week = node.json(&["report", "weekly"])["providers"].clone();
    assert_eq!((&of(&week, &own)["locality"], &of(&week, &fake)["locality"]), (&json!("local"), &json!("remote")), "{week}");
    assert_eq!((money(&of(&week, &own)), money(&of(&week, &fake))), (unpriced.clone(), priced.clone()), "{week}");
    assert!(stdout(&node.vox(&["report", "weekly"])).contains("not priced"));
    node.json(&["model", "rollup"]);
    for grouped in [&["--group-by", "provider"][..], &["--group-by", "offer"], &[]] {
        let show = [&["model", "scoreboard", "show"], grouped].concat();
        let lines = node.json(&show)["lines"].clone();
        assert_eq!((money(&of(&lines, &own)), money(&of(&lines, &fake))), (unpriced.clone(), priced.clone()), "{grouped:?}: {lines}");
        let text = stdout(&node.vox(&show));
        let line = |port: u16| text.lines().find(|line| line.contains(&port.to_string())).unwrap_or_default().to_owned();
        assert_eq!(line(own.address().port()).matches("not priced").count(), 2, "cost and cost of a success: {text}");
        assert!(line(fake.address().port()).contains("$0.0000125") && !line(fake.address().port()).contains("not priced"), "{text}");
    }
    let by_model = node.json(&["model", "scoreboard", "show", "--group-by", "model"])["lines"].clone();
    let priced = |model: &str| by_model.as_array().unwrap().iter().find(|line| line["model"] == model).unwrap()["is_priced"].clone();
    assert_eq!((priced("some-model"), priced("gpt-5-mini")), (json!(false), json!(true)), "{by_model}");
}
