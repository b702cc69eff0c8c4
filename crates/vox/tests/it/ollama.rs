//! Ollama behind its own API: found, listed, priced at nothing, asked for the context a model has, and called by both kinds
//! of clients.

use crate::node::{Dialect, Setup, envelope, finish, interaction, stdout};
use serde_json::{Value, json};
use vox_testkit::{FakeOllama, OllamaModel, Reply};

fn models() -> [OllamaModel; 3] {
    [
        OllamaModel::new("qwen3:8b", 40_960).num_ctx(8192).capable(&["completion", "tools", "thinking"]),
        OllamaModel::new("gemma3:4b", 131_072).capable(&["completion", "vision"]),
        OllamaModel::new("nomic-embed-text:latest", 2048).capable(&["embedding"]),
    ]
}

/// A home whose Ollama is this one, with its list fetched.
fn with(ollama: &FakeOllama) -> Setup {
    let setup = Setup::new().env("VOX_OLLAMA_URL", &ollama.url());
    let fetched = setup.json(&["model", "discover", "--source", "ollama"])["sources"][0].clone();
    assert_eq!((fetched["outcome"].as_str(), fetched["n_requests"].as_u64()), (Some("fetched"), Some(5)), "{fetched}");
    ollama.forget_requests();
    setup
}

fn asked(ollama: &FakeOllama) -> Value {
    ollama.requests().last().expect("Ollama was asked").json()
}

