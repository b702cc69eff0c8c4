//! One chat or embedding call from decision to settled row: decide, reserve, note the intent, try offers until one
//! answers, pass the answer on, settle once.
//!
//! `ask` turns a request into the decision's input, `upstream` speaks to one provider, `stream` passes a committed stream
//! on, `record` keeps what the settled row will say. HTTP, keys and error bodies are the gateway's.

mod estimate;
mod offline;
mod record;
mod stream;
mod upstream;

pub use crate::ask::Hints;
pub use stream::{ChatStream, Finished, StreamCut};

use crate::Node;
use crate::ask::{self, Question};
use crate::keys::Caller;
use crate::sessions::Begun;
use crate::snapshot::{Route, Snapshot};
use bytes::Bytes;
use record::CallRecord;
use std::sync::Arc;
use std::time::{Duration, Instant};
use upstream::{Answer, Failed, Opened};
use vox_base::{Coded, CostSource, DecisionId, InteractionId, Kind, NanoUsd, Timestamp, TraceId};
use vox_route::rate::{Counted, Standing};
use vox_route::{Ask, Attempt, AttemptEvent, AttemptLimits, Decision, Failure, Locality, Offer, PriceState, RefusalReason, Step, Wanted};
use vox_wire::Endpoint;

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
    pub inbound: Option<vox_telemetry::Traceparent>,
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
    pub async fn chat(self: &Arc<Self>, call: Box<Call>) -> Result<Reply, Refusal> {
        let now = self.now();
        let snapshot = self.snapshot();
        let session = self.session(&call, &snapshot, now);
        let mut asked = ask::build(&snapshot, &self.question(&call, session.as_ref()))?;
        asked.session = session.as_ref().and_then(|session| session.view.clone());
        let expected_tokens = asked.input_tokens.saturating_add(asked.max_output_tokens.unwrap_or(0));
        if let Some(caller) = &call.caller {
            self.rates.admit(caller, expected_tokens)?;
        }
        let decision = self.decide(&snapshot, &mut asked, call.chat.endpoint, now);
        snapshot.use_board();
        self.metrics.begun();
        let record = CallRecord::open(self.clone(), snapshot.clone(), (&call, session), (asked, expected_tokens), decision, now);
        let mut driver = Driver { node: self.clone(), snapshot, call, record, deadline: None };
        match driver.run(now).await {
            Ok(reply) => Ok(reply),
            Err(stop) => Err(driver.refuse(stop)),
        }
    }

    /// Returns where a caller's limits of requests and tokens a minute stand; nothing for one without any.
    #[must_use]
    pub fn rate_standings(&self, caller: &Caller) -> Vec<(Counted, Standing)> {
        self.rates.standings(caller)
    }

    /// Decides. A choice that is left to vox is sometimes left to chance, within what trying may cost; the account of that
    /// is held meanwhile, so that calls at the same time do not spend the same allowance.
    fn decide(&self, snapshot: &Snapshot, asked: &mut Ask, endpoint: Endpoint, now: Timestamp) -> Decision {
        let decide = |asked: &Ask, seed| vox_route::decide(&snapshot.contract, &snapshot.catalog, &snapshot.board, asked, now, seed);
        // Vectors of another model mean other things.
        let is_open = endpoint == Endpoint::Chat && matches!(asked.wanted, Wanted::Auto { .. });
        let account = self.exploring.as_ref().filter(|_| is_open);
        let Some(mut account) = account.map(|account| account.lock()) else { return decide(asked, 0) };
        asked.exploring = Some(account.state(now));
        let decision = decide(asked, self.random());
        account.decided(&decision, now);
        decision
    }

    /// Returns the session that a call continues or begins.
    fn session(&self, call: &Call, snapshot: &Snapshot, now: Timestamp) -> Option<Begun> {
        if call.chat.endpoint != Endpoint::Chat {
            return None;
        }
        let caller = call.caller.as_ref().map_or(&[][..], |caller| caller.key.key_id.as_bytes());
        let new = || *self.new_id::<vox_base::kind::Interaction>(now).as_bytes();
        self.sessions.begin(caller, call.hints.session.as_deref(), &call.chat, &snapshot.settings.session, now, new)
    }

    fn question<'a>(&'a self, call: &'a Call, session: Option<&'a Begun>) -> Question<'a> {
        Question {
            chat: &call.chat,
            input_tokens: call.chat.input_tokens_upper(),
            // Vectors take no room in a context.
            max_output_tokens: if call.chat.endpoint == Endpoint::Embeddings { Some(0) } else { call.chat.max_output_tokens },
            caller: call.caller.as_deref(),
            hints: &call.hints,
            session_task: session.and_then(|session| session.task.as_deref()),
            offline: self.offline,
            profile: self.profile.as_deref(),
        }
    }
}

