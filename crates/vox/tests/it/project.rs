//! A project's `Vox.toml`: what it may say of routing, for whom, and how one sees where each rule is from.

use crate::node::{Dialect, Setup, envelope, stderr, stdout};
use serde_json::Value;
use std::process::Output;
use vox_testkit::{Answer, FakeProvider};

const LEAVES_OUT: &str = "[package]\nname = \"mine\"\n\n[routing]\nretired_ids = { add = [\"openai/*\"] }\n";

fn vox_in(setup: &Setup, directory: &str, arguments: &[&str]) -> Output {
    let directory = setup.home.path().join(directory);
    std::fs::create_dir_all(&directory).unwrap();
    setup.command(arguments).current_dir(directory).output().unwrap()
}

fn explained(setup: &Setup, directory: &str, arguments: &[&str]) -> Value {
    let output = vox_in(setup, directory, &[&["model", "explain", "--json"], arguments].concat());
    envelope(&output)["data"].clone()
}

#[test]
fn rt_42_a_project_leaves_out_a_provider_for_those_who_work_in_it() {
    let fake = FakeProvider::scripted([Answer::text("hi").openai(), Answer::text("hi").openai_stream()]);
    let setup = Setup::new().openai(&fake);
    setup.home.write("work/Vox.toml", LEAVES_OUT);
    setup.home.write("work/other/.git", "gitdir: elsewhere\n");

    let refused = vox_in(&setup, "work/src/deep", &["chat", "-m", Dialect::Openai.model(), "hi", "--json"]);
    assert_eq!((refused.status.code(), envelope(&refused)["error"]["code"].as_str()), (Some(3), Some("route.no_offer")));
    let said = explained(&setup, "work/src/deep", &["-m", Dialect::Openai.model()]);
    assert_eq!(said["refused"][0]["reason"], "retired", "{said}");
    assert_eq!(fake.n_requests(), 0);

    // Another repository inside, and the directory around it, are not of the project.
    for elsewhere in ["work/other/src", "."] {
        assert_eq!(explained(&setup, elsewhere, &["-m", Dialect::Openai.model()])["pick"]["offer"], Dialect::Openai.model());
    }
    assert!(vox_in(&setup, "work/other", &["chat", "-m", Dialect::Openai.model(), "hi", "--json"]).status.success());

    // A node serves others than those who work where it was started.
    setup.home.write("Vox.toml", LEAVES_OUT);
    let node = setup.start();
    assert_eq!(node.post(Dialect::Openai.path(), &Dialect::Openai.request(true)).status(), 200);
}

#[test]
fn rt_42_a_project_lowers_prefers_and_restricts() {
    let setup = Setup::new().env("OPENAI_API_KEY", "sk-test").env("ANTHROPIC_API_KEY", "sk-test");
    setup.home.write("cheap/Vox.toml", "[routing.safety]\nmax_cost_micros_per_request = 1\n");
    assert_eq!(explained(&setup, "cheap", &["-m", Dialect::Openai.model()])["refused"][0]["reason"], "over_budget");
    setup.home.write("closed/Vox.toml", "[routing]\npolicy.default_profile = \"restricted\"\n");
    let reason = explained(&setup, "closed", &["-m", Dialect::Openai.model()])["refused"][0]["reason"].clone();
    assert_eq!(reason, "route_policy:provider_network_disabled");
    setup.home.write("fond/Vox.toml", "[routing]\nprefer = \"anthropic\"\n");
    assert_eq!(explained(&setup, "fond", &["hi"])["ask"]["prefer"], serde_json::json!({ "family": "anthropic" }));
    assert_eq!(explained(&setup, "fond", &["hi", "--prefer", "cost"])["ask"]["prefer"], "cost", "who asks has the last word");
}

