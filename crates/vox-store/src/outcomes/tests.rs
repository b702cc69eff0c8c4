use crate::rows::routing::{OutcomeRow, PenaltyRow};
use crate::sample::{self, DAY_MS, NOON, interaction_id};
use crate::story::{Home, on_both_engines};
use crate::{NewOutcome, Posted, Store, Unit};
use vox_base::{Id, Timestamp};

const PRECEDENCE: [&str; 4] = ["tests", "human_feedback", "socrates", "agent_claim"];

pub(crate) fn row(n: u8, source: &'static str, success: bool) -> OutcomeRow {
    OutcomeRow {
        outcome_id: Id::new(NOON.plus_millis(i64::from(n)), [n; 10]),
        version: 1,
        posted_by: "admin".into(),
        idempotency_key: format!("key {n}").into(),
        part: 0,
        unit_kind: "call".into(),
        unit_id: interaction_id(1, NOON).to_string().into(),
        interaction_id: Some(interaction_id(1, NOON)),
        provider_canonical: "openrouter".into(),
        model: "meridian/swift-4".into(),
        task: "code_gen".into(),
        caller_ref: None,
        source: source.into(),
        success: Some(success),
        score_ppm: None,
        weight_ppm: if source == "agent_claim" { 0 } else { 600_000 },
        share_ppm: 1_000_000,
        confidence_ppm: None,
        decision: None,
        evidence_ref: None,
        comment: None,
        superseded_by: None,
        observed_at: NOON,
    }
}

fn penalty(n: u8, until_at: Timestamp) -> PenaltyRow {
    PenaltyRow {
        penalty_id: Id::new(NOON, [n; 10]),
        provider_canonical: "openrouter".into(),
        model: "meridian/swift-4".into(),
        task: "code_gen".into(),
        cause: "abstain".into(),
        confidence_ppm: Some(490_000),
        interaction_id: None,
        from_at: NOON,
        until_at,
        cleared_by: None,
        cleared_at: None,
    }
}

async fn post(store: &Store, row: OutcomeRow) -> Posted {
    store.post_outcome(NewOutcome { rows: vec![row], penalties: Vec::new(), precedence: PRECEDENCE.to_vec() }).await.unwrap()
}

async fn counting(store: &Store) -> Vec<(String, Option<bool>)> {
    let rows = store.outcomes(NOON.plus_millis(-DAY_MS)).await.unwrap();
    rows.into_iter().map(|row| (row.source.into(), row.success)).collect()
}

on_both_engines!(the_best_source_of_a_unit_counts_and_of_equals_the_last);
async fn the_best_source_of_a_unit_counts_and_of_equals_the_last(home: Home) {
    let store = home.open();
    post(&store, row(1, "human_feedback", true)).await;
    post(&store, row(2, "human_feedback", true)).await;
    post(&store, row(3, "human_feedback", false)).await;
    assert_eq!(counting(&store).await, [("human_feedback".to_owned(), Some(false))], "the last thumb");
    post(&store, row(4, "socrates", true)).await;
    assert_eq!(counting(&store).await, [("human_feedback".to_owned(), Some(false))], "a lesser source changes nothing");
    post(&store, row(5, "tests", true)).await;
    assert_eq!(counting(&store).await, [("tests".to_owned(), Some(true))]);
    post(&store, row(6, "human_feedback", false)).await;
    assert_eq!(counting(&store).await, [("tests".to_owned(), Some(true))]);
    let all = store.outcomes_of(Unit::Call(interaction_id(1, NOON))).await.unwrap();
    assert_eq!(all.len(), 6, "nothing is deleted or overwritten");
    assert_eq!(all.iter().filter(|row| row.superseded_by.is_none()).count(), 1);
}

on_both_engines!(rt_52_a_key_used_twice_is_one_row_and_the_first_answer);
async fn rt_52_a_key_used_twice_is_one_row_and_the_first_answer(home: Home) {
    let store = home.open();
    let first = post(&store, row(1, "tests", true)).await;
    let again = OutcomeRow { outcome_id: Id::new(NOON, [9; 10]), success: Some(false), ..row(1, "tests", false) };
    let second = post(&store, again.clone()).await;
    assert_eq!((first.is_new, second.is_new, &first.rows), (true, false, &second.rows));
    let other = post(&store, OutcomeRow { posted_by: "somebody else".into(), ..again }).await;
    assert!(other.is_new, "a key is its poster's own");
    assert_eq!(store.outcomes_of(Unit::Call(interaction_id(1, NOON))).await.unwrap().len(), 2);
}

