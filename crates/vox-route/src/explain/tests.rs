use super::*;
use crate::Prefer;
use crate::world::{NOW, World, explicit, ids};

fn explained(world: &World) -> (Decision, Explanation) {
    let decision = world.decide();
    let explanation = Explanation::new(&world.contract, &world.catalog(), &world.board(), &world.ask, &decision);
    (decision, explanation)
}

fn world() -> World {
    World::tiers(Contract::builtin()).asked("debugging", 7, Prefer::None)
}

#[test]
fn an_explanation_shows_the_decision_it_is_made_of() {
    let (decision, explanation) = explained(&world());
    let pick = explanation.pick.unwrap();
    assert_eq!(pick.offer, ids(&decision)[0]);
    assert_eq!(pick.margin_nano_usd, Some(decision.ranked[1].j.get() - decision.ranked[0].j.get()));
    let shown: Vec<&str> = explanation.candidates.iter().map(|candidate| candidate.offer.as_str()).collect();
    assert_eq!(shown, ids(&decision));
    let refused: Vec<&str> = explanation.refused.iter().map(|refused| refused.reason).collect();
    assert_eq!(refused, ["tier_floor"; 3]);
    assert_eq!((explanation.ask.task.as_str(), explanation.ask.complexity), ("debugging", 7));
}

#[test]
fn it_holds_digests_of_what_was_decided_on_and_serialises_flat() {
    let world = world();
    let (_, explanation) = explained(&world);
    assert_eq!(explanation.evidence.contract, world.contract.digest().to_string());
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["ask"]["input_tokens"], 1000);
    assert_eq!(json["candidates"][0]["rank"], 1);
    assert!(json["candidates"][0]["success_ppm"].is_number());
}

#[test]
fn why_not_says_what_would_have_to_change() {
    let mut world = world();
    world.ask.max_latency_ms = Some(1000);
    let ask = |world: &World, id: &str| why_not(&world.contract, &world.catalog(), &world.board(), &world.ask, &world.decide(), NOW, id);
    let light = ask(&world, "two/light").unwrap();
    assert_eq!(light.reasons.iter().map(|reason| reason.reason).collect::<Vec<_>>(), ["tier_floor", "too_slow"]);
    assert_eq!(light.would_need.len(), 2);
    world.ask.max_latency_ms = None;
    let second = world.decide().ranked[1].offer.id.to_string();
    let second = ask(&world, &second).unwrap();
    assert!(second.rank == Some(2) && second.would_need[0].contains("lower by $"), "{second:?}");
    assert_eq!(ask(&world, "one/nothing"), None);
    world.ask.wanted = explicit("one/pro");
    assert_eq!(ask(&world, "one/elite").unwrap().reasons[0].reason, "not_wanted");
}

#[test]
fn all_refusals_cover_what_nobody_asked_for() {
    let mut world = world();
    world.entry("one/elite").lifecycle = None;
    let decision = world.decide();
    let all = all_refusals(&world.contract, &world.catalog(), &world.board(), &world.ask, &decision, NOW);
    let of = |id: &str| all.iter().filter(|refused| refused.offer == id).map(|refused| refused.reason).collect::<Vec<_>>();
    assert_eq!(of("one/elite"), ["not_admitted"]);
    assert_eq!(of("two/light"), ["tier_floor"]);
    assert_eq!(of("one/pro"), [""; 0]);
    world.ask.wanted = explicit("nobody/unlisted");
    let decision = world.decide();
    let all = all_refusals(&world.contract, &world.catalog(), &world.board(), &world.ask, &decision, NOW);
    assert!(all.iter().any(|refused| refused.offer == "nobody/unlisted" && refused.reason == "no_credential"));
}
