use super::*;
use crate::story::Home;
use vox_base::Clock as _;
use vox_store::rows::gateway::Interaction;
use vox_store::{SettledCall, StoreError};
use vox_testkit::Postgres;

fn measured(success_w_ppm: i64, fail_w_ppm: i64, cost: Option<i64>) -> Measured {
    Measured { n_calls: 10, n_units: 4, success_w_ppm, fail_w_ppm, cost: cost.map(NanoUsd::new), ..Measured::default() }
}

#[test]
fn rt_51_without_an_outcome_nothing_is_said_about_quality() {
    let contract = Contract::builtin();
    let nothing = Measured { n_calls: 100, answered: 100, cost: Some(NanoUsd::new(5)), ..Measured::default() };
    let row = score(&contract, Tier::Pro, &ScoreKey::default(), &nothing, (7, Timestamp::from_millis(0)));
    assert_eq!((row.success_ppm, row.quality_ppm, row.ci_low_ppm, row.cost_per_success_nano_usd), (None, None, None, None));
    assert_eq!((row.availability_ppm, &*row.confidence), (Some(1_000_000), "none"));
}

#[test]
fn rates_are_those_worked_out_by_hand() {
    let rates = Rates::of(&measured(3_000_000, 1_000_000, Some(9000)));
    assert_eq!((rates.success_ppm, rates.cost_per_success), (Some(750_000), Some(NanoUsd::new(3000))));
    // Wilson for 3 of 4: 0.3006 to 0.9544.
    let (low, high) = rates.interval_ppm.unwrap();
    assert!((300_000..301_500).contains(&low) && (954_000..955_500).contains(&high), "{low} {high}");
    assert_eq!(Rates::of(&measured(0, 2_000_000, Some(9000))).cost_per_success, None, "no success has no price");
    assert_eq!(Rates::of(&measured(1_000_000, 0, None)).cost_per_success, None, "an unknown cost is not 0");
}

/// RT-48: a thumb down lowers quality.
#[test]
fn rt_48_quality_leans_on_the_prior_and_follows_outcomes() {
    let contract = Contract::builtin();
    let quality = |success, fail| quality(&contract, Tier::Pro, &measured(success, fail, None)).unwrap();
    // (8 × 0.82 + 0.6) / 8.6 and (8 × 0.82) / 8.6
    assert_eq!((quality(600_000, 0), quality(0, 600_000)), (832_558, 762_791));
}

#[test]
fn rt_55_an_observed_price_is_trusted_from_twenty_calls_and_much_from_a_hundred() {
    let charged = |n_both, n_reported| Charged {
        provider: "p".into(),
        model: "m".into(),
        n_reported,
        reported: NanoUsd::new(200 * n_reported),
        reported_tokens: 100 * n_reported,
        n_both,
        both_reported: NanoUsd::new(200 * n_both),
        both_computed: NanoUsd::new(100 * n_both),
        n_estimated: 500,
        n_free: 0,
        prices: None,
        last_at: Timestamp::from_millis(0),
    };
    let row = |n_both, n_reported| priced(&Contract::builtin(), &charged(n_both, n_reported), None, Timestamp::from_millis(0));
    assert_eq!([19, 20, 99, 100].map(|n| row(n, n).confidence), ["none", "medium", "medium", "high"]);
    assert_eq!(row(20, 20).observed_ratio_ppm, Some(2_000_000));
    assert_eq!((row(0, 200).confidence, row(0, 200).observed_ratio_ppm), ("medium".into(), None), "without a list never much");
    assert_eq!(row(0, 200).observed_blended_micros_per_mtok, Some(2000));
}

async fn called(home: &Home) {
    let interaction = Interaction {
        provider_canonical: Some("openai".into()),
        model: Some("gpt-5-mini".into()),
        outcome: "complete".into(),
        ..Interaction::unknown(vox_base::Id::new(home.clock.now(), [1; 10]), home.clock.now())
    };
    home.store.settle(SettledCall { interaction, attempts: Vec::new(), decision: None, entries: Vec::new(), is_reserved: false });
    home.store.flush().await.unwrap();
}

async fn as_of(home: &Home) -> Option<Timestamp> {
    home.store.scores(None).await.unwrap().iter().map(|row| row.as_of).max()
}

#[tokio::test]
async fn rt_49_the_scoreboard_is_measured_once_a_day() {
    let home = Home::new();
    called(&home).await;
    let (first, day) = (home.clock.now(), 86_400_000);
    for _ in 0..2 {
        daily(&home.store, &home.snapshot, home.clock.now()).await.unwrap();
        assert_eq!(as_of(&home).await, Some(first));
        home.clock.advance_ms(60_000);
    }
    home.clock.advance_ms(day);
    daily(&home.store, &home.snapshot, home.clock.now()).await.unwrap();
    assert_eq!(as_of(&home).await, Some(home.clock.now()));
}

/// ST-55, the scoreboard's side: of nodes that share a store the leader measures, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn st_55_of_several_nodes_only_the_leader_measures() {
    let Some(server) = Postgres::shared() else { return };
    let url = server.fresh();
    let (one, other) = (Home::sharing(&url), Home::sharing(&url));
    called(&one).await;
    assert!(one.store.leads(one.clock.now()).await.unwrap());
    daily(&other.store, &other.snapshot, other.clock.now()).await.unwrap();
    assert_eq!(as_of(&one).await, None, "the other one leads");
    daily(&one.store, &one.snapshot, one.clock.now()).await.unwrap();
    assert_eq!(as_of(&one).await, Some(one.clock.now()));
    // Whoever lost the lead while it measured keeps nothing.
    let leading = one.store.leading(one.clock.now()).await.unwrap().unwrap();
    server.sql(&format!("UPDATE {}.leader SET epoch = epoch + 1", url.split_once("vox_schema=").unwrap().1)).unwrap();
    let later = one.clock.now().plus_millis(1000);
    let refused = roll_up(&one.store, &one.snapshot, &WINDOWS, later, Keep::Leading(leading)).await;
    assert_eq!(refused.unwrap_err().code, StoreError::NotLeading.code());
    assert_eq!(as_of(&one).await, Some(one.clock.now()));
    // A person who asks for it gets it on any node.
    roll_up(&other.store, &other.snapshot, &WINDOWS, later, Keep::Asked).await.unwrap();
    assert_eq!(as_of(&one).await, Some(later));
}
