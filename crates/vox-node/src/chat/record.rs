//! What the settled row of a call will say. It is written exactly once: by an ending, or by `Drop` when the caller is
//! gone — so that no path through the driver can forget it.

mod cost;
mod room;
mod rows;
mod sighted;

use super::upstream::{self, Failed};
use super::{Call, Trail, estimate, is_free};
use crate::Node;
use crate::ledger::Reserved;
use crate::metrics::Ended;
use crate::sessions::{Answered, Begun};
use crate::snapshot::{Route, Snapshot};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vox_base::{CostSource, InteractionId, NanoUsd, Timestamp, TraceId, Usage};
use vox_route::decide::Mode;
use vox_route::{Ask, Decision, Failure, Offer};
use vox_store::rows::gateway::Attempt;
use vox_store::{SettledCall, Text};
use vox_telemetry::{SpanId, Traceparent};
use vox_wire::{StopReason, Tally};

const DAY_MS: i64 = 86_400_000;
/// How long attempts are kept: failures are the evidence, so they live longer.
const KEEP_OK_MS: i64 = 90 * DAY_MS;
const KEEP_FAILED_MS: i64 = 365 * DAY_MS;

/// One call between its decision and its settled row.
pub(super) struct CallRecord(Option<Box<Open>>);

struct Open {
    node: Arc<Node>,
    snapshot: Arc<Snapshot>,
    interaction_id: InteractionId,
    trace_id: TraceId,
    span_id: SpanId,
    inbound: Option<Traceparent>,
    call: Facts,
    ask: Ask,
    decision: Decision,
    now: Timestamp,
    started: Instant,
    reserved: Option<Reserved>,
    /// Output tokens that what is reserved covers.
    room_tokens: u64,
    attempts: Vec<Attempt>,
    current: Option<Current>,
    first_token: Option<Duration>,
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
    /// Tokens it was admitted with.
    expected_tokens: u64,
    session: Option<Begun>,
    session_name: Option<String>,
    run: Option<String>,
}

/// The attempt that is under way.
struct Current {
    offer: Arc<Offer>,
    route: Arc<Route>,
    started: Instant,
    waited_ms: u64,
    translated: bool,
    span_id: SpanId,
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
    BudgetCut,
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
            Self::BudgetCut => "budget_cut",
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
    pub(super) fn open(
        node: Arc<Node>,
        snapshot: Arc<Snapshot>,
        (call, session): (&Call, Option<Begun>),
        (ask, expected_tokens): (Ask, u64),
        decision: Decision,
        now: Timestamp,
    ) -> Self {
        let interaction_id: InteractionId = node.new_id(now);
        let facts = Facts {
            caller: call.caller.clone(),
            dialect: call.chat.dialect,
            endpoint: call.chat.endpoint,
            requested_model: call.chat.model.clone(),
            stream: call.chat.stream,
            request_bytes: call.chat.document.bytes().len() as u64,
            input_estimate: estimate::input_tokens(call.chat.document.bytes().len() as u64),
            expected_tokens,
            session_name: session.as_ref().map(|session| session.id.to_string()).or_else(|| call.hints.session.clone()),
            session,
            run: call.hints.run.clone(),
        };
        Self(Some(Box::new(Open {
            interaction_id,
            trace_id: call.inbound.as_ref().map_or(interaction_id.cast(), |inbound| inbound.trace),
            span_id: node.new_span(),
            inbound: call.inbound,
            call: facts,
            ask,
            decision,
            now,
            started: call.started,
            reserved: None,
            room_tokens: u64::MAX,
            // One is what most calls need.
            attempts: Vec::with_capacity(1),
            current: None,
            first_token: None,
            upstream_time: Duration::ZERO,
            response_bytes: 0,
            converted: Vec::new(),
            ignored: Vec::new(),
            upstream_request_id: None,
            node,
            snapshot,
        })))
    }

