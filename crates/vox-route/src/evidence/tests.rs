use super::*;
use crate::Contract;
use crate::world::{NOW, key, unit};
use proptest::prelude::*;

const DAY_MS: i64 = 86_400_000;

fn rules() -> EvidenceRules {
    Contract::builtin().rules().evidence.clone()
}

/// The weights of success and failure at one level by their definition: each unit's own weight, times the forgetting for
/// every later unit, times the half-life for its age at the latest moment.
fn by_definition(rules: &EvidenceRules, units: &[&Unit]) -> (f64, f64) {
    let latest = units.iter().map(|unit| unit.at.millis()).max().unwrap_or(0);
    let forget = f64::from(rules.forget_per_unit_ppm) / 1e6;
    let half_life_ms = f64::from(rules.half_life_days) * DAY_MS as f64;
    let mut sums = (0.0, 0.0);
    for (at, unit) in units.iter().enumerate() {
        let later = i32::try_from(units.len() - at - 1).unwrap();
        let weight =
            f64::from(unit.weight_ppm) / 1e6 * forget.powi(later) * 0.5_f64.powf((latest - unit.at.millis()) as f64 / half_life_ms);
        *if unit.success { &mut sums.0 } else { &mut sums.1 } += weight;
    }
    sums
}

fn units() -> impl Strategy<Value = Vec<Unit>> {
    let one = (0..2_usize, 0..2_usize, 0..3_usize, any::<bool>(), 1..=1_000_000_u32, 0..60 * DAY_MS);
    prop::collection::vec(one, 0..200).prop_map(|all| {
        let unit = |(offer, task, caller, success, weight_ppm, at): (usize, usize, usize, bool, u32, i64)| Unit {
            weight_ppm,
            ..unit(
                ["one/a", "two/b"][offer],
                ["review", "parsing"][task],
                [None, Some("k1"), Some("k2")][caller],
                success,
                NOW.plus_millis(at),
            )
        };
        all.into_iter().map(unit).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// RT-54: the running account is the definition to 1e-9, at every level, whatever order the moments come in.
    #[test]
    fn rt_54_one_unit_after_another_gives_what_the_definition_gives(units in units()) {
        // Without drift alarms, which are no part of the sum.
        let rules = EvidenceRules { drift: crate::contract::DriftRules { alarm_milli: 1_000_000, ..rules().drift }, ..rules() };
        let evidence = Evidence::from_units(&rules, &units);
        let near = |tally: (f64, f64), wanted: &[&Unit]| {
            let (success, failure) = by_definition(&rules, wanted);
            (tally.0 - success).abs() < 1e-9 && (tally.1 - failure).abs() < 1e-9
        };
        for (offer, found) in &evidence.offers {
            let of_offer: Vec<&Unit> = units.iter().filter(|unit| unit.offer == *offer).collect();
            prop_assert!(near(found.all.weights(), &of_offer));
            for (task, cell) in &found.tasks {
                let of_cell: Vec<&Unit> = of_offer.iter().copied().filter(|unit| unit.task == *task).collect();
                prop_assert!(near(cell.tally().weights(), &of_cell));
                for (caller, tally) in cell.by_caller() {
                    let of_caller: Vec<&Unit> = of_cell.iter().copied().filter(|unit| unit.caller.as_ref() == Some(caller)).collect();
                    prop_assert!(near(tally.weights(), &of_caller));
                }
            }
        }
    }

    /// RT-54: so is what is believed, as far as a board's thousandths of a unit go: prior, offer, task and caller, each
    /// shrunk towards the one before.
    #[test]
    fn rt_54_what_is_believed_follows_from_the_definition(units in units()) {
        let rules = EvidenceRules { drift: crate::contract::DriftRules { alarm_milli: 1_000_000, ..rules().drift }, ..rules() };
        let pseudo = Contract::builtin().rules().priors.pseudo_counts.clone();
        let at = NOW.plus_millis(60 * DAY_MS);
        let standings = Evidence::from_units(&rules, &units).standings(&rules, at);
        for key in [key("one/a"), key("two/b")] {
            let of_offer: Vec<&Unit> = units.iter().filter(|unit| unit.offer == key).collect();
            let of_cell: Vec<&Unit> = of_offer.iter().copied().filter(|unit| *unit.task == *"review").collect();
            let of_caller: Vec<&Unit> = of_cell.iter().copied().filter(|unit| unit.caller.as_deref() == Some("k1")).collect();
            let mut believed = 0.64;
            // A board holds only the callers that are past the gate.
            let levels = [(pseudo.global, &of_offer, 1), (pseudo.task, &of_cell, 1), (pseudo.caller, &of_caller, rules.min_units)];
            for (pseudo, units, _) in levels.into_iter().filter(|(_, units, least)| units.len() >= *least as usize) {
                let (success, failure) = by_definition(&rules, units);
                let latest = units.iter().map(|unit| unit.at.millis()).max().unwrap();
                let age = 0.5_f64.powf((at.millis() - latest) as f64 / (f64::from(rules.half_life_days) * DAY_MS as f64));
                let pseudo = f64::from(pseudo);
                believed = (pseudo * believed + success * age) / (pseudo + (success + failure) * age);
            }
            let found = Posterior::new(&rules, &pseudo, 640_000, standings.get(&key.provider, &key.model_id), "review", Some("k1"));
            let apart = (f64::from(found.believed_ppm()) / 1e6 - believed).abs();
            prop_assert!(apart < 2.5e-4, "{found:?} against {believed}");
        }
    }

    /// A board written down and read again knows the same to the bit.
    #[test]
    fn standings_survive_being_written(units in units()) {
        let standings = Evidence::from_units(&rules(), &units).standings(&rules(), NOW.plus_millis(90 * DAY_MS));
        let read: Standings = serde_json::from_slice(&serde_json::to_vec(&standings).unwrap()).unwrap();
        prop_assert_eq!(read, standings);
    }
}

/// RT-54: a cell that turns bad raises the alarm, and what it held before weighs little.
#[test]
fn rt_54_a_cell_that_changes_is_noticed() {
    let rules = rules();
    let cell = |n_good: u32, n_bad: u32| {
        let units: Vec<Unit> = (0..n_good + n_bad).map(|at| unit("one/a", "review", None, at < n_good, NOW)).collect();
        Evidence::from_units(&rules, &units).standings(&rules, NOW).get("one", "one/a").unwrap().tasks["review"].clone()
    };
    assert_eq!((cell(100, 5).drifted_at, cell(100, 5).all.n_units), (None, 105));
    let changed = cell(100, 10);
    assert_eq!(changed.drifted_at, Some(NOW));
    assert!(changed.all.n_units < rules.min_units && changed.all.success_milli < 10_000, "{changed:?}");
}

/// RT-51: without an outcome there is no evidence, and calls that were answered are none.
#[test]
fn rt_51_an_answer_alone_says_nothing_about_success() {
    let rules = rules();
    let mut evidence = Evidence::default();
    let answered = Answered { first_token_ms: 400, whole_ms: 2400, output_tokens: 500, expected_output_tokens: 1000, is_cut: false };
    for at in 0..100 {
        evidence.observe_call(&rules, &CallSeen { offer: key("one/a"), at: NOW.plus_millis(at), answered: Some(answered) });
        evidence.observe(&rules, &Unit { weight_ppm: 0, ..unit("one/a", "review", None, true, NOW) });
    }
    let standings = evidence.standings(&rules, NOW.plus_millis(100));
    let standing = standings.get("one", "one/a").unwrap();
    assert_eq!((standing.all, standing.tasks.len()), (Level::default(), 0));
    let posterior = Posterior::new(&rules, &Contract::builtin().rules().priors.pseudo_counts, 640_000, Some(standing), "review", None);
    assert_eq!((posterior.mean_ppm, posterior.level, posterior.n_units), (640_000, EvidenceLevel::Prior, 0));
    let calls = standing.calls.unwrap();
    assert!((380..=420).contains(&calls.first_token_ms) && (240_000..=260_000).contains(&calls.tokens_per_1000_s), "{calls:?}");
    assert!((480_000..=520_000).contains(&calls.verbosity_ppm) && calls.failed_milli == 0 && calls.answered_milli > 80_000, "{calls:?}");
}

/// Each level shrinks towards the one above it, and counts from the gate on.
#[test]
fn levels_move_the_estimate_once_they_are_past_the_gate() {
    let rules = rules();
    let pseudo = Contract::builtin().rules().priors.pseudo_counts.clone();
    let level = |success: u64, failure: u64| Level {
        success_milli: success * 1000,
        failure_milli: failure * 1000,
        n_units: u32::try_from(success + failure).unwrap(),
    };
    let mut standing = Standing { all: level(30, 10), ..Standing::default() };
    let cell = |all| CellStanding { all, ..CellStanding::default() };
    let mean = |standing: &Standing, caller| {
        let posterior = Posterior::new(&rules, &pseudo, 500_000, Some(standing), "review", caller);
        (posterior.mean_ppm, posterior.level)
    };
    standing.tasks.insert("parsing".into(), cell(level(30, 10)));
    assert_eq!(mean(&standing, None), (500_000, EvidenceLevel::Prior), "one category says nothing about another");
    standing.tasks.insert("parsing".into(), cell(level(15, 5)));
    standing.tasks.insert("research".into(), cell(level(15, 5)));
    assert_eq!(mean(&standing, None), (700_000, EvidenceLevel::Offer), "(10 × 0.5 + 30) / 50");
    standing.tasks.insert("review".into(), cell(level(9, 20)));
    assert_eq!(mean(&standing, None), (700_000, EvidenceLevel::Offer), "29 units are one too few");
    standing.tasks.insert("review".into(), cell(level(10, 20)));
    assert_eq!(mean(&standing, None), (410_526, EvidenceLevel::Cell), "(8 × 0.7 + 10) / 38");
    standing.tasks.get_mut("review").unwrap().callers.insert("key".into(), level(30, 0));
    assert_eq!(mean(&standing, Some("key")), (901_754, EvidenceLevel::Caller), "(6 × 0.410526 + 30) / 36");
    assert_eq!(mean(&standing, Some("other")).1, EvidenceLevel::Cell);
}

#[test]
fn age_takes_half_the_weight_in_a_half_life() {
    let rules = rules();
    let evidence = Evidence::from_units(&rules, &[unit("one/a", "review", None, true, NOW)]);
    let weight = |days: i64| evidence.standings(&rules, NOW.plus_millis(days * DAY_MS)).get("one", "one/a").unwrap().all.success_milli;
    assert_eq!([weight(0), weight(30), weight(60), weight(-5)], [1000, 500, 250, 1000]);
}

/// What one caller allows says nothing of how much a model writes for all others.
#[test]
fn an_answer_that_was_cut_is_not_taken_for_a_short_one() {
    // In tenths; a board rounds to steps.
    let verbosity = |output_tokens, is_cut| {
        let answered = Answered { first_token_ms: 400, whole_ms: 2400, output_tokens, expected_output_tokens: 1000, is_cut };
        let mut evidence = Evidence::default();
        (0..50).for_each(|at| {
            evidence.observe_call(&rules(), &CallSeen { offer: key("one/a"), at: NOW.plus_millis(at), answered: Some(answered) });
        });
        evidence.standings(&rules(), NOW).get("one", "one/a").unwrap().calls.unwrap().verbosity_ppm.div_ceil(2) / 50_000
    };
    assert_eq!((verbosity(1000, false), verbosity(500, false)), (10, 5));
    assert_eq!((verbosity(16, true), verbosity(4000, true)), (10, 40), "it would have been at least so long");
}
