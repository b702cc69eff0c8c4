//! Rows like those of real calls, for tests and benches; everything follows from a number.

use std::path::Path;
use vox_base::{DecisionId, Digest, EntryId, Id, InteractionId, KeyId, NanoUsd, Timestamp};
use vox_store::rows::gateway::{Attempt, BudgetEntry, CallerKey, Interaction};
use vox_store::rows::routing::{CatalogFetch, DecisionRow};
use vox_store::{Access, OpenOptions, SettledCall, Store, StoredKey};

/// 2026-11-21T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_262_400_000);
pub(crate) const DAY_MS: i64 = 86_400_000;

pub(crate) fn options(data_dir: &Path) -> OpenOptions {
    OpenOptions {
        data_dir: data_dir.to_owned(),
        db: None,
        may_migrate: false,
        access: Access::Create,
        now: NOON,
        vox_version: "0.0.0",
        store_id: Id::new(NOON, [7; 10]),
    }
}

pub(crate) fn open(data_dir: &Path) -> Store {
    Store::open(options(data_dir)).expect("the store opens")
}

fn id<K>(n: u64, at: Timestamp) -> Id<K> {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    Id::new(at, random)
}

pub(crate) fn interaction_id(n: u64, at: Timestamp) -> InteractionId {
    id(n, at)
}

pub(crate) fn key_id(n: u64) -> KeyId {
    id(n, NOON)
}

/// A call that cost 1,250 nano-USD, with its attempt, decision and entry.
pub(crate) fn call(n: u64, at: Timestamp) -> SettledCall {
    let interaction_id = interaction_id(n, at);
    SettledCall {
        interaction: Interaction {
            span_id: "00f067aa0ba902b7".into(),
            key_id: Some(key_id(1)),
            dialect_in: Some("openai.chat".into()),
            endpoint: Some("/v1/chat/completions".into()),
            requested_model: Some("vox/auto".into()),
            decision_id: Some(id(n, at)),
            provider: Some("openrouter".into()),
            provider_canonical: Some("openrouter".into()),
            model: Some("meridian/swift-4".into()),
            model_reported: Some("meridian/swift-4-0815".into()),
            task_category: Some("code_edit".into()),
            complexity: Some(4),
            outcome: "complete".into(),
            stop_reason: Some("stop".into()),
            stop_reason_raw: Some("stop".into()),
            streamed: true,
            attempts: 1,
            input_tokens: Some(812),
            cache_read_tokens: Some(0),
            output_tokens: Some(96),
            cost_nano_usd: Some(NanoUsd::new(1250)),
            cost_source: "computed".into(),
            price_snapshot_id: Some(id(1, NOON)),
            ttft_ms: Some(210),
            latency_ms: Some(900),
            gateway_overhead_us: Some(140),
            request_bytes: Some(3300),
            response_bytes: Some(5200),
            ended_at: at.plus_millis(900),
            ..Interaction::unknown(interaction_id, at)
        },
        attempts: vec![attempt(interaction_id, at)],
        decision: Some(decision(id(n, at), interaction_id, at)),
        entries: vec![entry(n, interaction_id, at)],
        is_reserved: false,
    }
}

fn attempt(interaction_id: InteractionId, at: Timestamp) -> Attempt {
    Attempt {
        interaction_id,
        attempt_number: 1,
        span_id: "b7ad6b7169203331".into(),
        provider: "openrouter".into(),
        model: "meridian/swift-4".into(),
        credential_ref: Some("openrouter.api_key".into()),
        outcome: "ok".into(),
        error_class: None,
        error_text: None,
        http_status: Some(200),
        upstream_request_id: Some("req-0000000000000000000000001".into()),
        waited_ms: Some(0),
        ttft_ms: Some(210),
        latency_ms: Some(900),
        bytes_to_client: Some(5200),
        usage_json: None,
        cost_nano_usd: Some(NanoUsd::new(1250)),
        cost_source: "computed".into(),
        created_at: at,
        expires_at: at.plus_millis(90 * DAY_MS),
    }
}

pub(crate) fn decision(decision_id: DecisionId, interaction_id: InteractionId, at: Timestamp) -> DecisionRow {
    DecisionRow {
        decision_id,
        interaction_id: Some(interaction_id),
        at,
        caller_ref: None,
        session_ref: None,
        task: Some("code_edit".into()),
        task_source: Some("inferred".into()),
        complexity: Some(4),
        complexity_raw: Some(37),
        // As the server writes it back, so that rows can be compared.
        features_json: r#"{"tools": 3, "images": 0, "input_tokens": 812}"#.into(),
        contract_digest: Digest::of(b"contract"),
        catalog_digest: Digest::of(b"catalog"),
        board_digest: Digest::of(b"board"),
        seed: 42,
        mode: "scored".into(),
        reason: "best score".into(),
        chosen: Some("openrouter/meridian/swift-4".into()),
        propensity_ppb: Some(970_000_000),
        epsilon_ppm: Some(30_000),
        lambda_milli: Some(500),
    }
}

pub(crate) fn entry(n: u64, call_id: InteractionId, at: Timestamp) -> BudgetEntry {
    BudgetEntry {
        entry_id: EntryId::new(at, id::<()>(n, at).as_bytes()[6..].try_into().expect("ten bytes")),
        account: key_id(1).to_string().into(),
        kind: "settle".into(),
        amount_nano_usd: NanoUsd::new(1250),
        call_id,
        at,
        by: None,
    }
}

pub(crate) fn fetch(n: u64) -> CatalogFetch {
    CatalogFetch {
        fetch_id: interaction_id(n, NOON).cast(),
        source: "openrouter".into(),
        at: NOON,
        outcome: "ok".into(),
        requests: 1,
        added: 0,
        removed: 0,
        changed: 0,
        duration_ms: 1,
        error_code: None,
    }
}

pub(crate) fn key(n: u64, parent: Option<u64>) -> StoredKey {
    let key = CallerKey {
        key_id: key_id(n),
        public_id: format!("key{n:07}").into(),
        secret_sha256: Digest::of(&n.to_be_bytes()),
        prev_secret_sha256: None,
        prev_valid_until: None,
        name: format!("key {n}").into(),
        parent_id: parent.map(key_id),
        depth: i64::from(parent.is_some()),
        models_json: None,
        hints_json: None,
        rpm: None,
        tpm: None,
        concurrency: None,
        expires_at: None,
        revoked_at: None,
        allow_unpriced: false,
        may_delegate: false,
        run_id: None,
        created_by: "test".into(),
        created_at: NOON,
        last_used_day: None,
    };
    StoredKey { key, budgets: Vec::new() }
}