/// Drives one call; owns its record, so that dropping it settles the call as cancelled.
struct Driver {
    node: Arc<Node>,
    snapshot: Arc<Snapshot>,
    call: Box<Call>,
    record: CallRecord,
    deadline: Option<tokio::time::Instant>,
}

/// Why the driver stops without an answer.
struct Stop {
    refusal: Refusal,
    failure: Option<Failure>,
}

impl From<Coded> for Stop {
    fn from(error: Coded) -> Self {
        Self { refusal: error.into(), failure: None }
    }
}

/// What a try left behind, for the answer when all fail.
enum Tried {
    /// The offer speaks another dialect, in which the request cannot be said.
    Unsuitable(Box<Refusal>),
    /// The provider was called.
    Failed { failed: Failed, offer: Arc<str>, secret_id: Option<String> },
}

impl Tried {
    fn line(&self) -> Option<String> {
        match self {
            Self::Unsuitable(_) => None,
            Self::Failed { failed, offer, .. } => Some(format!("{offer}: {}", failed.message)),
        }
    }

    fn event(&self, random: u64) -> AttemptEvent {
        match self {
            // Like a model that is gone: nothing was sent, and only another offer can help.
            Self::Unsuitable(_) => AttemptEvent::Failed { failure: Failure::ModelGone, may_retry: false, random },
            Self::Failed { failed, .. } => AttemptEvent::Failed { failure: failed.class, may_retry: failed.may_retry, random },
        }
    }
}

impl Driver {
    async fn run(&mut self, now: Timestamp) -> Result<Reply, Stop> {
        if self.record.decision().ranked.is_empty() {
            return Err(self.no_offer());
        }
        self.deadline = self.call.hints.timeout_ms.map(|millis| tokio::time::Instant::now() + Duration::from_millis(millis));
        let retries = &self.snapshot.settings.retries;
        let limits =
            AttemptLimits { per_offer: retries.per_offer, per_interaction: retries.per_interaction, total_wait_ms: retries.total_wait_ms };
        let mut attempt = Attempt::of(self.record.decision(), self.may_fall_back(), limits);
        let mut tried = Vec::new();
        let mut event = AttemptEvent::Start;
        loop {
            let (at, wait_ms) = match attempt.handle(event, self.node.now()) {
                Step::Send { offer, wait_ms } => (offer, wait_ms),
                Step::Stop { failure } => return Err(self.exhausted(tried, failure)),
                Step::Relay => return Err(Coded::new(Kind::Failed, "gateway.internal", "the call was committed twice").into()),
            };
            if wait_ms > 0 {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            let offer = self.record.decision().ranked[at].offer.clone();
            event = match self.once(&offer, wait_ms, now).await? {
                Ok(opened) => return Ok(self.reply(opened)),
                Err(failed) => {
                    let event = failed.event(self.node.random());
                    tried.push(failed);
                    event
                }
            };
        }
    }

    /// Tries one offer once; the outer error ends the call.
    async fn once(&mut self, offer: &Arc<Offer>, wait_ms: u64, now: Timestamp) -> Result<Result<Opened, Tried>, Stop> {
        let (route, body) = match self.prepare(offer) {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(Tried::Unsuitable(Box::new(refusal)))),
        };
        self.reserve(offer, now).await?;
        self.keep_prices(offer, now).await?;
        match self.attempt(offer, &route, body, wait_ms).await {
            Ok(opened) => Ok(Ok(opened)),
            Err(failed) => {
                self.record.attempt_failed(&failed);
                let secret_id = route.credential.as_ref().map(|credential| credential.secret_id.clone());
                Ok(Err(Tried::Failed { failed, offer: offer.id.clone(), secret_id }))
            }
        }
    }

    /// Returns whether another offer may answer: not for embeddings of another model, whose vectors mean other things.
    fn may_fall_back(&self) -> bool {
        match self.call.hints.fallback {
            Some(false) => false,
            _ => {
                self.call.chat.endpoint == Endpoint::Chat
                    || self.record.decision().ranked.windows(2).all(|pair| pair[0].offer.model_id == pair[1].offer.model_id)
            }
        }
    }