/// RT-08, from the list to the refusal.
#[test]
fn rt_08_a_request_above_the_context_of_the_model_is_refused_and_the_context_is_asked_for() {
    let ollama = FakeOllama::start(models());
    let setup = with(&ollama);
    let shown = setup.json(&["model", "show", "ollama/qwen3:8b"])["offers"][0].clone();
    assert_eq!((shown["context_tokens"].as_u64(), shown["price_state"].as_str()), (Some(8192), Some("free")));
    let node = setup.start();
    let long = json!({"model": "ollama/qwen3:8b", "messages": [{"role": "user", "content": "word ".repeat(20_000)}]});
    let refused = node.post("/v1/chat/completions", &long);
    assert_eq!((refused.status(), refused.json()["error"]["code"].as_str()), (503, Some("route.no_offer")), "{}", refused.text());
    assert!(refused.text().contains("context_too_small"), "{}", refused.text());
    assert_eq!(ollama.n_requests(), 0);
    let mut last = String::new();
    for (model, context) in [("qwen3:8b", 8192), ("gemma3:4b", 32_768)] {
        let short = json!({"model": format!("ollama/{model}"), "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]});
        let answer = node.post("/v1/chat/completions", &short);
        assert_eq!(answer.json()["choices"][0]["message"]["content"], format!("hello from {model}"));
        last = interaction(&answer.head);
        let request = asked(&ollama);
        assert_eq!((&request["options"]["num_ctx"], &request["options"]["num_predict"]), (&json!(context), &json!(50)));
    }
    let row = node.call(&last);
    assert_eq!((&row["cost_source"], &row["input_tokens"], &row["output_tokens"]), (&json!("local"), &json!(26), &json!(4)), "{row}");
}

#[test]
fn gw_10_tools_go_round_through_ollama_in_both_dialects() {
    let ollama = FakeOllama::start(models());
    let node = with(&ollama).start();
    let call = |name: &str, arguments: Value| json!({"function": {"name": name, "arguments": arguments}});
    let calls = json!({"role": "assistant", "content": "", "tool_calls": [call("read", json!({"path": "a\"b"})), call("list", json!({}))]});
    let lines = FakeOllama::answer("qwen3:8b", [json!({"role": "assistant", "content": "", "thinking": "hm"}), calls]);
    for dialect in Dialect::BOTH {
        ollama.on("/api/chat", [FakeOllama::lines(lines.clone()).split_every(1)]);
        let mut body =
            json!({"model": "ollama/qwen3:8b", "max_tokens": 64, "stream": true, "messages": [{"role": "user", "content": "go"}]});
        body["tools"] = match dialect {
            Dialect::Openai => {
                json!([{"type": "function", "function": {"name": "read"}}, {"type": "function", "function": {"name": "list"}}])
            }
            Dialect::Anthropic => {
                json!([{"name": "read", "input_schema": {"type": "object"}}, {"name": "list", "input_schema": {"type": "object"}}])
            }
        };
        let mut client = node.client();
        node.send(&mut client, dialect.path(), &[], body.to_string().as_bytes());
        let stream = finish(&mut client).text();
        assert!(stream.contains(dialect.end_mark()), "{stream}");
        let ids = ["call_20260517064000123456789_0", "call_20260517064000123456789_1"];
        assert!(ids.iter().all(|id| stream.contains(id)), "{stream}");
        let (assistant, results) = history(dialect, ids);
        let messages = [json!({"role": "user", "content": "go"}), assistant].into_iter().chain(results).collect::<Vec<_>>();
        body["messages"] = json!(messages);
        body["stream"] = json!(false);
        ollama.on(
            "/api/chat",
            [Reply::json(
                200,
                &json!({"model": "qwen3:8b", "message": {"role": "assistant", "content": "done"}, "done": true, "done_reason": "stop"}),
            )],
        );
        let answer = node.post(dialect.path(), &body);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let sent = asked(&ollama)["messages"].clone();
        assert_eq!(sent[1]["tool_calls"][0]["function"], json!({"name": "read", "arguments": {"path": "a\"b"}}), "{dialect:?}");
        assert_eq!(sent[1]["tool_calls"][1]["function"], json!({"name": "list", "arguments": {}}), "{dialect:?}");
        let told = |at: usize| (sent[at]["tool_name"].clone(), sent[at]["content"].clone());
        assert_eq!((told(2), told(3)), ((json!("read"), json!("one")), (json!("list"), json!("two"))), "{dialect:?}: {sent}");
    }
}

/// What a client of this dialect says of two calls and their results.
fn history(dialect: Dialect, ids: [&str; 2]) -> (Value, Vec<Value>) {
    match dialect {
        Dialect::Openai => {
            let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
            let calls = json!([call(ids[0], "read", r#"{"path":"a\"b"}"#), call(ids[1], "list", "{}")]);
            let result = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
            (json!({"role": "assistant", "content": null, "tool_calls": calls}), vec![result(ids[0], "one"), result(ids[1], "two")])
        }
        Dialect::Anthropic => {
            let call = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
            let result = |id: &str, text: &str| json!({"type": "tool_result", "tool_use_id": id, "content": text});
            let content = json!([{"type": "thinking", "thinking": "hm", "signature": "vox1.foreign"},
                call(ids[0], "read", json!({"path": "a\"b"})), call(ids[1], "list", json!({}))]);
            let results = json!({"role": "user", "content": [result(ids[0], "one"), result(ids[1], "two")]});
            (json!({"role": "assistant", "content": content}), vec![results])
        }
    }
}

#[test]
fn a_stream_of_ollamas_that_breaks_off_never_looks_finished() {
    let ollama = FakeOllama::start(models());
    let node = with(&ollama).start();
    let mut lines = FakeOllama::answer("qwen3:8b", [json!({"role": "assistant", "content": "half"})]);
    lines.truncate(1);
    for (reply, code) in [
        (FakeOllama::lines(lines.clone()), "gateway.upstream_cut"),
        (FakeOllama::lines([lines[0].clone(), json!({"error": "model runner has unexpectedly stopped"})]), "gateway.upstream_failed"),
    ] {
        ollama.on("/api/chat", [reply]);
        for dialect in Dialect::BOTH {
            let body =
                json!({"model": "ollama/qwen3:8b", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
            let stream = node.post(dialect.path(), &body).text();
            assert!(stream.contains("half") && stream.contains(code) && !stream.contains(dialect.end_mark()), "{stream}");
        }
    }
}

#[test]
fn vectors_come_from_ollama_in_openais_form() {
    let ollama = FakeOllama::start(models());
    let node = with(&ollama).start();
    let answer = node.post("/v1/embeddings", &json!({"model": "ollama/nomic-embed-text:latest", "input": ["a", "b"]})).json();
    assert_eq!(answer["data"][1], json!({"object": "embedding", "index": 1, "embedding": [0.25, -1.5]}), "{answer}");
    assert_eq!(asked(&ollama)["options"]["num_ctx"], 2048);
    let row = node.last_call(1);
    assert_eq!((&row["endpoint"], &row["input_tokens"]), (&json!("embeddings"), &json!(16)), "{row}");
}

/// RT-05.
#[test]
fn rt_05_a_provider_added_by_yaml_alone_is_discovered_listed_decided_on_priced_and_examined() {
    let ollama = FakeOllama::start([OllamaModel::new("coder:30b", 65_536)]);
    let setup = Setup::new();
    setup.home.write(
        "config/providers.d/shed.yaml",
        &format!("providers:\n  shed:\n    dialect: ollama\n    base_url: {}\n    auth: {{ kind: none }}\n    local: true\n    catalog: {{ source: ollama }}\n", ollama.url()),
    );
    let fetched = setup.json(&["model", "discover", "--source", "shed"])["sources"][0].clone();
    assert_eq!((fetched["outcome"].as_str(), fetched["n_added"].as_u64()), (Some("fetched"), Some(1)), "{fetched}");
    let listed = setup.json(&["model", "list", "--provider", "shed", "--admitted"])["models"].as_array().unwrap().clone();
    assert_eq!((listed.len(), listed[0]["id"].as_str(), listed[0]["price_state"].as_str()), (1, Some("shed/coder:30b"), Some("free")));
    let explained = setup.json(&["model", "explain", "hi", "--task", "parsing", "--complexity", "2"]);
    assert_eq!(explained["pick"]["offer"], "shed/coder:30b", "{explained}");
    let doctor = setup.vox(&["doctor"]);
    assert!(stdout(&doctor).lines().any(|line| line.contains("shed") && line.contains("1 models")), "{}", stdout(&doctor));
    let node = setup.start();
    let answer =
        node.post("/v1/messages", &json!({"model": "vox/auto:parsing", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}));
    assert_eq!(answer.json()["content"][0]["text"], "hello from coder:30b", "{}", answer.text());
    assert_eq!(node.last_call(1)["cost_source"], "local");
}

#[test]
fn ollama_is_found_by_its_own_variables() {
    let ollama = FakeOllama::start([OllamaModel::new("coder:30b", 65_536)]);
    let host = ollama.url().strip_prefix("http://").unwrap().to_owned();
    let setup = Setup::new().env("OLLAMA_HOST", &host);
    let output = setup.vox(&["model", "discover", "--source", "ollama", "--json"]);
    let answer = envelope(&output);
    assert_eq!(answer["data"]["sources"][0]["n_after"], 1, "{answer}");
    let both = Setup::new().env("OLLAMA_HOST", "127.0.0.1:1").env("VOX_OLLAMA_URL", &ollama.url());
    assert_eq!(both.json(&["model", "discover", "--source", "ollama"])["sources"][0]["n_after"], 1);
}

#[test]
fn gw_59_ollama_on_this_machine_answers_at_once() {
    let ollama = FakeOllama::start([OllamaModel::new("coder:30b", 65_536)]);
    let refusing = format!("{}/v1", vox_testkit::FakeProvider::refusing_url());
    let setup = ["LLAMACPP", "VLLM", "LMSTUDIO"]
        .iter()
        .fold(Setup::new(), |setup, engine| setup.env(&format!("VOX_PROVIDER_{engine}_BASE_URL"), &refusing))
        .env("VOX_OLLAMA_URL", &ollama.url());
    let data = setup.json(&["up", "--detach", "--port", "0"]);
    setup.vox(&["down"]);
    assert_eq!((&data["engines"], &data["request"]["model"]), (&json!(["ollama"]), &json!("ollama/coder:30b")), "{data}");
}
