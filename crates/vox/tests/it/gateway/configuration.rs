//! Provider entries and settings: an edit of a file is enough, and a bad one is named by file, line and key.

use crate::node::{PATIENCE, Setup, envelope, stderr, stdout, until};
use serde_json::json;
use vox_testkit::{Answer, FakeProvider};

fn entry(url: &str) -> String {
    format!(
        "providers:\n  x:\n    dialect: openai\n    base_url: {url}/api\n    paths: {{ chat: /talk }}\n    auth: {{ kind: header, header: x-fixture-key, prefix: \"K \" }}\n    secret_ids: [custom_openai.api_key]\n"
    )
}

#[test]
fn gw_01_a_file_and_a_secret_make_a_provider_and_without_the_file_it_is_gone() {
    let fake = FakeProvider::scripted([Answer::text("fixture says hi").openai_stream()]);
    let setup = Setup::new().env("CUSTOM_OPENAI_API_KEY", "fixture-secret");
    let file = setup.home.write("config/providers.d/x.yaml", &entry(&fake.url()));
    let asked = setup.vox(&["chat", "-m", "x/some/model:free", "hi"]);
    assert!(asked.status.success(), "{}", stderr(&asked));
    assert_eq!(stdout(&asked).trim(), "fixture says hi");
    let request = fake.requests().pop().unwrap();
    assert_eq!((request.path.as_str(), request.header("x-fixture-key")), ("/api/talk", Some("K fixture-secret")));
    assert_eq!(request.json()["model"], "some/model:free");

    let shown = setup.vox(&["providers", "show", "x"]);
    assert!(stdout(&shown).contains(&file.display().to_string()), "{}", stdout(&shown));

    let node = setup.start();
    let body = json!({"model": "x/m", "messages": [], "stream": true});
    assert_eq!(node.post("/v1/chat/completions", &body).status(), 200);
    std::fs::remove_file(file).unwrap();
    let gone = until(PATIENCE, || Some(node.post("/v1/chat/completions", &body)).filter(|answer| answer.status() == 404));
    assert_eq!(gone.expect("the node notices").json()["error"]["code"], "route.model_unknown");
}

#[test]
fn gw_01_an_entry_is_taken_in_while_the_node_runs_and_a_bad_one_changes_nothing() {
    let fake = FakeProvider::scripted([Answer::text("hi").openai()]);
    let node = Setup::new().start();
    let body = json!({"model": "late/m", "messages": []});
    assert_eq!(node.post("/v1/chat/completions", &body).status(), 404);
    let entry = format!("providers:\n  late:\n    dialect: openai\n    base_url: {}/v1\n    auth: {{ kind: none }}\n", fake.url());
    node.home.write("config/providers.d/late.yaml", &entry);
    until(PATIENCE, || (node.post("/v1/chat/completions", &body).status() == 200).then_some(())).expect("the entry is taken in");

    node.home.write("config/providers.d/late.yaml", &entry.replace("dialect: openai", "dialect: openai\n    surprise: 1"));
    let noted = until(PATIENCE, || Some(node.get("/readyz").text()).filter(|text| text.contains("config_stale")));
    let noted = noted.expect("a bad file is told");
    assert!(noted.contains("late.yaml") && noted.contains("surprise"), "{noted}");
    assert_eq!(node.post("/v1/chat/completions", &body).status(), 200, "the old entry still works");
}

#[test]
fn gw_02_a_bad_entry_fails_the_check_with_file_line_and_key() {
    for (line, key, text) in [
        (7, "secret_ids", "secret_ids: [no_such.api_key]"),
        (7, "basse_url", "basse_url: http://127.0.0.1:1"),
        (7, "auth", "auth: { kind: telepathy }"),
    ] {
        let setup = Setup::new();
        let head = "# a comment\nproviders:\n  x:\n    dialect: openai\n    base_url: https://x.test/v1\n    display: X\n";
        setup.home.write("config/providers.d/x.yaml", &format!("{head}    {text}\n"));
        for json in [false, true] {
            let output = setup.vox(if json { &["serve", "--check", "--json"] } else { &["serve", "--check"] });
            assert_eq!(output.status.code(), Some(5), "{text}: {}", stderr(&output));
            let said = if json { envelope(&output).to_string() } else { stderr(&output) };
            assert!(said.contains("x.yaml") && said.contains(&format!("x.yaml:{line}")) && said.contains(key), "{said}");
        }
    }
    let setup = Setup::new();
    assert_eq!(setup.json(&["serve", "--check"])["listen"], "127.0.0.1:8642");
    assert!(setup.home.listing().is_empty(), "a check writes nothing");
}

#[test]
fn gw_02_an_unknown_key_or_a_value_out_of_range_in_the_settings_fails_the_check() {
    for (text, key) in
        [("timeouts:\n  respnse_ms: 5\n", "respnse_ms"), ("retries:\n  per_offer: 0\n", "per_offer"), ("listen: nowhere\n", "listen")]
    {
        let setup = Setup::new().settings(text);
        let output = setup.vox(&["serve", "--check"]);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        assert!(stderr(&output).contains("gateway.yaml:") && stderr(&output).contains(key), "{}", stderr(&output));
    }
}