    /// Returns a record of which nothing is left to write.
    pub(super) const fn settled() -> Self {
        Self(None)
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

    pub(super) fn ask(&self) -> &Ask {
        &self.open_ref().ask
    }

    /// Keeps what was reserved; it is settled or released with the record.
    pub(super) fn reserve(&mut self, reserved: Reserved) {
        self.open_mut().reserved = Some(reserved);
    }

    pub(super) fn reserved_amount(&self) -> Option<NanoUsd> {
        self.open_ref().reserved.as_ref().map(|reserved| reserved.amount)
    }

    pub(super) fn take_reserved(&mut self) -> Option<Reserved> {
        self.open_mut().reserved.take()
    }

    /// Begins an attempt and returns the `traceparent` it carries.
    pub(super) fn attempt(&mut self, offer: Arc<Offer>, route: Arc<Route>, waited_ms: u64, translated: bool) -> Traceparent {
        let open = self.open_mut();
        let span_id = open.node.new_span();
        open.current = Some(Current { offer, route, started: Instant::now(), waited_ms, translated, span_id });
        Traceparent { trace: open.trace_id, span: span_id, sampled: true }
    }

    /// Notes which request fields changed form or have no effect at the offer being tried.
    pub(super) fn translated(&mut self, converted: Vec<String>, ignored: Vec<String>) {
        let open = self.open_mut();
        (open.converted, open.ignored) = (converted, ignored);
    }

    /// The attempt under way failed; another may follow.
    pub(super) fn attempt_failed(&mut self, failed: &Failed) {
        let open = self.open_mut();
        let nothing = (Some(NanoUsd::ZERO), CostSource::Computed);
        let charge = if failed.may_charge { open.labelled(open.estimated(Usage::default(), 0)) } else { nothing };
        open.close_attempt("failed", Some(failed), None, charge);
    }

    /// The attempt under way brings an answer.
    pub(super) fn opened(&mut self, request_id: Option<String>) {
        let open = self.open_mut();
        let Some(current) = &open.current else { return };
        let waited = current.started.elapsed();
        open.upstream_time += waited;
        open.first_token = open.call.stream.then_some(waited);
        open.upstream_request_id = request_id;
    }

    /// Counts bytes handed to the caller.
    pub(super) fn passed(&mut self, n_bytes: usize) {
        if let Some(open) = &mut self.0 {
            open.response_bytes += n_bytes as u64;
        }
    }

    /// Returns the failure that the provider reports inside its answer.
    pub(super) fn in_band(&self, tally: &Tally) -> Failed {
        match &self.open_ref().current {
            Some(current) => upstream::in_band(&current.route, tally),
            None => Failed::new(Failure::Server, "the provider failed inside its answer"),
        }
    }

    /// Returns whether the provider brought its answer to an end.
    pub(super) fn is_complete(&self, tally: &Tally) -> bool {
        let current = self.open_ref().current.as_ref();
        current.is_some_and(|current| tally.is_complete(current.route.provider.dialect, current.route.provider.requires_done))
    }

    /// Returns what the response headers say.
    pub(super) fn trail(&self) -> Trail {
        let open = self.open_ref();
        let model = open.current.as_ref().map_or_else(String::new, |current| current.offer.id.to_string());
        Trail {
            interaction_id: open.interaction_id,
            decision_id: open.interaction_id.cast(),
            trace_id: open.trace_id,
            model,
            n_attempts: u32::try_from(open.attempts.len()).unwrap_or(u32::MAX) + u32::from(open.current.is_some()),
            reason: open.decision.reason.as_str(),
            session: open.call.session_name.clone(),
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
        open.close_attempt("ok", None, Some(tally), charge);
        open.settle(Outcome::of_answer(tally.stop), Some(tally));
        charge
    }

    /// The stream broke after its first token; what was seen is charged as estimated.
    pub(super) fn broken(&mut self, failed: &Failed, tally: &Tally) {
        let Some(mut open) = self.0.take() else { return };
        let charge = open.labelled(open.estimated(estimate::so_far(tally.usage, tally.n_output_bytes), tally.n_output_bytes));
        open.close_attempt("failed", Some(failed), Some(tally), charge);
        open.settle(Outcome::of_failure(failed.class), Some(tally));
    }

    /// The caller went away in the middle.
    pub(super) fn cancelled(&mut self, tally: &Tally) {
        self.stopped("cancelled", Outcome::ClientCancelled, tally);
    }

    /// The answer outgrew its budget.
    pub(super) fn budget_cut(&mut self, tally: &Tally) {
        self.stopped("cancelled", Outcome::BudgetCut, tally);
    }

    /// The node ended in the middle.
    pub(super) fn drained(&mut self, tally: &Tally) {
        self.stopped("cancelled", Outcome::Drained, tally);
    }

    fn stopped(&mut self, attempt: &'static str, outcome: Outcome, tally: &Tally) {
        let Some(mut open) = self.0.take() else { return };
        let charge = open.labelled(open.estimated(estimate::so_far(tally.usage, tally.n_output_bytes), tally.n_output_bytes));
        open.close_attempt(attempt, None, Some(tally), charge);
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
            let charge = open.labelled(open.estimated(Usage::default(), 0));
            open.close_attempt("cancelled", None, None, charge);
        }
        open.settle(Outcome::ClientCancelled, None);
    }
}

impl Open {
    /// Ends the attempt under way.
    fn close_attempt(
        &mut self,
        outcome: &'static str,
        failed: Option<&Failed>,
        tally: Option<&Tally>,
        charge: (Option<NanoUsd>, CostSource),
    ) {
        let Some(current) = &self.current else { return };
        let (cost, source) = charge;
        let good = outcome == "ok";
        let created_at = self.now;
        self.node.metrics().attempt(&current.offer.provider, failed.map_or(outcome, |failed| failed.class.as_str()));
        self.attempts.push(Attempt {
            interaction_id: self.interaction_id,
            attempt_number: count(self.attempts.len() as u64 + 1),
            span_id: digits(current.span_id),
            provider: (&*current.offer.provider).into(),
            model: (&*current.offer.native_id).into(),
            credential_ref: current.route.credential.as_ref().map(|credential| credential.secret_id.as_str().into()),
            outcome: outcome.into(),
            error_class: failed.map(|failed| failed.class.as_str().into()),
            error_text: failed.map(|failed| failed.message.chars().take(200).collect::<String>().into()),
            http_status: failed.map_or(tally.map(|_| 200), |failed| failed.http_status.map(i64::from)),
            upstream_request_id: failed
                .and_then(|failed| failed.request_id.clone())
                .or_else(|| self.upstream_request_id.clone())
                .map(Into::into),
            waited_ms: Some(count(current.waited_ms)),
            ttft_ms: self.first_token.filter(|_| tally.is_some()).map(millis),
            latency_ms: Some(millis(current.started.elapsed())),
            bytes_to_client: Some(count(self.response_bytes)),
            usage_json: None,
            cost_nano_usd: cost,
            cost_source: source.as_str().into(),
            created_at,
            expires_at: created_at.plus_millis(if good { KEEP_OK_MS } else { KEEP_FAILED_MS }),
        });
        if !good && tally.is_none() {
            self.current = None;
        }
    }

