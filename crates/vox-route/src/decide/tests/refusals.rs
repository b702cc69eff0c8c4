//! A fixture for every code of a refusal, and the order of the filters.

use super::*;
use crate::board::{Escalation, Penalty};
use crate::world::key;
use std::collections::BTreeSet;

type Change = fn(&mut World);

/// Each makes `one/pro` fail one filter.
const FIXTURES: [(&str, Change); 20] = [
    ("not_wanted", |w| w.ask.models_allowed = Some(vec!["two/*".into()])),
    ("retired", |w| {
        let retired = vox_base::Document::parse("routing.yaml", "retired_ids: [one/pro]").unwrap();
        w.contract = Contract::from_document(&Contract::document().overlaid(retired)).unwrap();
    }),
    ("not_admitted", |w| w.entry("one/pro").lifecycle = None),
    ("missing_capability:tool_use", |w| {
        w.ask.needs = [Capability::ToolUse].into_iter().collect();
        w.entry("one/pro").capabilities = Some(Capabilities::NONE);
    }),
    ("context_too_small", |w| w.ask.input_tokens = 199_000),
    ("context_floor", |w| w.entry("one/pro").context_tokens = Some(31_999)),
    ("context_escalated", |w| {
        w.entry("one/elite").context_tokens = Some(400_000);
        w.escalations = vec![Escalation { caller: None, task: "general".into(), above_tokens: 200_000, until: NOW.plus_millis(1) }];
    }),
    ("no_credential", |w| w.provider("one").credential = Credential::Missing),
    ("credential_rejected", |w| w.provider("one").credential = Credential::Rejected),
    ("route_policy:provider_network_disabled", |w| w.ask.profile = Some("restricted".into())),
    ("route_policy:local_model_http_disabled", |w| {
        w.ask.profile = Some("restricted".into());
        w.entry("one/pro").locality = Some(Locality::Local);
    }),
    ("offline", |w| w.ask.offline = true),
    ("privacy_class", |w| w.provider("one").privacy = Privacy::Public),
    ("circuit_open", |w| w.provider("one").health = Health::CircuitOpen { until: NOW.plus_millis(1) }),
    ("cooling_down", |w| {
        w.offers.insert("one/pro".into(), Health::CoolingDown { until: NOW.plus_millis(1) });
    }),
    ("tier_floor", |w| {
        w.ask.complexity = 7;
        w.entry("one/pro").tier = Some(Tier::Light);
    }),
    ("strength_mismatch", |w| w.entry("one/pro").strengths = Some(vec!["visus".into()])),
    ("penalised", |w| w.penalties = vec![Penalty { offer: key("one/pro"), task: "general".into(), until: NOW.plus_millis(1) }]),
    ("over_budget", |w| w.ask.ceiling = Some(NanoUsd::new(1))),
    ("too_slow", |w| w.ask.max_latency_ms = Some(1999)),
];

const MONEY: [(&str, Change); 2] = [
    ("price_unknown", |w| {
        w.entry("one/pro").prices = Prices::default();
        w.ask.allow_unpriced = false;
    }),
    ("economy_ceiling", |w| w.ask.prefer = Prefer::Cost),
];

/// The kinds of reasons there are; a new one does not compile before it is named here, and then wants a fixture.
macro_rules! kinds {
    ($($name:ident)*) => {
        const KINDS: &[&str] = &[$(stringify!($name)),*];

        fn kind(reason: &RefusalReason) -> &'static str {
            match reason {
                $(RefusalReason::$name { .. } => stringify!($name),)*
            }
        }
    };
}

kinds! {
    NotWanted Retired NotAdmitted MissingCapability ContextTooSmall ContextFloor ContextEscalated NoCredential CredentialRejected
    ProviderNetworkDisabled LocalModelHttpDisabled PrivacyClass Offline CircuitOpen CoolingDown TierFloor StrengthMismatch Penalised
    OverBudget PriceUnknown EconomyCeiling TooSlow
}

fn codes(world: &World, id: &str) -> Vec<&'static str> {
    reasons(world, id).iter().map(RefusalReason::code).collect()
}

fn reasons(world: &World, id: &str) -> Vec<RefusalReason> {
    let catalog = world.catalog();
    let (provider, native_id) = id.split_once('/').unwrap();
    let offer = catalog.find(provider, native_id).unwrap();
    all_reasons((&world.contract, &catalog, &world.board()), &world.ask, NOW, [offer]).remove(0).1
}

/// RT-24.
#[test]
fn rt_24_every_refusal_has_a_fixture() {
    assert_eq!(codes(&tiers(), "one/pro"), [""; 0]);
    let mut seen = BTreeSet::new();
    for (code, change) in FIXTURES.into_iter().chain(MONEY) {
        let mut world = tiers();
        change(&mut world);
        assert_eq!(codes(&world, "one/pro"), [code]);
        seen.insert(kind(&reasons(&world, "one/pro")[0]));
        let decision = world.decide();
        assert!(!ids(&decision).contains(&"one/pro"), "{code}");
        if !matches!(code, "not_wanted" | "not_admitted") {
            assert_eq!(refusal(&decision, "one/pro"), code);
        }
    }
    assert_eq!(seen, KINDS.iter().copied().collect());
    for capability in Capability::ALL {
        let mut world = tiers();
        world.ask.needs = [capability].into_iter().collect();
        world.entry("one/pro").capabilities = Some(Capability::ALL.into_iter().filter(|other| *other != capability).collect());
        assert_eq!(codes(&world, "one/pro"), [capability.missing()]);
    }
}

