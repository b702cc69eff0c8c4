use super::*;
use crate::board::{Credential, Health, Privacy, ProviderState};
use crate::catalog::{Capabilities, Capability, Entry, Prices, Tier};
use crate::world::{NOW, World, auto, entry, explicit, ids, refusal};
use proptest::prelude::*;
use vox_base::{Coded, Kind, Micros};

mod evidence;
mod property;
mod refusals;

fn tiers() -> World {
    World::tiers(Contract::builtin())
}

fn micros(amount: i64) -> NanoUsd {
    NanoUsd::new(amount * 1000)
}

fn asked_error(world: &World) -> Coded {
    no_offer(&world.decide(), &world.ask)
}

#[test]
fn the_lowest_expected_cost_of_a_success_wins() {
    let decision = tiers().asked("parsing", 4, Prefer::None).decide();
    assert_eq!(ids(&decision)[0], "two/light");
    assert_eq!((decision.mode, decision.reason, decision.propensity_ppb), (Mode::Scored, PickReason::LowestExpectedCost, 1_000_000_000));
    for (task, complexity, best) in [("general", 5, "one/pro"), ("debugging", 6, "one/elite")] {
        let decision = tiers().asked(task, complexity, Prefer::None).decide();
        assert_eq!(ids(&decision)[0], best, "a failure dearer than the model pays for a better one");
    }
}

/// The score worked out by hand, with a weight on nothing but money.
#[test]
fn the_score_is_the_formula() {
    let equal = "scoring: { weights: { efficiency: 10, precision: 10, latency: 10, availability: 10 } }";
    let document = Contract::document().overlaid(vox_base::Document::parse("routing.yaml", equal).unwrap());
    let mut world = World::of(Contract::from_document(&document).unwrap(), vec![entry("one/pro", Tier::Pro, 1_000_000, 5_000_000)]);
    world = world.asked("general", 5, Prefer::None);
    let decision = world.decide();
    let terms = decision.ranked[0].terms;
    // 1000 tokens at 1 and 600 at 5 micro-USD; band (2000 − 500) / 7500 of 3000; 1 % of 2000; 18 % of 30000.
    assert_eq!([terms.cost, terms.wait, terms.outage, terms.failure], [4000, 600, 20, 5400].map(micros));
    assert_eq!(terms.success_ppm, 820_000);
    assert_eq!(decision.ranked[0].j, NanoUsd::new(10_020_000 * 100 / 82));
}

#[test]
fn waiting_costs_nothing_up_to_excellent_and_more_and_more_beyond_the_tasks_own_time() {
    let wait = |p50_ms| {
        let mut world = tiers().asked("general", 5, Prefer::None);
        world.entry("one/pro").availability.p50_ms = Some(p50_ms);
        let decision = world.decide();
        decision.ranked.iter().find(|ranked| &*ranked.offer.id == "one/pro").unwrap().terms.wait.get()
    };
    let full = wait(8000);
    assert_eq!([wait(0), wait(500), wait(4250), wait(16_000)], [0, 0, full / 2, full * 2]);
}

/// RT-26, without evidence.
#[test]
fn rt_26_a_demanding_task_gets_its_premium_alias_and_a_plain_one_the_lowest_score() {
    let named = |complexity, prefer| {
        let alias = Entry { model_id: Some("anthropic/claude-opus-4.7".into()), ..entry("one/opus", Tier::Elite, 50_000_000, 250_000_000) };
        let local = Entry { locality: Some(Locality::Local), prices: Prices::default(), ..entry("box/own", Tier::Pro, 0, 0) };
        let world = World::of(Contract::builtin(), vec![alias, entry("two/cheap", Tier::Elite, 1000, 1000), local]);
        world.asked("code_gen", complexity, prefer).decide()
    };
    let decision = named(9, Prefer::None);
    assert_eq!((ids(&decision)[0], decision.mode, decision.reason), ("one/opus", Mode::Premium, PickReason::PremiumAlias));
    let decision = named(5, Prefer::None);
    assert_eq!((ids(&decision)[0], decision.mode), ("two/cheap", Mode::Scored));
    assert_eq!(ids(&named(9, Prefer::Local))[0], "box/own");
    assert_eq!(ids(&named(9, Prefer::Cost))[0], "two/cheap", "the economy ceiling leaves the alias out");
}

/// RT-30.
#[test]
fn rt_30_only_offers_whose_upper_estimate_fits_the_ceiling_remain() {
    let with = |usd: &str| {
        let mut world = tiers().asked("parsing", 4, Prefer::None);
        world.ask.ceiling = Some(NanoUsd::from_usd(usd).unwrap());
        world.ask.max_output_tokens = Some(1000);
        world
    };
    assert_eq!(with("0.10").ask.ceiling, Some(NanoUsd::new(100_000_000)));
    // The bound of one/pro is 1000 × 1 + 1000 × 5 = 6000 micro-USD.
    assert_eq!(refusal(&with("0.006").decide(), "one/pro"), "none");
    let decision = with("0.005999999").decide();
    assert_eq!(refusal(&decision, "one/pro"), "over_budget");
    assert_eq!(refusal(&decision, "new/beta"), "price_unknown");
    assert_eq!(ids(&with("0.0001").decide()), ["box/small"], "what is free always fits");
    let mut priced = with("0.0001");
    priced.entries.retain(|entry| entry.provider != "box");
    let error = asked_error(&priced);
    assert_eq!((error.code, error.kind), ("route.no_offer", Kind::Refused));
    assert!(error.message.contains("the cheapest may cost $0.0005"), "{}", error.message);
}