    /// Makes the body for one offer: the caller's own bytes where both speak the same dialect.
    fn prepare(&mut self, offer: &Offer) -> Result<(Arc<Route>, Bytes), Refusal> {
        let chat = &self.call.chat;
        let route = self.snapshot.route(&offer.provider, chat.dialect).cloned().ok_or_else(|| {
            Refusal::from(Coded::new(Kind::Failed, "route.model_unknown", format!("the provider of `{}` is not configured", offer.id)))
        })?;
        let on_request = route.provider.stream_usage == crate::providers::StreamUsage::OnRequest;
        if chat.dialect == route.provider.dialect {
            let body = chat.pass_through(&offer.native_id, chat.stream && on_request && chat.endpoint == Endpoint::Chat);
            self.record.translated(Vec::new(), Vec::new());
            return Ok((route, body));
        }
        let target = vox_wire::Target {
            max_output_tokens: offer.max_output_tokens,
            context_tokens: offer.context_tokens,
            stream_usage_on_request: on_request,
            image_urls: route.provider.dialect != vox_wire::Dialect::Ollama,
            rename: Vec::new(),
        };
        let translated =
            chat.translate(route.provider.dialect, &offer.native_id, &target, &self.snapshot.verdicts, self.call.hints.drop_unknown);
        let translated = translated.map_err(|refused| Refusal {
            status: Some(400),
            param: Some(refused.pointer().to_owned()),
            ..Refusal::from(Coded::from(refused))
        })?;
        self.record.translated(translated.converted, translated.ignored);
        Ok((route, translated.body))
    }

    /// Reserves what the call can cost at most at this offer, and notes the intent, before the first upstream byte.
    async fn reserve(&mut self, offer: &Offer, now: Timestamp) -> Result<(), Coded> {
        let chat = &self.call.chat;
        let output = chat
            .max_output_tokens
            .or(if chat.stream { None } else { offer.max_output_tokens })
            .unwrap_or(self.snapshot.settings.limits.default_output_tokens);
        let amount = self.record.most(offer, output).unwrap_or(NanoUsd::ZERO);
        self.record.make_room(output);
        if self.record.reserved_amount().is_some_and(|reserved| reserved >= amount) {
            return Ok(());
        }
        let caller = self.call.caller.as_deref();
        let reserved = self.node.ledger.reserve(self.record.interaction_id(), caller, amount, self.record.take_reserved(), now).await?;
        self.record.reserve(reserved);
        Ok(())
    }

    /// Stores the price list an offer is settled with, the first time it is used.
    async fn keep_prices(&self, offer: &Arc<Offer>, now: Timestamp) -> Result<(), Coded> {
        if is_free(offer) || offer.prices == vox_route::Prices::default() || self.snapshot.price_snapshot(&offer.id).is_some() {
            return Ok(());
        }
        let row = vox_store::rows::routing::PriceSnapshot {
            price_snapshot_id: self.node.new_id(now),
            provider: offer.provider.to_string().into(),
            model_id: offer.model_id.to_string().into(),
            prices_json: serde_json::to_string(&offer.prices).unwrap_or_default().into(),
            source: offer.provenance.get("prices").map_or_else(|| "catalog".into(), |source| source.to_string().into()),
            valid_from: now,
        };
        let kept = self.node.store.keep_prices(row).await?;
        self.snapshot.keep_price_snapshot(offer.id.clone(), kept.price_snapshot_id);
        Ok(())
    }

    async fn attempt(&mut self, offer: &Arc<Offer>, route: &Arc<Route>, body: Bytes, waited_ms: u64) -> Result<Opened, Failed> {
        let translated = self.call.chat.dialect != route.provider.dialect;
        let traceparent = self.record.attempt(offer.clone(), route.clone(), waited_ms, translated);
        let request = upstream::Request {
            http: &self.node.http,
            route,
            chat: &self.call.chat,
            body,
            forward: &self.call.forward,
            query: self.call.query.as_deref(),
            traceparent: route.provider.send_traceparent.then_some(traceparent),
            settings: &self.snapshot.settings,
            deadline: self.deadline,
            shown_model: &offer.id,
            now: self.node.now(),
            answer_id: self.record.interaction_id().simple(),
        };
        let opened = request.open().await?;
        self.record.opened(opened.request_id.clone());
        Ok(opened)
    }

    fn reply(&mut self, opened: Opened) -> Reply {
        let trail = self.record.trail();
        match opened.answer {
            Answer::Whole { body, tally } => {
                self.record.passed(body.len());
                let cost = self.record.complete(&tally);
                Reply { trail, body: ReplyBody::Whole(body), cost: Some(cost) }
            }
            Answer::Stream(beginning) => {
                let record = std::mem::replace(&mut self.record, CallRecord::settled());
                let timeouts = self.snapshot.settings.timeouts.clone();
                let stream = ChatStream::new(self.call.chat.dialect, *beginning, record, timeouts, self.deadline);
                Reply { trail, body: ReplyBody::Stream(Box::new(stream)), cost: None }
            }
        }
    }

