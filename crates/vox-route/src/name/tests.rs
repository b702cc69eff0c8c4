use super::*;
use crate::catalog::Tier;
use crate::catalog::{Entry, Layer, PriceOverlay, Trust};
use crate::world::{World, entry, ids};

fn catalog() -> Catalog {
    let openrouter = Entry { model_id: None, ..Entry::new("openrouter", "openai/gpt-5.4") };
    let list = Layer { source: "openrouter".into(), trust: Trust::ProviderList, entries: vec![openrouter] };
    Catalog::build(&Contract::builtin(), vec![Catalog::bootstrap(), list], &PriceOverlay::empty()).0
}

fn parse(name: &str) -> Result<Wanted, NameError> {
    parse_name(name, &|id| ["openrouter", "openai", "anthropic"].contains(&id), &Contract::builtin(), &catalog())
}

fn explicit(provider: &str, native_id: &str) -> Wanted {
    Wanted::Explicit { provider: provider.into(), native_id: native_id.into() }
}

/// GW-52.
#[test]
fn gw_52_every_form_of_a_name_is_understood() {
    for (name, wanted) in [
        ("vox/auto", Wanted::Auto { task: None }),
        ("vox/auto:code_gen", Wanted::Auto { task: Some("code_gen".into()) }),
        ("vox/cheap", Wanted::Alias("cheap".into())),
        ("openrouter/a/b:free", explicit("openrouter", "a/b:free")),
        ("openai/gpt-5.4", explicit("openai", "gpt-5.4")),
        ("anthropic/not-listed-yet", explicit("anthropic", "not-listed-yet")),
        ("gpt-5.4", Wanted::Bare("gpt-5.4".into())),
        ("moonshot/kimi-k2.6-thinking", Wanted::Bare("moonshot/kimi-k2.6-thinking".into())),
    ] {
        assert_eq!(parse(name), Ok(wanted), "{name}");
    }
}

/// GW-52.
#[test]
fn gw_52_an_unknown_name_gets_near_names_and_an_unknown_task_all_names() {
    let Err(NameError::ModelUnknown { near, .. }) = parse("gpt-5.5") else { panic!() };
    assert_eq!(near.len(), 3, "{near:?}");
    assert!(near.contains(&"gpt-5.5-pro".to_owned()), "{near:?}");
    let Err(NameError::ModelUnknown { near, .. }) = parse("vox/cheep") else { panic!() };
    assert_eq!(near[0], "vox/cheap");
    assert!(matches!(parse("vox/auto:free"), Err(NameError::TaskUnknown { names, .. }) if names.len() == 13));
    for name in ["", "/", "openai/", "vox/", "vox/auto:", "completely-different-thing", "mesh/desk/llama"] {
        assert!(parse(name).is_err(), "{name}");
    }
    let coded = Coded::from(parse("vox/auto:free").unwrap_err());
    assert_eq!((coded.code, coded.kind), ("route.task_unknown", Kind::Usage));
    assert_eq!(Coded::from(parse("zzzzzzzzzzzz").unwrap_err()).code, "route.model_unknown");
}

/// GW-52: several providers serve a bare name's model; the decision is among those only.
#[test]
fn gw_52_an_ambiguous_bare_name_is_decided_among_offers_of_the_same_model() {
    let same = |id: &str, price| Entry { model_id: Some("maker/twin".into()), ..entry(id, Tier::Pro, price, price) };
    let entries = vec![same("one/twin", 2_000_000), same("two/maker/twin", 1_000_000), entry("two/other", Tier::Pro, 1, 1)];
    let mut world = World::of(Contract::builtin(), entries);
    world.ask.wanted = Wanted::Bare("twin".into());
    assert_eq!(ids(&world.decide()), ["two/maker/twin", "one/twin"]);
}

#[test]
fn a_star_stands_for_any_text() {
    for (pattern, name, fit) in [
        ("*", "a/b", true),
        ("ollama/*", "ollama/x/y", true),
        ("ollama/*", "ollam/x", false),
        ("a/b", "a/b", true),
        ("a/b", "a/bc", false),
        ("*mini*", "openai/gpt-5-mini", true),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("aa*a", "aa", false),
        ("", "a", false),
    ] {
        assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
    }
}

/// RT-34.
#[test]
fn rt_34_an_unknown_preference_gets_near_names() {
    let prefer = |name: &str| parse_preference(name, &Contract::builtin(), &catalog());
    for (name, wanted) in [
        ("cost", Prefer::Cost),
        ("google", Prefer::Family("google".into())),
        ("best", Prefer::Family("best".into())),
        ("family:google", Prefer::Family("family:google".into())),
        ("deepseek/deepseek-r1", Prefer::Family("deepseek/deepseek-r1".into())),
    ] {
        assert_eq!(prefer(name), Ok(wanted));
    }
    for (name, near) in [("gogle", "google"), ("qualty", "quality"), ("antropic", "anthropic"), ("chaep", "cheap")] {
        let error = Coded::from(prefer(name).unwrap_err());
        assert_eq!((error.code, error.at.as_deref()), ("gateway.hint_invalid", Some("prefer")));
        assert!(error.expected.unwrap().contains(&format!("`{near}`")), "{name}");
    }
    let NameError::PreferenceUnknown { near, .. } = prefer("zzzzzzzzz").unwrap_err() else { panic!() };
    assert_eq!(near, Vec::<String>::new());
}