/// GW-39, the decision.
#[test]
fn gw_39_a_dear_model_that_was_named_is_refused_under_a_ceiling_with_its_bound() {
    let mut world = tiers();
    world.ask.wanted = explicit("one/elite");
    world.ask.ceiling = Some(NanoUsd::from_usd("0.0001").unwrap());
    let decision = world.decide();
    assert!(decision.ranked.is_empty());
    assert_eq!(decision.cheapest_bound(), Some(micros(5000 + 4096 * 25)));
    assert_eq!(asked_error(&world).kind, Kind::Refused);
    world.ask.wanted = explicit("new/beta");
    assert_eq!(asked_error(&world).code, "route.price_unknown");
}

/// RT-07, the decision: a dynamic price is refused under a cap and never taken for free.
#[test]
fn rt_07_an_unknown_price_is_never_the_cheapest() {
    let mut world = tiers().asked("parsing", 4, Prefer::None);
    world.entries.retain(|entry| ["new", "two"].contains(&entry.provider.as_str()));
    let decision = world.decide();
    let charge = |id: &str| decision.ranked.iter().find(|ranked| &*ranked.offer.id == id).unwrap().terms;
    assert!(charge("new/beta").charge_assumed && charge("new/beta").charge == charge("two/odd").charge);
    world.entries.retain(|entry| entry.provider == "new");
    assert!(world.decide().ranked[0].terms.charge > NanoUsd::ZERO, "also where nothing else is priced");
    world.ask.allow_unpriced = false;
    assert_eq!(asked_error(&world).code, "route.price_unknown");
}

/// RT-36.
#[test]
fn rt_36_a_restricted_profile_leaves_nothing_remote_to_call() {
    let mut world = tiers();
    world.entries.retain(|entry| entry.provider != "box");
    world.ask.profile = Some("restricted".into());
    let decision = world.decide();
    assert!(decision.ranked.is_empty() && decision.refused.iter().all(|r| r.reason == RefusalReason::ProviderNetworkDisabled));
    assert_eq!((asked_error(&world).code, asked_error(&world).kind), ("route.no_offer", Kind::Refused));
    world.ask.wanted = explicit("one/pro");
    world.ask.fallback = true;
    assert!(world.decide().ranked.is_empty());
    world.ask.profile = Some("no such profile".into());
    assert!(world.decide().ranked.is_empty(), "an unknown profile allows nothing");
}

/// RT-37.
#[test]
fn rt_37_without_a_key_for_the_best_offer_the_next_one_is_the_pick() {
    let mut world = tiers().asked("debugging", 6, Prefer::None);
    let before = world.decide();
    let best = before.ranked[0].offer.clone();
    world.provider(&best.provider).credential = Credential::Missing;
    let decision = world.decide();
    assert_eq!(refusal(&decision, &best.id), "no_credential");
    let next = before.ranked.iter().find(|ranked| ranked.offer.provider != best.provider).unwrap();
    assert_eq!(decision.ranked[0].offer.id, next.offer.id);
    for state in world.providers.values_mut() {
        state.credential = Credential::Missing;
    }
    assert!(asked_error(&world).next.unwrap().contains("vox secrets set"));
}

/// RT-41.
#[test]
fn rt_41_a_forced_model_that_fails_a_filter_is_refused_and_nothing_else_stands_by() {
    let mut world = tiers();
    world.ask.wanted = explicit("one/elite");
    world.ask.forced = true;
    world.ask.fallback = true;
    let decision = world.decide();
    assert_eq!((ids(&decision), decision.mode, decision.reason), (vec!["one/elite"], Mode::Forced, PickReason::Forced));
    world.provider("one").health = Health::CircuitOpen { until: NOW.plus_millis(1) };
    assert!(world.decide().ranked.is_empty());
    let error = asked_error(&world);
    assert_eq!((error.code, error.kind), ("route.force_refused", Kind::Refused));
    assert!(error.message.contains("circuit_open"));
}

#[test]
fn a_named_model_is_the_only_one_unless_fallback_is_asked_for() {
    let mut world = tiers();
    world.ask.wanted = explicit("two/odd");
    let decision = world.decide();
    assert_eq!((ids(&decision), decision.n_not_wanted, decision.reason), (vec!["two/odd"], 5, PickReason::Explicit));
    world.ask.wanted = Wanted::Bare("odd".into());
    assert_eq!(world.decide().reason, PickReason::OnlyOffer);
    world.ask.wanted = explicit("two/odd");
    world.ask.fallback = true;
    let decision = world.decide();
    assert_eq!((ids(&decision)[0], decision.ranked.len()), ("two/odd", 6));
}

