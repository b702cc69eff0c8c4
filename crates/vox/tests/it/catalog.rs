//! Where the catalog comes from: how old lists are, what the user says of models, and a cache that survives everything.

use crate::node::{Setup, envelope, stderr, stdout};
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use vox_testkit::{Answer, FakeProvider, Gate, Reply};

const CACHE: &str = "cache/model-catalog.v1.json";

fn list(prefix: &str, n_models: usize) -> Reply {
    let models: Vec<Value> = (0..n_models).map(|n| json!({"id": format!("{prefix}-{n}"), "context_window": 4096})).collect();
    Reply::json(200, &json!({"object": "list", "data": models}))
}

/// A home with a key for two providers, both at fakes.
fn two(openai: &FakeProvider, groq: &FakeProvider) -> Setup {
    Setup::new()
        .env("OPENAI_API_KEY", "sk-a")
        .env("GROQ_API_KEY", "gsk-b")
        .env("VOX_PROVIDER_OPENAI_BASE_URL", &format!("{}/v1", openai.url()))
        .env("VOX_PROVIDER_GROQ_BASE_URL", &format!("{}/v1", groq.url()))
}

fn cache(setup: &Setup) -> Value {
    let text = std::fs::read_to_string(setup.home.path().join(CACHE)).expect("there is a cache");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("the cache is damaged: {error}"))
}

/// Makes a list this many hours old.
fn age(setup: &Setup, source: &str, hours: i64) {
    let mut file = cache(setup);
    let fetched_at = &mut file["sources"][source]["fetched_at"];
    *fetched_at = json!(fetched_at.as_i64().expect("times are whole milliseconds") - hours * 3_600_000);
    setup.home.write(CACHE, &file.to_string());
}

fn source(setup: &Setup, name: &str) -> Value {
    let all = setup.json(&["model", "sources"])["sources"].as_array().unwrap().clone();
    all.into_iter().find(|source| source["source"] == name).unwrap_or_else(|| panic!("no source {name}"))
}

#[test]
fn rt_12_the_environment_moves_the_next_refresh_and_beats_the_file() {
    let (openai, groq) = (FakeProvider::scripted([list("a", 2)]), FakeProvider::start());
    let setup = two(&openai, &groq);
    setup.home.write("config/routing.yaml", "discovery:\n  openai_compatible: { min_refresh_s: 90000, jitter_ms: 0 }\n");
    setup.json(&["model", "discover", "--source", "openai"]);
    let next = |setup: &Setup| {
        let found = source(setup, "openai");
        let millis = |field: &str| found[field].as_str().unwrap().parse::<vox_base::Timestamp>().unwrap().millis();
        millis("next_refresh_at") - millis("fetched_at")
    };
    assert_eq!(next(&setup), 90_000_000);
    let setup = setup.env("VOX_DISCOVERY_OPENAI_COMPATIBLE_MIN_REFRESH_S", "100000");
    assert_eq!(next(&setup), 100_000_000);
    let setup = setup.env("VOX_DISCOVERY_OPENAI_COMPATIBLE_JITTER_MS", "50000000");
    assert!(next(&setup) > 100_000_000, "spread by the seed of this installation");
    let again = setup.json(&["model", "discover", "--source", "openai"])["sources"][0].clone();
    assert_eq!((again["outcome"].as_str(), again["n_requests"].as_u64()), (Some("fresh"), Some(0)));
    let forced = setup.vox(&["model", "discover", "--source", "openai", "--force"]);
    assert!(stdout(&forced).contains("fresh") && openai.n_requests() == 1, "{}", stdout(&forced));
    let wrong = setup.env("VOX_DISCOVERY_OPENAI_COMPATIBLE_JITTER_MS", "soon").vox(&["model", "sources", "--json"]);
    let error = envelope(&wrong)["error"].clone();
    assert_eq!(error["code"], "route.contract_invalid");
    assert!(error["where"].as_str().unwrap_or_default().starts_with("VOX_DISCOVERY_OPENAI_COMPATIBLE_JITTER_MS:"), "{error}");
}

