//! `vox model`: the catalog, where it comes from, and why a model is picked.

use crate::node::{Setup, envelope, stderr};
use serde_json::json;
use vox_testkit::{Answer, FakeProvider, Reply};

const OPENAI: &str = "openai/gpt-5-mini";

fn with_key() -> Setup {
    Setup::new().env("OPENAI_API_KEY", "sk-test")
}

#[test]
fn rt_14_a_damaged_cache_is_moved_aside_and_listing_goes_on() {
    let setup = Setup::new();
    setup.home.write("cache/model-catalog.v1.json", "{ not json");
    let output = setup.vox(&["model", "list", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let answer = envelope(&output);
    assert!(answer["data"]["models"].as_array().unwrap().len() >= 20);
    assert!(answer["warnings"][0].as_str().unwrap().contains(".bad-"), "{}", answer["warnings"]);
    assert!(!setup.home.path().join("cache/model-catalog.v1.json").exists());
    assert_eq!(envelope(&setup.vox(&["model", "list", "--json"]))["warnings"], json!([]));
}

#[test]
fn a_list_can_be_narrowed_and_sorted() {
    let setup = with_key();
    let models = |arguments: &[&str]| setup.json(&[&["model", "list"], arguments].concat())["models"].as_array().unwrap().clone();
    assert!(models(&["--provider", "openai"]).iter().all(|model| model["provider"] == "openai"));
    assert!(models(&["--admitted"]).iter().all(|model| model["callable"] == true && model["lifecycle"] == "confirmed"));
    let prices: Vec<i64> =
        models(&["--provider", "openai", "--sort", "price"]).iter().filter_map(|model| model["prices"]["input"].as_i64()).collect();
    assert!(prices.is_sorted() && prices.len() > 2, "{prices:?}");
    assert_eq!(models(&["--limit", "3"]).len(), 3);
    assert_eq!(envelope(&setup.vox(&["model", "list", "--task", "juggling", "--json"]))["error"]["code"], "route.task_unknown");
    let unknown = envelope(&setup.vox(&["model", "show", "openai/gpt-5-mimi", "--json"]))["error"].clone();
    assert_eq!(unknown["code"], "route.model_unknown");
    assert!(unknown["expected"].as_str().unwrap().contains(OPENAI), "{unknown}");
}

#[test]
fn discover_fetches_a_list_once_and_shows_it() {
    let fake = FakeProvider::start();
    fake.on("/v1/models", [Reply::json(200, &json!({"object": "list", "data": [{"id": "own-model", "context_window": 4096}]}))]);
    let setup = with_key().env("VOX_PROVIDER_OPENAI_BASE_URL", &format!("{}/v1", fake.url()));
    let first = setup.json(&["model", "discover", "--source", "openai"]);
    assert_eq!((first["sources"][0]["outcome"].as_str(), first["sources"][0]["n_added"].as_u64()), (Some("fetched"), Some(1)));
    let second = setup.json(&["model", "discover", "--source", "openai"]);
    assert_eq!((second["sources"][0]["outcome"].as_str(), second["sources"][0]["n_requests"].as_u64()), (Some("fresh"), Some(0)));
    assert_eq!(fake.n_requests(), 1);
    assert_eq!(setup.json(&["model", "show", "openai/own-model"])["offers"][0]["context_tokens"], 4096);
    let source = setup.json(&["model", "sources"])["sources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|source| source["source"] == "openai")
        .unwrap()
        .clone();
    assert_eq!((source["state"].as_str(), source["n_models"].as_u64()), (Some("fresh"), Some(1)));
}

#[test]
fn a_list_that_failed_from_the_start_is_not_called_never_fetched() {
    let fake = FakeProvider::start();
    fake.on("/v1/models", [Reply::new(500, "no")]);
    let setup = with_key().env("VOX_PROVIDER_OPENAI_BASE_URL", &format!("{}/v1", fake.url()));
    let output = setup.vox(&["model", "discover", "--source", "openai", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(envelope(&output)["data"]["sources"][0]["outcome"], "failed");
    let sources = setup.json(&["model", "sources"])["sources"].as_array().unwrap().clone();
    let openai = sources.iter().find(|source| source["source"] == "openai").unwrap();
    assert_eq!((openai["state"].as_str(), &openai["n_models"]), (Some("failed"), &json!(null)));
}

#[test]
fn offline_keeps_to_what_is_cached() {
    let setup = with_key();
    let output = setup.vox(&["model", "discover", "--source", "openai", "--offline", "--json"]);
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(envelope(&output)["error"]["code"], "route.offline");
}

#[test]
fn rt_41_a_forced_model_that_fails_a_filter_is_not_replaced() {
    let setup = with_key();
    let explained = setup.json(&["model", "explain", "hi", "--force-model", "anthropic/claude-opus-4-7"]);
    assert_eq!(explained["pick"], json!(null));
    assert_eq!(explained["refused"][0]["reason"], "no_credential");
    assert_eq!(explained["candidates"], json!([]));
    let forced = setup.json(&["model", "explain", "hi", "--force-model", OPENAI]);
    assert_eq!((forced["pick"]["offer"].as_str(), forced["pick"]["mode"].as_str()), (Some(OPENAI), Some("forced")));
}

#[test]
fn a_limit_and_a_question_about_one_offer_move_what_is_said() {
    let setup = with_key();
    let free = setup.json(&["model", "explain", "hi", "--task", "code_gen", "--complexity", "5"]);
    let pick = free["pick"]["offer"].as_str().unwrap().to_owned();
    let tight = setup.json(&["model", "explain", "hi", "--task", "code_gen", "--complexity", "5", "--max-usd", "0.000001"]);
    assert_eq!(tight["pick"], json!(null), "{tight}");
    let why =
        setup.json(&["model", "explain", "hi", "--task", "code_gen", "--complexity", "5", "--max-usd", "0.000001", "--why-not", &pick]);
    assert!(why["why_not"]["reasons"].to_string().contains("over_budget"), "{}", why["why_not"]);
    let all = setup.json(&["model", "explain", "hi", "--all-reasons"]);
    assert!(all["all_reasons"].as_array().unwrap().len() > free["refused"].as_array().unwrap().len());
    let unknown = setup.vox(&["model", "explain", "hi", "--why-not", "nobody/nothing", "--json"]);
    assert_eq!(envelope(&unknown)["error"]["code"], "route.model_unknown");
}

#[test]
fn rt_43_explaining_a_stored_decision_repeats_it_and_writes_no_row() {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("hi").openai()]);
    let setup = Setup::new().openai(&fake);
    let chat = setup.json(&["chat", "hello", "--no-stream"]);
    let called = format!("{}/{}", chat["provider"].as_str().unwrap(), chat["model"].as_str().unwrap());
    let before = setup.number("SELECT count(*) AS n FROM route_decisions");
    for wanted in ["last", chat["interaction_id"].as_str().unwrap()] {
        let explained = setup.json(&["model", "explain", "--decision", wanted]);
        assert_eq!(explained["pick"]["offer"].as_str(), Some(called.as_str()));
    }
    let again = setup.json(&["model", "explain", "hello"]);
    assert_eq!(again["pick"]["offer"].as_str(), Some(called.as_str()), "what is explained is what would happen");
    assert_eq!(setup.number("SELECT count(*) AS n FROM route_decisions"), before);
    assert_eq!(fake.n_requests(), 1);
    let gone = setup.vox(&["model", "explain", "--decision", "00000000-0000-7000-8000-000000000000", "--json"]);
    assert_eq!(envelope(&gone)["error"]["code"], "route.decision_unknown");
}

#[test]
fn a_decision_whose_stored_result_was_changed_is_not_believed() {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("hi").openai()]);
    let setup = Setup::new().openai(&fake);
    setup.json(&["chat", "hello", "--no-stream"]);
    change(&setup, "UPDATE route_decisions SET chosen = 'openai/other'");
    let output = setup.vox(&["model", "explain", "--decision", "last", "--json"]);
    assert_eq!(
        (output.status.code(), envelope(&output)["error"]["code"].as_str()),
        (Some(7), Some("route.replay_differs")),
        "{}",
        stderr(&output)
    );
}

#[expect(clippy::disallowed_methods, reason = "the row is changed by a program that is not vox")]
fn change(setup: &Setup, sql: &str) {
    assert!(
        std::process::Command::new("sqlite3").arg(setup.database()).arg(sql).status().expect("the sqlite3 program is installed").success()
    );
}

/// RT-33, RT-39: the words of a question are classified, and what is told names rules.
#[test]
fn rt_39_explain_classifies_a_text_and_names_the_rules() {
    let setup = with_key();
    let asked = |arguments: &[&str]| setup.json(&[&["model", "explain"], arguments].concat())["ask"].clone();
    let tests = asked(&["write unit tests for the parser"]);
    assert_eq!((tests["task"].as_str(), tests["task_source"].as_str()), (Some("testing"), Some("rules")));
    assert!(tests["rules"].as_array().unwrap().contains(&json!("tests.write")), "{tests}");
    let research = asked(&["write unit tests for the parser", "--tools", "read,web_search"]);
    assert_eq!((research["task"].as_str(), research["complexity"].as_u64()), (Some("research"), Some(7)));
    assert_eq!(asked(&["write unit tests", "--task", "parsing"])["task"], "parsing");
    let text = String::from_utf8(setup.vox(&["model", "explain", "write unit tests for the parser"]).stdout).unwrap();
    assert!(text.contains("task testing (by rules)") && text.contains("rules tests.write"), "{text}");
}

/// RT-39: what explain says of a text is what the gateway does with it, and no word of it is kept.
#[test]
fn rt_39_the_gateway_classifies_as_explain_does_and_keeps_no_word() {
    let fake = FakeProvider::start();
    fake.on("/v1/chat/completions", [Answer::text("hi").openai()]);
    let setup = Setup::new().openai(&fake);
    let text = "please REVIEW the Zanzibar patch before we merge";
    setup.json(&["chat", text, "--no-stream"]);
    let decided = setup.json(&["model", "explain", "--decision", "last"])["ask"].clone();
    let explained = setup.json(&["model", "explain", text])["ask"].clone();
    assert_eq!(
        (&decided["task"], &decided["rules"], &decided["complexity"]),
        (&explained["task"], &explained["rules"], &explained["complexity"])
    );
    assert_eq!(decided["task"], "review");
    assert_eq!(setup.number("SELECT count(*) AS n FROM route_decisions WHERE features_json LIKE '%anzibar%'"), 0);
    assert_eq!(setup.number("SELECT count(*) AS n FROM route_decisions WHERE features_json LIKE '%review.words%'"), 1);
}

/// RT-31, at the command.
#[test]
fn rt_31_a_slow_offer_is_refused_with_both_numbers() {
    let setup = with_key();
    setup.home.write("config/models.yaml", "overrides:\n  openai/gpt-5-mini: { availability: { p50_ms: 2345 } }\n");
    let refused = |most_ms: &str| {
        let explained = setup.json(&["model", "explain", "hello", "--max-latency-ms", most_ms]);
        let all = explained["refused"].as_array().unwrap().clone();
        all.into_iter().find(|refused| refused["offer"] == OPENAI && refused["reason"] == "too_slow")
    };
    assert_eq!(refused("1234").unwrap()["numbers"], "takes 2345 ms, limit 1234 ms");
    assert_eq!(refused("2345"), None);
}

/// RT-34, at the command and in a header: two offers alike, the liked one a little dearer.
#[test]
fn rt_34_a_preferred_family_breaks_a_near_tie() {
    let (openai, google) = (FakeProvider::scripted([Answer::text("a").openai()]), FakeProvider::scripted([Answer::text("b").openai()]));
    let setup = Setup::new()
        .openai(&openai)
        .env("GOOGLE_API_KEY", "g-test")
        .env("VOX_PROVIDER_GOOGLE_BASE_URL", &format!("{}/v1beta/openai", google.url()));
    let priced = |price: u64| {
        let offer = |id: &str, price: u64| {
            format!(
                "  {id}: {{ tier: elite, strengths: [logic], context_tokens: 400000, prices: {{ input: {price}, output: {price} }} }}\n"
            )
        };
        let offers = [offer("openai/gpt-5.4", 100_000), offer("google/gemini-3.1-pro", price)];
        format!("overrides:\n{}", offers.concat())
    };
    setup.home.write("config/models.yaml", &priced(200_000));
    let explain = |prefer: &[&str]| setup.json(&[&["model", "explain", "hello"], prefer].concat());
    let plain = explain(&[]);
    let j =
        |id: &str| plain["candidates"].as_array().unwrap().iter().find(|one| one["offer"] == id).unwrap()["j_nano_usd"].as_i64().unwrap();
    let gap_ppm = j("google/gemini-3.1-pro") * 1_000_000 / j("openai/gpt-5.4");
    assert!((1_000_001..1_100_000).contains(&gap_ppm), "a near tie: {gap_ppm}");
    assert_eq!(plain["pick"]["offer"], "openai/gpt-5.4", "{plain}");
    assert_eq!(explain(&["--prefer", "google"])["pick"]["offer"], "google/gemini-3.1-pro");
    let node = setup.start();
    let ask = |headers: &[(&str, &str)]| {
        let answer =
            node.post_with("/v1/chat/completions", headers, br#"{"model":"vox/auto","messages":[{"role":"user","content":"hello"}]}"#);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.head.header("x-vox-model").unwrap().to_owned()
    };
    assert_eq!((ask(&[]), ask(&[("x-vox-prefer", "google")])), ("openai/gpt-5.4".into(), "google/gemini-3.1-pro".into()));
    node.home.write("config/models.yaml", &priced(10_000_000));
    assert_eq!(
        node.json(&["model", "explain", "hello", "--prefer", "google"])["pick"]["offer"],
        "openai/gpt-5.4",
        "liking beats no evidence"
    );
}
