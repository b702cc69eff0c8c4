use super::*;
use crate::story::Home;
use vox_base::{Clock as _, Id, InteractionId};
use vox_route::evidence::Level;
use vox_store::rows::gateway::Interaction;
use vox_store::{NewOutcome, SettledCall};
use vox_testkit::FixedClock;

impl Home {
    async fn load(&self) -> Learned {
        Learned::load(&self.store, &self.snapshot, self.clock.now()).await.unwrap()
    }

    async fn catch_up(&self, learned: &mut Learned) -> bool {
        learned.catch_up(&self.store, &self.snapshot, self.clock.now()).await.unwrap()
    }

    async fn judge(&self, n: u16, unit: u16, source: &'static str, success: bool) {
        let row = OutcomeRow {
            outcome_id: id(n),
            version: 1,
            posted_by: "admin".into(),
            idempotency_key: n.to_string().into(),
            part: 0,
            unit_kind: "call".into(),
            unit_id: unit.to_string().into(),
            interaction_id: None,
            provider_canonical: "openai".into(),
            model: "gpt-5-mini".into(),
            task: ["code_gen", "review"][usize::from(unit % 2)].into(),
            caller_ref: Some(["one", "two"][usize::from(unit % 2)].into()),
            source: source.into(),
            success: Some(success),
            score_ppm: None,
            weight_ppm: 600_000,
            share_ppm: 500_000,
            confidence_ppm: None,
            decision: None,
            evidence_ref: None,
            comment: None,
            superseded_by: None,
            observed_at: self.clock.now(),
        };
        let precedence = vec!["tests", "human_feedback"];
        self.store.post_outcome(NewOutcome { rows: vec![row], penalties: Vec::new(), precedence }).await.unwrap();
    }

    fn all(&self, learned: &Learned) -> Level {
        let standings = learned.standings(&self.snapshot.contract, self.clock.now());
        standings.get("openai", "openai/gpt-5-mini").map(|standing| standing.all).unwrap_or_default()
    }
}

fn id<K>(n: u16) -> Id<K> {
    let mut random = [0; 10];
    random[8..].copy_from_slice(&n.to_be_bytes());
    Id::new(FixedClock::default().now(), random)
}

/// RT-54, the store's side: a node that heard of every outcome believes what one believes that starts now.
#[tokio::test]
async fn rt_54_what_was_heard_bit_by_bit_is_what_the_store_says_at_once() {
    let home = Home::new();
    let mut heard = home.load().await;
    for n in 0..121 {
        // Every third unit is judged again by a better source, some by the same one.
        let (unit, source) = if n % 3 == 2 { (n - 1, "tests") } else { (n, "human_feedback") };
        home.judge(n, unit, source, n % 5 != 0).await;
        home.clock.advance_ms(i64::from(n) * 60_000 - 600_000);
        if n % 7 == 0 {
            assert!(home.catch_up(&mut heard).await);
        }
    }
    assert!(home.catch_up(&mut heard).await && !home.catch_up(&mut heard).await);
    let fresh = home.load().await;
    assert_eq!(home.all(&heard).n_units, 81, "a unit counts once, whoever speaks of it");
    let board = |learned: &Learned| learned.board(&home.snapshot, home.clock.now()).digest();
    assert_eq!(board(&heard), board(&fresh), "in whole numbers they are the same, clocks that jump or not");
}

#[tokio::test]
async fn a_better_word_takes_the_place_of_a_lesser_one() {
    let home = Home::new();
    let mut learned = home.load().await;
    home.judge(1, 1, "human_feedback", false).await;
    home.catch_up(&mut learned).await;
    assert_eq!(home.all(&learned), Level { success_milli: 0, failure_milli: 300, n_units: 1 });
    home.judge(2, 1, "tests", true).await;
    home.catch_up(&mut learned).await;
    assert_eq!(home.all(&learned), Level { success_milli: 300, failure_milli: 0, n_units: 1 });
    home.judge(3, 1, "human_feedback", false).await;
    assert!(home.catch_up(&mut learned).await);
    assert_eq!(home.all(&learned).success_milli, 300, "a lesser one changes nothing");
}

#[tokio::test]
async fn rt_28_a_penalty_is_on_the_board_until_its_end_also_of_a_node_that_starts() {
    let home = Home::new();
    let mut learned = home.load().await;
    let now = home.clock.now();
    let penalty = |n: u16, until_ms: i64| PenaltyRow {
        penalty_id: id(n),
        provider_canonical: "openai".into(),
        model: "gpt-5-mini".into(),
        task: "review".into(),
        cause: "abstain".into(),
        confidence_ppm: Some(0),
        interaction_id: None,
        from_at: now,
        until_at: now.plus_millis(until_ms),
        cleared_by: None,
        cleared_at: None,
    };
    home.judge(1, 1, "tests", true).await;
    let row = OutcomeRow { outcome_id: id(9), idempotency_key: "9".into(), ..home.store.outcomes(now).await.unwrap().remove(0) };
    let penalties = vec![penalty(1, 600_000), penalty(2, 300_000)];
    home.store.post_outcome(NewOutcome { rows: vec![row], penalties, precedence: vec!["tests"] }).await.unwrap();
    home.catch_up(&mut learned).await;
    let until = |learned: &Learned| -> Vec<i64> {
        let board = learned.board(&home.snapshot, home.clock.now());
        board.state().penalties.iter().map(|penalty| penalty.until.millis() - now.millis()).collect()
    };
    assert_eq!(until(&learned), [600_000], "the later one holds");
    home.clock.advance_ms(599_999);
    assert_eq!((until(&learned), until(&home.load().await)), (vec![600_000], vec![600_000]));
    home.clock.advance_ms(1);
    assert_eq!((until(&learned), until(&home.load().await)), (vec![], vec![]));
}

#[tokio::test]
async fn rt_51_a_node_that_starts_knows_how_fast_its_offers_are_and_nothing_of_their_success() {
    let home = Home::new();
    for n in 0..5 {
        let id: InteractionId = id(n);
        let interaction = Interaction {
            provider: Some("openai".into()),
            provider_canonical: Some("openai".into()),
            model: Some("gpt-5-mini".into()),
            task_category: Some("review".into()),
            outcome: "complete".into(),
            output_tokens: Some(500),
            ttft_ms: Some(200),
            latency_ms: Some(1200),
            context_utilization_bp: Some(9000),
            ended_at: home.clock.now(),
            ..Interaction::unknown(id, home.clock.now())
        };
        home.store.settle(SettledCall { interaction, attempts: Vec::new(), decision: None, entries: Vec::new(), is_reserved: false });
    }
    home.store.flush().await.unwrap();
    let learned = home.load().await;
    let board = learned.board(&home.snapshot, home.clock.now());
    let standing = board.standing("openai", "openai/gpt-5-mini").unwrap();
    assert_eq!((standing.all, standing.tasks.len()), (Level::default(), 0));
    let calls = standing.calls.unwrap();
    assert!((190..=210).contains(&calls.first_token_ms), "{calls:?}");
    assert_eq!(board.state().escalations.len(), 1, "RT-29: five full calls want a larger context after a restart, too");
}
