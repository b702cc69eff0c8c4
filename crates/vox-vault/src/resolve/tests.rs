use super::*;
use crate::registry::SecretSpec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use vox_base::Coded;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
static REGISTRY: std::sync::OnceLock<Registry> = std::sync::OnceLock::new();
const DAY_MS: i64 = 86_400_000;

/// One set-up of sources for a secret; `env` by name.
#[derive(Default, Clone, Debug)]
struct Setup {
    id: &'static str,
    flag: Option<&'static str>,
    file: Option<&'static str>,
    env: BTreeMap<&'static str, &'static str>,
    vault: Stored,
    is_required: bool,
}

#[derive(Default, Clone, Copy, Debug)]
enum Stored {
    #[default]
    Absent,
    Value(&'static str),
    Aged(i64, Option<i64>),
    Locked,
    Corrupt,
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn current(value: &str, age_days: i64, expires_in_days: Option<i64>) -> VaultAnswer {
    let expires = expires_in_days.map(|days| NOW.plus_millis(days * DAY_MS));
    VaultAnswer::Holds(Current { value: secret(value), version: 7, set: NOW.plus_millis(-age_days * DAY_MS), expires })
}

fn run_with(registry: &Registry, profile: Profile, setup: &Setup) -> Resolution {
    let fingerprint = |value: &str| Fingerprint::of(&Secret::new([1; 32]), value.as_bytes());
    let sources = Sources {
        flag: setup.flag.map(secret),
        file: setup.file.map(|value| ("/run/secrets/key".to_owned(), secret(value))),
        env: &|name| setup.env.get(name).map(|value| secret(value)),
        vault: match setup.vault {
            Stored::Absent => VaultAnswer::Absent,
            Stored::Value(value) => current(value, 0, None),
            Stored::Aged(age_days, expires) => current("v", age_days, expires),
            Stored::Locked => VaultAnswer::Locked,
            Stored::Corrupt => VaultAnswer::Corrupt,
        },
        fingerprint: Some(&fingerprint),
    };
    let spec = registry.get(setup.id).unwrap();
    resolve(registry, spec, profile, sources, setup.is_required, NOW)
}

fn run(profile: Profile, setup: &Setup) -> Resolution {
    run_with(REGISTRY.get_or_init(Registry::builtin), profile, setup)
}

fn openai() -> Setup {
    Setup { id: "openai.api_key", ..Setup::default() }
}

fn value(resolution: &Resolution) -> Option<&str> {
    resolution.value.as_ref().ok().map(|value| value.expose().as_str())
}

fn code(resolution: Resolution) -> &'static str {
    Coded::from(resolution.value.err().unwrap()).code
}

fn source(resolution: &Resolution) -> String {
    resolution.source.as_ref().map(Source::to_string).unwrap_or_default()
}

#[test]
fn sm_04_in_dev_the_vault_wins_over_a_different_environment_with_one_warning() {
    let setup = Setup { env: BTreeMap::from([("OPENAI_API_KEY", "B")]), vault: Stored::Value("A"), ..openai() };
    let resolution = run(Profile::Dev, &setup);
    assert_eq!((value(&resolution), source(&resolution), resolution.version), (Some("A"), "vault".into(), Some(7)));
    assert_eq!(resolution.status, Status::Shadowed);
    let [warning] = resolution.warnings.as_slice() else { panic!("one warning") };
    assert_eq!(warning.to_string(), "`OPENAI_API_KEY` in your environment differs from the vault (v7); the vault is used");
    assert_eq!(warning.next(), "vox secrets explain openai.api_key");
    let again = run(Profile::Dev, &setup);
    assert_eq!(again.warnings, resolution.warnings, "equal, so that a caller can tell it once per process");
}

#[test]
fn sm_04_an_equal_environment_is_silent() {
    let setup = Setup { env: BTreeMap::from([("OPENAI_API_KEY", "A")]), vault: Stored::Value("A"), ..openai() };
    let resolution = run(Profile::Dev, &setup);
    assert_eq!((resolution.status, resolution.warnings.len()), (Status::Present, 0));
    assert!(resolution.candidates.iter().all(|candidate| candidate.state == CandidateState::Found));
}

#[test]
fn sm_05_the_order_is_the_profiles() {
    let setup =
        Setup { flag: None, file: Some("F"), env: BTreeMap::from([("OPENAI_API_KEY", "E")]), vault: Stored::Value("V"), ..openai() };
    let order = |profile| run(profile, &setup).candidates.iter().map(|candidate| candidate.source.to_string()).collect::<Vec<_>>();
    let (vault, file, env) = ("vault".to_owned(), "file:/run/secrets/key".to_owned(), "env:OPENAI_API_KEY".to_owned());
    assert_eq!(order(Profile::Dev), [vault.clone(), file.clone(), env.clone()]);
    assert_eq!(order(Profile::Ci), [env.clone(), file.clone(), vault.clone()]);
    assert_eq!(order(Profile::Prod), [file.clone(), vault.clone(), env.clone()]);
    for (profile, wins) in [(Profile::Dev, "V"), (Profile::Ci, "E"), (Profile::Prod, "F")] {
        assert_eq!(value(&run(profile, &setup)), Some(wins), "{profile:?}");
        let flagged = Setup { flag: Some("X"), ..setup.clone() };
        assert_eq!(value(&run(profile, &flagged)), Some("X"), "{profile:?}");
    }
}

#[test]
fn sm_05_prod_refuses_an_environment_that_stands_alone_and_passes_over_it_otherwise() {
    let alone = Setup { env: BTreeMap::from([("OPENAI_API_KEY", "E")]), ..openai() };
    let resolution = run(Profile::Prod, &alone);
    assert_eq!(resolution.status, Status::SourceRefused);
    assert_eq!(code(resolution), "secret.source_refused");
    let beside = Setup { vault: Stored::Value("V"), ..alone };
    let resolution = run(Profile::Prod, &beside);
    assert_eq!(value(&resolution), Some("V"));
    assert_eq!(resolution.candidates[1].state, CandidateState::Refused);
}

#[test]
fn sm_06_an_empty_environment_is_passed_over_in_dev_and_stops_ci() {
    let setup = Setup { env: BTreeMap::from([("OPENAI_API_KEY", "")]), ..openai() };
    let dev = run(Profile::Dev, &setup);
    assert_eq!((dev.status, dev.warnings.len()), (Status::Empty, 1));
    assert!(dev.warnings[0].to_string().contains("env:OPENAI_API_KEY is empty"));
    let ci = run(Profile::Ci, &setup);
    assert_eq!(ci.status, Status::Empty);
    let error = Coded::from(ci.value.err().unwrap());
    assert_eq!((error.code, error.kind), ("secret.empty", vox_base::Kind::Refused));
    let gemini = Setup { id: "gemini.api_key", env: BTreeMap::from([("GEMINI_API_KEY", ""), ("GOOGLE_API_KEY", "G")]), ..openai() };
    let fallen = run(Profile::Dev, &gemini);
    assert_eq!((value(&fallen), fallen.warnings.len(), fallen.status), (Some("G"), 1, Status::Present));
    assert_eq!(code(run(Profile::Ci, &gemini)), "secret.empty");
}

#[test]
fn a_deprecated_name_works_in_dev_with_a_warning_and_nowhere_else() {
    let setup = Setup { id: "gemini.api_key", env: BTreeMap::from([("GOOGLE_AI_STUDIO_KEY", "G")]), ..openai() };
    let dev = run(Profile::Dev, &setup);
    assert_eq!((value(&dev), dev.status), (Some("G"), Status::DeprecatedAlias));
    assert_eq!(dev.warnings[0].to_string(), "`GOOGLE_AI_STUDIO_KEY` is a deprecated name: use `GEMINI_API_KEY`");
    assert_eq!(code(run(Profile::Ci, &setup)), "secret.deprecated_refused");
}

#[test]
fn what_is_missing_says_where_to_get_it() {
    let optional = run(Profile::Dev, &openai());
    assert_eq!(optional.status, Status::MissingOptional);
    let required = run(Profile::Dev, &Setup { is_required: true, ..openai() });
    assert_eq!(required.status, Status::MissingRequired);
    let error = Coded::from(required.value.err().unwrap());
    assert_eq!((error.code, error.at.as_deref()), ("secret.missing_required", Some("OPENAI_API_KEY")));
    assert_eq!(error.next.as_deref(), Some("make a key at https://platform.openai.com/api-keys, then `vox secrets set openai.api_key`"));
}

#[test]
fn a_locked_or_damaged_vault_is_never_passed_over() {
    for (vault, status, want) in [(Stored::Locked, Status::Locked, "secret.locked"), (Stored::Corrupt, Status::Corrupt, "vault.corrupt")] {
        let setup = Setup { vault, env: BTreeMap::from([("OPENAI_API_KEY", "E")]), ..openai() };
        let dev = run(Profile::Dev, &setup);
        assert_eq!(dev.status, status);
        assert_eq!(code(dev), want);
        assert_eq!(value(&run(Profile::Ci, &setup)), Some("E"), "the environment stands before the vault there");
    }
}

#[test]
fn age_warns_and_in_prod_only_the_values_own_date_refuses() {
    for (vault, dev, prod) in [
        (Stored::Aged(0, None), Status::Present, Status::Present),
        (Stored::Aged(75, None), Status::Present, Status::Present),
        (Stored::Aged(76, None), Status::NearExpiry, Status::NearExpiry),
        (Stored::Aged(90, None), Status::RotationDue, Status::RotationDue),
        (Stored::Aged(0, Some(14)), Status::NearExpiry, Status::NearExpiry),
        (Stored::Aged(0, Some(15)), Status::Present, Status::Present),
        (Stored::Aged(0, Some(0)), Status::Expired, Status::Expired),
    ] {
        let setup = Setup { vault, ..openai() };
        assert_eq!(run(Profile::Dev, &setup).status, dev, "{vault:?}");
        assert_eq!(run(Profile::Prod, &setup).status, prod, "{vault:?}");
    }
    let expired = Setup { vault: Stored::Aged(0, Some(0)), ..openai() };
    assert_eq!(value(&run(Profile::Dev, &expired)), Some("v"));
    assert_eq!(code(run(Profile::Prod, &expired)), "secret.expired");
    let by_hand = Setup { id: "vox.db_url", vault: Stored::Aged(4000, None), ..openai() };
    assert_eq!(run(Profile::Dev, &by_hand).status, Status::Present, "no rotation plan");
}

#[test]
fn what_identifies_the_device_is_given_to_nobody() {
    let setup = Setup { id: "vault.root", vault: Stored::Value("V"), flag: Some("X"), ..openai() };
    assert_eq!(code(run(Profile::Dev, &setup)), "secret.source_refused");
}

/// The rules of the table once more, written as a plain list, to compare with.
fn reference(spec: &SecretSpec, profile: Profile, setup: &Setup) -> Option<&'static str> {
    let stored = match setup.vault {
        Stored::Value(value) => Some(value),
        _ => None,
    };
    let mut names = vec![spec.env_name().unwrap()];
    names.extend(spec.aliases.clone());
    if profile == Profile::Dev {
        names.extend(spec.deprecated.clone());
    }
    let env: Vec<Option<&str>> = names.iter().map(|name| setup.env.get(name.as_str()).copied()).collect();
    let mut order = vec![setup.flag];
    match profile {
        Profile::Dev => {
            order.extend([stored, setup.file]);
            order.extend(env);
        }
        Profile::Ci => {
            order.extend(env);
            order.extend([setup.file, stored]);
        }
        Profile::Prod => order.extend([setup.file, stored]),
    }
    let first = order.into_iter().flatten().find(|value| profile != Profile::Dev || !value.is_empty())?;
    (!first.is_empty()).then_some(first)
}