    /// Writes the call: everything in one transaction, without waiting for it.
    fn settle(mut self: Box<Self>, outcome: Outcome, tally: Option<&Tally>) {
        let ended_at = self.node.now();
        let (cost, source) = self.total();
        let overhead = self.started.elapsed().saturating_sub(self.upstream_time);
        let usage = tally.map(|tally| tally.usage).unwrap_or_default();
        self.node.metrics().ended(&Ended {
            endpoint: self.call.endpoint.as_str(),
            outcome: outcome.as_str(),
            overhead,
            first_token: self.first_token,
            usage: &usage,
            cost,
            source,
        });
        self.continued(outcome, &usage, ended_at);
        self.correct_rates(&usage);
        if let Some(account) = self.node.exploring.as_ref().filter(|_| self.decision.mode == Mode::Explored) {
            account.lock().ended();
        }
        let attempts = std::mem::take(&mut self.attempts);
        let interaction = self.interaction(outcome, tally, &usage, (cost, source), overhead, ended_at, attempts.len());
        self.sighted(outcome, &interaction, &attempts);
        let decision = self.decision_row();
        let entries = self.entries(cost, ended_at);
        let is_reserved = self.node.ledger.is_seen_by_others(self.call.caller.as_deref());
        let call = SettledCall { interaction, attempts, decision: Some(decision), entries, is_reserved };
        let reserved = self.reserved.take();
        self.node.ledger.settle(reserved, cost, call, ended_at);
    }

    /// Counts the tokens the call had against the caller's limits a minute, in place of those it was admitted with.
    fn correct_rates(&self, usage: &Usage) {
        let Some(caller) = &self.call.caller else { return };
        let counted = usage.total_input().unwrap_or(0).saturating_add(usage.total_output().unwrap_or(0));
        // Of an answer without usage the estimate stands; a call that was never sent had no tokens.
        if counted > 0 || self.attempts.is_empty() {
            self.node.rates.correct(caller, self.call.expected_tokens, counted);
        }
    }

    /// Tells the session what answered it.
    fn continued(&self, outcome: Outcome, usage: &Usage, at: Timestamp) {
        let (Some(session), Some(current)) = (&self.call.session, &self.current) else { return };
        if matches!(outcome, Outcome::Complete | Outcome::Truncated) {
            let dialect = current.route.provider.dialect;
            let answered = Answered { offer: &current.offer.id, dialect, usage, task: &self.decision.task };
            self.node.sessions.answered(session, &answered, at);
        }
    }
}

fn digits(span: SpanId) -> Text {
    Text::from_utf8_lossy(&span.hex())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
