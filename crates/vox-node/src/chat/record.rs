//! What the settled row of a call will say. It is written exactly once: by an ending, or by `Drop` when the caller is
//! gone — so that no path through the driver can forget it.

use super::upstream::Failed;
use super::{Call, Trail, estimate};
use crate::Node;
use crate::ledger::Reserved;
use crate::snapshot::{Route, Snapshot};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vox_base::{CostSource, DecisionId, InteractionId, NanoUsd, Timestamp, TraceId, Usage};
use vox_route::{Ask, Decision, Failure, Offer};
use vox_store::{AttemptRow, BudgetEntry, DecisionRow, InteractionRow, SettledCall};
use vox_wire::{StopReason, Tally};

/// One call between its decision and its settled row.
pub(super) struct CallRecord(Option<Box<Open>>);

struct Open {
    node: Arc<Node>,
    snapshot: Arc<Snapshot>,
    interaction_id: InteractionId,
    trace_id: TraceId,
    span_id: u64,
    inbound: Option<vox_telemetry::TraceContext>,
    call: Facts,
    ask: Ask,
    decision: Decision,
    now: Timestamp,
    started: Instant,
    reserved: Option<Reserved>,
    attempts: Vec<AttemptRow>,
    current: Option<Current>,
    first_token_ms: Option<u64>,
    upstream_time: Duration,
    response_bytes: u64,
    converted: Vec<String>,
    ignored: Vec<String>,
    upstream_request_id: Option<String>,
}

/// What of the request ends up in the row.
struct Facts {
    caller: Option<Arc<crate::keys::Caller>>,
    dialect: vox_wire::Dialect,
    endpoint: vox_wire::Endpoint,
    requested_model: String,
    stream: bool,
    request_bytes: u64,
    input_estimate: u64,
    session: Option<String>,
    run: Option<String>,
}

/// The attempt that is under way.
struct Current {
    offer: Offer,
    route: Arc<Route>,
    started: Instant,
    waited_ms: u64,
    translated: bool,
    span_id: u64,
}

/// How a call ended, as rows and metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Complete,
    Truncated,
    Refused,
    ClientCancelled,
    UpstreamError,
    UpstreamCut,
    UpstreamStalled,
    UpstreamMalformed,
    Deadline,
    Drained,
    Rejected,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Truncated => "truncated",
            Self::Refused => "refused",
            Self::ClientCancelled => "client_cancelled",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamCut => "upstream_cut",
            Self::UpstreamStalled => "upstream_stalled",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::Deadline => "deadline",
            Self::Drained => "drained",
            Self::Rejected => "rejected",
        }
    }

    const fn of_failure(class: Failure) -> Self {
        match class {
            Failure::Cut => Self::UpstreamCut,
            Failure::Stalled => Self::UpstreamStalled,
            Failure::Malformed => Self::UpstreamMalformed,
            Failure::Deadline => Self::Deadline,
            _ => Self::UpstreamError,
        }
    }

    const fn of_answer(stop: Option<StopReason>) -> Self {
        match stop {
            Some(StopReason::Length) => Self::Truncated,
            Some(StopReason::Refused) => Self::Refused,
            _ => Self::Complete,
        }
    }
}

impl CallRecord {
    /// Opens the record of a call that was decided.
    pub(super) fn open(node: Arc<Node>, snapshot: Arc<Snapshot>, call: &Call, ask: Ask, decision: Decision, now: Timestamp) -> Self {
        let interaction_id: InteractionId = node.new_id(now);
        let facts = Facts {
            caller: call.caller.clone(),
            dialect: call.chat.dialect,
            endpoint: call.chat.endpoint,
            requested_model: call.chat.model.clone(),
            stream: call.chat.stream,
            request_bytes: call.chat.document.bytes().len() as u64,
            input_estimate: estimate::input_tokens(call.chat.document.bytes().len() as u64),
            session: call.hints.session.clone(),
            run: call.hints.run.clone(),
        };
        Self(Some(Box::new(Open {
            interaction_id,
            trace_id: call.inbound.as_ref().map_or(interaction_id.cast(), |inbound| inbound.trace_id),
            span_id: node.new_span(),
            inbound: call.inbound.clone(),
            call: facts,
            ask,
            decision,
            now,
            started: call.started,
            reserved: None,
            attempts: Vec::new(),
            current: None,
            first_token_ms: None,
            upstream_time: Duration::ZERO,
            response_bytes: 0,
            converted: Vec::new(),
            ignored: Vec::new(),
            upstream_request_id: None,
            node,
            snapshot,
        })))
    }

