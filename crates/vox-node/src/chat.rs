//! One chat or embedding call from decision to settled row: decide, reserve, note the intent, try offers until one
//! answers, pass the answer on, settle once.
//!
//! `ask` turns a request into the decision's input, `upstream` speaks to one provider, `stream` passes a committed stream
//! on, `record` keeps what the settled row will say. HTTP, keys and error bodies are the gateway's.

mod ask;
mod estimate;
mod offline;
mod record;
mod stream;
mod upstream;

pub use ask::Hints;
pub use stream::{ChatStream, StreamCut};

use crate::keys::Caller;
use crate::snapshot::Snapshot;
use crate::{Node, metrics};
use bytes::Bytes;
use record::CallRecord;
use std::sync::Arc;
use std::time::{Duration, Instant};
use upstream::{Answer, Opened};
use vox_base::{Coded, CostSource, DecisionId, InteractionId, Kind, NanoUsd, Timestamp, TraceId};
use vox_route::{Attempt, AttemptEvent, AttemptLimits, Decision, Failure, Offer, Step};

/// A request as the door hands it over.
pub struct Call {
    /// Who calls; nobody for the user's own `vox chat`.
    pub caller: Option<Arc<Caller>>,
    /// What is asked.
    pub chat: vox_wire::Chat,
    /// Hints of headers and metadata.
    pub hints: Hints,
    /// Headers to pass on to a provider of the same dialect.
    pub forward: http::HeaderMap,
    /// Query string to pass on.
    pub query: Option<String>,
    /// Trace the caller continues.
    pub inbound: Option<vox_telemetry::TraceContext>,
    /// When the request had been read.
    pub started: Instant,
}

/// An answer on its way to the caller.
pub struct Reply {
    /// What the response headers say.
    pub trail: Trail,
    /// The answer itself.
    pub body: ReplyBody,
    /// What it cost, where that is known before the body.
    pub cost: Option<(Option<NanoUsd>, CostSource)>,
}

/// The answer itself.
pub enum ReplyBody {
    /// Everything at once, as JSON.
    Whole(Bytes),
    /// Server-sent events.
    Stream(Box<ChatStream>),
}

/// What the answer's headers say about the way it came.
#[derive(Debug, Clone)]
pub struct Trail {
    /// Names the request.
    pub interaction_id: InteractionId,
    /// Names the decision.
    pub decision_id: DecisionId,
    /// Names the trace.
    pub trace_id: TraceId,
    /// `provider/model` that answers; empty if none did.
    pub model: String,
    /// Upstream calls made.
    pub n_attempts: u32,
    /// Why this offer: the decision's short code.
    pub reason: &'static str,
    /// The caller's session.
    pub session: Option<String>,
    /// The provider's name for the call.
    pub upstream_request_id: Option<String>,
    /// Request fields whose form was changed.
    pub converted: Vec<String>,
    /// Request fields without effect at this offer.
    pub ignored: Vec<String>,
    /// Time spent here, without the provider's.
    pub overhead: Duration,
}

/// A request that gets no answer, and why.
#[derive(Debug)]
pub struct Refusal {
    /// What to say.
    pub error: Coded,
    /// The HTTP status, where it is the provider's and not the code's.
    pub status: Option<u16>,
    /// When to try again.
    pub retry_after_s: Option<u64>,
    /// The request field concerned.
    pub param: Option<String>,
    /// What is known of the call, once it has an id.
    pub trail: Option<Box<Trail>>,
}

impl From<Coded> for Refusal {
    fn from(error: Coded) -> Self {
        Self { error, status: None, retry_after_s: None, param: None, trail: None }
    }
}

impl Node {
    /// Answers one call. Dropping the future or the returned stream cancels the upstream request and settles the call.
    ///
    /// # Errors
    /// No offer may answer, the budget does not cover the call, or every attempt failed.
    pub async fn chat(self: &Arc<Self>, call: Call) -> Result<Reply, Refusal> {
        let now = self.clock.now();
        let snapshot = self.snapshot();
        let asked = ask::build(&snapshot, &call, self.offline)?;
        let decision = vox_route::decide(&snapshot.contract, &snapshot.catalog, &snapshot.board, &asked, now, 0);
        let record = CallRecord::open(self.clone(), snapshot.clone(), &call, asked, decision, now);
        let mut driver = Driver { node: self.clone(), snapshot, call, record, deadline: None };
        let outcome = driver.run(now).await;
        match outcome {
            Ok(reply) => Ok(reply),
            Err(refusal) => Err(driver.refuse(refusal)),
        }
    }
}

/// Drives one call; owns its record, so that dropping it settles the call as cancelled.
struct Driver {
    node: Arc<Node>,
    snapshot: Arc<Snapshot>,
    call: Call,
    record: CallRecord,
    deadline: Option<Instant>,
}
