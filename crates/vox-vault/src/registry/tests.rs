use super::*;
use vox_base::Coded;

const HEAD: &str = "x-vox-version: 1\nrotation_plans:\n  often: { max_age_days: 10, warn_days: 2 }\nsecrets:\n";

fn parse(secrets: &str) -> Result<Registry, String> {
    Registry::parse("r.yaml", &format!("{HEAD}{secrets}")).map_err(|error| error.to_string())
}

fn one(secret: &str) -> Registry {
    parse(&format!("  - {{ {secret} }}\n")).unwrap()
}

#[test]
fn sm_01_the_registry_has_65_ids_and_unique_names() {
    let registry = Registry::builtin();
    assert_eq!(registry.iter().count(), 65);
    let mut names: Vec<String> = registry.iter().flat_map(SecretSpec::env_names).map(|(name, _)| name).collect();
    let n_names = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), n_names);
    let counts: Vec<usize> = [
        Taxonomy::Llm,
        Taxonomy::Gpu,
        Taxonomy::Search,
        Taxonomy::Forge,
        Taxonomy::Publish,
        Taxonomy::Integration,
        Taxonomy::Platform,
        Taxonomy::Telemetry,
        Taxonomy::Mesh,
        Taxonomy::Identity,
    ]
    .into_iter()
    .map(|taxonomy| registry.list(Filter { taxonomy: Some(taxonomy), ..Filter::default() }).count())
    .collect();
    assert_eq!(counts, [24, 2, 5, 4, 5, 9, 8, 2, 1, 5]);
}

#[test]
fn sm_01_a_broken_rule_is_named_with_file_line_and_key() {
    for (secrets, error) in [
        (
            "  - { id: a.key, taxonomy: llm }\n  - { id: b.key, taxonomy: llm, aliases: [B, A_KEY] }\n",
            "r.yaml:6: `secrets[1].aliases[1]`: `A_KEY` already belongs to `a.key`",
        ),
        ("  - { id: a.key, taxonomy: llm, env: X, aliases: [X] }\n", "r.yaml:5: `secrets[0].aliases[0]`: `X` already belongs to `a.key`"),
        (
            "  - { id: a.key, taxonomy: llm, deprecated: [B_KEY] }\n  - { id: b.key, taxonomy: llm }\n",
            "r.yaml:6: `secrets[1].id`: `B_KEY` already belongs to `a.key`",
        ),
        (
            "  - id: a.key\n    taxonomy: identity\n    device_local: true\n    shareable: true\n",
            "r.yaml:8: `secrets[0].shareable`: `a.key` is device_local, so it is not shareable",
        ),
        (
            "  - { id: a.key, taxonomy: identity }\n",
            "r.yaml:5: `secrets[0].device_local`: `a.key` says who this device is, so it is device_local",
        ),
        (
            "  - { id: a.key, taxonomy: identity, device_local: true, env: A }\n",
            "r.yaml:5: `secrets[0].env`: `a.key` is device_local, so it has no environment name",
        ),
        (
            "  - id: a.key\n    taxonomy: llm\n    sharable: true\n",
            "r.yaml:7: `secrets[0].sharable`: unknown field `sharable`, expected one of `id`, `taxonomy`, `env`, `aliases`, \
             `deprecated`, `class`, `material`, `shareable`, `device_local`, `rotation`, `allow_env`, `remediation`",
        ),
        ("  - { id: a.key, taxonomy: llm }\n  - { id: a.key, taxonomy: gpu }\n", "r.yaml:6: `secrets[1].id`: `a.key` is also secrets[0]"),
        ("  - { id: a.key, taxonomy: llm, rotation: never }\n", "r.yaml:5: `secrets[0].rotation`: `never` is not under `rotation_plans`"),
        (
            "  - { id: A.key, taxonomy: llm }\n",
            "r.yaml:5: `secrets[0].id`: `A.key` is not `<owner>.<kind>` of at most 64 of a-z, 0-9, `.`, `_`, `-`",
        ),
    ] {
        assert_eq!(parse(secrets).err().as_deref(), Some(error));
    }
    let text = HEAD.replace("warn_days: 2", "warn_days: 10") + "  []\n";
    let error = Registry::parse("r.yaml", &text).unwrap_err();
    assert_eq!((error.line, error.key.as_str()), (3, "rotation_plans.often"));
    let text = HEAD.replace("version: 1", "version: 2") + "  []\n";
    assert_eq!(Registry::parse("r.yaml", &text).unwrap_err().key, "x-vox-version");
}

