use super::*;
use crate::story::Home;
use vox_base::{Clock as _, Entropy as _, Id, InteractionId};
use vox_store::SettledCall;
use vox_store::rows::gateway::Interaction;

impl Home {
    /// A call of key `key` that `model` answered, in a run where one is named.
    fn called(&self, n: u8, key: Option<KeyId>, model: Option<&'static str>, run: Option<&'static str>, output: i64) -> InteractionId {
        let id = Id::new(self.clock.now(), [n; 10]);
        let interaction = Interaction {
            key_id: key,
            provider: model.map(|_| "openai".into()),
            provider_canonical: model.map(|_| "openai".into()),
            model: model.map(Into::into),
            task_category: Some("testing".into()),
            run_id: run.map(Into::into),
            outcome: "complete".into(),
            output_tokens: Some(output),
            ..Interaction::unknown(id, self.clock.now())
        };
        self.store.settle(SettledCall { interaction, attempts: Vec::new(), decision: None, entries: Vec::new(), is_reserved: false });
        id
    }

    async fn post(&self, poster: &Poster, outcome: PostOutcome) -> Result<OutcomePosted, Coded> {
        let random = || {
            let mut bytes = [0; 10];
            self.entropy.fill(&mut bytes);
            bytes
        };
        let (rules, contract) = (OutcomeRules::builtin(), &self.snapshot.contract);
        let intake = Intake { store: &self.store, rules, contract, random: &random, now: self.clock.now() };
        post(&intake, poster, &outcome, None).await
    }
}

fn passed(id: InteractionId, key: &str) -> PostOutcome {
    PostOutcome {
        interaction_id: Some(id),
        source: "tests".into(),
        success: Some(true),
        idempotency_key: key.into(),
        ..PostOutcome::default()
    }
}

fn caller(n: u8) -> (KeyId, Poster) {
    let key_id = Id::from_bytes([n; 16]);
    (key_id, Poster::Caller { key_id, of_run: false })
}

fn code(result: Result<OutcomePosted, Coded>) -> &'static str {
    result.unwrap_err().code
}

#[tokio::test]
async fn rt_52_a_key_speaks_of_its_own_calls_only() {
    let home = Home::new();
    let ((key, own), (_, other)) = (caller(1), caller(2));
    let id = home.called(1, Some(key), Some("gpt"), None, 10);
    let posted = home.post(&own, passed(id, "a")).await.unwrap();
    assert_eq!((posted.success, posted.weight_ppm, &*posted.credits[0].model), (Some(true), 1_000_000, "gpt"));
    assert_eq!(code(home.post(&other, passed(id, "a")).await), "route.outcome_rejected");
    let nobodys = Id::new(home.clock.now(), [99; 10]);
    assert_eq!(code(home.post(&own, passed(nobodys, "b")).await), "route.outcome_rejected", "what is not there looks like another's");
    assert_eq!(code(home.post(&Poster::Admin, passed(nobodys, "b")).await), "gateway.trace_unknown");
}

#[tokio::test]
async fn rt_52_the_same_key_gets_the_first_answer() {
    let home = Home::new();
    let (key, own) = caller(1);
    let id = home.called(1, Some(key), Some("gpt"), None, 10);
    let first = home.post(&own, passed(id, "a")).await.unwrap();
    home.clock.advance_ms(5000);
    let again = home.post(&own, PostOutcome { success: Some(false), ..passed(id, "a") }).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(home.store.outcomes_of(Unit::Call(id)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn rt_53_a_run_credits_each_model_by_its_output() {
    let home = Home::new();
    let (key, own) = caller(1);
    home.called(1, Some(key), Some("one"), Some("r1"), 70);
    home.called(2, Some(key), Some("two"), Some("r1"), 30);
    home.called(3, Some(key), None, Some("r1"), 0);
    let outcome = PostOutcome {
        run_id: Some("r1".into()),
        source: "tests".into(),
        success: Some(true),
        idempotency_key: "k".into(),
        ..Default::default()
    };
    let posted = home.post(&own, outcome.clone()).await.unwrap();
    let shares: Vec<(&str, i64)> = posted.credits.iter().map(|credit| (&*credit.model, credit.share_ppm)).collect();
    assert_eq!(shares, [("one", 700_000), ("two", 300_000)]);
    home.called(4, None, Some("two"), Some("r1"), 30);
    let later = PostOutcome { idempotency_key: "k2".into(), ..outcome };
    assert_eq!(code(home.post(&own, later).await), "route.outcome_rejected", "another's call is in it");
}

#[tokio::test]
async fn rt_28_giving_up_without_confidence_penalises_and_just_enough_does_not() {
    let home = Home::new();
    let id = home.called(1, None, Some("gpt"), None, 10);
    let abstain = |confidence_ppm, key: &str| PostOutcome {
        interaction_id: Some(id),
        source: "socrates".into(),
        decision: Some("abstain".into()),
        confidence_ppm,
        idempotency_key: key.into(),
        ..PostOutcome::default()
    };
    let sure = home.post(&Poster::Admin, abstain(Some(500_000), "a")).await.unwrap();
    assert_eq!((sure.penalised_until, sure.success), (None, Some(false)));
    assert!(home.store.penalties(home.clock.now()).await.unwrap().is_empty());
    let unsure = home.post(&Poster::Admin, abstain(Some(499_999), "b")).await.unwrap();
    assert_eq!(unsure.penalised_until, Some(home.clock.now().plus_millis(600_000).to_string()));
    home.clock.advance_ms(300_000);
    home.post(&Poster::Admin, abstain(None, "c")).await.unwrap();
    let open = home.store.penalties(home.clock.now().plus_millis(599_999)).await.unwrap();
    assert_eq!(open.len(), 1, "the later one holds until its own end");
    assert_eq!(open[0].confidence_ppm, Some(0));
    assert!(home.store.penalties(home.clock.now().plus_millis(600_000)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_malformed_is_named() {
    let home = Home::new();
    let id = home.called(1, None, Some("gpt"), None, 10);
    let unanswered = home.called(2, None, None, None, 0);
    let at = async |outcome: PostOutcome| {
        let error = home.post(&Poster::Admin, outcome).await.unwrap_err();
        assert_eq!(error.code, "route.outcome_invalid", "{error}");
        error.at.unwrap()
    };
    assert_eq!(at(PostOutcome { source: "rumour".into(), ..passed(id, "k") }).await, "source");
    assert_eq!(at(PostOutcome { decision: Some("shrug".into()), ..passed(id, "k") }).await, "decision");
    assert_eq!(at(PostOutcome { success: None, ..passed(id, "k") }).await, "success");
    assert_eq!(at(PostOutcome { run_id: Some("r".into()), ..passed(id, "k") }).await, "interaction_id");
    assert_eq!(at(PostOutcome { interaction_id: None, run_id: Some(String::new()), ..passed(id, "k") }).await, "run_id");
    assert_eq!(at(passed(id, "")).await, "idempotency_key");
    assert_eq!(at(passed(id, &"k".repeat(129))).await, "idempotency_key");
    assert_eq!(at(passed(unanswered, "k")).await, "interaction_id", "no model answered it");
}