#[test]
fn rt_15_lists_that_are_too_old_are_named_and_those_nobody_may_fetch_are_not() {
    let (openai, groq) = (FakeProvider::scripted([list("a", 2)]), FakeProvider::scripted([list("b", 2)]));
    let setup = two(&openai, &groq);
    setup.json(&["model", "discover", "--source", "openai", "--source", "groq"]);
    assert_eq!(setup.vox(&["model", "discover", "--check-freshness"]).status.code(), Some(0));
    age(&setup, "openai", 49);
    let output = setup.vox(&["model", "discover", "--check-freshness", "--json"]);
    assert_eq!(output.status.code(), Some(5));
    let error = envelope(&output)["error"].clone();
    assert_eq!(error["code"], "route.stale");
    assert!(error["message"].as_str().unwrap().contains("openai (49h)") && !error["message"].as_str().unwrap().contains("groq"), "{error}");
    let doctor = stdout(&setup.vox(&["doctor"]));
    let line = |name: &str| doctor.lines().find(|line| line.contains(name) && line.contains("models")).unwrap_or_default().to_owned();
    assert!(line("openai").contains("STALE") && line("openai").contains("limit 48h"), "{doctor}");
    assert!(line("groq").contains("fresh"), "{doctor}");
    age(&setup, "groq", 49);
    let report = setup.json(&["doctor"]);
    let mut warned: Vec<&str> = Vec::new();
    for finding in report["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == "warn") {
        if finding["evidence"].as_str().is_some_and(|evidence| evidence.contains("STALE")) {
            warned.push(finding["subject"].as_str().unwrap());
        }
    }
    warned.sort_unstable();
    assert_eq!(warned, ["groq", "openai"], "one line for each: {report}");
    let both = envelope(&setup.vox(&["model", "discover", "--check-freshness", "--json"]))["error"]["message"].clone();
    assert!(["openai (49h)", "groq (49h)"].iter().all(|name| both.as_str().unwrap().contains(name)), "{both}");
    let mut keyless = Setup::new();
    keyless.home = setup.home;
    assert_eq!(keyless.vox(&["model", "discover", "--check-freshness"]).status.code(), Some(0), "without a key it is nobody's to fetch");
}

#[test]
fn rt_19_five_kinds_of_lists_and_what_the_last_hour_cost() {
    let (openai, groq) = (FakeProvider::scripted([list("a", 2)]), FakeProvider::scripted([Reply::new(500, "no")]));
    let setup = two(&openai, &groq);
    let all = setup.json(&["model", "sources"])["sources"].as_array().unwrap().clone();
    assert!(all.len() >= 5, "{all:?}");
    assert!(all.iter().all(|source| source["n_models"].is_null() && source["fetched_at"].is_null()), "nothing is known before it is asked");
    setup.vox(&["model", "discover", "--source", "openai", "--source", "groq"]);
    let (good, bad) = (source(&setup, "openai"), source(&setup, "groq"));
    assert_eq!((&good["n_requests_last_hour"], &good["n_models"]), (&json!(1), &json!(2)));
    assert_eq!((&bad["state"], &bad["n_models"]), (&json!("failed"), &json!(null)));
    assert!(bad["next_refresh_at"].is_string() && bad["last_error"].as_str().unwrap().contains("500"), "{bad}");
}

/// Ends a process as `kill -9` does, after this long.
pub(crate) fn kill_after(mut child: Child, wait: Duration) {
    let until = Instant::now() + wait;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    let _ = child.kill();
    child.wait().expect("it ends");
}