    /// The decision left nothing.
    fn no_offer(&self) -> Stop {
        let mut error = vox_route::decide::no_offer(self.record.decision(), self.record.ask());
        let only_the_key = self.call.caller.as_ref().is_some_and(|caller| caller.models.is_some())
            && !matches!(self.record.ask().wanted, vox_route::Wanted::Auto { .. })
            && self.record.decision().refused.iter().all(|refused| matches!(refused.reason, RefusalReason::NotWanted));
        if only_the_key {
            let models = self.call.caller.as_ref().and_then(|caller| caller.models.clone()).unwrap_or_default().join(", ");
            error = Coded::new(Kind::Refused, "gateway.model_not_allowed", "this key may not use the model").expected(models);
        }
        self.missing_credential().unwrap_or(error).into()
    }

    /// Returns which secret to set, where the model of a named provider fails only for want of its key.
    fn missing_credential(&self) -> Option<Coded> {
        let vox_route::Wanted::Explicit { provider, .. } = &self.record.ask().wanted else { return None };
        let is_why = self.record.decision().refused.iter().any(|refused| matches!(refused.reason, RefusalReason::NoCredential));
        let secret_id = self.snapshot.providers.get(provider).filter(|_| is_why)?.secret_ids.first()?;
        let error = Coded::new(Kind::Failed, "secret.missing_required", format!("provider `{provider}` needs a key and there is none"));
        Some(error.next(format!("`vox secrets set {secret_id}`")))
    }

    /// Every attempt failed: answers with the most useful failure and lists them all.
    fn exhausted(&self, mut tried: Vec<Tried>, best: usize) -> Stop {
        let called = |tried: &Tried| matches!(tried, Tried::Failed { .. });
        let best = if tried.get(best).is_some_and(called) { best } else { tried.iter().position(called).unwrap_or(0) };
        let list: Vec<String> = tried.iter().filter_map(Tried::line).collect();
        let (failed, secret_id) = match tried.swap_remove(best) {
            Tried::Unsuitable(refusal) => return Stop { refusal: *refusal, failure: None },
            Tried::Failed { failed, secret_id, .. } => (failed, secret_id),
        };
        let error = Coded::new(Kind::Failed, failure_code(failed.class), list.join("; "));
        let error = match (failed.class, secret_id) {
            (Failure::Auth, Some(id)) => error.next(format!("vox secrets set {id}")),
            _ => error.next(format!("vox trace {}", self.record.interaction_id())),
        };
        let mut refusal = Refusal::from(error);
        match failed.class {
            Failure::Rate { retry_after_ms } => refusal.retry_after_s = Some(retry_after_ms.unwrap_or(20_000).div_ceil(1000)),
            Failure::Request | Failure::Context => refusal.status = failed.http_status.filter(|status| (400..500).contains(status)),
            _ => {}
        }
        Stop { refusal, failure: Some(failed.class) }
    }

    /// Settles the call as refused and gives the refusal its trail.
    fn refuse(mut self, stop: Stop) -> Refusal {
        let trail = self.record.trail();
        self.record.refused(stop.failure);
        Refusal { trail: Some(Box::new(trail)), ..stop.refusal }
    }
}

/// Returns whether calls cost nothing by contract: an engine of the user's own, or an offer whose every price is zero.
fn is_free(offer: &Offer) -> bool {
    matches!(offer.locality, Locality::Local) || matches!(offer.price_state, PriceState::Free)
}

/// Returns the stable code a caller sees for a class of failure.
pub(crate) const fn failure_code(class: Failure) -> &'static str {
    match class {
        Failure::Network | Failure::Server | Failure::Payment | Failure::ModelGone => "gateway.upstream_failed",
        Failure::Redirect => "gateway.upstream_redirect",
        Failure::Rate { .. } => "gateway.upstream_rate_limited",
        Failure::Auth => "gateway.upstream_auth",
        Failure::Context => "gateway.context_too_long",
        Failure::Request => "gateway.upstream_request",
        Failure::Cut => "gateway.upstream_cut",
        Failure::Malformed => "gateway.upstream_malformed",
        Failure::Stalled => "gateway.upstream_stalled",
        Failure::Deadline => "gateway.deadline",
    }
}
