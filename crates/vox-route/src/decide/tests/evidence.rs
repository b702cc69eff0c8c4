//! What evidence does to a decision.

use super::*;
use crate::board::{Escalation, Penalty};
use crate::decide::Account;
use crate::evidence::{Evidence, EvidenceLevel, Unit};
use crate::world::{key, unit};
use crate::{Exploring, Session};

/// Lets an offer have so many good and bad units of a task.
fn known(world: &mut World, counts: &[(&str, &str, u32, u32)]) {
    let rules = world.contract.rules().evidence.clone();
    let units =
        counts.iter().flat_map(|&(id, task, n_good, n_bad)| (0..n_good + n_bad).map(move |at| unit(id, task, None, at < n_good, NOW)));
    let units: Vec<Unit> = units.collect();
    world.standings = Evidence::from_units(&rules, &units).standings(&rules, NOW);
}

fn first(world: &World) -> String {
    world.decide().ranked[0].offer.id.to_string()
}

/// RT-25.
#[test]
fn rt_25_the_thirtieth_bad_unit_flips_the_pick_and_other_categories_do_not() {
    let with = |task, n_bad| {
        let mut world = tiers().asked("parsing", 4, Prefer::None);
        known(&mut world, &[("two/light", task, 0, n_bad), ("one/pro", "parsing", 40, 0)]);
        first(&world)
    };
    assert_eq!([with("parsing", 0), with("parsing", 29), with("review", 30), with("review", 200)], ["two/light"; 4]);
    assert_eq!(with("parsing", 30), "one/pro");
}

/// RT-26.
#[test]
fn rt_26_sixty_failures_dethrone_the_premium_alias() {
    let alias = Entry { model_id: Some("anthropic/claude-opus-4.7".into()), ..entry("one/opus", Tier::Elite, 5_000_000, 25_000_000) };
    let mut world =
        World::of(Contract::builtin(), vec![alias, entry("two/cheap", Tier::Elite, 1000, 1000)]).asked("code_gen", 9, Prefer::None);
    assert_eq!(world.decide().mode, Mode::Premium);
    let rules = world.contract.rules().evidence.clone();
    let failed = |n| {
        let units: Vec<Unit> = (0..n)
            .map(|_| Unit {
                offer: crate::OfferKey { model_id: "anthropic/claude-opus-4.7".into(), ..key("one/opus") },
                ..unit("one/opus", "code_gen", None, false, NOW)
            })
            .collect();
        Evidence::from_units(&rules, &units).standings(&rules, NOW)
    };
    world.standings = failed(29);
    assert_eq!(world.decide().mode, Mode::Premium);
    world.standings = failed(60);
    assert_eq!((first(&world).as_str(), world.decide().mode), ("two/cheap", Mode::Scored));
}

/// RT-27.
#[test]
fn rt_27_of_two_perfect_offers_the_cheap_one_wins_and_neither_is_free() {
    let mut world = tiers().asked("general", 5, Prefer::None);
    known(&mut world, &[("one/elite", "general", 100, 0), ("two/light", "general", 100, 0)]);
    let decision = world.decide();
    assert_eq!(ids(&decision)[0], "two/light");
    assert!(decision.ranked.iter().all(|ranked| ranked.j > NanoUsd::ZERO));
    assert_eq!(decision.ranked[0].terms.success_level, EvidenceLevel::Cell);
}

/// RT-28, the decision.
#[test]
fn rt_28_a_penalised_offer_is_passed_over_until_its_time_is_up() {
    let mut world = tiers().asked("parsing", 4, Prefer::None);
    let penalty = |task: &str, until| Penalty { offer: key("two/light"), task: task.into(), until };
    world.penalties = vec![penalty("review", NOW.plus_millis(1)), penalty("parsing", NOW)];
    assert_eq!(first(&world), "two/light");
    world.penalties.push(penalty("parsing", NOW.plus_millis(1)));
    assert_eq!(refusal(&world.decide(), "two/light"), "penalised");
    world.entries.retain(|entry| entry.native_id == "light");
    let decision = world.decide();
    assert_eq!((ids(&decision), &*decision.waived), (vec!["two/light"], &[Waiver::Penalty][..]));
}

/// RT-29, the decision.
#[test]
fn rt_29_a_caller_that_fills_contexts_goes_above_the_rung() {
    let mut world = tiers().asked("parsing", 4, Prefer::None);
    world.entry("one/elite").context_tokens = Some(400_000);
    let escalation =
        |caller: Option<&str>, until| Escalation { caller: caller.map(Into::into), task: "parsing".into(), above_tokens: 200_000, until };
    world.escalations = vec![escalation(Some("other"), NOW.plus_millis(1)), escalation(None, NOW)];
    assert_eq!(first(&world), "two/light");
    world.escalations.push(escalation(None, NOW.plus_millis(1)));
    let decision = world.decide();
    assert_eq!((ids(&decision), decision.escalation_exhausted), (vec!["one/elite"], false));
    assert_eq!(refusal(&decision, "two/light"), "context_escalated");
    world.entry("one/elite").context_tokens = Some(200_000);
    assert!(world.decide().escalation_exhausted && first(&world) == "two/light");
}