/// RT-13.
#[test]
fn rt_13_a_discovery_killed_anywhere_leaves_the_old_list_or_the_new_one() {
    let (openai, groq) = (FakeProvider::scripted([list("old", 700)]), FakeProvider::start());
    let setup = two(&openai, &groq);
    setup.json(&["model", "discover", "--source", "openai"]);
    age(&setup, "openai", 72);
    let old = std::fs::read_to_string(setup.home.path().join(CACHE)).unwrap();
    openai.script([list("new", 900)]);
    let arguments = ["model", "discover", "--source", "openai"];
    let start = || setup.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("vox can be started");
    let started = Instant::now();
    assert!(start().wait().unwrap().success());
    let whole = started.elapsed();
    let (mut n_old, mut n_new) = (0, 0);
    for round in 0..50 {
        setup.home.write(CACHE, &old);
        // Most rounds are near the end, where the file is written; the last are past it, also on a machine that has grown
        // busier since.
        let share = match round {
            0..10 => round * 10,
            10..46 => 60 + round,
            _ => 400,
        };
        kill_after(start(), whole * share / 100);
        let entries = cache(&setup)["sources"]["openai"]["entries"].as_array().unwrap().clone();
        let all = |prefix: &str| entries.iter().all(|entry| entry["native_id"].as_str().unwrap().starts_with(prefix));
        match entries.len() {
            700 => assert!(all("old-")),
            900 => assert!(all("new-")),
            other => panic!("{other} entries: neither the old list nor the new one"),
        }
        (n_old, n_new) = (n_old + usize::from(entries.len() == 700), n_new + usize::from(entries.len() == 900));
        assert!(setup.vox(&["model", "show", "openai/gpt-5-mini"]).status.success(), "the catalog is readable");
    }
    assert!(n_old > 0 && n_new > 0 && n_old + n_new == 50, "{n_old} old, {n_new} new");
}

