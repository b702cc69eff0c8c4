use super::*;
use vox_base::Kind;

const USER: &str = "prefer: null\nretired_ids: [a/old]\npolicy:\n  default_profile: mine\n  profiles:\n    mine: { provider_network: true, local_model_http: false }\nexploration:\n  max_concurrent: 1\n  enabled: false\n";

fn with_user(yaml: &str) -> Layers {
    let mut layers = Layers::shipped();
    layers.add(LayerKind::User, Document::parse("routing.yaml", yaml).unwrap());
    layers
}

/// Lays a project's table, as it stands in `Vox.toml`, over the user's file and makes a contract.
fn project(user: &str, toml: &str) -> Result<Contract, Coded> {
    let document = Document::parse_toml("Vox.toml", toml).unwrap().part("routing").unwrap();
    let mut layers = with_user(user);
    layers.project(document)?;
    Ok(layers.contract()?)
}

#[test]
fn rt_42_a_project_leaves_out_lowers_prefers_and_restricts() {
    let text = "[routing]\nprefer = \"anthropic\"\nretired_ids = { add = [\"openai/*\"] }\neconomy_ceiling_micros_per_mtok = 500_000\nadmission.mode = \"explicit_only\"\n\n[routing.safety]\nmax_cost_micros_per_request = 1000\n\n[routing.exploration]\nenabled = false\nmax_concurrent = 0\nbudget_micros_per_day = 0\nloss_allowance_ppm = 1\n\n[routing.policy]\ndefault_profile = \"restricted\"\nprofiles.balanced.provider_network = false\n";
    let contract = project(USER, text).unwrap();
    let rules = contract.rules();
    assert_eq!(rules.prefer.as_deref(), Some("anthropic"));
    assert_eq!(rules.retired_ids, ["a/old", "openai/*"]);
    assert_eq!((rules.safety.max_cost_micros_per_request.get(), rules.economy_ceiling_micros_per_mtok.get()), (1000, 500_000));
    assert_eq!((rules.exploration.max_concurrent, rules.policy.default_profile.as_str()), (0, "restricted"));
    assert!(!rules.policy.profiles["balanced"].provider_network);
    // Nothing changes by saying what is so already.
    assert_eq!(project("", "[routing]\nexploration.enabled = true\nadmission.mode = \"curated\"\n").unwrap(), Contract::builtin());
}

#[test]
fn rt_42_what_would_widen_is_refused_with_file_line_and_key() {
    for (user, line, key, text) in [
        ("", 2, "safety.max_cost_micros_per_request", "safety.max_cost_micros_per_request = 5_000_001"),
        ("", 2, "economy_ceiling_micros_per_mtok", "economy_ceiling_micros_per_mtok = 1_000_001"),
        (USER, 2, "exploration.enabled", "exploration.enabled = true"),
        (USER, 2, "exploration.max_concurrent", "exploration.max_concurrent = 2"),
        (USER, 2, "policy.default_profile", "policy.default_profile = \"balanced\""),
        (USER, 3, "policy.profiles.mine.local_model_http", "[routing.policy.profiles.mine]\nlocal_model_http = true"),
        (USER, 2, "retired_ids", "retired_ids = []"),
        (USER, 2, "retired_ids", "retired_ids = { remove = [\"a/old\"] }"),
        ("", 2, "admission.mode", "admission.mode = \"all\""),
        ("", 2, "prefer", "prefer = \"quality\""),
        ("prefer: cost", 2, "prefer", "prefer = \"anthropic\""),
        ("", 3, "providers", "\n[routing.providers.mine]\nbase_url = \"https://example.test/v1\""),
        ("", 3, "discovery.openrouter.base_url", "\n[routing.discovery.openrouter]\nbase_url = \"https://example.test/v1\""),
        ("", 2, "secret_ids", "secret_ids = [\"openai.api_key\"]"),
        ("", 2, "fallback_graph.ollama", "fallback_graph.ollama = [\"mine\"]"),
        ("", 2, "aliases.best", "aliases.best = \"https://example.test/x\""),
        ("", 2, "premium_alias.codegen", "premium_alias.codegen = \"a/dear\""),
        ("", 2, "scoring.weights.efficiency", "scoring.weights.efficiency = 0"),
        ("", 2, "evidence.min_units", "evidence.min_units = 1"),
    ] {
        let error = project(user, &format!("[routing]\n{text}\n")).expect_err(text);
        // The table itself is where its header is.
        let line = if text.starts_with("\n[") && key.contains('.') { 4 } else { line };
        assert_eq!((error.code, error.kind), ("route.layer_widens", Kind::Refused), "{error}");
        assert_eq!(error.at, Some(format!("Vox.toml:{line}: routing.{key}")), "{error}");
    }
}

