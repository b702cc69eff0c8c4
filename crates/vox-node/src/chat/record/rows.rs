//! The rows of a call that ended: the call itself, why this offer, and what it costs whom.

use super::{Open, Outcome, count, digits, millis};
use std::sync::Arc;
use std::time::Duration;
use vox_base::{CostSource, NanoUsd, Timestamp, Usage};
use vox_route::{Ask, Offer};
use vox_store::Text;
use vox_store::rows::gateway::{BudgetEntry, Interaction};
use vox_store::rows::routing::DecisionRow;
use vox_wire::Tally;

impl Open {
    #[expect(clippy::too_many_arguments, reason = "each is one group of columns, and the row is built in this one place")]
    pub(super) fn interaction(
        &mut self,
        outcome: Outcome,
        tally: Option<&Tally>,
        usage: &Usage,
        (cost, source): (Option<NanoUsd>, CostSource),
        overhead: Duration,
        ended_at: Timestamp,
        n_attempts: usize,
    ) -> Interaction {
        let current = self.current.as_ref();
        let offer = current.map(|current| &current.offer);
        let tokens = |class: Option<u64>| class.map(count);
        let computed = offer.and_then(|offer| vox_route::price::cost(&offer.prices, usage));
        let suspect = tally.is_some_and(Tally::is_suspect);
        Interaction {
            interaction_id: self.interaction_id,
            trace_id: self.trace_id,
            span_id: digits(self.span_id),
            parent_span_id: self.inbound.as_ref().map(|inbound| digits(inbound.span)),
            trace_origin: if self.inbound.is_some() { "inbound" } else { "local" }.into(),
            session_id: self.call.session_name.take().map(Into::into),
            run_id: self.call.run.take().map(Into::into),
            task_id: None,
            key_id: self.call.caller.as_ref().map(|caller| caller.key.key_id),
            dialect_in: Some(self.call.dialect.as_str().into()),
            endpoint: Some(self.call.endpoint.as_str().into()),
            requested_model: Some(std::mem::take(&mut self.call.requested_model).into()),
            decision_id: Some(self.interaction_id.cast()),
            provider: offer.map(|offer| (&*offer.provider).into()),
            provider_canonical: current.map(|current| (&*current.route.canonical).into()),
            model: offer.map(|offer| (&*offer.native_id).into()),
            model_reported: tally.and_then(|tally| tally.model_reported.clone()).map(Into::into),
            task_category: Some((&*self.decision.task).into()),
            strength_tag: None,
            complexity: Some(i64::from(self.decision.complexity)),
            outcome: outcome.as_str().into(),
            stop_reason: tally.and_then(|tally| tally.stop).map(|stop| stop.as_str().into()),
            stop_reason_raw: tally.and_then(|tally| tally.stop_raw.clone()).map(Into::into),
            streamed: self.call.stream,
            translated: current.is_some_and(|current| current.translated),
            attempts: count(n_attempts as u64),
            input_tokens: tokens(usage.input),
            cache_read_tokens: tokens(usage.cache_read),
            cache_write_5m_tokens: tokens(usage.cache_write_5m),
            cache_write_1h_tokens: tokens(usage.cache_write_1h),
            output_tokens: tokens(usage.output),
            reasoning_tokens: tokens(usage.reasoning),
            server_tool_units_json: tally.and_then(server_tools),
            context_utilization_bp: context_use(usage, offer),
            cost_nano_usd: cost,
            computed_nano_usd: computed.filter(|_| source == CostSource::ProviderReported),
            cost_source: source.as_str().into(),
            price_snapshot_id: offer.and_then(|offer| self.snapshot.price_snapshot(&offer.id)),
            cache_savings_nano_usd: offer
                .filter(|_| usage.cache_read.is_some())
                .and_then(|offer| vox_route::price::cache_savings(&offer.prices, usage)),
            ttft_ms: self.first_token.map(millis),
            latency_ms: Some(millis(self.started.elapsed())),
            gateway_overhead_us: i64::try_from(overhead.as_micros()).ok(),
            request_bytes: Some(count(self.call.request_bytes)),
            response_bytes: Some(count(self.response_bytes)),
            flags_json: suspect.then(|| flags(tally)),
            created_at: self.now,
            ended_at,
        }
    }

    pub(super) fn decision_row(&self) -> DecisionRow {
        let pick = self.decision.pick();
        DecisionRow {
            decision_id: self.interaction_id.cast(),
            interaction_id: Some(self.interaction_id),
            at: self.now,
            caller_ref: self.call.caller.as_ref().map(|caller| caller.key.public_id.clone()),
            session_ref: None,
            task: Some((&*self.decision.task).into()),
            task_source: Some(self.ask.task_source.as_str().into()),
            complexity: Some(i64::from(self.decision.complexity)),
            complexity_raw: Some(self.ask.complexity_raw),
            features_json: features(&self.ask),
            contract_digest: self.snapshot.contract.digest(),
            catalog_digest: self.snapshot.catalog.digest(),
            board_digest: self.snapshot.board.digest(),
            seed: i64::from_ne_bytes(self.decision.seed.to_ne_bytes()),
            mode: self.decision.mode.as_str().into(),
            reason: self.decision.reason.as_str().into(),
            chosen: pick.map(|pick| (&*pick.offer.id).into()),
            propensity_ppb: pick.map(|_| count(self.decision.propensity_ppb)),
            epsilon_ppm: Some(i64::from(self.decision.epsilon_ppm)),
            lambda_milli: None,
        }
    }

    /// Returns one money entry for each account that counts the call: the key and every key above it.
    pub(super) fn entries(&self, cost: Option<NanoUsd>, at: Timestamp) -> Vec<BudgetEntry> {
        let Some(amount) = cost.filter(|cost| *cost != NanoUsd::ZERO) else { return Vec::new() };
        let chain = self.call.caller.as_ref().map(|caller| caller.chain.as_slice()).unwrap_or_default();
        let entry = |account: &vox_base::KeyId| BudgetEntry {
            entry_id: self.node.new_id(at),
            account: account.to_string().into(),
            kind: "settle".into(),
            amount_nano_usd: amount,
            call_id: self.interaction_id,
            by: None,
            at,
        };
        chain.iter().map(entry).collect()
    }
}

/// Returns what was asked, without its text.
fn features(ask: &Ask) -> Text {
    let mut json = Vec::with_capacity(512);
    let written = serde_json::to_writer(&mut json, ask).is_ok();
    String::from_utf8(json).ok().filter(|_| written).unwrap_or_else(|| "{}".to_owned()).into()
}

fn server_tools(tally: &Tally) -> Option<Text> {
    if tally.server_tools.is_empty() {
        return None;
    }
    let units: serde_json::Map<String, serde_json::Value> =
        tally.server_tools.iter().map(|(name, n)| (name.clone(), (*n).into())).collect();
    Some(serde_json::Value::from(units).to_string().into())
}

/// The provider's own words about absurd usage, so that a person can judge them.
fn flags(tally: Option<&Tally>) -> Text {
    let raw: Option<String> = tally.and_then(|tally| tally.usage_raw.clone()).map(|raw| raw.chars().take(500).collect());
    serde_json::json!({ "usage_suspect": true, "usage_raw": raw }).to_string().into()
}

fn context_use(usage: &Usage, offer: Option<&Arc<Offer>>) -> Option<i64> {
    let context = offer?.context_tokens.filter(|tokens| *tokens > 0)?;
    let used = usage.total_input()?.saturating_add(usage.total_output().unwrap_or(0));
    i64::try_from(used.saturating_mul(10_000) / context).ok()
}