on_both_engines!(rt_52_a_claim_without_weight_is_stored_and_does_not_count);
async fn rt_52_a_claim_without_weight_is_stored_and_does_not_count(home: Home) {
    let store = home.open();
    post(&store, row(1, "agent_claim", true)).await;
    assert_eq!(counting(&store).await, []);
    assert_eq!(store.outcomes_of(Unit::Call(interaction_id(1, NOON))).await.unwrap().len(), 1);
}

on_both_engines!(changes_are_numbered_in_their_order_whatever_the_clock_says);
async fn changes_are_numbered_in_their_order_whatever_the_clock_says(home: Home) {
    let store = home.open();
    assert_eq!(store.evidence_version().await.unwrap(), 0);
    post(&store, row(1, "tests", true)).await;
    let seen = store.evidence_version().await.unwrap();
    let earlier = NOON.plus_millis(-3_600_000);
    post(&store, OutcomeRow { unit_id: "another".into(), observed_at: earlier, ..row(2, "tests", false) }).await;
    let new = store.outcomes_after(seen).await.unwrap();
    assert_eq!(new.iter().map(|row| (&*row.unit_id, row.observed_at)).collect::<Vec<_>>(), [("another", earlier)]);
    assert!(store.evidence_version().await.unwrap() > seen);
}

on_both_engines!(rt_53_a_runs_credits_are_the_output_of_its_calls);
async fn rt_53_a_runs_credits_are_the_output_of_its_calls(home: Home) {
    let store = home.open();
    for (n, model, output, reasoning) in [(1, "one", 40, Some(30)), (2, "two", 30, None), (3, "two", 0, None)] {
        let mut call = sample::call(n, NOON);
        call.interaction.run_id = Some("run-7".into());
        call.interaction.model = Some(model.into());
        (call.interaction.output_tokens, call.interaction.reasoning_tokens) = (Some(output), reasoning);
        store.settle(call);
    }
    store.settle(sample::call(4, NOON));
    store.flush().await.unwrap();
    let credits = store.credits(Unit::Run("run-7".into())).await.unwrap();
    let found: Vec<_> = credits.iter().map(|credit| (credit.model.as_deref().unwrap(), credit.output_tokens, credit.calls)).collect();
    assert_eq!(found, [("one", 70, 1), ("two", 30, 2)]);
    assert_eq!(store.credits(Unit::Call(interaction_id(4, NOON))).await.unwrap().len(), 1);
    assert_eq!(store.credits(Unit::Run("no such run".into())).await.unwrap(), []);
}

on_both_engines!(rt_28_a_penalty_ends_by_time_or_by_a_person);
async fn rt_28_a_penalty_ends_by_time_or_by_a_person(home: Home) {
    let store = home.open();
    let until = NOON.plus_millis(600_000);
    let new = NewOutcome {
        rows: vec![row(1, "socrates", false)],
        penalties: vec![penalty(1, until), penalty(2, until)],
        precedence: PRECEDENCE.to_vec(),
    };
    store.post_outcome(new.clone()).await.unwrap();
    store.post_outcome(new).await.unwrap();
    let open = async |millis| store.penalties(NOON.plus_millis(millis)).await.unwrap().len();
    assert_eq!((open(0).await, open(599_999).await, open(600_000).await), (2, 2, 0), "the same key twice penalises once");
    assert_eq!(open(-DAY_MS).await, 0, "a clock set back does not prolong it");
    let clear = async |task: &str| {
        let offer = ("openrouter".to_owned(), "meridian/swift-4".to_owned());
        store.clear_penalties(offer, Some(task.to_owned()), "cli".to_owned(), NOON.plus_millis(1)).await.unwrap()
    };
    let seen = store.evidence_version().await.unwrap();
    assert_eq!((clear("testing").await, clear("code_gen").await, clear("code_gen").await), (0, 2, 0));
    assert_eq!(open(2).await, 0);
    assert_eq!(store.evidence_version().await.unwrap(), seen + 1);
    let rows = store.all_penalties().await.unwrap();
    assert!(rows.iter().all(|row| row.cleared_by.as_deref() == Some("cli")), "the rows stay and say who did it");
}