/// RT-13.
#[test]
fn rt_13_two_discoveries_at_once_lose_no_list() {
    for round in 0..10 {
        let gate = Gate::new();
        let held = |prefix: &str| list(prefix, 40).hold_piece(0, &gate);
        let (openai, groq) = (FakeProvider::scripted([held("a")]), FakeProvider::scripted([held("b")]));
        let setup = two(&openai, &groq);
        let start = |source: &str| {
            let mut command = setup.command(&["model", "discover", "--source", source]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("vox can be started")
        };
        let (first, second) = (start("openai"), start("groq"));
        let _ = (openai.wait_requests(1, crate::node::PATIENCE), groq.wait_requests(1, crate::node::PATIENCE));
        gate.open();
        for child in [first, second] {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{} {}", stdout(&output), stderr(&output));
        }
        let sources = cache(&setup)["sources"].clone();
        let counts = ["openai", "groq"].map(|name| sources[name]["entries"].as_array().map(Vec::len));
        assert_eq!(counts, [Some(40), Some(40)], "round {round}");
    }
}

#[test]
fn rt_20_the_users_word_on_models_and_prices_counts_and_is_named() {
    let (openai, groq) = (FakeProvider::scripted([list("a", 1)]), FakeProvider::start());
    let setup = two(&openai, &groq);
    setup.json(&["model", "discover", "--source", "openai"]);
    setup.home.write(
        "config/price-overlay.yaml",
        "x-vox-version: 1\nprices:\n  - { provider: openai, model_glob: 'a-*', prices: { input: 100, output: 200 }, as_of: '2026-11', source_note: invoice }\n",
    );
    setup.home.write(
        "config/models.yaml",
        "x-vox-version: 1\npremium_alias: { codegen: openai/a-0 }\noverrides:\n  openai/a-0: { tier: elite, strengths: [codegen], context_tokens: 300000 }\n",
    );
    let offer = setup.json(&["model", "show", "openai/a-0", "--why-strengths"])["offers"][0].clone();
    assert_eq!((&offer["tier"], &offer["prices"]["input"], &offer["context_tokens"]), (&json!("elite"), &json!(100), &json!(300_000)));
    let provenance = &offer["provenance"];
    assert_eq!(provenance["tier"], "models.yaml");
    assert_eq!(provenance["prices.input"], "price-overlay.yaml");
    assert_eq!((&provenance["context_tokens"], &provenance["locality"]), (&json!("models.yaml"), &json!("openai")));
    let shown = stdout(&setup.vox(&["model", "show", "openai/a-0", "--provenance"]));
    assert!(shown.lines().any(|line| line.contains("tier") && line.contains("elite") && line.contains("models.yaml")), "{shown}");
    let why = stdout(&setup.vox(&["model", "show", "openai/a-0", "--why-strengths"]));
    assert!(why.contains("by models.yaml") && why.contains("family openai"), "{why}");
    let explained = setup.json(&["model", "explain", "hi", "--task", "code_gen", "--complexity", "9"]);
    assert_eq!(explained["pick"]["offer"], "openai/a-0", "{explained}");
    setup.home.write("config/models.yaml", "x-vox-version: 1\noverrides: { openai/a-0: { tiers: elite } }\n");
    let error = envelope(&setup.vox(&["model", "list", "--json"]))["error"].clone();
    assert!(error["where"].as_str().unwrap_or_default().contains("models.yaml:2"), "{error}");
}

/// RT-22: one place is one row in every statistic, whatever the user calls it.
#[test]
fn rt_22_two_entries_for_one_place_share_a_row_and_another_port_does_not() {
    let (one, other) = (FakeProvider::scripted([Answer::text("hi").openai()]), FakeProvider::scripted([Answer::text("hi").openai()]));
    let setup = Setup::new().provider("first", "openai", &one).provider("second", "openai", &one).provider("third", "openai", &other);
    for provider in ["first", "second", "third"] {
        setup.json(&["chat", "-m", &format!("{provider}/m"), "--no-stream", "hi"]);
    }
    let names = setup.rows("SELECT provider_canonical AS name, count(*) AS n FROM llm_interactions GROUP BY 1 ORDER BY 2 DESC");
    let port = |fake: &FakeProvider| format!("custom:loopback:{}", fake.address().port());
    assert_eq!(names, [json!({"name": port(&one), "n": 2}), json!({"name": port(&other), "n": 1})]);
    setup.json(&["model", "rollup"]);
    let lines = setup.json(&["model", "scoreboard", "show"])["lines"].clone();
    let mut lines: Vec<_> = lines.as_array().unwrap().iter().map(|line| (line["provider"].clone(), line["n_calls"].clone())).collect();
    lines.sort_by_key(|line| line.1.as_i64());
    assert_eq!(lines, [(json!(port(&other)), json!(1)), (json!(port(&one)), json!(2))], "one line for a place in the scoreboard, too");
}

/// RT-09, at the command: two pages of three are no list, the exit says so, and what was there stays.
#[test]
fn rt_09_a_list_of_which_a_page_is_missing_changes_nothing_and_exits_1() {
    const PAGES: [&str; 3] = [
        include_str!("../../../vox-route/src/source/tests/anthropic-1.json"),
        include_str!("../../../vox-route/src/source/tests/anthropic-2.json"),
        include_str!("../../../vox-route/src/source/tests/anthropic-3.json"),
    ];
    let page = |text: &str| Reply::new(200, text).header("content-type", "application/json");
    let fake = FakeProvider::scripted(PAGES.map(page));
    let setup = Setup::new().anthropic(&fake);
    let discover = ["model", "discover", "--source", "anthropic", "--json"];
    let whole = setup.vox(&discover);
    assert_eq!((whole.status.code(), &envelope(&whole)["data"]["sources"][0]["n_requests"]), (Some(0), &json!(3)));
    let entries = |setup: &Setup| cache(setup)["sources"]["anthropic"]["entries"].clone();
    age(&setup, "anthropic", 49);
    let before = entries(&setup);
    assert_eq!(before.as_array().unwrap().len(), 5);
    fake.script([page(PAGES[0]), page(PAGES[1]), Reply::new(500, "no")]);
    let broken = setup.vox(&discover);
    assert_eq!((broken.status.code(), &envelope(&broken)["data"]["sources"][0]["outcome"]), (Some(1), &json!("failed")));
    assert_eq!(entries(&setup), before);
    assert_eq!(setup.vox(&["model", "discover", "--check-freshness"]).status.code(), Some(5), "the old list is stale");
}