#[test]
fn rt_42_a_project_that_would_widen_or_is_misspelt_stops_what_decides_and_nothing_else() {
    let setup = Setup::new().env("OPENAI_API_KEY", "sk-test");
    for (exit, code, at, text) in [
        (3, "route.layer_widens", "Vox.toml:2: routing.safety.max_cost_micros_per_request", "safety.max_cost_micros_per_request = 9000000"),
        (3, "route.layer_widens", "Vox.toml:2: routing.providers", "providers.mine.base_url = \"https://example.test/v1\""),
        (2, "route.project_invalid", "Vox.toml:2: routing.retired_id", "retired_id = []"),
        (2, "route.project_invalid", "Vox.toml:2", "= 3"),
        (2, "route.project_invalid", "Vox.toml:3: routng", "[routng]\nprefer = \"x\""),
    ] {
        let text = if text.starts_with("[routng") { format!("\n\n{text}\n") } else { format!("[routing]\n{text}\n") };
        setup.home.write("work/Vox.toml", &text);
        for arguments in [&["model", "explain", "hi"][..], &["chat", "hi"]] {
            let output = vox_in(&setup, "work", &[arguments, &["--json"]].concat());
            let error = envelope(&output)["error"].clone();
            assert_eq!((output.status.code(), error["code"].as_str()), (Some(exit), Some(code)), "{text}: {error}");
            assert!(error["where"].as_str().unwrap_or_default().ends_with(at), "{text}: {error}");
        }
        assert!(vox_in(&setup, "work", &["model", "list"]).status.success());
    }
    assert!(stderr(&vox_in(&setup, "work", &["model", "explain", "hi"])).contains("did you mean `routing`?"));
}

#[test]
fn rt_42_the_layers_of_every_rule_are_shown_with_file_line_and_what_they_stand_before() {
    let setup = Setup::new().env("OPENAI_API_KEY", "sk-test").env("VOX_ROUTE_POLICY_PROFILE", "restricted");
    let user = setup.home.write("config/routing.yaml", "safety:\n  max_cost_micros_per_request: 4000000\n");
    let models = setup.home.write("config/models.yaml", "premium_alias:\n  codegen: openai/gpt-5.4\n");
    let project = setup.home.write("work/Vox.toml", "[routing]\nsafety.max_cost_micros_per_request = 1000\n");
    let project = project.canonicalize().unwrap();
    let said = explained(&setup, "work", &["hi", "--task", "code_gen", "--prefer", "cost", "--show-layers"]);
    let rules = said["layers"].as_array().unwrap();
    let rule = |key: &str| rules.iter().find(|rule| rule["key"] == key).unwrap_or_else(|| panic!("{key} is not shown"));
    let at = |path: &std::path::Path, line: usize| format!("{}:{line}", path.display());

    let cost = rule("safety.max_cost_micros_per_request");
    assert_eq!(
        (cost["value"].as_i64(), cost["layer"].as_str(), cost["at"].as_str()),
        (Some(1000), Some("project"), Some(&*at(&project, 2)))
    );
    assert_eq!((cost["shadowed"][0]["value"].as_i64(), cost["shadowed"][0]["at"].as_str()), (Some(4_000_000), Some(&*at(&user, 2))));
    assert_eq!(cost["shadowed"][1]["layer"], "shipped");
    assert_eq!(rule("premium_alias.codegen")["at"].as_str(), Some(&*at(&models, 2)));
    assert_eq!(rule("premium_alias.debugging")["layer"], "shipped", "the aliases merge key by key");
    assert_eq!(
        (rule("policy.default_profile")["layer"].as_str(), rule("prefer")["layer"].as_str()),
        (Some("environment"), Some("request"))
    );

    assert_eq!(rule("exploration.enabled")["at"], "VOX_ROUTE_EXPLORE");

    let text = stdout(&vox_in(&setup, "work", &["model", "explain", "hi", "--task", "code_gen", "--show-layers"]));
    let line = text.lines().find(|line| line.starts_with("safety.max_cost")).unwrap();
    assert!(line.contains("project") && line.contains("Vox.toml:2") && line.contains(&format!("4000000 ({})", at(&user, 2))), "{line}");
    assert!(text.lines().any(|line| line.starts_with("premium_alias.review")), "{text}");
}