/// RT-32: evidence lifts an offer above its tier.
#[test]
fn rt_32_an_offer_that_has_proven_itself_passes_the_tier_floor() {
    let mut world = tiers().asked("general", 8, Prefer::None);
    known(&mut world, &[("two/light", "general", 28, 1)]);
    assert_eq!(refusal(&world.decide(), "two/light"), "tier_floor");
    known(&mut world, &[("two/light", "general", 20, 20)]);
    assert_eq!(refusal(&world.decide(), "two/light"), "tier_floor");
    known(&mut world, &[("two/light", "general", 60, 1)]);
    assert_eq!(refusal(&world.decide(), "two/light"), "none");
}

/// RT-38.
#[test]
fn rt_38_a_warm_prompt_cache_is_left_only_for_much_less() {
    let pick = |share_percent: i64, cached_ms: i64| {
        let with = |id: &str, percent: i64| {
            let mut entry = entry(id, Tier::Pro, 30_000 * percent, 150_000 * percent);
            entry.prices.cache_read = Some(Micros::new(3000 * percent));
            entry
        };
        let mut world =
            World::of(Contract::builtin(), vec![with("one/warm", 100), with("two/other", share_percent)]).asked("parsing", 4, Prefer::None);
        world.ask.input_tokens = 82_000;
        world.ask.session =
            Some(Session { offer: "one/warm".into(), cached_tokens: 80_000, cached_until: NOW.plus_millis(cached_ms), n_turns: 5 });
        let decision = world.decide();
        (ids(&decision)[0].to_owned(), decision.ranked.iter().any(|ranked| ranked.terms.switch > NanoUsd::ZERO))
    };
    assert_eq!(pick(90, 1), ("one/warm".into(), true));
    assert_eq!(pick(20, 1), ("two/other".into(), true));
    assert_eq!(pick(90, 0), ("two/other".into(), false), "after its lifetime leaving costs nothing");
}

/// Of equal scores the better known goes first, and what the gate holds back counts for nothing.
#[test]
fn of_equal_scores_the_one_with_more_evidence_wins() {
    let floor = vox_base::Document::parse("routing.yaml", "scoring: { success_floor_ppm: 500000 }").unwrap();
    let contract = Contract::from_document(&Contract::document().overlaid(floor)).unwrap();
    let with = |n_units: u32| {
        let mut world = World::of(contract.clone(), vec![entry("one/a", Tier::Pro, 1000, 1000), entry("two/b", Tier::Pro, 1000, 1000)]);
        world = world.asked("parsing", 4, Prefer::None);
        known(&mut world, &[("one/a", "parsing", 0, 60), ("two/b", "parsing", 0, n_units)]);
        let decision = world.decide();
        let micros = |at: usize| decision.ranked[at].j.get() / 1000;
        (ids(&decision)[0].to_owned(), micros(0) == micros(1))
    };
    assert_eq!(with(60), ("one/a".into(), true), "then the id");
    assert_eq!(with(61), ("two/b".into(), true));
    assert_eq!(with(29), ("two/b".into(), false), "below the gate the prior counts, which is better than the floor");
}

/// RT-44: an offer is new until it has units, of whatever task.
#[test]
fn rt_44_an_offer_is_new_until_it_has_units_of_any_task() {
    let contract = |bonus_ppm: u32| {
        let bonus = format!("exploration: {{ novel_bonus_ppm: {bonus_ppm} }}");
        Contract::from_document(&Contract::document().overlaid(vox_base::Document::parse("routing.yaml", &bonus).unwrap())).unwrap()
    };
    let share = |task: &str, n_units: u32, bonus_ppm: u32| {
        let entries = vec![entry("one/a", Tier::Pro, 1000, 1000), entry("two/b", Tier::Pro, 1500, 1500)];
        let mut world = World::of(contract(bonus_ppm), entries).asked("parsing", 4, Prefer::None);
        known(&mut world, &[("one/a", "parsing", 10, 0), ("two/b", task, n_units, 0)]);
        world.ask.exploring = Some(Exploring { leaders: NanoUsd::new(1_000_000_000_000), ..Exploring::default() });
        let decision = world.decide();
        decision.ranked.iter().find(|ranked| *ranked.offer.id == *"two/b").unwrap().propensity_ppb
    };
    let is_new = |task, n_units| share(task, n_units, 500_000) > share(task, n_units, 0);
    assert_eq!([is_new("parsing", 2), is_new("parsing", 3), is_new("review", 2), is_new("review", 3)], [true, false, true, false]);
}