    fn open_ref(&self) -> &Open {
        self.0.as_deref().expect("a record is only used before it is settled")
    }

    fn open_mut(&mut self) -> &mut Open {
        self.0.as_deref_mut().expect("a record is only used before it is settled")
    }

    pub(super) fn node(&self) -> &Node {
        &self.open_ref().node
    }

    pub(super) fn interaction_id(&self) -> InteractionId {
        self.open_ref().interaction_id
    }

    pub(super) fn decision(&self) -> &Decision {
        &self.open_ref().decision
    }

    /// Keeps what was reserved; it is settled or released with the record.
    pub(super) fn reserve(&mut self, reserved: Reserved) {
        self.open_mut().reserved = Some(reserved);
    }

    pub(super) fn reserved(&mut self) -> Option<&mut Reserved> {
        self.open_mut().reserved.as_mut()
    }

    /// Begins an attempt and returns the `traceparent` it carries.
    pub(super) fn attempt(&mut self, offer: Offer, route: Arc<Route>, waited_ms: u64, translated: bool) -> String {
        let open = self.open_mut();
        let span_id = open.node.new_span();
        open.current = Some(Current { offer, route, started: Instant::now(), waited_ms, translated, span_id });
        vox_telemetry::traceparent(open.trace_id, span_id)
    }

    /// Notes which request fields changed form or have no effect at the offer being tried.
    pub(super) fn translated(&mut self, converted: Vec<String>, ignored: Vec<String>) {
        let open = self.open_mut();
        (open.converted, open.ignored) = (converted, ignored);
    }

    /// The attempt under way failed; another may follow.
    pub(super) fn attempt_failed(&mut self, failed: &Failed) {
        let open = self.open_mut();
        let charge = failed.may_charge.then(|| open.estimated(Usage::default(), 0)).flatten();
        open.close_attempt("failed", Some(failed), None, charge.map(|cost| (Some(cost), CostSource::Estimated)));
    }

    /// The attempt under way brings an answer.
    pub(super) fn opened(&mut self, request_id: Option<String>) {
        let open = self.open_mut();
        let Some(current) = &open.current else { return };
        let waited = current.started.elapsed();
        open.upstream_time += waited;
        open.first_token_ms = open.call.stream.then(|| millis(waited));
        open.upstream_request_id = request_id;
    }

    /// Counts bytes handed to the caller.
    pub(super) fn passed(&mut self, n_bytes: usize) {
        if let Some(open) = &mut self.0 {
            open.response_bytes += n_bytes as u64;
        }
    }

    /// Removes the provider's credential from a text that it sent.
    pub(super) fn scrub(&self, text: &str) -> String {
        self.open_ref().current.as_ref().map_or_else(String::new, |current| current.route.scrub(text))
    }

    /// Returns what the response headers say.
    pub(super) fn trail(&self) -> Trail {
        let open = self.open_ref();
        let model = open.current.as_ref().map_or_else(String::new, |current| format!("{}/{}", current.offer.provider, current.offer.native_id));
        Trail {
            interaction_id: open.interaction_id,
            decision_id: open.interaction_id.cast(),
            trace_id: open.trace_id,
            model,
            n_attempts: u32::try_from(open.attempts.len()).unwrap_or(u32::MAX) + u32::from(open.current.is_some()),
            reason: open.decision.reason.as_str(),
            session: open.call.session.clone(),
            upstream_request_id: open.upstream_request_id.clone(),
            converted: open.converted.clone(),
            ignored: open.ignored.clone(),
            overhead: open.started.elapsed().saturating_sub(open.upstream_time),
        }
    }

