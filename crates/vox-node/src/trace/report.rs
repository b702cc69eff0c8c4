//! The shape of a trace for `--json` and the node API: names, numbers with their unit, times in RFC 3339.

use super::cost::{CostLine, lines};
use serde::Serialize;
use serde_json::Value;
use vox_base::NanoUsd;
use vox_route::Prices;
use vox_store::CallRecord;
use vox_store::rows::gateway::{Attempt, Interaction};
use vox_store::rows::routing::{DecisionRow, PriceSnapshot};

/// One call, whole. What is `null` is not known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of the call's row, explained in contracts/db/gateway.v1.yaml")]
pub struct TraceReport {
    pub interaction_id: String,
    pub trace_id: String,
    pub trace_origin: String,
    pub span_id: String,
    pub parent_span_id: Option<String>,
    pub session_id: Option<String>,
    pub run_id: Option<String>,
    pub task_id: Option<String>,
    pub key_id: Option<String>,
    pub dialect: Option<String>,
    pub endpoint: Option<String>,
    pub requested_model: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub model_reported: Option<String>,
    pub task: Option<String>,
    pub complexity: Option<i64>,
    pub outcome: String,
    pub stop_reason: Option<String>,
    pub stop_reason_raw: Option<String>,
    pub streamed: bool,
    pub translated: bool,
    pub started_at: String,
    pub ended_at: String,
    pub ttft_ms: Option<i64>,
    pub latency_ms: Option<i64>,
    pub overhead_us: Option<i64>,
    pub request_bytes: Option<i64>,
    pub response_bytes: Option<i64>,
    pub tokens: TokenReport,
    pub cost_nano_usd: Option<i64>,
    pub computed_nano_usd: Option<i64>,
    pub cost_source: String,
    pub cache_savings_nano_usd: Option<i64>,
    pub price_snapshot_id: Option<String>,
    pub cost_lines: Vec<CostLine>,
    pub flags: Value,
    pub decision: Option<DecisionReport>,
    pub attempts: Vec<AttemptReport>,
}

/// Tokens in disjoint classes; `null` where the provider did not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the classes are those of `vox_base::Usage`")]
pub struct TokenReport {
    pub input: Option<i64>,
    pub cache_read: Option<i64>,
    pub cache_write_5m: Option<i64>,
    pub cache_write_1h: Option<i64>,
    pub output: Option<i64>,
    pub reasoning: Option<i64>,
}

/// Why this offer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of the decision's row, explained in contracts/db/routing.v1.yaml")]
pub struct DecisionReport {
    pub decision_id: String,
    pub mode: String,
    pub reason: String,
    pub chosen: Option<String>,
    pub task: Option<String>,
    pub task_source: Option<String>,
    pub complexity: Option<i64>,
    pub complexity_raw: Option<i64>,
    pub rules: Value,
    pub session: Value,
    pub contract_digest: String,
    pub catalog_digest: String,
    pub board_digest: String,
}

/// One try of the call at one offer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of the attempt's row, explained in contracts/db/gateway.v1.yaml")]
pub struct AttemptReport {
    pub number: i64,
    pub span_id: String,
    pub provider: String,
    pub model: String,
    pub secret_id: Option<String>,
    pub outcome: String,
    pub error_class: Option<String>,
    pub error_text: Option<String>,
    pub http_status: Option<i64>,
    pub upstream_request_id: Option<String>,
    pub started_at: String,
    pub waited_ms: Option<i64>,
    pub ttft_ms: Option<i64>,
    pub latency_ms: Option<i64>,
    pub bytes_to_client: Option<i64>,
    pub usage: Value,
    pub cost_nano_usd: Option<i64>,
    pub cost_source: String,
}