#[test]
fn every_key_changes_behaviour() {
    let plain = one("id: a.key, taxonomy: llm");
    let spec = plain.get("a.key").unwrap();
    assert_eq!(spec.env_name().as_deref(), Some("A_KEY"));
    assert_eq!(plain.rotation(spec), None);
    assert_eq!(one("id: a.key, taxonomy: llm, env: OTHER").find("OTHER").unwrap().id, "a.key");
    assert_eq!(one("id: a.key, taxonomy: llm, aliases: [OTHER]").find("OTHER").unwrap().id, "a.key");
    assert_eq!(one("id: a.key, taxonomy: llm, deprecated: [OTHER]").find("OTHER").unwrap().id, "a.key");
    assert_eq!(one("id: a.key, taxonomy: identity, device_local: true").by_env("A_KEY"), None);
    let rotated = one("id: a.key, taxonomy: llm, rotation: often");
    assert_eq!(rotated.rotation(rotated.get("a.key").unwrap()), Some(RotationPlan { max_age_days: 10, warn_days: 2 }));
    let n = |registry: &Registry, filter| registry.list(filter).count();
    let shared = Filter { shareable: Some(true), ..Filter::default() };
    assert_eq!((n(&plain, shared), n(&one("id: a.key, taxonomy: llm, shareable: true"), shared)), (0, 1));
    let account = Filter { class: Some(Class::Account), ..Filter::default() };
    assert_eq!((n(&plain, account), n(&one("id: a.key, taxonomy: llm, class: account"), account)), (0, 1));
    let gpu = Filter { taxonomy: Some(Taxonomy::Gpu), ..Filter::default() };
    assert_eq!((n(&plain, gpu), n(&one("id: a.key, taxonomy: gpu"), gpu)), (0, 1));
}

#[test]
fn an_odd_shape_is_warned_of_without_the_value() {
    let warning = |material: &str, value: &str| {
        let registry = one(&format!("id: a.key, taxonomy: llm, material: {material}"));
        registry.get("a.key").unwrap().shape_warning(value)
    };
    assert_eq!(warning("api_key", "sk-abc"), None);
    assert!(warning("api_key", "sk abc").is_some());
    assert!(warning("bearer", "two\nlines").is_some());
    assert_eq!(warning("file", "two\nlines"), None);
    assert!(warning("url_with_password", "host").is_some());
    assert_eq!(warning("url_with_password", "postgres://host"), None);
    assert!(warning("password", "two\nlines").is_some());
}

#[test]
fn a_secret_is_found_by_id_name_and_clear_beginning() {
    let registry = Registry::builtin();
    for text in ["openrouter.api_key", "OPENROUTER_API_KEY", "VOX_OPENROUTER_API_KEY", "openr"] {
        assert_eq!(registry.find(text).unwrap().id, "openrouter.api_key", "{text}");
    }
    let error = Coded::from(registry.find("open").unwrap_err());
    assert_eq!(error.code, "secret.bad_id");
    assert_eq!(error.message, "`open` may be `openrouter.api_key` or `openai.api_key` or `openclaw.api_key`");
    let error = Coded::from(registry.find("opnai").unwrap_err());
    assert_eq!(error.expected.as_deref(), Some("`openai.api_key`"));
    let error = Coded::from(registry.find("zzzzzzzz").unwrap_err());
    assert_eq!((error.expected, error.next.as_deref()), (None, Some("`vox secrets list` shows every id")));
    assert!(registry.find("").is_err());
}

#[test]
fn the_schema_is_the_type_and_accepts_the_file() {
    let committed: serde_json::Value = serde_json::from_str(include_str!("../../../../contracts/secrets/registry.v1.schema.json")).unwrap();
    assert_eq!(committed, schema(), "write `vox_vault::schema()` to contracts/secrets/registry.v1.schema.json");
    let contract: Contract = Document::parse(BUILTIN_NAME, BUILTIN).unwrap().decode().unwrap();
    assert!(contract.secrets.iter().all(|spec| spec.remediation.as_ref().is_none_or(|advice| advice.contains("https://"))));
    assert_eq!(committed["additionalProperties"], false);
    assert_eq!(committed["$defs"]["SecretSpec"]["additionalProperties"], false);
}
