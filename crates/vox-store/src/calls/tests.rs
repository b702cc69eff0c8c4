use crate::row::Value;
use crate::sample::{self, NOON, call};
use crate::story::{Home, on_both_engines};
use crate::tx::{EachRow, Tx};
use crate::{Store, StoreError, Wanted, calls};
use vox_base::Id;

async fn rows(store: &Store) -> [i64; 5] {
    let count = |table: &'static str| store.read(move |tx| Ok(tx.value::<i64>(&format!("SELECT count(*) FROM {table}"), &[])?.unwrap()));
    [
        count("llm_interactions").await.unwrap(),
        count("llm_attempts").await.unwrap(),
        count("route_decisions").await.unwrap(),
        count("budget_entries").await.unwrap(),
        count("usage_daily").await.unwrap(),
    ]
}

on_both_engines!(st_14_a_failure_after_any_statement_leaves_all_rows_of_a_call_or_none);
async fn st_14_a_failure_after_any_statement_leaves_all_rows_of_a_call_or_none(home: Home) {
    let store = home.open();
    // Behind the mark a call is summed at once, which makes the longest list of statements.
    store.roll_up(NOON.plus_millis(2 * sample::DAY_MS)).await.unwrap();
    let mut statements = 0;
    loop {
        let limit = statements;
        let outcome = store
            .write(move |tx| {
                let horizons = calls::horizons(tx, &[])?;
                let mut failing = Limited { tx, left: limit };
                calls::settle(&mut failing, &horizons, &[Box::new(call(1, NOON))])
            })
            .await;
        let stored = rows(&store).await;
        if outcome.is_ok() {
            assert_eq!(stored, [1, 1, 1, 1, 1]);
            break;
        }
        assert_eq!(stored, [0; 5], "after statement {limit}");
        statements += 1;
    }
    assert!(statements >= 7, "{statements} statements were cut");
}

/// Fails after the statement whose number it is given.
struct Limited<'a> {
    tx: &'a mut dyn Tx,
    left: usize,
}

impl Tx for Limited<'_> {
    fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let done = self.tx.execute(sql, values)?;
        self.left = self.left.checked_sub(1).ok_or_else(|| StoreError::Io("injected".into()))?;
        Ok(done)
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>], each: &mut EachRow<'_>) -> Result<(), StoreError> {
        self.tx.query(sql, values, each)?;
        self.left = self.left.checked_sub(1).ok_or_else(|| StoreError::Io("injected".into()))?;
        Ok(())
    }
}

on_both_engines!(a_settled_call_is_found_by_its_id_its_trace_and_as_the_last);
async fn a_settled_call_is_found_by_its_id_its_trace_and_as_the_last(home: Home) {
    let store = home.open();
    let mut inbound = call(2, NOON);
    inbound.interaction.trace_id = Id::from_bytes([9; 16]);
    inbound.interaction.trace_origin = "inbound".into();
    store.settle(inbound.clone());
    store.settle(call(1, NOON));
    store.flush().await.unwrap();
    let by_trace = store.call(Wanted::Id(Id::from_bytes([9; 16]))).await.unwrap().unwrap();
    assert_eq!(by_trace.interaction, inbound.interaction);
    assert_eq!(by_trace.attempts, inbound.attempts);
    assert_eq!(by_trace.decision, inbound.decision);
    let first = store.call(Wanted::Id(sample::interaction_id(1, NOON))).await.unwrap().unwrap();
    assert_eq!(first.interaction, call(1, NOON).interaction);
    let last = store.call(Wanted::Last).await.unwrap().unwrap();
    assert_eq!(last.interaction.interaction_id, inbound.interaction.interaction_id);
    assert_eq!(store.call(Wanted::Id(Id::from_bytes([8; 16]))).await.unwrap(), None);
}

on_both_engines!(one_bad_call_in_a_batch_takes_only_itself);
async fn one_bad_call_in_a_batch_takes_only_itself(home: Home) {
    let store = home.open();
    store.open_intents(Id::from_bytes([1; 16])).unwrap();
    for n in 0..100 {
        let mut call = call(n, NOON);
        if n == 50 {
            call.interaction.outcome = "splendid".into();
        }
        let intent =
            crate::Intent { interaction_id: call.interaction.interaction_id, key_id: None, amount: vox_base::NanoUsd::ZERO, at: NOON };
        store.intents().unwrap().append(&intent).unwrap();
        store.settle(call);
    }
    store.flush().await.unwrap();
    assert_eq!(rows(&store).await, [99, 99, 99, 99, 0]);
    assert_eq!(store.settles_refused(), 1);
    assert_eq!(store.intents().unwrap().open_calls(), 1, "the refused call keeps its intent and is held at the next start");
}

on_both_engines!(a_value_that_does_not_fit_is_refused_and_names_its_column);
async fn a_value_that_does_not_fit_is_refused_and_names_its_column(home: Home) {
    let store = home.open();
    let mut cases = Vec::new();
    let mut long = call(1, NOON);
    long.interaction.requested_model = Some("m".repeat(257).into());
    cases.push((long, "llm_interactions.requested_model"));
    let mut nul = call(2, NOON);
    nul.attempts[0].provider = "open\0router".into();
    cases.push((nul, "llm_attempts.provider"));
    let mut json = call(3, NOON);
    json.interaction.flags_json = Some("{".into());
    cases.push((json, "llm_interactions.flags_json"));
    let mut far = call(4, NOON);
    far.interaction.created_at = NOON.plus_millis(-2 * sample::DAY_MS);
    cases.push((far, "llm_interactions.created_at"));
    for (call, expected) in cases {
        let call = Box::new(call);
        let outcome = store
            .write(move |tx| {
                let horizons = calls::horizons(tx, &[])?;
                calls::settle(tx, &horizons, std::slice::from_ref(&call))
            })
            .await;
        let Err(StoreError::Value { column, .. }) = outcome else { panic!("{expected}: {outcome:?}") };
        assert_eq!(column, expected);
    }
    assert_eq!(rows(&store).await, [0; 5]);
}

on_both_engines!(an_unknown_amount_is_null_and_not_zero);
async fn an_unknown_amount_is_null_and_not_zero(home: Home) {
    let store = home.open();
    let mut unpriced = call(1, NOON);
    unpriced.interaction.cost_nano_usd = None;
    unpriced.interaction.cost_source = "unknown".into();
    store.settle(unpriced);
    store.flush().await.unwrap();
    let stored = store.call(Wanted::Last).await.unwrap().unwrap().interaction;
    assert_eq!(stored.cost_nano_usd, None);
    assert_eq!(stored.cache_write_5m_tokens, None);
    assert_eq!(stored.cache_read_tokens, Some(0));
}