pub(super) fn report(call: CallRecord, prices: Option<&PriceSnapshot>) -> TraceReport {
    let prices: Option<Prices> = prices.and_then(|snapshot| serde_json::from_str(&snapshot.prices_json).ok());
    let row = call.interaction;
    TraceReport {
        interaction_id: row.interaction_id.to_string(),
        trace_id: row.trace_id.to_string(),
        trace_origin: row.trace_origin.to_string(),
        span_id: row.span_id.to_string(),
        parent_span_id: text(row.parent_span_id.as_deref()),
        session_id: text(row.session_id.as_deref()),
        run_id: text(row.run_id.as_deref()),
        task_id: text(row.task_id.as_deref()),
        key_id: row.key_id.map(|id| id.to_string()),
        dialect: text(row.dialect_in.as_deref()),
        endpoint: text(row.endpoint.as_deref()),
        requested_model: text(row.requested_model.as_deref()),
        provider: text(row.provider.as_deref()),
        model: text(row.model.as_deref()),
        model_reported: text(row.model_reported.as_deref()),
        task: text(row.task_category.as_deref()),
        complexity: row.complexity,
        outcome: row.outcome.to_string(),
        stop_reason: text(row.stop_reason.as_deref()),
        stop_reason_raw: text(row.stop_reason_raw.as_deref()),
        streamed: row.streamed,
        translated: row.translated,
        started_at: row.created_at.to_string(),
        ended_at: row.ended_at.to_string(),
        ttft_ms: row.ttft_ms,
        latency_ms: row.latency_ms,
        overhead_us: row.gateway_overhead_us,
        request_bytes: row.request_bytes,
        response_bytes: row.response_bytes,
        tokens: tokens(&row),
        cost_nano_usd: row.cost_nano_usd.map(NanoUsd::get),
        computed_nano_usd: row.computed_nano_usd.map(NanoUsd::get),
        cost_source: row.cost_source.to_string(),
        cache_savings_nano_usd: row.cache_savings_nano_usd.map(NanoUsd::get),
        price_snapshot_id: row.price_snapshot_id.map(|id| id.to_string()),
        cost_lines: prices.map(|prices| lines(&row, &prices)).unwrap_or_default(),
        flags: json(row.flags_json.as_deref()),
        decision: call.decision.map(decision),
        attempts: call.attempts.into_iter().map(attempt).collect(),
    }
}

fn tokens(row: &Interaction) -> TokenReport {
    TokenReport {
        input: row.input_tokens,
        cache_read: row.cache_read_tokens,
        cache_write_5m: row.cache_write_5m_tokens,
        cache_write_1h: row.cache_write_1h_tokens,
        output: row.output_tokens,
        reasoning: row.reasoning_tokens,
    }
}

fn decision(row: DecisionRow) -> DecisionReport {
    let mut asked = json(Some(&row.features_json));
    let mut of_asked = |name: &str| asked.get_mut(name).map(Value::take).unwrap_or_default();
    DecisionReport {
        rules: of_asked("rules"),
        session: of_asked("session"),
        decision_id: row.decision_id.to_string(),
        mode: row.mode.into(),
        reason: row.reason.into(),
        chosen: text(row.chosen.as_deref()),
        task: text(row.task.as_deref()),
        task_source: text(row.task_source.as_deref()),
        complexity: row.complexity,
        complexity_raw: row.complexity_raw,
        contract_digest: row.contract_digest.to_string(),
        catalog_digest: row.catalog_digest.to_string(),
        board_digest: row.board_digest.to_string(),
    }
}

fn attempt(row: Attempt) -> AttemptReport {
    AttemptReport {
        number: row.attempt_number,
        span_id: row.span_id.into(),
        provider: row.provider.into(),
        model: row.model.into(),
        secret_id: text(row.credential_ref.as_deref()),
        outcome: row.outcome.into(),
        error_class: text(row.error_class.as_deref()),
        error_text: text(row.error_text.as_deref()),
        http_status: row.http_status,
        upstream_request_id: text(row.upstream_request_id.as_deref()),
        started_at: row.created_at.to_string(),
        waited_ms: row.waited_ms,
        ttft_ms: row.ttft_ms,
        latency_ms: row.latency_ms,
        bytes_to_client: row.bytes_to_client,
        usage: json(row.usage_json.as_deref()),
        cost_nano_usd: row.cost_nano_usd.map(NanoUsd::get),
        cost_source: row.cost_source.into(),
    }
}

fn text(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