fn text() -> impl Strategy<Value = Option<&'static str>> {
    proptest::option::of(prop_oneof![Just("A"), Just("B"), Just("C"), Just("")])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// SM-05: the winner follows from the table, and the printed candidates tell the same story.
    #[test]
    fn sm_05_explain_is_resolve(
        profile in prop_oneof![Just(Profile::Dev), Just(Profile::Ci), Just(Profile::Prod)],
        (flag, file, canonical, alias, deprecated) in (text(), text(), text(), text(), text()),
        vault in proptest::option::of(prop_oneof![Just("A"), Just("B"), Just("D")]),
    ) {
        let named = [("HF_TOKEN", canonical), ("VOX_HF_TOKEN", alias), ("HUGGING_FACE_HUB_TOKEN", deprecated)];
        let env = named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let vault = vault.map_or(Stored::Absent, Stored::Value);
        let setup = Setup { id: "huggingface.token", flag, file, env, vault, is_required: true };
        let registry = REGISTRY.get_or_init(Registry::builtin);
        let resolution = run_with(registry, profile, &setup);
        let want = reference(registry.get(setup.id).unwrap(), profile, &setup);
        prop_assert_eq!(value(&resolution), want);
        let used = resolution.source.clone();
        prop_assert_eq!(used.is_some(), want.is_some());
        let fingerprint = |value: &str| Fingerprint::of(&Secret::new([1; 32]), value.as_bytes());
        for candidate in &resolution.candidates {
            if Some(&candidate.source) == used.as_ref() {
                prop_assert_eq!(candidate.state, CandidateState::Found);
            }
            if let (Some(want), CandidateState::Found | CandidateState::Shadowed) = (want, candidate.state) {
                let is_equal = candidate.fingerprint == Some(fingerprint(want));
                prop_assert_eq!(is_equal, candidate.state == CandidateState::Found);
            }
        }
        let n_env = resolution.candidates.iter().filter(|candidate| matches!(candidate.source, Source::Env(_))).count();
        prop_assert_eq!(n_env, 3, "every name is listed");
    }
}

#[test]
fn allow_env_decides_where_the_environment_counts() {
    let file = |allow: &str| {
        format!("x-vox-version: 1\nrotation_plans: {{}}\nsecrets:\n  - {{ id: openai.api_key, taxonomy: llm, allow_env: [{allow}] }}\n")
    };
    let setup = Setup { env: BTreeMap::from([("OPENAI_API_KEY", "E")]), ..openai() };
    for (allow, dev, prod) in [("dev", Some("E"), None), ("prod", None, Some("E"))] {
        let registry = Registry::parse("r.yaml", &file(allow)).unwrap();
        assert_eq!(value(&run_with(&registry, Profile::Dev, &setup)), dev);
        assert_eq!(value(&run_with(&registry, Profile::Prod, &setup)), prod);
    }
}