#[test]
fn rt_42_a_misspelt_key_or_a_wrong_value_is_told_with_what_was_meant() {
    for (at, said, text) in [
        ("2: routing.retired_id", "`retired_ids`", "retired_id = []"),
        ("2: routing.safty", "did you mean `safety`", "safty.max_cost_micros_per_request = 1"),
        ("2: routing.safety.max_cost_micro_per_request", "`safety.max_cost_micros_per_request`", "safety.max_cost_micro_per_request = 1"),
        ("2: routing.policy.profiles.balancd", "`policy.profiles.balanced`", "policy.profiles.balancd.provider_network = false"),
        ("2: routing.safety.max_cost_micros_per_request", "whole number", "safety.max_cost_micros_per_request = \"1\""),
        ("2: routing.safety.max_cost_micros_per_request", "expected 1 to", "safety.max_cost_micros_per_request = 0"),
        ("2: routing.policy.default_profile", "unknown name `open`", "policy.default_profile = \"open\""),
        ("2: routing.admission.mode", "explicit_only", "admission.mode = \"none\""),
        ("2: routing.retired_ids", "expected a list", "retired_ids = 3"),
    ] {
        let error = project("", &format!("[routing]\n{text}\n")).expect_err(text);
        assert_eq!((error.code, error.kind), ("route.project_invalid", Kind::Usage), "{error}");
        assert_eq!(error.at, Some(format!("Vox.toml:{at}")), "{error}");
        assert!(error.message.contains(said), "{error}");
    }
}

#[test]
fn rt_42_each_key_says_where_its_value_is_from_and_what_it_stands_before() {
    let mut layers = with_user("premium_alias:\n  codegen: a/mine\nsafety:\n  max_cost_micros_per_request: 4000000\n");
    let toml = "[routing]\nretired_ids = { add = [\"openai/*\"] }\n\n[routing.safety]\nmax_cost_micros_per_request = 1000\n";
    layers.project(Document::parse_toml("Vox.toml", toml).unwrap().part("routing").unwrap()).unwrap();
    let keys = layers.consulted("debugging");
    let key = |name: &str| keys.iter().find(|shown| shown.key == name).unwrap_or_else(|| panic!("{name} is not there"));
    let shipped_line = |text: &str| 1 + Contract::YAML.lines().position(|line| line.trim_start().starts_with(text)).unwrap();

    let cost = key("safety.max_cost_micros_per_request");
    assert_eq!((cost.value.as_i64(), cost.from.layer, cost.from.at.as_str()), (Some(1000), LayerKind::Project, "Vox.toml:5"));
    let shadows: Vec<_> = cost.shadowed.iter().map(|below| (below.value.as_i64(), below.from.layer, below.from.at.clone())).collect();
    let shipped = format!("model-routing.v1.yaml:{}", shipped_line("max_cost_micros_per_request"));
    assert_eq!(shadows, [(Some(4_000_000), LayerKind::User, "routing.yaml:4".into()), (Some(5_000_000), LayerKind::Shipped, shipped)]);

    // One alias is the user's, the others are still the shipped ones.
    let alias = key("premium_alias.codegen");
    assert_eq!((alias.value.as_str(), alias.from.at.as_str()), (Some("a/mine"), "routing.yaml:2"));
    assert_eq!(alias.shadowed[0].value.as_str(), Some(&*Contract::builtin().rules().premium_alias["codegen"]));
    let aliases: Vec<_> = keys.iter().filter(|shown| shown.key.starts_with("premium_alias.")).collect();
    assert_eq!(aliases.len(), Contract::builtin().rules().premium_alias.len());
    assert!(aliases.iter().filter(|shown| shown.key != "premium_alias.codegen").all(|shown| shown.from.layer == LayerKind::Shipped));

    assert_eq!(key("retired_ids").value, serde_json::json!(["openai/*"]));
    assert_eq!(key("retired_ids").from.at, "Vox.toml:2");
    assert!(keys.iter().any(|shown| shown.key == "tasks.debugging.strength"));
    assert!(!keys.iter().any(|shown| shown.key.starts_with("tasks.review.") || shown.key.starts_with("discovery.")));
}