    /// The answer is complete; returns what it cost.
    pub(super) fn complete(&mut self, tally: &Tally) -> (Option<NanoUsd>, CostSource) {
        let Some(mut open) = self.0.take() else { return (None, CostSource::Unknown) };
        let charge = open.charge(tally);
        open.close_attempt("ok", None, Some(tally), Some(charge));
        open.settle(Outcome::of_answer(tally.stop_reason()), Some(tally));
        charge
    }

    /// The stream broke after its first token; what was seen is charged as estimated.
    pub(super) fn broken(&mut self, failed: &Failed, tally: &Tally) {
        let Some(mut open) = self.0.take() else { return };
        let charge = open.estimated(tally.usage(), tally.n_output_bytes());
        open.close_attempt("failed", Some(failed), Some(tally), Some(open.labelled(charge)));
        open.settle(Outcome::of_failure(failed.class), Some(tally));
    }

    /// The caller went away in the middle.
    pub(super) fn cancelled(&mut self, tally: &Tally) {
        self.stopped("cancelled", Outcome::ClientCancelled, tally);
    }

    /// The node ended in the middle.
    pub(super) fn drained(&mut self, tally: &Tally) {
        self.stopped("cancelled", Outcome::Drained, tally);
    }

    fn stopped(&mut self, attempt: &'static str, outcome: Outcome, tally: &Tally) {
        let Some(mut open) = self.0.take() else { return };
        let charge = open.estimated(tally.usage(), tally.n_output_bytes());
        open.close_attempt(attempt, None, Some(tally), Some(open.labelled(charge)));
        open.settle(outcome, Some(tally));
    }

    /// No attempt brought an answer, or none was allowed.
    pub(super) fn refused(&mut self, last_failure: Option<Failure>) {
        let Some(open) = self.0.take() else { return };
        let outcome = last_failure.map_or(Outcome::Rejected, Outcome::of_failure);
        open.settle(outcome, None);
    }
}

impl Drop for CallRecord {
    /// The driver was dropped between attempts or while one was under way: the caller is gone.
    fn drop(&mut self) {
        let Some(mut open) = self.0.take() else { return };
        if open.current.is_some() {
            let charge = open.estimated(Usage::default(), 0);
            let charge = open.labelled(charge);
            open.close_attempt("cancelled", None, None, Some(charge));
        }
        open.settle(Outcome::ClientCancelled, None);
    }
}

impl Open {
    /// Returns the cost of an answer, and how it became known.
    fn charge(&self, tally: &Tally) -> (Option<NanoUsd>, CostSource) {
        let Some(current) = &self.current else { return (None, CostSource::Unknown) };
        if current.offer.is_free() {
            return (Some(NanoUsd::ZERO), CostSource::Local);
        }
        if let Some(reported) = tally.provider_cost() {
            return (Some(reported), CostSource::ProviderReported);
        }
        let usage = tally.usage();
        if tally.is_suspect() || usage.total_input().is_none() || usage.total_output().is_none() {
            return self.labelled(self.estimated(if tally.is_suspect() { Usage::default() } else { usage }, tally.n_output_bytes()));
        }
        match vox_route::cost(&current.offer.prices, &usage) {
            Some(cost) => (Some(cost), CostSource::Computed),
            None => (None, CostSource::Unknown),
        }
    }

    /// Returns the probable cost at the current offer, `None` if its price is unknown.
    fn estimated(&self, reported: Usage, n_output_bytes: u64) -> Option<NanoUsd> {
        let current = self.current.as_ref()?;
        if current.offer.is_free() {
            return Some(NanoUsd::ZERO);
        }
        vox_route::cost(&current.offer.prices, &estimate::completed(reported, self.call.input_estimate, n_output_bytes))
    }

    fn labelled(&self, estimate: Option<NanoUsd>) -> (Option<NanoUsd>, CostSource) {
        match (estimate, &self.current) {
            (Some(_), Some(current)) if current.offer.is_free() => (estimate, CostSource::Local),
            (Some(_), _) => (estimate, CostSource::Estimated),
            (None, _) => (None, CostSource::Unknown),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