fn learning() -> World {
    let mut world = tiers().asked("parsing", 4, Prefer::None);
    known(&mut world, &[("one/pro", "parsing", 9, 1), ("two/light", "parsing", 5, 3), ("two/odd", "parsing", 1, 2)]);
    world.ask.exploring = Some(Exploring { leaders: NanoUsd::new(1_000_000_000_000), ..Exploring::default() });
    world
}

/// RT-44: how often each offer is picked is what its propensity says.
#[test]
fn rt_44_offers_are_picked_as_often_as_their_propensities_say() {
    let world = learning();
    let (catalog, board) = (world.catalog(), world.board());
    let mut tallies: std::collections::BTreeMap<Arc<str>, (f64, f64, f64)> = std::collections::BTreeMap::new();
    for seed in 0..20_000 {
        let decision = decide(&world.contract, &catalog, &board, &world.ask, NOW, seed);
        for ranked in &decision.ranked {
            let share = ranked.propensity_ppb as f64 / 1e9;
            let tally = tallies.entry(ranked.offer.id.clone()).or_default();
            tally.0 += share;
            tally.1 += share * (1.0 - share);
        }
        tallies.get_mut(&decision.ranked[0].offer.id).unwrap().2 += 1.0;
        assert_eq!(decision.propensity_ppb, decision.ranked[0].propensity_ppb);
        let sum: u64 = decision.ranked.iter().map(|ranked| ranked.propensity_ppb).sum();
        assert!((999_999_900..=1_000_000_000).contains(&sum), "{sum}");
        assert_eq!(decision.mode == Mode::Explored, decision.leader().unwrap().offer.id != decision.ranked[0].offer.id);
    }
    for (id, (expected, variance, found)) in &tallies {
        assert!((found - expected).abs() <= 4.0 * variance.sqrt(), "{id}: {found} against {expected}");
    }
    assert!(tallies.values().filter(|tally| tally.2 > 0.0).count() > 3);
}

/// RT-44: where nothing may be tried out, nothing is, and the pick was certain.
#[test]
fn rt_44_nothing_is_explored_where_it_may_not_be() {
    let off = "exploration: { enabled: false }";
    let off = Contract::from_document(&Contract::document().overlaid(vox_base::Document::parse("routing.yaml", off).unwrap())).unwrap();
    let spent = |change: fn(&mut Exploring)| {
        move |world: &mut World| {
            let mut spent = world.ask.exploring.unwrap();
            change(&mut spent);
            world.ask.exploring = Some(spent);
        }
    };
    type Change = Box<dyn Fn(&mut World)>;
    let changes: [(&str, Change); 8] = [
        ("off", Box::new(move |world| world.contract = off.clone())),
        ("not asked for", Box::new(|world| world.ask.exploring = None)),
        ("too complex", Box::new(|world| world.ask.complexity = 9)),
        ("explicit", Box::new(|world| world.ask.wanted = explicit("one/pro"))),
        ("forced", Box::new(|world| (world.ask.wanted, world.ask.forced) = (explicit("one/pro"), true))),
        ("day's budget", Box::new(spent(|spent| spent.spent_today = NanoUsd::new(1_000_000_000)))),
        ("two open", Box::new(spent(|spent| spent.n_open = 2))),
        ("debt", Box::new(spent(|spent| (spent.debt, spent.leaders) = (NanoUsd::new(i64::MAX / 2), NanoUsd::ZERO)))),
    ];
    for (name, change) in changes {
        let mut world = learning();
        change(&mut world);
        let (catalog, board) = (world.catalog(), world.board());
        for seed in 0..300 {
            let decision = decide(&world.contract, &catalog, &board, &world.ask, NOW, seed);
            let free = name == "debt" && decision.debt == NanoUsd::ZERO;
            assert!(free || (decision.mode != Mode::Explored && decision.propensity_ppb == 1_000_000_000), "{name}");
        }
    }
}

#[test]
fn an_account_adds_up_what_exploring_costs() {
    let world = learning();
    let (catalog, board) = (world.catalog(), world.board());
    let mut account = Account::default();
    let explored = (0..500)
        .map(|seed| decide(&world.contract, &catalog, &board, &world.ask, NOW, seed))
        .find(|decision| decision.mode == Mode::Explored);
    let explored = explored.unwrap();
    account.decided(&explored, NOW);
    let state = account.state(NOW);
    assert_eq!((state.debt, state.leaders, state.n_open), (explored.debt, explored.leader().unwrap().j, 1));
    account.ended();
    assert_eq!(account.state(NOW).n_open, 0);
    assert_eq!(account.state(NOW.plus_millis(86_400_000)).spent_today, NanoUsd::ZERO);
}