#[test]
fn a_named_model_is_good_enough_however_weak_it_is() {
    let mut world = tiers().asked("code_gen", 9, Prefer::None);
    world.entry("two/odd").strengths = Some(vec!["visus".into()]);
    world.ask.wanted = explicit("two/odd");
    for fallback in [false, true] {
        world.ask.fallback = fallback;
        let decision = world.decide();
        assert_eq!((ids(&decision)[0], &*decision.waived), ("two/odd", &[Waiver::Strength, Waiver::TierFloor][..]), "{fallback}");
    }
}

#[test]
fn a_model_no_list_mentions_can_be_called_by_name() {
    let mut world = tiers();
    world.ask.wanted = explicit("one/brand-new");
    let decision = world.decide();
    assert_eq!((ids(&decision), decision.n_not_wanted), (vec!["one/brand-new"], 6));
    assert!(decision.ranked[0].terms.charge_assumed);
    world.ask.wanted = explicit("box/brand-new");
    assert_eq!(world.decide().ranked[0].terms.charge, NanoUsd::ZERO, "an engine of the user's own is free");
    world.ask.wanted = explicit("nobody/brand-new");
    assert_eq!(refusal(&world.decide(), "nobody/brand-new"), "no_credential");
}

#[test]
fn the_offline_provider_answers_only_to_its_name() {
    let mut world = tiers();
    let echo = Entry { locality: Some(Locality::Local), prices: Prices::default(), ..entry("offline/echo", Tier::Elite, 0, 0) };
    world.entries.push(echo);
    world.providers.insert("offline".into(), ProviderState::local("offline"));
    for wanted in [auto(), Wanted::Bare("echo".into())] {
        world.ask.wanted = wanted;
        assert!(!ids(&world.decide()).contains(&"offline/echo"));
    }
    world.ask.wanted = explicit("offline/echo");
    assert_eq!(ids(&world.decide()), ["offline/echo"]);
}

#[test]
fn a_preference_moves_the_pick_as_far_as_it_says() {
    let pair = |gap_percent: i64, prefer| {
        let entries = vec![
            entry("one/a", Tier::Pro, 500_000_000, 500_000_000),
            Entry {
                family: Some("friends".into()),
                ..entry("two/b", Tier::Pro, 5_000_000 * (100 + gap_percent), 5_000_000 * (100 + gap_percent))
            },
        ];
        let mut world = World::of(Contract::builtin(), entries).asked("parsing", 4, prefer);
        world.ask.input_tokens = 100;
        world.decide().ranked[0].offer.id.to_string()
    };
    assert_eq!(pair(5, Prefer::None), "one/a");
    assert_eq!(pair(5, Prefer::Family("friends".into())), "two/b");
    assert_eq!(pair(20, Prefer::Family("friends".into())), "one/a");
    let first = |prefer| tiers().asked("debugging", 6, prefer).decide().ranked[0].offer.id.to_string();
    assert_eq!([Prefer::Local, Prefer::Quality].map(first), ["box/small", "one/elite"]);
    assert_eq!(Prefer::from_name("friends"), Prefer::Family("friends".into()));
}

#[test]
fn equal_offers_are_ordered_by_price_dialect_and_id() {
    let entries = ["cc/m", "bb/m", "aa/m"].map(|id| entry(id, Tier::Pro, 1000, 1000));
    let mut world = World::of(Contract::builtin(), entries.to_vec());
    assert_eq!(ids(&world.decide()), ["aa/m", "bb/m", "cc/m"]);
    world.provider("cc").dialect = "anthropic".into();
    world.ask.dialect = "anthropic".into();
    assert_eq!(ids(&world.decide()), ["cc/m", "aa/m", "bb/m"]);
}

#[test]
fn an_alias_means_a_model_a_family_or_a_task() {
    let own = "aliases: { twin: one/pro, house: 'family:two', reader: 'task:parsing' }";
    let document = Contract::document().overlaid(vox_base::Document::parse("routing.yaml", own).unwrap());
    let mut world = World::tiers(Contract::from_document(&document).unwrap());
    let mut decide = |alias: &str| {
        world.ask.wanted = Wanted::Alias(alias.into());
        world.decide()
    };
    assert_eq!(ids(&decide("twin")), ["one/pro"]);
    assert!(ids(&decide("house")).iter().all(|id| id.starts_with("two/")) && decide("house").ranked.len() == 2);
    assert_eq!((&*decide("reader").task, decide("reader").ranked.len()), ("parsing", 6));
    assert_eq!(decide("gone").ranked.len(), 0);
}

#[test]
fn a_stated_task_beats_the_model_name_and_the_default() {
    let mut world = tiers();
    assert_eq!(&*world.decide().task, "general");
    world.ask.wanted = Wanted::Auto { task: Some("review".into()) };
    assert_eq!(&*world.decide().task, "review");
    world.ask.task = Some("research".into());
    assert_eq!(&*world.decide().task, "research");
}
