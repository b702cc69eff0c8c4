use super::*;
use std::collections::BTreeSet;

mod key_effects;

/// Lays a user's file over the shipped rules, or replaces text of the shipped file itself.
enum Broken {
    User(&'static str),
    Shipped(&'static str, &'static str),
}

fn error(broken: &Broken) -> InvalidConfig {
    let document = match broken {
        Broken::User(text) => Contract::document().overlaid(Document::parse("routing.yaml", text).unwrap()),
        Broken::Shipped(from, to) => {
            assert!(Contract::YAML.contains(from), "{from}");
            Document::parse("model-routing.v1.yaml", &Contract::YAML.replacen(from, to, 1)).unwrap()
        }
    };
    Contract::from_document(&document).unwrap_err().0
}

fn shipped_line(text: &str) -> usize {
    1 + Contract::YAML.lines().position(|line| line.starts_with(text)).unwrap()
}

/// RT-01.
#[test]
fn rt_01_a_broken_contract_is_refused_with_file_line_and_key() {
    let user = |text| Broken::User(text);
    for (broken, line, key) in [
        (user("tiers_: []"), 1, "tiers_"),
        (user("\nscoring:\n  weights: { speed: 3 }"), 3, "scoring.weights.speed"),
        (user("scoring:\n  success_floor_ppm: many"), 2, "scoring.success_floor_ppm"),
        (user("scoring:\n  success_floor_ppm: 12.5"), 2, "scoring.success_floor_ppm"),
        (user("scoring:\n  premium_min_complexity: 11"), 2, "scoring.premium_min_complexity"),
        (user("scoring:\n  weights: { efficiency: 101 }"), 2, "scoring.weights.efficiency"),
        (user("scoring:\n  weights: { efficiency: 0, precision: 0, latency: 0, availability: 0 }"), 2, "scoring.weights.efficiency"),
        (user("scoring:\n  latency_bands: { excellent_ms: 9000 }"), 2, "scoring.latency_bands.excellent_ms"),
        (user("priors:\n  tier_success_ppm: { pro: 1000001 }"), 2, "priors.tier_success_ppm.pro"),
        (user("priors:\n  tier_success_ppm: { huge: 1 }"), 2, "priors.tier_success_ppm.huge"),
        (user("tasks:\n  general: { strength: magic }"), 2, "tasks.general.strength"),
        (user("tasks:\n  general: { premium_key: magic }"), 2, "tasks.general.premium_key"),
        (user("tasks:\n  general: { failure_cost_micros: -1 }"), 2, "tasks.general.failure_cost_micros"),
        (user("task_categories: { add: [cooking] }"), 1, "task_categories[13]"),
        (user("default_task: cooking"), 1, "default_task"),
        (user("tiers: [unknown, local, light, pro]"), 1, "tiers"),
        (user("strengths: { add: [logic] }"), 1, "strengths[15]"),
        (user("complexity: { default: 0 }"), 1, "complexity.default"),
        (user("complexity:\n  tier_floors:\n    - { min_complexity: 0, min_tier: pro }"), 3, "complexity.tier_floors[0].min_complexity"),
        (user("waiver_order: [credential]"), 1, "waiver_order[0]"),
        (user("waiver_order: [strength, strength]"), 1, "waiver_order[1]"),
        (user("aliases: { mine: nothing }"), 1, "aliases.mine"),
        (user("aliases: { auto: a/b }"), 1, "aliases.auto"),
        (user("aliases: { mine: 'task:cooking' }"), 1, "aliases.mine"),
        (user("safety: { max_cost_micros_per_request: 0 }"), 1, "safety.max_cost_micros_per_request"),
        (user("admission: { mode: some }"), 1, "admission.mode"),
        (user("admission: { max_candidates: 0 }"), 1, "admission.max_candidates"),
        (user("policy: { default_profile: open }"), 1, "policy.default_profile"),
        (user("discovery:\n  local: { ttl_s: 0 }"), 2, "discovery.local.ttl_s"),
        (user("fallback_graph:\n  ollama: [groq]"), 2, "fallback_graph.ollama"),
        (user("fallback_graph:\n  zz: [zz]"), 2, "fallback_graph.zz"),
        (user("x-vox-version: 2"), 1, "x-vox-version"),
        (Broken::Shipped("review:             { strength: review, ", "review: { "), shipped_line("  review:"), "tasks.review"),
    ] {
        let error = error(&broken);
        let file = if matches!(broken, Broken::Shipped(..)) { "model-routing.v1.yaml" } else { "routing.yaml" };
        assert_eq!((error.file.as_str(), error.line, error.key.as_str()), (file, line, key), "{error}");
    }
}

#[test]
fn rt_01_the_error_reaches_the_user_with_its_code() {
    let coded = Coded::from(InvalidContract(error(&Broken::User("default_task: cooking"))));
    assert_eq!((coded.code, coded.kind), ("route.contract_invalid", Kind::Stale));
    assert_eq!(coded.at.as_deref(), Some("routing.yaml:1: default_task"));
}

#[test]
fn yaml_schema_and_type_agree() {
    let rules = serde_json::to_value(Contract::builtin().rules()).unwrap();
    jsonschema::validator_for(&Contract::schema()).unwrap().validate(&rules).unwrap();
    let mut written = BTreeSet::new();
    Contract::document().root().leaves("", &mut |key, _| {
        written.insert(key);
    });
    let mut decoded = BTreeSet::new();
    leaves(&rules, "", &mut decoded);
    assert_eq!(written, decoded);
}

#[test]
fn committed_schemas_are_fresh() {
    crate::catalog::tests::fresh("model-routing.v1.schema.json", &Contract::schema());
}

fn leaves(value: &serde_json::Value, prefix: &str, into: &mut BTreeSet<String>) {
    let serde_json::Value::Object(fields) = value else {
        into.insert(prefix.to_owned());
        return;
    };
    for (key, below) in fields {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        leaves(below, &path, into);
    }
}

#[test]
fn a_snapshot_restores_the_same_contract() {
    let contract = Contract::builtin();
    let restored = Contract::from_snapshot(&contract.to_snapshot()).unwrap();
    assert_eq!(restored, contract);
    assert_eq!(restored.to_snapshot(), contract.to_snapshot());
}

#[test]
fn complexity_is_raised_by_tools_and_clamped() {
    let contract = Contract::builtin();
    for (hint, n_tools, raw, clamped) in
        [(None, 0, 4, 4), (Some(99), 0, 99, 10), (Some(-3), 0, -3, 1), (Some(2), 2, 2, 7), (Some(2), 1, 2, 2)]
    {
        assert_eq!(contract.complexity(hint, n_tools), Complexity { raw, clamped }, "{hint:?} {n_tools}");
    }
}