/// RT-24: the first reason by the order of the filters, and all of them on demand.
#[test]
fn rt_24_the_first_reason_is_recorded_and_all_can_be_asked_for() {
    let mut world = tiers();
    let combined =
        ["missing_capability:tool_use", "context_floor", "no_credential", "privacy_class", "circuit_open", "strength_mismatch", "too_slow"];
    for (code, change) in FIXTURES {
        if combined.contains(&code) {
            change(&mut world);
        }
    }
    assert_eq!(codes(&world, "one/pro"), combined);
    assert_eq!(refusal(&world.decide(), "one/pro"), combined[0]);
}

#[test]
fn the_number_that_failed_is_said() {
    let mut world = tiers();
    world.ask.max_latency_ms = Some(1500);
    world.ask.input_tokens = 199_000;
    let reasons: Vec<String> = world.decide().refused.iter().map(|refused| refused.reason.to_string()).collect();
    assert!(reasons.contains(&"context_too_small (needs 203096 tokens, has 200000)".to_owned()), "{reasons:?}");
    world.ask.input_tokens = 1;
    // RT-31.
    assert!(world.decide().refused.iter().any(|refused| refused.reason == RefusalReason::TooSlow { p50_ms: 2000, max_ms: 1500 }));
}

/// A preferred family counts for a tenth less: it flips a gap of five percent, and none of twenty.
#[test]
fn rt_34_a_preferred_family_breaks_near_ties_only_and_cost_has_a_ceiling() {
    let pair = |price: i64| {
        let mut world = World::of(
            Contract::builtin(),
            vec![entry("one/a", Tier::Pro, price, price), entry("two/b", Tier::Pro, 10_000_000, 10_000_000)],
        );
        world.entry("one/a").family = Some("liked".into());
        world
    };
    let gap = |world: &World| {
        let decision = world.decide();
        let j = |id: &str| decision.ranked.iter().find(|ranked| *ranked.offer.id == *id).unwrap().j.get() as f64;
        j("one/a") / j("two/b")
    };
    let dearer_by = |wanted: f64| (10_000_000..).step_by(50_000).map(pair).find(|world| gap(world) >= wanted).unwrap();
    let liking = |mut world: World| {
        world.ask.prefer = Prefer::Family("liked".into());
        world.decide().ranked[0].offer.id.to_string()
    };
    assert_eq!(dearer_by(1.05).decide().ranked[0].offer.id.as_ref(), "two/b");
    assert_eq!((liking(dearer_by(1.05)), liking(dearer_by(1.2))), ("one/a".to_owned(), "two/b".to_owned()));
    let mut thrifty = pair(900_000);
    thrifty.ask.prefer = Prefer::Cost;
    assert_eq!(refusal(&thrifty.decide(), "two/b"), "economy_ceiling");
}

#[test]
fn soft_filters_are_lifted_in_order_and_only_when_nothing_is_left() {
    let mut world = tiers().asked("code_gen", 8, Prefer::None);
    world.entries.retain(|entry| entry.provider == "two");
    for id in ["two/light", "two/odd"] {
        world.entry(id).strengths = Some(vec!["visus".into()]);
    }
    world.entry("two/odd").context_tokens = Some(50_000);
    let decision = world.decide();
    assert_eq!((decision.ranked.len(), &*decision.waived), (2, &[Waiver::Strength, Waiver::ContextFloor, Waiver::TierFloor][..]));
    world.entry("two/light").tier = Some(Tier::Pro);
    let decision = world.decide();
    assert_eq!((ids(&decision), &*decision.waived), (vec!["two/light"], &[Waiver::Strength][..]));
    assert_eq!(refusal(&decision, "two/odd"), "context_floor");
    world.provider("two").credential = Credential::Missing;
    assert_eq!((world.decide().ranked.len(), world.decide().waived.len()), (0, 0), "a hard filter holds always");
}

#[test]
fn cooldowns_end_and_unknown_facts_pass() {
    let mut world = tiers();
    world.provider("one").health = Health::CoolingDown { until: NOW };
    world.ask.needs = [Capability::Vision].into_iter().collect();
    world.ask.max_latency_ms = Some(1);
    world.entry("one/pro").availability.p50_ms = None;
    assert_eq!(refusal(&world.decide(), "one/pro"), "none");
}

#[test]
fn vox_offline_with_nothing_local_says_so() {
    let mut world = tiers();
    world.entries.retain(|entry| entry.provider != "box");
    world.provider("two").credential = Credential::Missing;
    world.ask.offline = true;
    assert_eq!((asked_error(&world).code, asked_error(&world).kind), ("route.offline", Kind::Offline));
}
